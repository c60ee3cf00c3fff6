"""What could not be used of a table, row by row: recorded, or refused in strict mode."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from classifier.errors import TableError

_REPR_CHARS = 40


@dataclass(frozen=True, slots=True)
class Source:
    """Where a row came from.

    Attributes
    ----------
    file : the path as it was given.
    row : 1-based number of the data row: the header and blank lines do not count, skipped rows do. Where several rows
        became one (long and pairwise forms) it is the first of them.
    line : 1-based line of the file on which the row begins (a quoted cell may span several); None in Parquet.
    """

    file: str
    row: int
    line: int | None = None


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that was skipped, or a cell that was ignored; ``str()`` makes one line of it.

    Attributes
    ----------
    file, row, line : as in `Source`; row 0 stands for the whole column.
    column : name of the column, or None when the row as a whole is wrong.
    found : what was found; a shortened ``repr`` of the cell, but never the text of a prompt.
    expected : what is expected instead, and how to mend it.
    skipped : True when the row was left out, False when only the cell was. A skipped row has exactly one such problem.
    """

    file: str
    row: int
    column: str | None
    found: str
    expected: str
    line: int | None = None
    skipped: bool = True

    def __str__(self) -> str:
        parts = [self.file]
        if self.row:
            parts.append(f"row {self.row}" + (f" (line {self.line})" if self.line else ""))
        if self.column is not None:
            parts.append(f"column {self.column}")
        return f"{parts[0]}: {', '.join(parts[1:])}: found {self.found}, expected {self.expected}"


class UnclearColumnError(TableError):
    """Nobody but the user knows which column is meant.

    Attributes
    ----------
    role : what the column holds, as `Columns` names it.
    example : the name of one that may be meant.
    """

    def __init__(self, message: str, role: str, example: str) -> None:
        super().__init__(message)
        self.role, self.example = role, example


class ProblemLog:
    """Gathers problems; in strict mode the first one is raised as `TableError`."""

    def __init__(self, strict: bool) -> None:
        self.problems: list[RowProblem] = []
        self._strict = strict

    def skip(self, source: Source, column: str | None, found: str, expected: str) -> None:
        """Record that the row is left out because of this column."""
        self._record(RowProblem(source.file, source.row, column, found, expected, source.line, True))

    def ignore(self, source: Source, column: str, found: str, expected: str) -> None:
        """Record that the cell counts as empty."""
        self._record(RowProblem(source.file, source.row, column, found, expected, source.line, False))

    def _record(self, problem: RowProblem) -> None:
        if self._strict:
            raise TableError(str(problem))
        self.problems.append(problem)


def all_skipped(problems: list[RowProblem]) -> TableError:
    """The error for a file none of whose rows can be used; ``problems`` are those of its skipped rows."""
    (column, expected), count = Counter((p.column, p.expected) for p in problems).most_common(1)[0]
    first = next(p for p in problems if (p.column, p.expected) == (column, expected))
    return TableError(f"{first.file}: none of its {len(problems)} rows can be used; {count} like this one: {first}")


def shown(cell: Any) -> str:
    """``repr`` of a cell on one line, at most 40 characters: for every column but prompts."""
    if cell is None or isinstance(cell, (list, dict, bytes)):
        return kind(cell)
    text = repr(cell[: _REPR_CHARS + 1] if isinstance(cell, str) else cell)
    return text if len(text) <= _REPR_CHARS else text[: _REPR_CHARS - 3] + "..."


def kind(cell: Any) -> str:
    """What sort of thing a cell holds, without its content: for prompts."""
    if cell is None:
        return "nothing (empty or null)"
    if isinstance(cell, str):
        return "text" if cell.strip() else "only whitespace" if cell else "empty text"
    if isinstance(cell, bool):
        return "a boolean"
    if isinstance(cell, (int, float)):
        return "a number"
    for of, name in ((list, "a list"), (dict, "an object"), (bytes, "bytes")):
        if isinstance(cell, of):
            return name
    return f"a {type(cell).__name__}"
