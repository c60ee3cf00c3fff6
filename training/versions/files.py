"""Files that appear whole or not at all, and the lock of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from classifier.errors import RouterError

DRAFT = ".draft"
_WAIT_SECONDS = 5.0


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for a change; the lock ends with the process, however that ends.

    Raises
    ------
    RouterError : another holds it, and for longer than a change takes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=_WAIT_SECONDS)
    except Timeout:
        raise RouterError(f"{folder}: another command is changing it; try again when that has ended") from None
    try:
        yield
    finally:
        lock.release()


def put_in_place(path: Path, data: bytes) -> None:
    """Write a file that takes the place of an older one when it is on the disk; only where the folder is locked."""
    draft_of(path).write_bytes(data)
    take_place(path)


def draft_of(path: Path) -> Path:
    """Where a file is written before it takes its place."""
    return path.with_name(f".{path.name}{DRAFT}")


def take_place(path: Path) -> None:
    """Put a draft that is whole in its place."""
    draft = draft_of(path)
    with draft.open("r+b") as file:
        os.fsync(file.fileno())
    os.replace(draft, path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):  # elsewhere a folder cannot be opened
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
