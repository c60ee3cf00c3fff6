"""A file's content, before anybody knows which tool wrote it: records, or one JSON document, in bounded memory."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from io import TextIOWrapper
from itertools import islice
from pathlib import PurePath
from typing import Any, Literal

from classifier.errors import TableError
from training.imports.archive import is_archive
from training.tables import Source
from training.tables.arrow import ArrowTable
from training.tables.encodings import find_encoding, open_text
from training.tables.problems import ProblemLog, kind
from training.tables.stored import Stored

Format = Literal["csv", "json", "jsonl", "parquet", "eval"]
Record = dict[str, Any]

_PARQUET = b"PAR1"
_ZIP = b"PK\x03\x04"
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_HEAD_BYTES = 2**20
_HEAD_RECORDS = 32
_MOST_CHARS = 2**28  # of a JSON document, or a line of JSON: it has to be parsed as a whole
_CELL_LIMIT = 2**31 - 1  # the largest a C long holds everywhere, as for tables
_DELIMITERS = ",;\t"
_TICK_ROWS = 1024
_DECODER = json.JSONDecoder()
_BLANKS = re.compile(r"\s*")


@dataclass(slots=True)
class Together:
    """The files of one tool in a run.

    Attributes
    ----------
    answers : those with answers.
    beside : those that have no rows of their own and only go with others.
    models : what a reader found out of all of them: the model of each, say.
    """

    answers: tuple[Stored, ...] = ()
    beside: tuple[Stored, ...] = ()
    models: dict[Stored, Any] = field(default_factory=dict)


class NotReadableError(Exception):
    """The content is in no form that exports have; the tables' own readers say what is wrong with it."""


class Content:
    """A file's content. What it is, its beginning says; the rest is read where it is asked for.

    Attributes
    ----------
    stored, file : where it is, and its name as messages call it.
    format : "csv" (also with other delimiters), "json" (one document, or an array), "jsonl", "parquet" or "eval" (an
        archive of inspect_ai).
    header : the column names, as they stand: in cells a name may stand several times.
    bad : told of a row that cannot be read: its source, what was found and what is expected.
    tick : told now and then how many bytes have been read.
    together : the files of the same tool, this one among them.

    Raises
    ------
    NotReadableError : on making, of a file in another form.
    """

    def __init__(
        self,
        stored: Stored,
        bad: Callable[[Source, str, str], None] = lambda *_: None,
        tick: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.stored, self.file, self.bad, self.tick = stored, stored.name, bad, tick
        self.together = Together((stored,))
        self.header: tuple[str, ...] = ()
        self._delimiter = ","
        with stored.open() as stream:
            start = stream.read(_HEAD_BYTES)
        self._begin = "" if start.startswith((_PARQUET, _ZIP)) else _decoded(start)
        self._is_whole = len(start) < _HEAD_BYTES
        self.format = self._format(start)

    @cached_property
    def head(self) -> list[Record]:
        """The first records: what a tool is recognised by. Of Parquet the names alone."""
        if self.format == "parquet":
            return [dict.fromkeys(self.header)]
        if self.format == "jsonl":
            lines = self._begin.splitlines()
            values = map(_parsed, lines if self._is_whole else lines[:-1])
            return [value for value in islice(values, _HEAD_RECORDS) if isinstance(value, dict)]
        if self.format == "csv":
            return [dict(zip(self.header, cells, strict=True)) for cells in self.first_cells()]
        is_array = self._begin.lstrip().startswith("[")
        items = _first_items(self._begin) if is_array else []
        return items or [record for _, record in islice(self.records(), _HEAD_RECORDS)]

    @cached_property
    def document(self) -> Record:
        """The object that a JSON file is; empty where it is something else."""
        is_object = self.format == "json" and not self._begin.lstrip().startswith("[")
        return self._value if is_object and isinstance(self._value, dict) else {}

    @property
    def stem(self) -> str:
        """The file's name without its folder and endings."""
        return PurePath(self.file).name.split(".")[0]

    @property
    def keys(self) -> frozenset[str]:
        """The names of what the first records hold."""
        return frozenset(self.header) | {key for record in self.head for key in record}

    def first_cells(self) -> Iterator[list[str]]:
        """The first rows of cells that are whole."""
        reader = csv.reader(self._begin.splitlines(keepends=True), delimiter=self._delimiter)
        try:
            for record in islice(reader, 1, 1 + _HEAD_RECORDS):
                if len(record) == len(self.header):
                    yield record
        except csv.Error:
            return

    def records(self) -> Iterator[tuple[Source, Record]]:
        """All records with where they stand; a JSON document that is an object is the only one."""
        if self.format == "csv":
            for source, cells in self.cells():
                yield source, dict(zip(self.header, cells, strict=True))
        elif self.format == "jsonl":
            yield from self._lines()
        elif self.format == "parquet":
            yield from self._columns()
        elif self.format == "json":
            yield from self._items()

    def cells(self) -> Iterator[tuple[Source, list[str]]]:
        """The rows of a file of cells."""
        with self._text() as (text, position):
            reader = _reader(text, self._delimiter)
            records = _records(reader, self.file)
            next(records, None)
            line, row = reader.line_num + 1, 0
            for record in records:
                begin, line = line, reader.line_num + 1
                if not record:
                    continue
                row += 1
                if row % _TICK_ROWS == 0:
                    self.tick(position())
                source = Source(self.file, row, begin)
                if len(record) == len(self.header):
                    yield source, record
                else:
                    self.bad(source, f"{len(record)} cells", f"{len(self.header)} as the header has")

    def _format(self, start: bytes) -> Format:
        if start.startswith(_PARQUET):
            self.header = self._parquet_columns()
            return "parquet"
        if start.startswith(_ZIP):
            if is_archive(self.stored):
                return "eval"
            raise NotReadableError
        begins = self._begin.lstrip()[:1]
        if begins == "[":
            return "json"
        if begins == "{":
            return "jsonl" if _is_lines(self._begin) else "json"
        self._read_header()
        return "csv"

    def _read_header(self) -> None:
        line = self._begin.partition("\n")[0]
        self._delimiter = max(_DELIMITERS, key=line.count)
        try:
            names = next(csv.reader(self._begin.splitlines(keepends=True), delimiter=self._delimiter), [])
        except csv.Error:
            raise NotReadableError from None
        self.header = tuple(name.strip() for name in names)
        if not self.header:
            raise NotReadableError

    @contextmanager
    def _text(self) -> Iterator[tuple[TextIOWrapper, Callable[[], int]]]:
        with open_text(self.stored, find_encoding(self.stored, None)) as opened:
            yield opened

    def _lines(self) -> Iterator[tuple[Source, Record]]:
        row = 0
        with self._text() as (text, position):
            for number, line in enumerate(iter(partial(text.readline, _MOST_CHARS), ""), 1):
                if len(line) == _MOST_CHARS:
                    raise self._too_long()
                if line.isspace():
                    continue
                row += 1
                if row % _TICK_ROWS == 0:
                    self.tick(position())
                value = _parsed(line)
                if isinstance(value, dict):
                    yield Source(self.file, row, number), value
                else:
                    found = "text that is not JSON" if value is None else kind(value)
                    self.bad(Source(self.file, row, number), found, "one JSON object on each line")

    def _parquet_columns(self) -> tuple[str, ...]:
        with ExitStack() as stack:
            return ArrowTable(self.stored, "parquet", stack).columns

    def _columns(self) -> Iterator[tuple[Source, Record]]:
        with ExitStack() as stack:
            table = ArrowTable(self.stored, "parquet", stack)
            for source, cells in table.rows(table.columns, ProblemLog(False), self.tick):
                yield source, dict(zip(table.columns, cells, strict=True))

    def _items(self) -> Iterator[tuple[Source, Record]]:
        value = self._value
        for row, item in enumerate(value if isinstance(value, list) else [value], 1):
            if isinstance(item, dict):
                yield Source(self.file, row), item
            else:
                self.bad(Source(self.file, row), kind(item), "a JSON object")

    def _too_long(self) -> TableError:
        return TableError(
            f"{self.file}: found more than {_MOST_CHARS:,} characters of JSON in one piece, expected fewer; export "
            "fewer rows at once, or JSON Lines"
        )

    @cached_property
    def _value(self) -> Any:
        """The JSON value of the file; several in a row are a list."""
        with self._text() as (text, _):
            whole = text.read(_MOST_CHARS + 1)
        if len(whole) > _MOST_CHARS:
            raise self._too_long()
        try:
            return json.loads(whole)
        except (ValueError, RecursionError):
            return _unfinished(whole) or _values(whole)


def _decoded(start: bytes) -> str:
    """The beginning of a text, whatever is wrong with it: names of columns and keys are ASCII."""
    encoding = next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")
    return start.decode(encoding, "replace")


def _is_lines(head: str) -> bool:
    """Whether a text that begins with an object goes on with another one on the next line."""
    line, newline, rest = head.lstrip().partition("\n")
    return bool(newline) and bool(rest.strip()) and isinstance(_parsed(line), dict)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _values(text: str) -> Any:
    """JSON values one after the other, as a console exporter writes them."""
    values, place = [], _after_blanks(text, 0)
    try:
        while place < len(text):
            value, place = _DECODER.raw_decode(text, place)
            values.append(value)
            place = _after_blanks(text, place)
    except (ValueError, RecursionError):
        raise NotReadableError from None
    return values


def _first_items(head: str, most: int = _HEAD_RECORDS) -> list[Record]:
    """The first objects of an array of which perhaps only the beginning is at hand."""
    return [item for item in _items_of(head, most)[0] if isinstance(item, dict)]


def _unfinished(text: str) -> list[Any]:
    """An array with a comma after its last item, as exporters leave it that do not know which one is the last."""
    if not text.lstrip().startswith("["):
        return []
    items, rest = _items_of(text, len(text))
    return items if text[rest:].strip() == "]" else []


def _items_of(text: str, most: int) -> tuple[list[Any], int]:
    """The items of an array, and the place behind the last comma that was read."""
    items: list[Any] = []
    place = text.index("[") + 1
    try:
        while len(items) < most:
            item, end = _DECODER.raw_decode(text, _after_blanks(text, place))
            items.append(item)
            end = _after_blanks(text, end)
            if text[end : end + 1] != ",":
                break
            place = end + 1
    except (ValueError, RecursionError):
        pass
    return items, place


def _after_blanks(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    return found.end() if found else place


def _reader(text: TextIOWrapper, delimiter: str) -> Any:
    csv.field_size_limit(_CELL_LIMIT)
    return csv.reader(text, delimiter=delimiter, strict=True)


def _records(reader: Iterator[list[str]], file: str) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise TableError(
            f"{file}: found cells that cannot be told apart ({error}), expected CSV with quotes that are closed; "
            "export it again"
        ) from None
