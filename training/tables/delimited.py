"""Delimited text (CSV, TSV and their like) -> raw rows.

The standard library's reader: it hands over record by record with the line each begins on, so that a ragged row is one
skipped row with a number and not a failed file or a shifted one; it guesses no types, so that a prompt of digits stays
text; and it streams.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from operator import itemgetter
from typing import Any

from classifier.errors import TableError
from training.tables.dialects import IsHeader, find_dialect
from training.tables.encodings import Encoding, open_text
from training.tables.files import RawRow, Tick
from training.tables.formulas import is_guarded, unguarded
from training.tables.names import safe_name
from training.tables.problems import ProblemLog, Source
from training.tables.stored import Stored

_TICK_ROWS = 1024
_SAMPLE = 2**17
_TABS = (".tsv", ".tab")


class DelimitedTable:
    """A file of records with a header. Blank lines are no rows."""

    nested: tuple[str, ...] = ()

    def __init__(self, stored: Stored, encoding: Encoding, is_header: IsHeader) -> None:
        self.stored, self.encoding = stored, encoding
        usual = "\t" if stored.suffix in _TABS else ","
        with open_text(stored, encoding) as (text, _):
            sample = text.read(_SAMPLE)
        self.dialect = find_dialect(sample, usual, is_header, is_whole=len(sample) < _SAMPLE)
        with open_text(stored, encoding) as (text, _):
            header, self._header_line = next(self._records(text), ([], 0))
        self._header = self._checked([name.strip() for name in header])
        self.format = "tsv" if self.dialect.delimiter == "\t" else "csv"
        self.columns = tuple(dict.fromkeys(self._header))
        self.repeated = frozenset(name for name, count in Counter(self._header).items() if count > 1 and name)
        self.understood = tuple(self._understood(usual))

    def rows(self, wanted: Sequence[str], log: ProblemLog, tick: Tick) -> Iterator[RawRow]:
        """Stream the rows, see `RawTable`."""
        width = len(self._header)
        pick = itemgetter(*map(self._header.index, wanted)) if len(wanted) > 1 else None
        only = self._header.index(wanted[0])
        read = unguarded if is_guarded(self.columns) else str
        with open_text(self.stored, self.encoding) as (text, position):
            records = self._records(text)
            next(records)
            for row, (record, line) in enumerate(records, 1):
                if row % _TICK_ROWS == 0:
                    tick(position())
                source = Source(self.stored.name, row, line)
                if len(record) != width:
                    expected = f"{width} as the header has (quote cells that hold delimiters or line breaks)"
                    log.skip(source, None, f"{len(record)} cell{'s' * (len(record) != 1)}", expected)
                    continue
                cells: Sequence[Any] = pick(record) if pick else (record[only],)
                if "\0" in "".join(cells):
                    column = next(name for name, cell in zip(wanted, cells, strict=True) if "\0" in cell)
                    log.skip(source, column, "a NUL character", "text without NUL characters; write it again")
                    continue
                yield source, [read(cell) or None for cell in cells]

    def _records(self, text: TextIOWrapper) -> Iterator[tuple[list[str], int]]:
        """Records that are not blank, from the header on, each with the line it begins on."""
        reader = self.dialect.reader(text)
        line, skipped = 1, 0
        try:
            for number, record in enumerate(reader):
                begin, line = line, reader.line_num + 1
                if not record or (number == 0 and self.dialect.is_declared):
                    continue
                skipped += 1
                if skipped > self.dialect.skipped:
                    yield record, begin
        except csv.Error as error:
            # From here on nobody knows where rows begin, so the file as a whole is refused.
            raise self._broken(error, line) from None

    def _broken(self, error: csv.Error, line: int) -> TableError:
        name = self.stored.name
        if "end of data" in str(error):
            found, fix = "a quote that is never closed", "close it, or write quotes inside a cell twice"
        elif "line contains NUL" in str(error):
            found, fix = "a NUL character", "write the file again as text"
        else:
            found = "text after a closing quote"
            fix = (
                'write quotes inside a cell twice, as in "say ""hi""" (an unclosed quote before it has the same effect)'
            )
        return TableError(f"{name}: row that begins on line {line}: found {found}, expected whole cells; {fix}")

    def _checked(self, header: list[str]) -> list[str]:
        name = self.stored.name
        if not any(header):
            raise TableError(f"{name}: found no header, expected column names on the first line; add them")
        if any("\0" in column for column in header):
            raise TableError(
                f"{name}: found NUL characters in the header, expected text; save it as UTF-8 (it looks like UTF-16 "
                "without a byte order mark, or not like text)"
            )
        if len(header) == 1 and len(header[0]) > 120:
            raise TableError(
                f"{name}: found {safe_name(header[0])} as the only column, expected a table; check the file"
            )
        return header

    def _understood(self, usual: str) -> Iterator[str]:
        if self.encoding.guessed or self.encoding.name not in ("utf-8", "utf-8-sig"):
            yield f"text is read as {self.encoding.name}"
        if self.dialect.delimiter != usual:
            yield str(self.dialect)
        if self.dialect.quote != '"' or self.dialect.escape:
            yield f"cells are quoted with {self.dialect.quote}" + (" and \\ before quotes" * bool(self.dialect.escape))
        if self.dialect.skipped:
            yield f"the header is on line {self._header_line}"
