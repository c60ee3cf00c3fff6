"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

DRAFT = ".draft"
_NAME_CHARS = 40  # of the file's name in its draft's: a long name must not make a longer one
_OWNER_ONLY = 0o600


@contextmanager
def atomic_write(path: str | os.PathLike[str], *, private: bool = False) -> Iterator[Path]:
    """A draft beside ``path`` to write to; it takes the file's place, on the disk, when the block ends.

    An error in the block removes the draft and leaves the file as it was. A reader sees the old content or the new one.
    Of two writers at once, the last one wins. A link is replaced by the file.

    Parameters
    ----------
    private : only the owner can read the file, from its first byte on.

    Raises
    ------
    OSError : the folder cannot be written, or the disk is full.
    """
    target = Path(path)
    draft = target.with_name(f".{target.name[:_NAME_CHARS]}.{secrets.token_hex(8)}{DRAFT}")
    try:
        if private:
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNER_ONLY))
        yield draft
        with open(draft, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(target.parent)


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file, text as UTF-8, that appears whole or not at all; raises as `atomic_write`."""
    with atomic_write(path) as draft, open(draft, "xb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


def _sync_folder(folder: Path) -> None:
    """See that a renaming outlives a loss of power, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with suppress(OSError):  # some network file systems sync no folder
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
