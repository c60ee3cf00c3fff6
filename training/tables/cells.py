"""One cell -> one value. A cell is text (CSV), or what JSON and Parquet hold natively; None is a cell without content.

Each function raises `CellError` for what it cannot take; the message never holds the text of a prompt.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from classifier.request import Request
from training.tables.problems import kind, shown

NOT_OBSERVED = math.nan

_ABSENT = frozenset({"", "nan", "na", "n/a", "null", "none"})
_NUMERIC = (str, float, int, Decimal)
_BOOLEANS = {"true": 1.0, "false": 0.0}
_SCORE = "a number from 0 to 1, true or false (divide percentages by 100)"
_AMOUNT = "a number of at least 0 (a plain number with a decimal point)"
_WHOLE = "a whole number above 0"
_TIME = "an ISO 8601 time (2025-01-31T12:00:00Z) or seconds since 1970"
_EPOCH_LIMIT = 1e11  # seconds until the year 5138; a larger count is in milli-, micro- or nanoseconds


class CellError(ValueError):
    """A cell that cannot be taken, with what was found and what is expected."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(f"found {found}, expected {expected}")
        self.found = found
        self.expected = expected


def score(cell: Any) -> float:
    """A score from 0 to 1; booleans are 1 and 0; NaN where not observed."""
    if isinstance(cell, bool):
        return float(cell)
    try:
        value = _number(cell, _SCORE)
    except CellError:
        if isinstance(cell, str) and (truth := _BOOLEANS.get(cell.strip().lower())) is not None:
            return truth
        raise
    if value < 0.0 or value > 1.0:
        raise CellError(shown(cell), _SCORE)
    return value


def amount(cell: Any) -> float:
    """A finite number of at least 0 (a cost in USD, a count of tokens); NaN where unknown."""
    value = _number(cell, _AMOUNT)
    if value < 0.0 or math.isinf(value):
        raise CellError(shown(cell), _AMOUNT)
    return value


def whole(cell: Any) -> int | None:
    """A whole number above 0, also written as 300.0 (what a data frame makes of a column with gaps)."""
    value = _number(cell, _WHOLE)
    if math.isnan(value):
        return None
    if not (value.is_integer() and value > 0):
        raise CellError(shown(cell), _WHOLE)
    return int(value)


def label(cell: Any) -> str | None:
    """A name (task, group, model) as text; blank is None."""
    if cell is None or isinstance(cell, str):
        return _encodable(cell, "text") if cell and not cell.isspace() else None
    if isinstance(cell, (bool, int, float, Decimal)):
        return None if cell != cell else str(cell)
    raise CellError(kind(cell), "text")


def answer(cell: Any) -> str | None:
    """The text of an answer, which may be empty; None where there is none."""
    if cell is None:
        return None
    if isinstance(cell, str):
        return _encodable(cell, "text")
    raise CellError(kind(cell), "text")


def seconds(cell: Any) -> float:
    """Seconds since 1970-01-01 UTC; times without a zone are UTC; NaN where unknown.

    Numbers are seconds, or milli-, micro- or nanoseconds where seconds would lie beyond the year 5138.
    """
    moment = _moment(cell) if isinstance(cell, str) else cell
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    value = _number(moment, _TIME)
    if math.isinf(value):
        raise CellError(shown(cell), _TIME)
    while abs(value) > _EPOCH_LIMIT:
        value /= 1000.0
    return value


def prompt(cell: Any) -> str:
    """The prompt exactly as it stands."""
    if not isinstance(cell, str) or not cell or cell.isspace():
        raise CellError(kind(cell), "the text of a prompt")
    return _encodable(cell, "the text of a prompt")


def messages(cell: Any) -> list[dict[str, Any]]:
    """Chat messages, native or as JSON text."""
    expected = 'a list of messages such as [{"role": "user", "content": "..."}], as JSON text or native'
    value = structure(cell, expected)
    if not isinstance(value, list) or not value:
        raise CellError("an empty list" if value == [] else kind(value), expected)
    odd = next((item for item in value if not isinstance(item, dict)), value)
    if odd is not value:
        raise CellError(f"a list with {kind(odd)} in it", expected)
    return value


def structure(cell: Any, expected: str) -> Any:
    """A list or object, native or as JSON text; None where there is none."""
    if isinstance(cell, str):
        if not cell or cell.isspace():
            return None
        _encodable(cell, expected)
        try:
            return json.loads(cell)
        except RecursionError:
            raise CellError("JSON nested too deeply", expected) from None
        except ValueError as error:
            raise CellError(f"text that is not JSON ({_why(error)})", expected) from None
    return _without_nulls(cell)


def check_conversation(request: Request) -> None:
    """Refuse messages that hold neither text nor image, or text that is not Unicode."""
    if request.images == 0 and not request.text.strip():
        raise CellError("no text and no image", "text in at least one message")
    _encodable(request.text, "text in at least one message")


def _moment(text: str) -> datetime | str:
    text = text.strip()
    # A long enough count of seconds would pass for a date without dashes; eight digits are one.
    if text.isdecimal() and len(text) != 8:
        return text
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def _number(cell: Any, expected: str) -> float:
    if cell is None:
        return NOT_OBSERVED
    if isinstance(cell, _NUMERIC) and not isinstance(cell, bool):
        try:
            return float(cell)
        except (ValueError, OverflowError):
            if isinstance(cell, str) and cell.strip().lower() in _ABSENT:
                return NOT_OBSERVED
    raise CellError(shown(cell), expected)


def _encodable(text: str, expected: str) -> str:
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
