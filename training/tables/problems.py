"""What could not be used of a table, row by row: recorded, or refused in strict mode."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from classifier.errors import TableError

_FEW = 5
_FEW_SHARE = 0.01
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


class UnsureError(TableError):
    """A table that can be read in several ways.

    Attributes
    ----------
    option : the option that settles it; empty: the file has to be changed. value : what it may be set to.
    """

    def __init__(self, message: str, option: str, value: str | bool) -> None:
        super().__init__(message)
        self.option, self.value = option, value


class ProblemLog:
    """Gathers problems; in strict mode the first one is raised as `TableError`."""

    def __init__(self, strict: bool) -> None:
        self.problems: list[RowProblem] = []
        self._strict = strict
        self._unscored: set[int] = set()

    def skip(self, source: Source, column: str | None, found: str, expected: str, *, is_fault: bool = True) -> None:
        """Record that the row is left out because of this column.

        Parameters
        ----------
        is_fault : whether the row says something that is not understood; else it only says nothing.
        """
        if not is_fault:
            self._unscored.add(len(self.problems))
        self._record(RowProblem(source.file, source.row, column, found, expected, source.line, True))

    def ignore(self, source: Source, column: str, found: str, expected: str) -> None:
        """Record that the cell counts as empty."""
        self._record(RowProblem(source.file, source.row, column, found, expected, source.line, False))

    def faults(self) -> list[RowProblem]:
        """The rows and cells that are not understood."""
        return [problem for place, problem in enumerate(self.problems) if place not in self._unscored and problem.row]

    def _record(self, problem: RowProblem) -> None:
        if self._strict:
            raise TableError(str(problem))
        self.problems.append(problem)


def is_few(count: int, of: int) -> bool:
    """Whether so many that cannot be used may be left out without being asked: 5, or 1%."""
    return count <= max(_FEW, _FEW_SHARE * of)


def check_few(file: str, rows: int, faults: list[RowProblem]) -> None:
    """Refuse a file of which more than a few rows, or cells of one column, are not understood.

    Raises
    ------
    UnsureError : there are more than 5, and more than 1% of the rows.
    """
    skipped = [problem for problem in faults if problem.skipped]
    by_column = Counter(problem.column for problem in faults if not problem.skipped)
    column, cells = by_column.most_common(1)[0] if by_column else (None, 0)
    if is_few(max(len(skipped), cells), rows):
        return
    if len(skipped) >= cells:
        what, alike = f"{len(skipped):,} of its {rows:,} rows cannot be used", skipped
    else:
        what = f"{cells:,} of its {rows:,} cells of column {column} cannot be used"
        alike = [problem for problem in faults if problem.column == column and not problem.skipped]
    raise UnsureError(f"{file}: {what}, {_most_alike(alike)}; correct them, or go on without them", "skip_bad", True)


def all_skipped(problems: list[RowProblem]) -> TableError:
    """The error for a file none of whose rows can be used; ``problems`` are those of its skipped rows."""
    return TableError(f"{problems[0].file}: none of its {len(problems)} rows can be used; {_most_alike(problems)}")


def _most_alike(problems: list[RowProblem]) -> str:
    (column, expected), count = Counter((p.column, p.expected) for p in problems).most_common(1)[0]
    first = next(p for p in problems if (p.column, p.expected) == (column, expected))
    return f"{count} like this one: {first}"


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
