"""Times in the formats that people's tables have.

ISO 8601, seconds (or milli-, micro-, nanoseconds) since 1970, a spreadsheet's count of days, RFC 2822, and what
dateutil understands without guessing. Whether 01/02/2026 is in January or in February, the other dates of the column
say, or the user.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, get_args

from dateutil import parser

from training.tables.cells import CellError
from training.tables.problems import kind, shown
from training.tables.words import ABSENT

DateOrder = Literal["dmy", "mdy", "ymd"]

EXPECTED = "an ISO 8601 time (2025-01-31T12:00:00Z), another usual one, or seconds since 1970"
_EPOCH_LIMIT = 1e11  # seconds until the year 5138; a larger count is in milli-, micro- or nanoseconds
_EXCEL_DAYS = range(30_000, 80_000)  # 1982 to 2119; as seconds, all of them were on one day of 1970
_EXCEL_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
_YEARS = range(1000, 3000)
_LONGEST = 80
_MOST_BAD = 0.01
_ZONES = {
    "UTC": 0,
    "GMT": 0,
    "Z": 0,
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
}
_NUMERIC_DATE = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d{2})(?:[T,\s]+(.*))?", re.ASCII | re.DOTALL)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_NOISE = (
    (re.compile(r"\([^()]{0,80}\)$"), ""),  # "GMT+0100 (Central European Standard Time)"
    (re.compile(r"\b(?:GMT|UTC)(?=[+-]\d)"), ""),
    (re.compile(r"(?<=[+-]\d{4})\s+[A-Z]{3,4}$"), ""),  # "+0000 UTC", of Go
    (re.compile(r"(?<=:\d\d),(?=\d)"), "."),
)
_DEFAULTS = (datetime(2000, 1, 1), datetime(2001, 2, 2))


class NumericDate(str):
    """A date of numbers whose order is not known from it alone."""

    __slots__ = ()


def read_time(cell: Any) -> float | NumericDate:
    """Seconds since 1970-01-01 UTC; times without a zone are UTC; NaN where unknown.

    Raises
    ------
    CellError : it is no time.
    """
    if isinstance(cell, datetime):
        return _seconds(cell)
    if isinstance(cell, date):
        return _seconds(datetime.combine(cell, time()))
    if isinstance(cell, str):
        return _read_text(cell.strip())
    if cell is None:
        return math.nan
    if isinstance(cell, (int, float, Decimal)) and not isinstance(cell, bool):
        return _count(float(cell), cell)
    raise CellError(kind(cell), EXPECTED)


def date_orders(dates: Iterable[NumericDate]) -> dict[str, DateOrder | None]:
    """By the mark between their parts: the one order in which all such dates, but for 1%, are dates; None: several are.

    Between points, days come first wherever that is possible.
    """
    parts: dict[str, list[tuple[str, str, str]]] = {}
    for text in dates:
        found = _NUMERIC_DATE.fullmatch(text)
        if found:
            parts.setdefault(found[2], []).append((found[1], found[3], found[4]))
    return {mark: _order(mark, alike) for mark, alike in parts.items()}


def _order(mark: str, dates: list[tuple[str, str, str]]) -> DateOrder | None:
    fitting = [
        order
        for order in get_args(DateOrder)
        if sum(_day(*date, order) is None for date in dates) <= _MOST_BAD * len(dates)
    ]
    if mark == "." and "dmy" in fitting:
        return "dmy"
    return fitting[0] if len(fitting) == 1 else None


def date_mark(text: NumericDate) -> str:
    """What stands between the parts of a date."""
    found = _NUMERIC_DATE.fullmatch(text)
    return found[2] if found else ""


def numeric_time(text: NumericDate, order: DateOrder) -> float:
    """Seconds of a numeric date in a known order.

    Raises
    ------
    CellError : it is no date in this order.
    """
    found = _NUMERIC_DATE.fullmatch(text)
    day = _day(found[1], found[3], found[4], order) if found else None
    if found is None or day is None:
        raise CellError(shown(str(text)), f"a date in the order {order} of the others")
    return _parsed(f"{day.isoformat()} {found[5] or ''}".strip(), str(text))


def _read_text(text: str) -> float | NumericDate:
    if text.casefold() in ABSENT:
        return math.nan
    if len(text) > _LONGEST:
        raise CellError(shown(text), EXPECTED)
    if _NUMBER.fullmatch(text) and not (len(text) == 8 and text.isdecimal()):
        return _count(float(text), text)
    if _NUMERIC_DATE.fullmatch(text):
        return NumericDate(text)
    return _parsed(text, text)


def _count(value: float, cell: Any) -> float:
    if math.isnan(value):
        return value
    if math.isinf(value) or (value.is_integer() and int(value) in _YEARS):
        raise CellError(shown(cell), EXPECTED)
    if int(value) in _EXCEL_DAYS:
        return (_EXCEL_EPOCH + timedelta(days=value)).timestamp()
    while abs(value) > _EPOCH_LIMIT:
        value /= 1000.0
    return value


@lru_cache(maxsize=4096)
def _parsed(text: str, shown_as: str) -> float:
    try:
        return _seconds(datetime.fromisoformat(text))
    except ValueError:
        pass
    for pattern, instead in _NOISE:
        text = pattern.sub(instead, text)
    try:
        first, second = (parser.parse(text, default=default, tzinfos=_zone) for default in _DEFAULTS)
        if first == second:
            return _seconds(first)
    except (ValueError, OverflowError, TypeError):
        pass
    raise CellError(shown(shown_as), EXPECTED)


def _zone(name: str | None, offset: int | None) -> tzinfo | None:
    if offset is not None:
        return timezone(timedelta(seconds=offset))
    if name is None:
        return None
    if name.upper() not in _ZONES:
        raise ValueError("a zone that has several meanings")
    return timezone(timedelta(hours=_ZONES[name.upper()]))


def _seconds(moment: datetime) -> float:
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        raise CellError("a time that no calendar has", EXPECTED) from None


def _day(one: str, two: str, three: str, order: DateOrder) -> date | None:
    given = dict(zip(order, (one, two, three), strict=True))
    year = int(given["y"])
    if len(given["y"]) == 4 or (len(given["y"]) == 2 and len(three) == 2):
        year += 0 if len(given["y"]) == 4 else 2000
        try:
            return date(year, int(given["m"]), int(given["d"]))
        except ValueError:
            return None
    return None
