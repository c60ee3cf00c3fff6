"""Stores that cannot be written can be read; and whose files are nobody else's."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifier.errors import StoreError
from classifier.outcomes import OutcomeStore
from classifier.outcomes.database import _connect_sqlite
from classifier.outcomes.reading import location
from tests.helpers.outcomes import Opener, decision
from tests.helpers.processes import run

READ = """
import os, sys
if os.geteuid() == 0:
    from classifier.outcomes import store, stats, database  # what is imported late is imported now
    import sqlalchemy.dialects.sqlite.pysqlite
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
from tests.helpers.outcomes import decision
from classifier.outcomes import OutcomeStore
store = OutcomeStore("sqlite:///outcomes.db", retry_after=0.05)
print(store.count(), store.stats().decisions, len(list(store.outcomes())))
store.record(decision())
print(store.flush(60), store.counters.spilled)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that a program without privileges can reach, and not write when its mode says so."""
    for parent in [tmp_path, *tmp_path.parents[:3]]:
        parent.chmod(parent.stat().st_mode | 0o011)
    found = tmp_path / "folder"
    found.mkdir()
    yield found
    found.chmod(0o755)


def read_as_another(folder: Path, tmp_path: Path) -> list[str]:
    """What a program without privileges finds."""
    home = tmp_path / "home"
    home.mkdir()
    if os.geteuid() == 0:
        os.chown(home, 65534, 65534)
    for each in folder.iterdir():
        each.chmod(0o444)
    folder.chmod(0o555)
    done = run(READ, cwd=folder, HOME=str(home), XDG_DATA_HOME=str(home / "data"), XDG_STATE_HOME=str(home / "state"))
    assert "Traceback" not in done.stderr, done.stderr
    assert "it cannot be written (read-only file system or permissions); outcomes are spilled" in done.stderr
    assert done.stdout.endswith("True 1\n"), done.stderr
    return done.stdout.split()[:-2]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system knows no such permissions")
def test_a_store_in_a_folder_that_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    with OutcomeStore(f"sqlite:///{folder / 'outcomes.db'}") as store:
        for _ in range(20):
            store.record(decision())
    assert [each.name for each in folder.iterdir()] == ["outcomes.db"]
    assert read_as_another(folder, tmp_path) == ["20", "20", "20"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system knows no such permissions")
def test_a_store_whose_program_was_killed_is_read_with_its_log(folder: Path, tmp_path: Path) -> None:
    with OutcomeStore(f"sqlite:///{tmp_path / 'outcomes.db'}") as store:
        for _ in range(20):
            store.record(decision())
        assert store.flush(60)
        reader = sqlite3.connect(tmp_path / "outcomes.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM decisions").fetchone()  # what follows stays in the log
        for _ in range(10):
            store.record(decision())
        assert store.flush(60)
        for end in ("", "-wal"):  # as after a kill: its index is not there
            shutil.copy(tmp_path / f"outcomes.db{end}", folder / f"outcomes.db{end}")
        reader.close()
    assert read_as_another(folder, tmp_path) == ["30", "30", "30"]


def test_a_file_that_is_written_while_it_is_read_from_outside_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.db"
    with OutcomeStore(f"sqlite:///{path}") as store:
        store.record(decision())

    def connect(uri: str) -> sqlite3.Connection:
        if "mode=ro" in uri:
            found = sqlite3.OperationalError("unable to open database file")
            found.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise found
        return _connect_sqlite(uri)

    def read() -> int:
        with location(path, connect) as uri:
            assert "immutable" in uri
            connection = connect(uri)
            count = connection.execute("SELECT count(*) FROM decisions").fetchone()[0]
            connection.close()
            if count > 1:
                os.utime(path, ns=(1, 1))
        return int(count)

    assert read() == 1
    with OutcomeStore(f"sqlite:///{path}") as store:
        store.record(decision())
    with pytest.raises(StoreError, match="written while it was read"):
        read()


def modes(folder: Path) -> dict[str, int]:
    return {str(each.relative_to(folder)): each.stat().st_mode & 0o777 for each in sorted(folder.rglob("*"))}


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_whatever_a_store_makes_is_its_owners_alone(tmp_path: Path, open_store: Opener) -> None:
    top = tmp_path / "top"
    top.mkdir(mode=0o755)
    store = open_store(f"sqlite:///{top / 'a' / 'b' / 'outcomes.db'}", spill=top / "spill" / "deep")
    store.record(decision())
    assert store.flush(60)
    assert modes(top) == {"a": 0o700, "a/b": 0o700} | {f"a/b/outcomes.db{end}": 0o600 for end in ("", "-wal", "-shm")}
    loop: list[object] = []
    loop.append(loop)
    store.record(decision(setting={"loop": loop}))
    store.flush(60)
    assert modes(top / "spill") == {"deep": 0o700, "deep/broken.lines": 0o600}


def test_a_wider_file_is_made_its_owners_alone(tmp_path: Path, open_store: Opener) -> None:
    path = tmp_path / "outcomes.db"
    with OutcomeStore(f"sqlite:///{path}") as store:
        store.record(decision())
    path.chmod(0o644)
    assert open_store(f"sqlite:///{path}").count() == 1
    store = open_store(f"sqlite:///{path}")
    store.record(decision())
    assert store.flush(60)
    assert {each.stat().st_mode & 0o777 for each in tmp_path.glob("outcomes.db*")} == {0o600}
