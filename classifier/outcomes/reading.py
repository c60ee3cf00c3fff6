"""Reading an SQLite file that cannot be written: on a read-only file system, or without the permission.

SQLite reads a file in WAL mode only together with its index (``-shm``), which it would make. Where another program has
made it, that is enough. Where there is neither index nor log, nobody writes: the file is read as it lies, and looked at
again in the end. Where there is a log without an index (a program was killed, or a disk image taken), a private copy of
both is read.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from classifier.errors import StoreError

_TRIES = 3
_CHANGED = "it was written while it was read, from where it cannot be locked; read it again"

Connect = Callable[[str], sqlite3.Connection]


def can_write(path: Path) -> bool:
    """Whether this program may write the file and make others beside it."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


@contextmanager
def location(path: Path, connect: Connect) -> Iterator[str]:
    """The URI by which the file can be read.

    Parameters
    ----------
    connect : makes a connection of a URI.

    Raises
    ------
    StoreError : it was changed meanwhile. OSError : it cannot be copied.
    """
    shared = _uri(path, "mode=ro")
    if _is_readable(shared, connect):
        yield shared
    elif _size(_log_of(path)):
        with TemporaryDirectory(prefix="tierwise-") as folder:  # which only its owner can read
            yield _uri(_copied(path, Path(folder)), "mode=rw")
    else:
        before = _state(path)
        yield _uri(path, "immutable=1")
        if _state(path) != before:
            raise StoreError(_CHANGED)


def _is_readable(uri: str, connect: Connect) -> bool:
    try:
        connection = connect(uri)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        return False
    return True


def _copied(path: Path, folder: Path) -> Path:
    for _ in range(_TRIES):
        before = _state(path)
        for each in (path, _log_of(path)):
            if each.exists():
                shutil.copyfile(each, folder / each.name)
        if _state(path) == before:
            return folder / path.name
    raise StoreError(_CHANGED)


def _state(path: Path) -> list[tuple[int, ...]]:
    """What changes when somebody writes."""
    found = [each.stat() for each in (path, _log_of(path)) if each.exists()]
    return [(each.st_ino, each.st_size, each.st_mtime_ns) for each in found]


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _uri(path: Path, options: str) -> str:
    return f"file:{quote(str(path))}?{options}"
