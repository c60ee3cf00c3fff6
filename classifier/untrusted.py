"""JSON and TOML that anybody may have written, parsed within bounds: of size, of depth, of time.

Each function raises ValueError (or RecursionError) with the reason, for the caller to say which file it is.
"""

from __future__ import annotations

import json
import math
import os
import stat
import tomllib
from collections import Counter
from typing import Any, NoReturn

MAX_JSON_VALUES = 1_000_000
MAX_DEPTH = 32
MAX_TOML_BYTES = 2**20
MAX_DOTS = 100  # in a line of TOML: the parser's time grows with the cube of a dotted key's parts


def parse_json(text: str) -> dict[str, Any]:
    """Parse a JSON object, refusing what Python lets pass: NaN, infinite numbers, a key given twice.

    Raises
    ------
    ValueError, RecursionError : with the reason.
    """
    if sum(map(text.count, "[{,")) > MAX_JSON_VALUES:  # each of which takes up to sixty times its characters
        raise ValueError(f"it holds more than {MAX_JSON_VALUES} values")
    value = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite)
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    _expect_shallow(value)
    return value


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    OSError : the file cannot be read.
    ValueError, RecursionError : with the reason.
    """
    status = os.stat(path)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):  # a pipe could block or never end
        raise ValueError("it is not a regular file")
    with open(path, "rb") as file:
        data = file.read(MAX_TOML_BYTES + 1)
    if len(data) > MAX_TOML_BYTES:
        raise ValueError(f"it has more than {MAX_TOML_BYTES} bytes")
    dotted = next((number for number, line in enumerate(data.split(b"\n"), 1) if line.count(b".") > MAX_DOTS), None)
    if dotted is not None:
        raise ValueError(f"line {dotted} has more than {MAX_DOTS} dots")
    table = tomllib.loads(data.decode("utf-8-sig"))
    _expect_shallow(table)
    return table


def _expect_shallow(value: dict[str, Any]) -> None:
    """Refuse nested values that a function which follows them could run out of stack on."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        members = (each.values() if isinstance(each, dict) else each for each in level)
        level = [member for each in members for member in each if isinstance(member, dict | list)]
        if not level:
            return
    raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"key {quoted(twice)} is given twice")
    return members


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"number {quoted(text)} is out of range")
    return value


def quoted(text: str) -> str:
    """A text from a file, quoted, in ASCII, on one line and of bounded length."""
    return ascii(text if len(text) <= 60 else text[:57] + "...")
