"""No record ends the thread that writes, and the counters account for every one."""

from __future__ import annotations

import fractions
import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifier.outcomes import OutcomeStore
from classifier.outcomes.lines import from_lines
from classifier.outcomes.writer import Counters
from tests.helpers.outcomes import SECRET, Opener, attempt, decision, everything, ids, locked, wait_for


class Raising:
    """A client's object that raises when it is asked for its content."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def model_dump(self, **options: Any) -> Any:
        raise self.error


class Unreadable:
    def __iter__(self) -> Iterator[Any]:
        raise KeyError("x")


def deep(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


LOOP: list[Any] = []
LOOP.append(LOOP)
WRITTEN = {  # by the name of its type, where it cannot be read
    "runtime error": Raising(RuntimeError("boom")),
    "key error": Raising(KeyError("x")),
    "memory error": Raising(MemoryError()),
    "recursion error": Raising(RecursionError()),
    "raising iteration": Unreadable(),
    "number too large": fractions.Fraction(10**400),
    "whole number too large": 10**400,
    "endless iterator": itertools.count(),
    "half a surrogate pair": "\ud800\x00",
    "class": Raising,
}
SET_ASIDE = {
    "holds itself": LOOP,
    "nested too deeply": deep(5000),
    "keys that are no text": {("a", "b"): 1},
}
SPOILT = {  # fields that no table takes
    "id": {"id": "x" * 5000},
    "chosen": {"chosen": None},
    "setting": {"setting": LOOP},
    "time": {"time": "yesterday"},
    "menu": {"menu": LOOP},
    "novelty": {"novelty": "some"},
    "attempts": {"attempts": (attempt(0, gates=({"gate": LOOP},)),)},
    "position": {"attempts": (attempt(0, cost=LOOP),)},
}


def holding(part: Any) -> Any:
    return decision(prompt=None, messages=[{"role": "user", "content": [part, SECRET]}])


def is_balanced(found: Counters) -> bool:
    became = found.written + found.spilled + found.set_aside + found.dropped + found.waiting
    return found.given + found.recovered == became


@pytest.mark.parametrize("name", WRITTEN)
def test_what_cannot_be_read_of_a_request_is_named_and_the_rest_written(
    sqlite_url: str, open_store: Opener, name: str
) -> None:
    store = open_store(sqlite_url)
    made = [decision(), holding(WRITTEN[name]), decision()]
    for each in made:
        store.record(each)
    assert store.flush(60)
    assert sorted(ids(store)) == sorted(each.id for each in made)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["prompt", "hash"])
@pytest.mark.parametrize("name", [*SET_ASIDE, *SPOILT])
def test_a_record_that_cannot_be_written_is_set_aside_without_what_it_must_not_tell(
    sqlite_url: str, tmp_path: Path, open_store: Opener, caplog: pytest.LogCaptureFixture, name: str, mode: str
) -> None:
    store = open_store(sqlite_url, keep=mode)
    odd = holding(SET_ASIDE[name]) if name in SET_ASIDE else decision(**SPOILT[name])
    good = [decision(prompt="harmless") for _ in range(2)]
    for each in (good[0], odd, good[1]):
        store.record(each)
    assert not store.flush(60)
    assert store.flush(60)
    assert sorted(ids(store)) == sorted(each.id for each in good)
    assert (store.counters.written, store.counters.set_aside, store.counters.dropped) == (2, 1, 0)
    aside = tmp_path / "spill" / "broken.lines"
    assert odd.id.encode() in aside.read_bytes()
    assert aside.stat().st_mode & 0o777 == 0o600
    assert len([each for each in caplog.records if "set aside" in each.message]) == 1
    assert SECRET not in caplog.text
    assert mode == "prompt" or SECRET.encode() not in everything(tmp_path)


def test_what_is_left_of_a_record_can_be_taken_up_by_hand(sqlite_url: str, tmp_path: Path, open_store: Opener) -> None:
    store = open_store(sqlite_url)
    odd = holding(LOOP)
    store.record(odd)
    store.flush(60)
    records = from_lines((tmp_path / "spill" / "broken.lines").read_bytes().splitlines(), pytest.fail)
    store.write(records)
    (found,) = store.outcomes()
    assert (found.decision.id, found.decision.messages, found.decision.chosen) == (odd.id, None, odd.chosen)


@pytest.mark.slow
def test_what_is_set_aside_is_bounded(
    sqlite_url: str, tmp_path: Path, open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifier.outcomes.spill.MOST_BROKEN", 5000)
    store = open_store(sqlite_url)
    for _ in range(50):
        store.record(holding(LOOP))
    store.flush(60)
    assert (tmp_path / "spill" / "broken.lines").stat().st_size <= 5000
    assert store.counters.set_aside + store.counters.dropped == 50
    assert min(store.counters.set_aside, store.counters.dropped) > 0


@pytest.mark.parametrize("error", [SystemExit("out"), KeyboardInterrupt(), GeneratorExit()])
def test_not_even_what_is_meant_to_end_a_thread_does(sqlite_url: str, open_store: Opener, error: BaseException) -> None:
    store = open_store(sqlite_url)
    made = [decision() for _ in range(10)]
    for each in [*made[:5], holding(Raising(error)), *made[5:]]:
        store.record(each)
    store.flush(60)
    store.record(decision())
    wait_for(lambda: store.counters.waiting == 0 and store.spilled() == 0)
    assert {each.id for each in made} <= set(ids(store))
    assert is_balanced(store.counters)
    assert store.counters.dropped == 0
    assert store.counters.set_aside == isinstance(error, KeyboardInterrupt)  # which the main thread may be meant by
    assert len(ids(store)) == 12 - store.counters.set_aside


def test_a_dict_that_is_changed_while_it_is_written_is_written(sqlite_url: str, open_store: Opener) -> None:
    store = open_store(sqlite_url)
    shared: Any = {str(number): "x\x00" for number in range(3000)}
    nested: Any = shared
    for _ in range(60):  # deeper than is copied while the caller waits
        nested = {"inner": nested}
    done = threading.Event()

    def change() -> None:
        for number in itertools.count():
            shared[f"n{number}"] = 1
            shared.pop(f"n{number - 5}", None)
            if done.is_set():
                return
            if number % 100 == 0:
                time.sleep(0)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(10):
            store.record(holding(nested))
            assert store.flush(60)
    finally:
        done.set()
        thread.join()
    assert store.counters.written == 10


def test_recording_never_raises(sqlite_url: str, open_store: Opener) -> None:
    store = open_store(sqlite_url)
    for messages in (5, "text", object(), [Unreadable()], Unreadable(), {"a": 1}):
        store.record(decision(prompt=None, messages=messages))
    store.flush(60)
    assert is_balanced(store.counters)
    assert store.counters.given == 6
    assert store.counters.dropped == 0


def test_flush_and_close_wait_no_longer_than_they_are_told(sqlite_url: str, tmp_path: Path, open_store: Opener) -> None:
    store = open_store(sqlite_url)
    release = threading.Event()

    class Slow:
        def model_dump(self, **options: Any) -> Any:
            release.wait(60)
            return "late"

    store.record(holding(Slow()))
    begun = time.monotonic()
    assert not store.flush(0.2)
    store.record(decision())
    assert not store.flush(0)
    assert time.monotonic() - begun < 30
    release.set()
    assert store.flush(60)
    assert store.counters.written == 2


def test_flush_without_a_limit_gives_up_where_nothing_moves(
    sqlite_url: str, open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifier.outcomes.work_queue._PATIENCE", 0.3)
    store = open_store(sqlite_url)
    release = threading.Event()

    class Slow:
        def model_dump(self, **options: Any) -> Any:
            release.wait(60)
            return "late"

    store.record(holding(Slow()))
    assert not store.flush()
    release.set()
    assert store.flush()


parts = st.sampled_from([*WRITTEN.values(), *SET_ASIDE.values(), Raising(SystemExit()), "text", 1.5, None])
odd_fields = st.sampled_from(list(SPOILT.values()))
records = st.one_of(st.builds(decision), parts.map(holding), odd_fields.map(lambda fields: decision(**fields)))


@pytest.mark.slow
@given(made=st.lists(records, max_size=12), mode=st.sampled_from(["prompt", "features", "hash"]))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_counters_add_up_to_what_was_given(
    tmp_path_factory: pytest.TempPathFactory, made: list[Any], mode: str
) -> None:
    folder = tmp_path_factory.mktemp("store")
    with OutcomeStore(f"sqlite:///{folder / 'o.db'}", keep=mode, batch=4, retry_after=0.01) as store:
        for each in made:
            store.record(each)
            assert is_balanced(store.counters)
        store.flush(60)
        found = store.counters
    assert is_balanced(found)
    assert (found.given, found.waiting) == (len(made), 0)


def test_counters_add_up_at_any_time_in_any_weather(sqlite_url: str, tmp_path: Path, open_store: Opener) -> None:
    store = open_store(sqlite_url, queue_size=50, batch=7)
    store.record(decision())
    assert store.flush(60)
    odd = [*WRITTEN.values(), *SET_ASIDE.values()]
    done = threading.Event()
    unbalanced: list[Counters] = []

    def record(name: int) -> None:
        for number in range(150):
            store.record(holding(odd[number % len(odd)]) if number % 3 == 0 else decision())
            time.sleep(0.0005 * (name + 1))

    def look() -> None:
        while not done.is_set():
            found = store.counters
            if not is_balanced(found):
                unbalanced.append(found)
            time.sleep(0.0003)

    threads = [threading.Thread(target=record, args=[name]) for name in range(3)]
    watcher = threading.Thread(target=look)
    for thread in [*threads, watcher]:
        thread.start()
    time.sleep(0.05)
    with locked(tmp_path / "outcomes.db"):
        time.sleep(0.2)
    (tmp_path / "outcomes.db").rename(tmp_path / "moved.db")
    for thread in threads:
        thread.join()
    store.close(30)
    done.set()
    watcher.join()
    found = store.counters
    assert unbalanced == []
    assert is_balanced(found)
    assert (found.given, found.waiting) == (451, 0)
