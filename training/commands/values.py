"""What the text of options means: tiers, prices, columns, ages, times, files."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from classifier.errors import InputError
from classifier.escapes import json_text
from classifier.files import atomic_write
from training.commands.options import MODELS, STORE_VARIABLE
from training.tables import Columns, ReadOptions, parse_scale
from training.tables.nearest import did_you_mean
from training.tables.numbers import Mark

STANDARD_OUTPUT = Path("-")
_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq", ".gz")

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def pairs(option: str, given: list[str] | None, form: str) -> dict[str, str]:
    """The values of an option of the form NAME=VALUE that may be given several times.

    Raises
    ------
    InputError : one is not of this form, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in given or []:
        # A tier's or model's name may hold "=" no more than once is split: the first one parts name and value.
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise InputError(f"{option} {text}: expected {form}")
        if name.strip() in found:
            raise InputError(f"{option} {name.strip()}: given twice, expected once")
        found[name.strip()] = value.strip()
    return found


def price_pair(name: str, text: str) -> tuple[float, float]:
    """Prices in and out, USD per 1M tokens, from "IN,OUT".

    Raises
    ------
    InputError : it is anything else.
    """
    parts = text.split(",")
    try:
        amounts = [float(part) for part in parts]
    except ValueError:
        amounts = []
    if len(amounts) != 2 or not all(0 <= amount < float("inf") for amount in amounts):
        raise InputError(
            f"--price {name}={text}: expected IN,OUT, two prices in USD per 1M tokens, such as {name}=0.6,1.8"
        )
    return amounts[0], amounts[1]


def columns_of(given: list[str] | None) -> Columns:
    """The column names to look for, some renamed by "OURS=YOURS".

    Raises
    ------
    InputError : there is no such column.
    """
    renamed = pairs("--column", given, "OURS=YOURS, such as prompt=question")
    names = list(Columns.__dataclass_fields__)
    for name in renamed:
        if name not in names:
            raise InputError(
                f"--column {name}: no such column here{did_you_mean(name, names)}; expected one of: {', '.join(names)}"
            )
    return replace(Columns(), **renamed)


def reading_of(
    *,
    skip_bad: bool,
    scale: str | None,
    score: list[str] | None,
    dates: str | None,
    decimal: str | None,
    encoding: str | None,
    sheet: str | None,
) -> ReadOptions:
    """How tables are read, by the options of that name.

    Raises
    ------
    InputError : one of them means nothing.
    """
    if decimal not in (None, *Mark):
        raise InputError(f"--decimal {decimal}: expected the mark before decimals, a point or a comma")
    return ReadOptions(
        skip_bad=skip_bad,
        scale=None if scale is None else parse_scale(scale),
        scores=pairs("--score", score, "NAME=COLUMN, such as haiku=haiku_points"),
        dates=None if dates is None else str(dates),  # type: ignore[arg-type]
        decimal=None if decimal is None else Mark(decimal),
        encoding=encoding,
        sheet=sheet,
    )


def age(option: str, text: str) -> timedelta:
    """The duration that a text such as "90d" means.

    Raises
    ------
    InputError : it is none.
    """
    found = _AGE.fullmatch(text.strip().lower())
    try:
        if found:
            return timedelta(**{_UNITS[found[2]]: float(found[1])})
    except OverflowError:
        pass
    raise InputError(f"{option} {text}: expected a number and a unit (s, m, h, d, w), such as 90d")


def days(option: str, text: str) -> float:
    """The same in days.

    Raises
    ------
    InputError : it is none, or no time at all.
    """
    found = age(option, text) / timedelta(days=1)
    if not found > 0:
        raise InputError(f"{option} {text}: expected a time above 0, such as 30d")
    return found


def moment(option: str, text: str | None) -> datetime | None:
    """The time that an ISO 8601 text means, UTC where it does not say; None for None.

    Raises
    ------
    InputError : it is none.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text}: expected an ISO 8601 time such as 2026-03-01 or 2026-03-01T12:00") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def typed(models: Path, *words: str) -> str:
    """A command as it would be typed where ``models`` keeps the versions."""
    folder = () if models == MODELS else ("--models", str(models))
    return shlex.join(["tierwise", *words, *folder])


def store_url(given: str | None, tables: Sequence[Path] | None) -> str | None:
    """The store to learn from: the one that is given; where no table is given either, that of $TIERWISE_OUTCOMES."""
    return given or (None if tables else os.environ.get(STORE_VARIABLE) or None)


def expect_file(option: str, path: Path | None, *, folder_is_made: bool = False) -> None:
    """Refuse a file that cannot be written, or that would take a table's place, before the work is done.

    Parameters
    ----------
    folder_is_made : where it is missing, it will be made.

    Raises
    ------
    InputError : the folder is missing or cannot be written, the path is a folder, or it ends as tables do.
    """
    if path is None or path == STANDARD_OUTPUT:
        return
    if not path.parent.is_dir() and not folder_is_made:
        raise InputError(f"{option} {path}: there is no folder {path.parent}; make it, or name another file")
    if path.is_dir():
        raise InputError(f"{option} {path}: found a folder, expected a file; name one in it")
    if path.suffix in _TABLES:
        raise InputError(f"{option} {path}: found the name of a table, which would be overwritten; name another file")
    if path.parent.is_dir() and not os.access(path.parent, os.W_OK):
        raise InputError(f"{option} {path}: the folder {path.parent} cannot be written; name another file")


def write_json(path: Path, figures: Any, *, allow_nan: bool = True) -> None:
    """Write figures to a file that appears whole or not at all; ``-`` is standard output.

    Raises
    ------
    ValueError : a figure is NaN or infinite, and these are not allowed.
    """
    text = json_text(figures, allow_nan=allow_nan)
    if path == STANDARD_OUTPUT:
        print(text)
        return
    with atomic_write(path) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


def printed(path: Path | None) -> bool:
    """Whether figures go to standard output, where nothing else may then stand."""
    return path == STANDARD_OUTPUT
