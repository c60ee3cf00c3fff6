"""Processes that die, fork, end without closing, and those that only import."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from classifier.outcomes import OutcomeStore
from tests.helpers.outcomes import Opener, decision, ids, locked, wait_for
from tests.helpers.processes import environment, run

RECORD = """
import sys, time
from tests.helpers.outcomes import decision
from classifier.outcomes import OutcomeStore
store = OutcomeStore(sys.argv[1], spill=sys.argv[2], batch=7)
for _ in range(100):
    each = decision()
    store.record(each)
    print(each.id)
assert store.flush(60)
print("flushed", flush=True)
for _ in range(int(sys.argv[3])):
    store.record(decision())
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("more", [0, 3000])
def test_kill_9_loses_nothing_that_was_flushed(url: str, tmp_path: Path, open_store: Opener, more: int) -> None:
    assert set(killed_after_flush(url, tmp_path, more)) <= set(ids(open_store(url)))


@pytest.mark.slow
def test_kill_9_loses_nothing_that_was_spilled(sqlite_url: str, tmp_path: Path, open_store: Opener) -> None:
    open_store(sqlite_url).write([decision()])
    with locked(tmp_path / "outcomes.db"):
        made = killed_after_flush(sqlite_url, tmp_path, 3000)
    store = open_store(sqlite_url)
    store.record(decision())
    wait_for(lambda: store.spilled() == 0)
    assert set(made) <= set(ids(store))
    assert store.counters.broken <= 1


def killed_after_flush(url: str, folder: Path, more: int) -> list[str]:
    """Decisions that a process had flushed when it was killed."""
    command = [sys.executable, "-c", RECORD, url, str(folder / "spill"), str(more)]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    assert program.stdout is not None
    made = []
    for line in program.stdout:
        if line.strip() == "flushed":
            break
        made.append(line.strip())
    program.send_signal(signal.SIGKILL)
    program.wait()
    program.stdout.close()
    assert len(made) == 100
    return made


@pytest.mark.slow
def test_a_program_that_ends_without_closing_loses_nothing(url: str, tmp_path: Path, open_store: Opener) -> None:
    code = """
    import sys
    from tests.helpers.outcomes import decision
    from classifier.outcomes import OutcomeStore
    store = OutcomeStore(sys.argv[1], spill=sys.argv[2])
    for _ in range(50):
        store.record(decision())
    """
    done = run(code, url, str(tmp_path / "spill"), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(ids(open_store(url))) == 50


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_parent_and_child_record_after_a_fork(url: str, tmp_path: Path, open_store: Opener) -> None:
    code = """
    import os, sys, warnings
    from tests.helpers.outcomes import decision
    from classifier.outcomes import OutcomeStore
    warnings.simplefilter("ignore")  # Python's own, that a process with threads forks
    with OutcomeStore(sys.argv[1], spill=sys.argv[2]) as store:
        store.record(decision(key="before"))
        assert store.flush(60)
        for _ in range(20):
            store.record(decision(key="waiting"))
        child = os.fork()
        for _ in range(20):
            store.record(decision(key="child" if child == 0 else "parent"))
        assert store.flush(60)
        assert store.counters.written == (20 if child == 0 else 41), store.counters
        if child == 0:
            store.record(decision(key="child"))
            sys.exit()  # as a server's workers end
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        store.record(decision(key="parent"))
    """
    done = run(code, url, str(tmp_path / "spill"), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    store = open_store(url)
    keys = [each.decision.key for each in store.outcomes()]
    counts = {"before": 1, "waiting": 20, "child": 21, "parent": 21}
    assert {key: keys.count(key) for key in set(keys)} == counts


def test_a_program_that_only_makes_a_store_leaves_nothing_behind(tmp_path: Path) -> None:
    with OutcomeStore(f"sqlite:///{tmp_path / 'outcomes.db'}") as store:
        assert store.flush()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_records_load_nothing_heavy() -> None:
    code = """
    import sys
    import classifier, classifier.outcomes
    from classifier.outcomes import DecisionRecord, new_id
    print({"sqlalchemy", "psycopg", "polars", "sklearn", "training"} & set(sys.modules))
    from classifier.outcomes import OutcomeStore
    print({"psycopg", "polars", "sklearn", "training"} & set(sys.modules))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["set()", "set()"]


@pytest.mark.slow
def test_without_its_driver_postgres_is_refused_with_the_extra_to_install(tmp_path: Path) -> None:
    code = """
    import sys
    sys.modules["psycopg"] = None
    from classifier.outcomes import OutcomeStore
    OutcomeStore("postgresql://host/db")
    """
    done = run(code, cwd=tmp_path)
    assert done.stderr.strip().splitlines()[-1] == (
        "classifier.errors.InputError: store URL: PostgreSQL needs psycopg, which is not installed; "
        "pip install 'tierwise[postgres]'"
    )


def test_all_names_exist() -> None:
    import classifier.outcomes as outcomes

    assert outcomes.__all__ == sorted(outcomes.__all__)
    assert all(getattr(outcomes, name) for name in outcomes.__all__)
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        outcomes.absent  # noqa: B018
