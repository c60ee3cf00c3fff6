"""What all kinds of files have in common: columns, and rows as they stand in the file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from training.tables.problems import ProblemLog, Source
from training.tables.stored import unreadable

RawRow = tuple[Source, Sequence[Any]]
Tick = Callable[[int], None]


class RawTable(Protocol):
    """A table whose columns are known and whose rows can be streamed."""

    columns: tuple[str, ...]

    def rows(self, wanted: Sequence[str], log: ProblemLog, tick: Tick) -> Iterator[RawRow]:
        """Stream the rows: cells of the wanted columns in their order, None where the file holds nothing.

        Broken rows go to ``log``. ``tick`` is told now and then how many bytes of the file have been read.
        """
        ...


class FileTable(RawTable, Protocol):
    """A table in a file of its own.

    Attributes
    ----------
    format : "csv", "jsonl", ...
    nested : dotted paths of what lies inside columns, as far as the file tells.
    repeated : names that stand there twice.
    understood : a sentence for each thing that was not as the convention has it.
    """

    format: str
    nested: tuple[str, ...]
    repeated: frozenset[str]
    understood: tuple[str, ...]


def digest(path: Path) -> str:
    """SHA-256 of the file's bytes, in hexadecimal."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from None
