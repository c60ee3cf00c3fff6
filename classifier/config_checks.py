"""Checks of what a menu says; each raises a `ConfigError` that names where, what was found and what was expected."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import islice
from typing import Any, TypeVar, cast

from classifier.errors import ConfigError

MAX_PRICE = 1_000_000  # USD per 1M tokens

_SUGGESTED_FROM, _SUGGESTED_CHARS, _LISTED = 1_000, 60, 20

Kind = TypeVar("Kind")


def check_keys(where: str, table: Mapping[str, Any], known: Set[str], required: Set[str] = frozenset()) -> None:
    """Refuse unknown keys, and missing required ones."""
    for key in table:
        if key not in known:
            hint = suggestion(key, known) or f"; expected one of {', '.join(sorted(known))}"
            raise ConfigError(f"{where}: unknown key {show(key)}{hint}")
    for key in sorted(required):
        if key not in table:
            raise ConfigError(f"{where}: key {show(key)} is missing")


def typed(where: str, key: str, value: Any, kind: type[Kind]) -> Kind:
    """The value, where it is of the kind (a list or a table)."""
    expect(isinstance(value, kind), where, key, value, "a list" if kind is list else "a table")
    return cast(Kind, value)


def expect(holds: bool, where: str, key: str, found: object, expected: str) -> None:
    """Refuse what does not hold."""
    if not holds:
        raise ConfigError(f"{where}: {key} is {show(found)}, expected {expected}")


def expect_one_of(options: Sequence[str], where: str, key: str, found: object) -> None:
    """Refuse what is none of the options."""
    if not (isinstance(found, str) and found in options):
        choice = ", ".join(map(show, options[:_LISTED])) + ("" if len(options) <= _LISTED else ", ...")
        raise ConfigError(f"{where}: {key} is {show(found)}, expected one of {choice}{suggestion(found, options)}")


def suggestion(found: object, options: Iterable[str | None]) -> str:
    """A hint at the option that was probably meant; empty where none is close."""
    import difflib  # only an error needs it

    if not isinstance(found, str) or len(found) > _SUGGESTED_CHARS:  # comparing takes the square of a text's length
        return ""
    known = [option for option in islice(options, _SUGGESTED_FROM) if option and len(option) <= _SUGGESTED_CHARS]
    close = difflib.get_close_matches(found.casefold(), known, n=1)
    return f" (did you mean {show(close[0])}?)" if close else ""


def is_price(value: object) -> bool:
    """Whether a value is a finite number of 0 or more."""
    return type(value) in (int, float) and 0 <= cast(float, value) < math.inf


def expect_at_most(where: str, key: str, found: int, most: int) -> None:
    """Refuse too many of something."""
    if found > most:
        raise ConfigError(f"{where}: found {found} {key}, expected at most {most}")


def show(value: object) -> str:
    """A value as configuration files write it, on one line and of bounded length."""
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= 80 else shown[:77] + "..."


def expect_price(where: str, key: str, price: object) -> None:
    """Refuse what is neither None nor a price."""
    expect(price is None or is_price(price), where, key, price, "USD per 1M tokens, a number of 0 or more")
    expect((cast(float, price) or 0.0) <= MAX_PRICE, where, key, price, f"USD per 1M tokens, at most {MAX_PRICE:,}")
