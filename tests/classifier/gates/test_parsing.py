import os
import subprocess
import sys
import threading
import time

import pytest

from classifier.gates import parsing
from classifier.gates.parsers import parse_all, parses
from classifier.gates.parsing import parse_pieces

SOUND = (None, "python", "x = 1")
CRASH = (("faulthandler", "_sigsegv"), "c", "x")  # what loads the grammar ends the process


@pytest.fixture
def children():
    """Children of one's own, none of them started."""
    made = parsing._Children()
    yield made
    made.close()


def test_a_crash_ends_the_child_and_what_it_answered_before_still_counts():
    assert parse_pieces([SOUND, CRASH, SOUND]) == [True, None, None]
    assert parse_pieces([SOUND]) == [True]


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("toml", "a." * 50_000 + "a = 1"),
        ("lua", "[=" * 30_000),
        ("bash", "$" * 190_000),
        ("python", "x=" * 90_000 + "x"),
        ("c", "(a)(b)(c)" * 20_000),
        ("json", "[" * 100_000),
    ],
)
def test_code_that_takes_long_much_memory_or_depth_is_given_up(language, code):
    started = time.monotonic()
    assert parses(language, code) is None
    assert time.monotonic() - started < 5
    assert parses("python", "x = 1") is True


def test_nested_lists_of_yaml_crash_nothing():
    for fragment in ("- ", "? "):
        assert parses("yaml", fragment * 278) is not None
    assert parses("yaml", "- - - a") is True


def test_pieces_of_one_answer_share_a_limit_of_size():
    assert parse_all([("json", f'"{"x" * 150_000}"')] * 3) == [True, True, None]


def test_threads_share_the_children(children):
    results = []
    threads = [threading.Thread(target=lambda: results.append(children.parse([SOUND]))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count([True]) >= 4
    assert len(children._all) <= 4
    assert children.parse([SOUND, SOUND]) == [True, True]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform cannot fork")
def test_a_forked_process_starts_its_own_child():
    assert parse_pieces([SOUND]) == [True]
    process = os.fork()
    if process == 0:
        os._exit(0 if parse_pieces([SOUND, (None, "json", "{")]) == [True, False] else 1)
    assert parse_pieces([SOUND]) == [True]
    assert os.waitpid(process, 0)[1] == 0
    assert parse_pieces([SOUND]) == [True]


def test_nothing_is_started_by_importing_and_nothing_outlives_the_program():
    program = (
        "from classifier.gates import parsers, parsing\n"
        "assert not parsing._children._all\n"
        "assert parsers.parses('python', 'x') is True\n"
        "print(*(child._process.pid for child in parsing._children._all))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    (started,) = map(int, done.stdout.split())
    with pytest.raises(ProcessLookupError):
        os.kill(started, 0)


@pytest.mark.parametrize(("name", "value"), [("frozen", True), ("executable", "/usr/sbin/server"), ("executable", "")])
def test_where_no_limited_process_can_be_had_nothing_can_be_told(monkeypatch, children, name, value):
    monkeypatch.setattr(sys, name, value, raising=False)
    assert children.parse([SOUND]) == [None]


def test_a_child_that_cannot_be_started_is_not_tried_at_every_answer(monkeypatch, children):
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")
    assert children.parse([SOUND]) == [None]
    monkeypatch.undo()
    assert children.parse([SOUND]) == [None]
    children._no_start_before = 0
    assert children.parse([SOUND]) == [True]


def test_a_child_that_was_killed_from_outside_is_replaced(children):
    assert children.parse([SOUND]) == [True]
    (child,) = children._all
    child._process.kill()
    child._process.wait()
    assert children.parse([SOUND]) == [None]
    assert children.parse([SOUND]) == [True]
