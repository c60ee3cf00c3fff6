"""Dotted paths: what lies inside columns that hold objects, as a column of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from training.tables.files import RawRow

_DEPTH = 4
_MOST = 2_000
_LONGEST_TEXT = 2**24


def nested_paths(column: str, value: Mapping[str, Any], depth: int = _DEPTH) -> Iterator[str]:
    """Paths of all that lies inside an object, but not inside of its lists."""
    for key, inner in list(value.items())[:_MOST]:
        path = f"{column}.{key}"
        yield path
        if isinstance(inner, dict) and depth > 1:
            yield from nested_paths(path, inner, depth - 1)


def outer_columns(columns: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The columns of a file that hold what is wanted."""
    return list(dict.fromkeys(_split(columns, name)[0] for name in wanted))


def with_paths(
    rows: Iterator[RawRow], columns: Sequence[str], outer: Sequence[str], wanted: Sequence[str]
) -> Iterator[RawRow]:
    """Rows of the wanted columns from rows of ``outer``, the columns that hold them."""
    if list(outer) == list(wanted):
        yield from rows
        return
    take: list[Callable[[Sequence[Any]], Any]] = []
    for name in wanted:
        column, keys = _split(columns, name)
        take.append(_taker(outer.index(column), keys))
    for source, cells in rows:
        yield source, [each(cells) for each in take]


def _taker(place: int, keys: Sequence[str]) -> Callable[[Sequence[Any]], Any]:
    return lambda cells: _inside(cells[place], keys)


def _split(columns: Sequence[str], name: str) -> tuple[str, list[str]]:
    if name in columns:
        return name, []
    column, *keys = name.split(".")
    return column, keys


def _inside(value: Any, keys: Sequence[str]) -> Any:
    """What a path leads to; None where it leads nowhere. Objects may stand as JSON text."""
    for key in keys:
        if isinstance(value, str):
            value = _parsed(value)
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.lstrip("-").isdecimal() and -len(value) <= int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _parsed(text: str) -> Any:
    if len(text) > _LONGEST_TEXT or not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
