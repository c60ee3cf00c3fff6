"""CSV and TSV -> raw rows.

The standard library's reader, not polars: it hands over record by record with the line each begins on, so that a
ragged row is one skipped row with a number and not a failed file or a shifted one; it guesses no types, so that a
prompt of digits stays text; and it streams. A million rows of 300 bytes take it about three seconds, a fifth of what
becomes of them afterwards.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from operator import itemgetter
from pathlib import Path
from typing import Any

from classifier.errors import TableError
from training.tables.files import RawRow, Tick, open_text
from training.tables.formulas import is_guarded, unguarded
from training.tables.problems import ProblemLog, Source

_TICK_ROWS = 1024
_CELL_LIMIT = 2**31 - 1  # the largest a C long holds everywhere; the default of 131,072 is one long prompt


class DelimitedTable:
    """A file of records with a header. Blank lines are no rows."""

    def __init__(self, path: Path, zipped: bool, delimiter: str) -> None:
        self._path, self._zipped, self._delimiter = path, zipped, delimiter
        with open_text(path, zipped) as (text, _):
            header, _ = next(self._records(text), ([], 0))
        self.columns = self._checked([name.strip() for name in header])

    def rows(self, wanted: Sequence[str], log: ProblemLog, tick: Tick) -> Iterator[RawRow]:
        """Stream the rows, see `RawTable`."""
        width = len(self.columns)
        pick = itemgetter(*map(self.columns.index, wanted))
        read = unguarded if is_guarded(self.columns) else str
        with open_text(self._path, self._zipped) as (text, position):
            records = self._records(text)
            next(records)
            for row, (record, line) in enumerate(records, 1):
                if row % _TICK_ROWS == 0:
                    tick(position())
                source = Source(str(self._path), row, line)
                if len(record) != width:
                    expected = f"{width} as the header has (quote cells that hold delimiters or line breaks)"
                    log.skip(source, None, f"{len(record)} cell{'s' * (len(record) != 1)}", expected)
                    continue
                cells: Sequence[Any] = pick(record)
                if "\0" in "".join(cells):
                    column = next(name for name, cell in zip(wanted, cells, strict=True) if "\0" in cell)
                    log.skip(source, column, "a NUL character", "text without NUL characters; write it again")
                    continue
                yield source, [read(cell) or None for cell in cells]

    def _records(self, text: TextIOWrapper) -> Iterator[tuple[list[str], int]]:
        """Records that are not blank, each with the line it begins on."""
        csv.field_size_limit(_CELL_LIMIT)  # of the process; it only ever grows, so concurrent readers are safe
        reader = csv.reader(text, delimiter=self._delimiter, strict=True)
        line = 1
        try:
            for record in reader:
                begin, line = line, reader.line_num + 1
                if record:
                    yield record, begin
        except csv.Error as error:
            # From here on nobody knows where rows begin, so the file as a whole is refused.
            raise self._broken(error, line) from None

    def _broken(self, error: csv.Error, line: int) -> TableError:
        if "end of data" in str(error):
            found, fix = "a quote that is never closed", "close it, or write quotes inside a cell twice"
        else:
            found = "text after a closing quote"
            fix = (
                'write quotes inside a cell twice, as in "say ""hi""" (an unclosed quote before it has the same effect)'
            )
        return TableError(f"{self._path}: row that begins on line {line}: found {found}, expected whole cells; {fix}")

    def _checked(self, columns: list[str]) -> tuple[str, ...]:
        if not any(columns):
            raise TableError(f"{self._path}: found no header, expected column names on the first line; add them")
        if any("\0" in name for name in columns):
            raise TableError(
                f"{self._path}: found NUL characters in the header, expected UTF-8 text; "
                "save it as UTF-8 (it looks like UTF-16 without a byte order mark, or not like text)"
            )
        if len(columns) == 1 and (other := next((mark for mark in ";\t|" if mark in columns[0]), None)):
            raise TableError(
                f"{self._path}: found one column with {other!r} in its name, "
                f"expected columns parted by {self._delimiter!r}; save it with that delimiter"
            )
        twice = [name for name, count in Counter(columns).items() if count > 1 and name]
        if twice:
            raise TableError(f"{self._path}: found column {twice[0]} twice, expected each once; drop or rename one")
        return tuple(columns)
