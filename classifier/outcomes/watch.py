"""Whether the store's file is still the one that was opened.

A program that writes into an SQLite file that was moved or removed goes on as if nothing were: what it commits is
nowhere to be found. So the file is looked at before rows are confirmed: with another inode, or none, or cut short, it
is another file; and so it is without the log that belongs to it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from classifier.outcomes.private import create_file, make_folder, tighten

if sys.platform != "win32":
    from fcntl import LOCK_EX, LOCK_UN, flock

_BESIDE = ("-wal", "-shm")  # what SQLite keeps beside its file


@dataclass(frozen=True, slots=True)
class Identity:
    """Which file lies at a path.

    Attributes
    ----------
    device, inode : of the file. size : its bytes.
    log : inode of its write-ahead log; None: there is none.
    """

    device: int
    inode: int
    size: int
    log: int | None


def identity(path: Path | None) -> Identity | None:
    """Which file lies there; None: none that can be seen, or no path is given."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    try:
        log = _beside(path)[0].stat().st_ino
    except OSError:
        log = None
    return Identity(found.st_dev, found.st_ino, found.st_size, log)


def still_there(path: Path, before: Identity) -> Identity | None:
    """The file as it is now, perhaps shorter; None: it, or its log, is another since it was opened, or it is empty."""
    now = identity(path)
    if now is None or (now.device, now.inode) != (before.device, before.inode) or not now.size:
        return None
    return now if before.log in (None, now.log) else None


def why_unfit(path: Path) -> str | None:
    """What is wrong with a path at which something lies that is no file; None: nothing."""
    if not os.path.exists(path) or os.path.isfile(path):
        return None
    kind = "a folder" if os.path.isdir(path) else "a device, pipe or socket"
    return f"found {kind}, expected an SQLite file or nothing yet; name a file"


def prepare_file(path: Path) -> bool:
    """Make the file and its folder where they are missing, for their owner alone; whether others could read it before.

    What an earlier file at this path has left beside it, and SQLite would take for the new one's, is removed.

    Raises
    ------
    OSError : it cannot be made.
    """
    path = Path(os.path.realpath(path))  # a link at the store's path means the file it leads to
    found = identity(path)
    if found is not None and found.size:
        return any([tighten(path), *(tighten(each) for each in _beside(path))])
    make_folder(path.parent)
    with _alone_in(path.parent):
        found = identity(path)
        if found is None or not found.size:
            for each in _beside(path):
                with suppress(FileNotFoundError):
                    each.unlink()
        create_file(path)
    return tighten(path)


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + end) for end in _BESIDE]


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """While no other program prepares a file in the folder."""
    if sys.platform == "win32":  # where no file in use can be moved or removed
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        flock(descriptor, LOCK_EX)
        yield
    finally:
        flock(descriptor, LOCK_UN)  # closing would not do: a process forked meanwhile holds the same lock
        os.close(descriptor)
