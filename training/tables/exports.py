"""The seam for files that are no tables by themselves: whoever knows how to read them gives a table for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from training.tables.columns import Columns
from training.tables.files import RawTable
from training.tables.stored import Stored


class NotingTable(RawTable, Protocol):
    """A table that has something to say about its file once its rows have been read."""

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence each."""
        ...


@dataclass(frozen=True, slots=True)
class Export:
    """A file that a tool wrote.

    Attributes
    ----------
    table : its rows.
    format : the tool's name.
    names : the columns of the rows.
    """

    table: NotingTable
    format: str
    names: Columns


ExportOpener = Callable[[Sequence[Stored], Columns], Mapping[Stored, Export | None]]
