"""What becomes of outcomes when things go wrong: how many that ``flush()`` confirmed are to be found nowhere.

    python benchmarks/durability.py [--records 200] [--json FILE]

For each of these: odd records among the others; the store's file moved, removed, replaced, emptied, cut, or gone with
its folder, between two flushes and between writing and flush; a process that forks. Looked for is in all databases and
spill files. What was confirmed before its file was *removed* is not counted: that was somebody's wish.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from classifier import OutcomeStore
from classifier.outcomes import DecisionRecord, new_id


class Raising:
    """A client's object that cannot be read."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def model_dump(self, **_: Any) -> Any:
        """Fail."""
        raise self.error


def with_log(path: Path) -> list[Path]:
    """The file, and what SQLite keeps beside it."""
    return [each for end in ("", "-wal", "-shm") if (each := path.with_name(path.name + end)).exists()]


def move(path: Path, alone: bool) -> None:
    """Away, with its log or without."""
    for each in [path] if alone else with_log(path):
        each.rename(each.with_name(each.name.replace("outcomes", "moved")))


def remove(path: Path, alone: bool) -> None:
    """For good, with its log or without."""
    for each in [path] if alone else with_log(path):
        each.unlink()


def replace(path: Path) -> None:
    """By another store."""
    with OutcomeStore(f"sqlite:///{path.with_name('other.db')}") as other:
        other.record(made())
    move(path, alone=True)
    path.with_name("other.db").rename(path)


WAYS: dict[str, tuple[Callable[[Path], object], bool]] = {  # name -> what is done, and whether it keeps what was there
    "nothing": (lambda path: None, True),
    "file moved": (lambda path: move(path, alone=True), True),
    "file and log moved": (lambda path: move(path, alone=False), True),
    "folder moved": (lambda path: path.parent.rename(path.parent.with_name("moved")), True),
    "file replaced": (replace, True),
    "file removed": (lambda path: remove(path, alone=True), False),
    "file and log removed": (lambda path: remove(path, alone=False), False),
    "folder removed": (lambda path: shutil.rmtree(path.parent), False),
    "file emptied": (lambda path: os.truncate(path, 0), False),
    "file cut": (lambda path: os.truncate(path, 3 * 4096), False),
}


def made(part: object = "hello") -> DecisionRecord:
    """A decision."""
    messages = [{"role": "user", "content": [part]}]
    return DecisionRecord(new_id(), datetime.now(UTC), "haiku", "learned", messages=messages)


def batch(count: int, odd: bool) -> list[DecisionRecord]:
    """Decisions, some of which cannot be read."""
    loop: list[object] = []
    loop.append(loop)
    parts = [Raising(RuntimeError()), Raising(SystemExit()), Raising(KeyboardInterrupt()), loop, 10**5000, "\ud800"]
    return [made(parts[each // 3 % len(parts)] if odd and each % 3 == 0 else "hello") for each in range(count)]


def found_in(folder: Path) -> set[str]:
    """Ids of decisions in all databases, spill files and files of what was set aside."""
    found: set[str] = set()
    for file in folder.rglob("*.db"):
        with suppress(sqlite3.DatabaseError):
            found |= {row[0] for row in sqlite3.connect(file).execute("SELECT id FROM decisions")}
    for file in [*folder.rglob("*.jsonl"), *folder.rglob("*.taken"), *folder.rglob("broken.lines")]:
        found |= {json.loads(line)["id"] for line in file.read_bytes().splitlines()}
    return found


def lost(folder: Path, count: int, way: str, odd: bool, flushed: bool, forked: bool) -> tuple[int, int]:
    """Records that were confirmed, and those of them that are nowhere."""
    happens, keeps = WAYS[way]
    path = folder / "in" / "outcomes.db"
    store = OutcomeStore(f"sqlite:///{path}", spill=folder / "spill", retry_after=0.05)
    before, after = batch(count, odd), batch(count, odd)
    for each in before:
        store.record(each)
    store.flush(60)
    if flushed:
        happens(path)
    for each in after:
        store.record(each)
    if not flushed:
        while store.counters.waiting:
            time.sleep(0.01)
        happens(path)
    child = os.fork() if forked else None
    if child == 0:
        for each in batch(count, odd):
            store.record(each)
        store.flush(60)
        store.close()
        os._exit(0)
    store.flush(60)
    store.close()
    if child is not None:
        os.waitpid(child, 0)
    dropped = store.counters.dropped  # told of: flush() has returned False
    wanted = {each.id for each in [*(before if keeps else []), *after]}
    return len(wanted) - dropped, max(0, len(wanted - found_in(folder)) - dropped)


def main() -> None:
    """Try everything."""
    parser = argparse.ArgumentParser(description="outcomes that are lost after flush()")
    parser.add_argument("--records", type=int, default=200)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # that a process with threads forks
    table = Table("what happens", "records", "when", "confirmed", "lost")
    total = {"confirmed": 0, "lost": 0}
    for way in WAYS:
        for odd, flushed, forked in (
            (False, True, False),
            (False, False, False),
            (True, True, False),
            (False, True, True),
        ):
            with tempfile.TemporaryDirectory() as folder:
                kept, missing = lost(Path(folder), given.records, way, odd, flushed, forked and hasattr(os, "fork"))
            total = {"confirmed": total["confirmed"] + kept, "lost": total["lost"] + missing}
            when = ("after flush" if flushed else "before flush") + (", forked" if forked else "")
            table.add_row(way, "odd" if odd else "usual", when, f"{kept:,}", str(missing))
    Console().print(table)
    print(f"outcomes confirmed by flush: {total['confirmed']:,}; lost after flush: {total['lost']}")
    if given.json:
        given.json.write_text(json.dumps(total, indent=2))
    sys.exit(total["lost"] > 0)


if __name__ == "__main__":
    main()
