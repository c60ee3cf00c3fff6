"""The store goes away and comes back: nothing is lost, nothing is stored twice, nobody is told off."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from classifier.outcomes import OutcomeStore, StoreError
from classifier.outcomes.lines import to_line
from tests.helpers.outcomes import SECRET, Opener, attempt, decision, ids, locked, wait_for
from tests.helpers.postgres import PostgresServer, binaries
from tests.helpers.processes import environment, run


def test_postgres_stops_and_starts_again(
    postgres: PostgresServer, open_store: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(postgres.new_database())
    made = [decision() for _ in range(30)]
    store.record(made[0])
    assert store.flush(60)
    postgres.stop()
    try:
        for each in made[1:20]:
            store.record(each)
            store.record_feedback(each.id, 1)
        assert store.flush(60)
        assert store.counters.spilled == 38
        assert store.spilled() == 38
        assert store.counters.dropped == 0
    finally:
        postgres.start()
    for each in made[20:]:
        store.record(each)
    wait_for(lambda: store.counters.recovered >= 38)
    assert store.flush(60)
    assert sorted(ids(store)) == sorted(each.id for each in made)
    assert store.stats().feedback["user"].count == 19
    wait_for(lambda: store.spilled() == 0)
    assert store.counters.written == 30 + 19
    assert len([each for each in caplog.records if each.levelname == "WARNING"]) == 1
    assert SECRET not in caplog.text


def test_a_server_begun_anew_between_two_records_is_no_outage(postgres: PostgresServer, open_store: Opener) -> None:
    store = open_store(postgres.new_database())
    store.record(decision())
    assert store.flush(60)
    postgres.stop()
    postgres.start()
    store.record(decision())
    assert store.flush(60)
    assert (store.counters.written, store.counters.spilled) == (2, 0)


@pytest.mark.slow
def test_a_store_that_is_down_at_first_is_no_error(tmp_path: Path, open_store: Opener) -> None:
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    server = PostgresServer(programs)
    server.start()
    url = server.new_database()
    server.stop()
    try:
        store = open_store(url)
        made = decision()
        store.record(made)
        assert store.flush(60)
        store.close()
        assert store.counters.spilled == 1
    finally:
        server.start()
    try:
        again = open_store(url)  # the next start of the program
        again.record(decision())
        wait_for(lambda: again.counters.recovered == 1)
        assert made.id in ids(again)
        again.close()
    finally:
        server.remove()


@pytest.mark.slow
def test_a_locked_file(sqlite_url: str, tmp_path: Path, open_store: Opener) -> None:
    store = open_store(sqlite_url)
    made = [decision() for _ in range(5)]
    store.record(made[0])
    assert store.flush(60)
    with locked(tmp_path / "outcomes.db"):
        for each in made[1:]:
            store.record(each)
        assert store.flush(60)
        assert store.counters.spilled == 4
        assert ids(store) == [made[0].id]  # one who only reads is not kept out
    wait_for(lambda: store.counters.recovered == 4)
    assert sorted(ids(store)) == sorted(each.id for each in made)


@pytest.mark.slow
def test_a_locked_file_is_told_of_in_one_line(sqlite_url: str, tmp_path: Path, open_store: Opener) -> None:
    store = open_store(sqlite_url)
    store.write([decision()])
    with locked(tmp_path / "outcomes.db"):
        for change in (store.vacuum, lambda: store.delete("id"), lambda: store.write([decision()])):
            with pytest.raises(StoreError, match="database is locked") as failed:
                change()
            assert "\n" not in str(failed.value)
    assert store.count() == 1


def test_a_folder_that_cannot_be_written(tmp_path: Path, open_store: Opener) -> None:
    (tmp_path / "file").write_text("in the way")
    store = open_store(f"sqlite:///{tmp_path / 'file' / 'outcomes.db'}")
    made = decision()
    store.record(made)
    assert store.flush(60)
    assert store.counters.spilled == 1
    (tmp_path / "file").unlink()
    wait_for(lambda: store.counters.recovered == 1)
    assert ids(store) == [made.id]


@pytest.mark.slow
def test_a_read_only_folder_in_a_program_without_privileges(tmp_path: Path) -> None:
    """The spill beside the file is as read-only; the user's own folder takes it."""
    code = """
    import os, sys
    from tests.helpers.outcomes import decision
    from classifier.outcomes import OutcomeStore
    with OutcomeStore("sqlite:///" + sys.argv[1]) as other:  # what is imported late is imported now
        other.record(decision())
    store = OutcomeStore("sqlite:///outcomes.db")
    if os.geteuid() == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
    store.record(decision())
    assert store.flush(60), store.counters
    print(store.counters.spilled, store.counters.dropped)
    """
    folder, state = tmp_path / "folder", tmp_path / "state"
    folder.mkdir()
    sqlite3.connect(folder / "outcomes.db").close()
    state.mkdir()
    if os.geteuid() == 0:
        os.chown(state, 65534, 65534)
        for parent in [tmp_path, *tmp_path.parents[:3]]:
            parent.chmod(parent.stat().st_mode | 0o011)
    folder.chmod(0o555)
    done = run(code, str(tmp_path / "other.db"), cwd=folder, XDG_STATE_HOME=str(state), HOME=str(state))
    folder.chmod(0o755)
    assert done.stdout.split() == ["1", "0"], done.stderr
    assert len(list(state.rglob("*.jsonl"))) == 1


@pytest.mark.slow
def test_a_full_disk(tmp_path: Path) -> None:
    """A limit on file sizes stands in for a disk without room; the database and its log cannot grow."""
    code = """
    import resource, signal
    from tests.helpers.outcomes import decision
    from classifier.outcomes import OutcomeStore
    store = OutcomeStore("sqlite:///outcomes.db", spill="spill", batch=10)
    store.record(decision()); assert store.flush(60)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    for _ in range(10):
        store.record(decision(prompt="x" * 20_000)); store.flush(60)
    counters = store.counters
    assert counters.written + counters.spilled + counters.dropped == 11, counters
    assert counters.spilled and counters.failed_writes and counters.dropped, counters
    print(store.count() == counters.written)
    """
    done = run(code, cwd=tmp_path)
    assert done.stdout.strip() == "True", done.stderr
    assert "dropped" in done.stderr


def test_where_nothing_can_be_written_records_are_dropped_and_said_once(
    tmp_path: Path, open_store: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    store = open_store(f"sqlite:///{tmp_path / 'file' / 'o.db'}", spill=tmp_path / "file" / "spill")
    for _ in range(10):
        store.record(decision())
    assert not store.flush(60)
    assert store.counters.dropped == 10
    assert store.flush(60)
    assert len([each for each in caplog.records if "dropped" in each.message]) == 1
    assert SECRET not in caplog.text


@pytest.mark.slow
def test_a_full_queue_is_spilled(sqlite_url: str, tmp_path: Path, open_store: Opener) -> None:
    store = open_store(sqlite_url, queue_size=10, batch=5)
    made = [decision() for _ in range(201)]
    store.record(made[0])
    assert store.flush(60)
    with locked(tmp_path / "outcomes.db"):  # the thread waits for the lock, so the queue fills
        for each in made[1:]:
            store.record(each)
            wait_for(lambda: len(store._writer._overflow) < 10)
        assert store.flush(60)
        assert store.counters.spilled >= 180
        assert store.counters.dropped == 0
    wait_for(lambda: store.counters.written == 201)
    assert sorted(ids(store)) == sorted(each.id for each in made)


@pytest.mark.slow
def test_what_neither_queue_holds_is_dropped_without_waiting(
    sqlite_url: str, tmp_path: Path, open_store: Opener
) -> None:
    store = open_store(sqlite_url, queue_size=1, batch=1)
    store.record(decision())
    assert store.flush(60)
    with locked(tmp_path / "outcomes.db"):
        for _ in range(2000):
            store.record(decision())
        store.flush(60)
    wait_for(lambda: store.counters.waiting == 0 and store.spilled() == 0)
    counters = store.counters
    assert counters.dropped > 0
    assert counters.written + counters.dropped == 2001


def test_after_closing_records_are_dropped(sqlite_url: str, open_store: Opener) -> None:
    store = open_store(sqlite_url)
    store.record(decision())
    store.close()
    store.close()
    store.record(decision())
    assert (store.counters.written, store.counters.dropped) == (1, 1)


def test_closing_while_the_store_hangs_spills(sqlite_url: str, tmp_path: Path, open_store: Opener) -> None:
    store = open_store(sqlite_url)
    store.record(decision())
    assert store.flush(60)
    made = [decision() for _ in range(3)]
    with locked(tmp_path / "outcomes.db"):
        for each in made:
            store.record(each)
        store.close(timeout=0.05)
        assert store.spilled() >= 3
    again = open_store(sqlite_url)
    again.record(decision())
    wait_for(lambda: again.spilled() == 0)
    assert set(ids(again)) >= {each.id for each in made}
    assert len(ids(again)) == 5


def test_a_broken_line_is_set_aside_and_stops_nothing(
    url: str, tmp_path: Path, open_store: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    made = [decision() for _ in range(3)]
    lines = [to_line(each).encode() for each in made]
    folder = tmp_path / "spill"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(lines[0] + b"\xff\xfe nonsense\n" + lines[1])
    (folder / "b.jsonl").write_bytes(lines[2] + lines[0][:100])  # cut by a kill
    store = open_store(url)
    store.record(decision())
    wait_for(lambda: store.spilled() == 0)
    assert len(ids(store)) == 4
    assert store.counters.broken == 2
    assert (folder / "broken.lines").read_bytes() == b"\xff\xfe nonsense\n" + lines[0][:100] + b"\n"
    assert len([each for each in caplog.records if "set aside" in each.message]) == 1
    assert SECRET not in caplog.text
    store.delete(made[0].id)
    assert made[0].id.encode() not in (folder / "broken.lines").read_bytes()


def test_what_a_dead_process_was_taking_up_is_taken_up(url: str, tmp_path: Path, open_store: Opener) -> None:
    made = decision()
    (tmp_path / "spill").mkdir()
    (tmp_path / "spill" / "old.1234.taken").write_text(to_line(made))
    store = open_store(url)
    store.record(decision())
    wait_for(lambda: store.spilled() == 0)
    assert made.id in ids(store)


@pytest.mark.slow
def test_processes_that_share_a_folder_store_everything_once(url: str, tmp_path: Path, open_store: Opener) -> None:
    code = """
    import sys
    from tests.helpers.outcomes import decision, wait_for
    from classifier.outcomes import OutcomeStore
    with OutcomeStore(sys.argv[1], spill=sys.argv[2], batch=3, retry_after=0.01) as store:
        store.record(decision(key="own"))
        wait_for(lambda: store.spilled() == 0)
        print(store.counters.recovered)
    """
    folder = tmp_path / "spill"
    folder.mkdir()
    made = [decision() for _ in range(300)]
    for number, each in enumerate(made):
        with (folder / f"{number // 30:02}.jsonl").open("a") as file:
            file.write(to_line(each))
    command = [sys.executable, "-c", textwrap.dedent(code), url, str(folder)]
    programs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) for _ in range(3)]
    counts = [int(program.communicate()[0]) for program in programs]
    store = open_store(url)
    assert sorted(ids(store)) == sorted([each.id for each in made] + own(store))
    assert len(own(store)) == 3
    assert sum(counts) == 300


def own(store: OutcomeStore) -> list[str]:
    return [each.decision.id for each in store.outcomes() if each.decision.key == "own"]


@pytest.mark.slow
def test_deletion_reaches_what_waits(sqlite_url: str, tmp_path: Path, open_store: Opener) -> None:
    store = open_store(sqlite_url, retry_after=1000)
    gone, left = decision(), decision(prompt="harmless")
    store.record(decision(prompt="before"))
    assert store.flush(60)
    with locked(tmp_path / "outcomes.db"):
        store.record(gone)
        store.record_attempt(gone.id, attempt(7))
        store.record(left)
        assert store.flush(60)
    assert store.spilled() == 3
    assert not store.delete(gone.id)
    assert store.spilled() == 1
    files = list((tmp_path / "spill").iterdir())
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in files)
    store.close()
    again = open_store(sqlite_url)
    again.record(decision(prompt="after"))
    assert again.flush(60)
    wait_for(lambda: again.count() == 3)
    assert {each.decision.prompt for each in again.outcomes()} == {"before", "harmless", "after"}
