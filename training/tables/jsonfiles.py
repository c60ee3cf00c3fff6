"""JSON -> raw rows: one object a line, an array of objects, or an object that holds one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import TextIOWrapper
from itertools import chain
from typing import Any

import ijson

from classifier.errors import TableError
from training.tables.encodings import Encoding, open_text
from training.tables.files import RawRow, Tick
from training.tables.paths import nested_paths
from training.tables.problems import ProblemLog, Source, UnsureError, kind
from training.tables.stored import Stored

_TICK_ROWS = 1024
_LONGEST_LINE = 2**27
_WHOLE = 2**26  # characters of JSON that are read at once; longer arrays are streamed
_LARGEST_OBJECT = 2**28
_MOST_KEYS = 10_000
_EXPECTED = "one JSON object on each line, or an array of objects"

Fits = Callable[[Sequence[str]], bool]


class JsonLinesTable:
    """A file with one object a line. Its columns are all the keys of all its objects; blank lines are no rows."""

    format = "jsonl"
    repeated: frozenset[str] = frozenset()

    def __init__(self, stored: Stored, encoding: Encoding) -> None:
        self._stored, self._encoding = stored, encoding
        # A first pass for the keys alone: a tier may turn up for the first time in the last line.
        keys = _Keys(stored.name)
        wrong: str | None = None
        with open_text(stored, encoding) as (text, _):
            for line, content in _contents(text):
                if isinstance(content, dict):
                    keys.add(content)
                elif wrong is None:
                    wrong = f"line {line}: found {_found(content)}"
        if not keys.columns:
            raise TableError(f"{stored.name}: {wrong or 'found no rows'}, expected {_EXPECTED}")
        self.columns, self.nested = tuple(keys.columns), tuple(keys.nested)
        self.understood = _understood(encoding)

    def rows(self, wanted: Sequence[str], log: ProblemLog, tick: Tick) -> Iterator[RawRow]:
        """Stream the rows, see `RawTable`."""
        file = self._stored.name
        with open_text(self._stored, self._encoding) as (text, position):
            for row, (line, content) in enumerate(_contents(text), 1):
                if row % _TICK_ROWS == 0:
                    tick(position())
                source = Source(file, row, line)
                if isinstance(content, dict):
                    yield source, list(map(content.get, wanted))
                else:
                    log.skip(source, None, _found(content), _EXPECTED)


class JsonArrayTable:
    """A file that is one JSON value: an array of objects, or an object with one inside, or a column a key."""

    format = "json"
    repeated: frozenset[str] = frozenset()

    def __init__(self, stored: Stored, encoding: Encoding, fits: Fits) -> None:
        self._stored, self._encoding = stored, encoding
        self._records: list[Any] | None = None
        self._prefix = "item"
        notes = list(_understood(encoding))
        with open_text(stored, encoding) as (text, _):
            whole = text.read(_WHOLE + 1)
        if len(whole) <= _WHOLE:
            self._records, note = _rows_inside(stored.name, _parsed(stored.name, whole), fits)
            notes += [note] if note else []
        elif not whole.lstrip("\ufeff \t\r\n").startswith("["):
            self._records, note = _rows_inside(stored.name, self._large_object(), fits)
            notes += [note] if note else []
        keys = _Keys(stored.name)
        for record in self._items():
            if isinstance(record, dict):
                keys.add(record)
        if not keys.columns:
            raise TableError(f"{stored.name}: found no objects, expected {_EXPECTED}")
        self.columns, self.nested, self.understood = tuple(keys.columns), tuple(keys.nested), tuple(notes)

    def rows(self, wanted: Sequence[str], log: ProblemLog, tick: Tick) -> Iterator[RawRow]:
        """Stream the rows, see `RawTable`."""
        for row, record in enumerate(self._items(), 1):
            if row % _TICK_ROWS == 0:
                tick(row)
            source = Source(self._stored.name, row)
            if isinstance(record, dict):
                yield source, list(map(record.get, wanted))
            else:
                log.skip(source, None, _found(record), "a JSON object")

    def _items(self) -> Iterator[Any]:
        if self._records is not None:
            yield from self._records
            return
        with open_text(self._stored, self._encoding) as (text, _):
            try:
                yield from ijson.items(_Utf8(text), self._prefix, use_float=True)
            except (ijson.JSONError, ValueError, OverflowError) as error:
                raise _broken(self._stored.name, error) from None

    def _large_object(self) -> Any:
        with open_text(self._stored, self._encoding) as (text, _):
            content = text.read(_LARGEST_OBJECT + 1)
        if len(content) > _LARGEST_OBJECT:
            raise TableError(
                f"{self._stored.name}: found one JSON object of more than {_LARGEST_OBJECT:,} characters, expected "
                f"{_EXPECTED}; write its rows one on each line"
            )
        return _parsed(self._stored.name, content)


def is_json_lines(head: str) -> bool:
    """Whether a text that starts like JSON has one object on each line; of one line alone, whether it is a row."""
    lines = [line for line in head.lstrip("\ufeff").split("\n") if line.strip()]
    if not lines or not lines[0].lstrip().startswith("{"):
        return False
    if len(lines) == 1:
        return False
    try:
        return isinstance(json.loads(lines[0]), dict)
    except (ValueError, RecursionError):
        # A first line that is broken is one bad row, where the second one is whole.
        return _is_object(lines[1]) and lines[0].rstrip().endswith("}")


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


class _Keys:
    """Columns, as they turn up in objects."""

    def __init__(self, name: str) -> None:
        self.columns: dict[str, None] = {}
        self.nested: dict[str, None] = {}
        self._name = name

    def add(self, record: Mapping[str, Any]) -> None:
        self.columns.update(dict.fromkeys(record))
        for key, value in record.items():
            if isinstance(value, dict):
                self.nested.update(dict.fromkeys(nested_paths(key, value)))
        if len(self.columns) > _MOST_KEYS or len(self.nested) > _MOST_KEYS:
            raise TableError(
                f"{self._name}: found more than {_MOST_KEYS:,} different keys, expected columns; write the rows with "
                "the same keys"
            )


class _Utf8:
    """Text as bytes of UTF-8, which ijson reads."""

    def __init__(self, text: TextIOWrapper) -> None:
        self._text = text

    def read(self, size: int = -1) -> bytes:
        return self._text.read(size).encode("utf-8", "surrogatepass")


def _parsed(name: str, content: str) -> Any:
    try:
        return json.loads(content.lstrip("\ufeff"))
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            several = _several(content.lstrip("\ufeff"))
            if several is not None:
                return several
        raise _broken(name, error) from None
    except (ValueError, RecursionError) as error:
        raise _broken(name, error) from None


def _several(content: str) -> list[Any] | None:
    """Objects one after the other, over several lines each; None: there is something else."""
    decoder, found, place = json.JSONDecoder(), [], 0
    try:
        while place < len(content):
            value, place = decoder.raw_decode(content, place)
            found.append(value)
            while place < len(content) and content[place] in " \t\r\n,":
                place += 1
    except (ValueError, RecursionError):
        return None
    return found


def _rows_inside(name: str, value: Any, fits: Fits) -> tuple[list[Any], str]:
    """The rows of a JSON value, and a sentence about where they were found."""
    if isinstance(value, list):
        return _with_header(value), ""
    if not isinstance(value, dict):
        raise TableError(f"{name}: found {kind(value)}, expected {_EXPECTED}")
    if fits(list(value)):
        by_column = _by_column(value)
        return (by_column, "rows are read from one list a column") if by_column is not None else ([value], "")
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):  # a data frame, "split"
        return _with_header([value["columns"], *value["data"]]), "rows are read from data"
    arrays = [(path, rows) for path, rows in _arrays(value) if fits(_all_keys(rows))]
    if len(arrays) > 1:
        raise UnsureError(
            f"{name}: found tables in {' and '.join(path for path, _ in arrays)}, expected one; write the one that is "
            "meant to a file of its own",
            "",
            "",
        )
    if not arrays:
        arrays = sorted(_arrays(value), key=lambda found: -len(found[1]))[:1]
    if not arrays:
        return [value], ""
    return arrays[0][1], f"rows are read from {arrays[0][0]}"


def _by_column(value: Mapping[str, Any]) -> list[Any] | None:
    """Rows of an object that holds a list, or an object by row number, for each column; None: it does not."""
    columns = list(value.values())
    if all(isinstance(column, list) for column in columns) and len({len(column) for column in columns}) == 1:
        if len(columns[0]) == 1 and isinstance(columns[0][0], dict):
            return None  # one row whose columns are lists of messages
        return [dict(zip(value, cells, strict=True)) for cells in zip(*columns, strict=True)]
    if all(isinstance(column, dict) for column in columns) and columns:
        index = list(dict.fromkeys(chain.from_iterable(columns)))
        return [{key: column.get(row) for key, column in value.items()} for row in index]
    return None


def _with_header(rows: list[Any]) -> list[Any]:
    """Rows that are lists, below a row of names, as objects."""
    if len(rows) > 1 and all(isinstance(row, list) for row in rows) and all(isinstance(name, str) for name in rows[0]):
        return [dict(zip(rows[0], row, strict=False)) for row in rows[1:]]
    return rows


def _arrays(value: Mapping[str, Any], path: str = "", depth: int = 3) -> Iterator[tuple[str, list[Any]]]:
    for key, inner in value.items():
        here = f"{path}.{key}" if path else key
        if isinstance(inner, list) and inner and all(isinstance(row, dict) for row in inner[:100]):
            yield here, inner
        elif isinstance(inner, dict) and depth:
            yield from _arrays(inner, here, depth - 1)


def _all_keys(rows: Iterable[Any]) -> list[str]:
    keys: dict[str, None] = {}
    for row in rows:
        if isinstance(row, dict):
            keys.update(dict.fromkeys(row))
    return list(keys)


def _contents(text: TextIOWrapper) -> Iterator[tuple[int, Any]]:
    """Line number and parsed content of each line that is not blank; an exception stands for what is not JSON."""
    decode = json.loads
    number = 0
    while line := text.readline(_LONGEST_LINE):
        number += 1
        if line.isspace():
            continue
        content: Any
        if len(line) == _LONGEST_LINE:
            content = OverflowError()
            while line and not line.endswith("\n"):
                line = text.readline(_LONGEST_LINE)
        else:
            try:
                content = decode(line)
            except (ValueError, RecursionError) as error:
                content = error
        yield number, content


def _found(content: Any) -> str:
    if isinstance(content, json.JSONDecodeError):
        return f"text that is not JSON ({content.msg} at character {content.pos + 1})"
    if isinstance(content, OverflowError):
        return f"a line of more than {_LONGEST_LINE:,} characters"
    if isinstance(content, Exception):
        return "JSON nested too deeply or with too long a number"
    return kind(content)


def _broken(name: str, error: Exception) -> TableError:
    if isinstance(error, json.JSONDecodeError):
        where = f"line {error.lineno}: found text that is not JSON ({error.msg} at character {error.colno})"
    elif isinstance(error, ijson.JSONError):
        where = "found text that is not JSON"
    else:
        where = "found JSON nested too deeply or with too long a number"
    return TableError(f"{name}: {where}, expected {_EXPECTED}; write the file again")


def _understood(encoding: Encoding) -> tuple[str, ...]:
    if encoding.guessed or encoding.name not in ("utf-8", "utf-8-sig"):
        return (f"text is read as {encoding.name}",)
    return ()
