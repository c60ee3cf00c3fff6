"""How a text table is delimited and quoted, and where its header stands."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from typing import Protocol

_DELIMITERS = (",", ";", "\t", "|")
_QUOTES: tuple[tuple[str, str | None], ...] = (('"', None), ('"', "\\"), ("'", None))
_SAMPLE_RECORDS = 100
_HEADER_WITHIN = 20
_CELL_LIMIT = 2**31 - 1  # the largest a C long holds everywhere; the default of 131,072 is one long prompt

IsHeader = Callable[[Sequence[str]], bool]


class RecordReader(Protocol):
    """What the standard library's reader of records is."""

    @property
    def line_num(self) -> int:
        """Lines read so far."""
        ...

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """How records are written.

    Attributes
    ----------
    escape : what stands before a quote inside a quoted cell; None: quotes are doubled.
    skipped : records that are not blank, above the header.
    is_declared : whether the first line says the delimiter ("sep=;", which spreadsheets write); it is no record.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None
    skipped: int = 0
    is_declared: bool = False

    def reader(self, text: Iterable[str]) -> RecordReader:
        """A strict reader of such records."""
        csv.field_size_limit(_CELL_LIMIT)  # of the process; it only ever grows, so concurrent readers are safe
        return csv.reader(
            text,
            delimiter=self.delimiter,
            quotechar=self.quote,
            escapechar=self.escape,
            doublequote=self.escape is None,
            strict=True,
        )

    def __str__(self) -> str:
        marks = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
        return f"cells are parted by {marks.get(self.delimiter, repr(self.delimiter))}"


def find_dialect(sample: str, usual: str, is_header: IsHeader, *, is_whole: bool) -> Dialect:
    """The dialect of a text: the one whose header has names that are known, else the one of equally long records.

    Parameters
    ----------
    sample : how the text starts. is_whole : whether that is all of it.
    usual : the delimiter that the file's name speaks for.
    """
    first = sample.lstrip("\ufeff").split("\n", 1)[0].strip().lower()
    if first.startswith("sep=") and len(first) == 5:
        declared = Dialect(first[4], is_declared=True)
        return _with_header(declared, sample, is_header, is_whole)
    if first == "sep=":
        return _with_header(Dialect("\t", is_declared=True), sample, is_header, is_whole)
    order = [usual, *(mark for mark in _DELIMITERS if mark != usual)]
    tried = [_with_header(Dialect(mark), sample, is_header, is_whole) for mark in order]
    rated = [_rating(dialect, sample, is_header, is_whole) for dialect in tried]
    best = tried[max(range(len(tried)), key=lambda place: (rated[place], -place))]
    return _with_quotes(best, sample, is_header, is_whole)


def _with_quotes(dialect: Dialect, sample: str, is_header: IsHeader, is_whole: bool) -> Dialect:
    """The same, with other quotes where the usual ones do not fit."""
    for quote, escape in _QUOTES:
        other = Dialect(dialect.delimiter, quote, escape)
        records, broken = _records(other, sample, is_whole)
        widths = {len(record) for record in records}
        if not broken and len(widths) == 1 and _is_marked(other, sample):
            return _with_header(other, sample, is_header, is_whole)
    return dialect


def _is_marked(dialect: Dialect, sample: str) -> bool:
    """Whether a text shows that it is quoted so; the usual way needs no sign."""
    if dialect.escape:
        return dialect.escape + dialect.quote in sample
    return dialect.quote == '"' or any(f"{dialect.delimiter}'" in line for line in sample.split("\n", 3)[:3])


def _with_header(dialect: Dialect, sample: str, is_header: IsHeader, is_whole: bool) -> Dialect:
    records, _ = _records(dialect, sample, is_whole)
    place = next((place for place, record in enumerate(records[:_HEADER_WITHIN]) if is_header(record)), 0)
    return Dialect(dialect.delimiter, dialect.quote, dialect.escape, place, dialect.is_declared)


def _rating(dialect: Dialect, sample: str, is_header: IsHeader, is_whole: bool) -> tuple[bool, float, int]:
    records, _ = _records(dialect, sample, is_whole)
    if len(records) <= dialect.skipped:
        return False, 0.0, 0
    header, rows = records[dialect.skipped], records[dialect.skipped + 1 :]
    width = len(header)
    alike = sum(len(row) == width for row in rows) / len(rows) if rows else 1.0
    return is_header(header), alike if width > 1 else 0.0, width


def _records(dialect: Dialect, sample: str, is_whole: bool) -> tuple[list[list[str]], bool]:
    """The first records that are not blank, without one that the sample's end cuts; whether a quote breaks one."""
    found: list[list[str]] = []
    reader = dialect.reader(StringIO(sample, newline=""))
    if dialect.is_declared:
        next(reader)
    try:
        found.extend([cell.strip() for cell in record] for record in islice(reader, _SAMPLE_RECORDS) if record)
    except csv.Error as error:
        return found, is_whole or "end of data" not in str(error)
    complete = is_whole or len(found) >= _SAMPLE_RECORDS
    return (found if complete else found[:-1] or found), False
