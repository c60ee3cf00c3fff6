"""One cell -> one value. A cell is text (CSV), or what JSON and Parquet hold natively; None is a cell without content.

Each function raises `CellError` for what it cannot take; the message never holds the text of a prompt.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

from training.tables.numbers import PLAIN
from training.tables.problems import kind, shown
from training.tables.words import ABSENT

NOT_OBSERVED = math.nan

_NUMERIC = (float, int, Decimal)
_WHOLE = "a whole number above 0"


class CellError(ValueError):
    """A cell that cannot be taken, with what was found and what is expected."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(f"found {found}, expected {expected}")
        self.found = found
        self.expected = expected


def whole(cell: Any) -> int | None:
    """A whole number above 0, also written as 300.0 (what a data frame makes of a column with gaps)."""
    value = number(cell, _WHOLE)
    if math.isnan(value):
        return None
    if not (value.is_integer() and value > 0):
        raise CellError(shown(cell), _WHOLE)
    return int(value)


def number(cell: Any, expected: str) -> float:
    """A number that is written plainly; NaN where there is none."""
    if cell is None:
        return NOT_OBSERVED
    if isinstance(cell, str):
        text = cell.strip()
        if PLAIN.fullmatch(text):
            return float(text)
        if text.casefold() in ABSENT:
            return NOT_OBSERVED
    elif isinstance(cell, _NUMERIC) and not isinstance(cell, bool):
        try:
            return float(cell)
        except OverflowError:
            pass
    raise CellError(shown(cell), expected)


def label(cell: Any) -> str | None:
    """A name (task, group, model) as text; blank is None."""
    if cell is None or isinstance(cell, str):
        return encodable(cell, "text") if cell and not cell.isspace() else None
    if isinstance(cell, (bool, int, float, Decimal)):
        return None if cell != cell else str(cell)
    raise CellError(kind(cell), "text")


def answer(cell: Any) -> str | None:
    """The text of an answer, which may be empty; None where there is none."""
    if cell is None:
        return None
    if isinstance(cell, str):
        return encodable(cell, "text")
    raise CellError(kind(cell), "text")


def prompt(cell: Any) -> str:
    """The prompt exactly as it stands."""
    if not isinstance(cell, str) or not cell or cell.isspace():
        raise CellError(kind(cell), "the text of a prompt")
    return encodable(cell, "the text of a prompt")


def structure(cell: Any, expected: str) -> Any:
    """A list or object, native or as JSON text; None where there is none."""
    if isinstance(cell, str):
        if not cell or cell.isspace():
            return None
        encodable(cell, expected)
        try:
            return json.loads(cell)
        except RecursionError:
            raise CellError("JSON nested too deeply", expected) from None
        except ValueError as error:
            raise CellError(f"text that is not JSON ({_why(error)})", expected) from None
    return _without_nulls(cell)


def encodable(text: str, expected: str) -> str:
    """The text, where it is valid Unicode."""
    # JSON can spell half of a surrogate pair, which no tokenizer and no file can take.
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            found = f"half of a surrogate pair at character {error.start + 1}"
            raise CellError(found, f"{expected} in valid Unicode (cut texts between characters)") from None
    return text


def _without_nulls(value: Any) -> Any:
    # Columns of structs give every object all keys of the column; the ones it never had come back as null.
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def _why(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos + 1}"
    return "a number with too many digits"
