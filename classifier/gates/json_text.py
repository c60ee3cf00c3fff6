"""JSON from an untrusted text: strict, and bounded in size and depth."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

MOST_JSON_CHARS = 300_000  # its values may take 25 times the room, and 0.1 s
_MOST_DEPTH = 900
_MOST_DIGITS = 4300  # of a whole number, as Python's own limit has it

# Strings, also one that does not end: or it would be tried again from each escaped quotation mark inside.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


class _Invalid:
    """The type of `INVALID`."""


INVALID = _Invalid()


def parse_json(text: str) -> Any:
    """The value of a JSON text, or `INVALID`; never raises.

    What is longer than 300,000 characters, or nested deeper than 900 times, is invalid, too.
    """
    if len(text) > MOST_JSON_CHARS or is_deep(text):
        return INVALID
    try:
        return json.loads(text, parse_constant=_refuse, parse_int=_integer_reader())
    except (ValueError, RecursionError):
        return INVALID


def is_deep(text: str) -> bool:
    """Whether JSON is nested too deeply, also where the interpreter would let it run out of stack."""
    if text.count("[") + text.count("{") <= _MOST_DEPTH:
        return False
    outside = _STRING.sub("", text).encode("utf-8", "replace")
    brackets = np.frombuffer(outside.translate(None, _NO_BRACKETS), np.uint8)
    steps = 28 - (brackets % 32).astype(np.int64)  # 1 for those that open, -1 for those that close
    return bool(steps.cumsum().max(initial=0) > _MOST_DEPTH)


def _integer_reader() -> Callable[[str], int] | None:
    """None, which is fastest, where the interpreter itself refuses numbers that take long to read."""
    return None if 0 < sys.get_int_max_str_digits() <= _MOST_DIGITS else _integer


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError("a number of too many digits")
    return int(digits)


def _refuse(constant: str) -> Any:
    raise ValueError("no JSON constant")
