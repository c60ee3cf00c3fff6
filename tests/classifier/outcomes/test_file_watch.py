"""The store's file is moved, removed, replaced or cut while a program runs: what was confirmed is to be found."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from classifier.outcomes import OutcomeStore
from classifier.outcomes.lines import from_line
from tests.helpers.outcomes import Opener, decision, ids, wait_for


def beside(path: Path) -> list[Path]:
    """The file with its log and its index."""
    return [
        each for each in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")) if each.exists()
    ]


def remove_file(path: Path) -> None:
    path.unlink()


def remove_all(path: Path) -> None:
    for each in beside(path):
        each.unlink()


def remove_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def move_file(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def move_all(path: Path) -> None:
    for each in beside(path):
        each.rename(each.with_name(each.name.replace("outcomes.db", "moved.db")))


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


def replace_with_another(path: Path) -> None:
    with OutcomeStore(f"sqlite:///{path.with_name('other.db')}") as other:
        other.record(decision())
    path.rename(path.with_name("moved.db"))
    path.with_name("other.db").rename(path)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def cut(path: Path) -> None:
    os.truncate(path, 3 * 4096)


def remove_log(path: Path) -> None:
    path.with_name(path.name + "-wal").unlink()


MOVES = (move_file, move_all, move_folder, replace_with_another, remove_log)
WAYS = (remove_file, remove_all, remove_folder, empty, cut, *MOVES)

Way = Callable[[Path], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "outcomes.db"


def found_in(folder: Path) -> set[str]:
    """Ids of decisions in all databases and spill files below a folder."""
    found: set[str] = set()
    for file in folder.rglob("*.db"):
        connection = sqlite3.connect(file)
        with suppress(sqlite3.DatabaseError):  # of one that was cut
            found |= {row[0] for row in connection.execute("SELECT id FROM decisions")}
        connection.close()
    for file in [*folder.rglob("*.jsonl"), *folder.rglob("*.taken")]:
        found |= {from_line(line).id for line in file.read_bytes().splitlines()}  # type: ignore[union-attr]
    return found


@pytest.mark.parametrize("way", WAYS)
def test_what_is_confirmed_afterwards_is_found(path: Path, tmp_path: Path, open_store: Opener, way: Way) -> None:
    store = open_store(f"sqlite:///{path}")
    before, after = [decision() for _ in range(30)], [decision() for _ in range(30)]
    for each in before:
        store.record(each)
    assert store.flush(60)
    way(path)
    for each in after:
        store.record(each)
    assert store.flush(60)
    store.close()
    found = found_in(tmp_path)
    assert {each.id for each in after} <= found
    if way in MOVES:
        assert {each.id for each in before} <= found


@pytest.mark.parametrize("way", WAYS)
def test_what_was_written_but_not_confirmed_is_found_too(
    path: Path, tmp_path: Path, open_store: Opener, caplog: pytest.LogCaptureFixture, way: Way
) -> None:
    store = open_store(f"sqlite:///{path}")
    made = [decision() for _ in range(30)]
    for each in made:
        store.record(each)
    wait_for(lambda: store.counters.written == 30)
    way(path)
    assert store.flush(60)
    assert {each.id for each in made} <= found_in(tmp_path)
    counters = store.counters
    assert counters.given + counters.recovered == counters.written + counters.spilled
    assert len([each for each in caplog.records if "moved, removed, replaced" in each.message]) == 1


def test_a_new_file_is_made_where_one_was_moved(path: Path, open_store: Opener) -> None:
    store = open_store(f"sqlite:///{path}")
    for _ in range(3):
        made = decision()
        store.record(made)
        assert store.flush(60)
        assert ids(store) == [made.id]
        path.rename(path.with_name(f"{made.id}.db"))
    store.close()
    moved = sorted(path.parent.glob("*.db"))
    assert [ids(open_store(f"sqlite:///{each}")) for each in moved] == [[each.stem] for each in moved]


def test_programs_that_share_a_moved_file_go_on_in_one_new_file(path: Path, open_store: Opener) -> None:
    stores = [open_store(f"sqlite:///{path}") for _ in range(3)]
    for store in stores:
        store.record(decision())
        assert store.flush(60)
    move_file(path)
    made = [decision() for _ in range(60)]
    for number, each in enumerate(made):
        stores[number % 3].record(each)
    assert all(store.flush(60) for store in stores)
    wait_for(lambda: stores[0].spilled() == 0)
    assert {each.id for each in made} <= set(ids(stores[0]))
    for file in (path, path.with_name("moved.db")):
        assert sqlite3.connect(file).execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert len(ids(open_store(f"sqlite:///{path.with_name('moved.db')}"))) == 3


def test_rows_that_went_unconfirmed_with_the_file_are_told_of(
    path: Path, open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifier.outcomes.recent._MOST", 10)
    store = open_store(f"sqlite:///{path}", batch=5)
    for _ in range(40):
        store.record(decision())
    wait_for(lambda: store.counters.written == 40)
    remove_all(path)
    assert not store.flush(60)
    assert store.counters.gone == 40 - store.count()
    assert 10 <= store.count() < 20
    assert store.flush(60)


def test_giving_space_back_is_no_cut(path: Path, open_store: Opener, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(f"sqlite:///{path}")
    gone = [decision(prompt="x" * 5000) for _ in range(50)]
    for each in gone:
        store.record(each)
    assert store.flush(60)
    size = path.stat().st_size
    other = open_store(f"sqlite:///{path}")
    for each in gone:
        other.delete(each.id)
    other.vacuum()
    assert path.stat().st_size < size
    made = decision()
    store.record(made)
    assert store.flush(60)
    assert ids(store) == [made.id]
    assert "moved" not in caplog.text
