"""The lock of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from classifier.errors import RouterError

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
