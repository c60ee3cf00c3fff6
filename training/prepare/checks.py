"""Checks that the Python entries share."""

from __future__ import annotations

from math import isfinite
from typing import TypeVar

from classifier.errors import InputError

Options = TypeVar("Options")


def checked_options(options: Options | None, kind: type[Options]) -> Options:
    """The options, or those that nothing was asked of.

    Raises
    ------
    InputError : they are of another kind.
    """
    if options is None:
        return kind()
    if not isinstance(options, kind):
        raise InputError(f"options: found {type(options).__name__}, expected {kind.__name__}(...)")
    return options


def check_jobs(jobs: int) -> None:
    """Refuse a number of parallel workers that joblib does not take.

    Raises
    ------
    InputError : it is 0, or no whole number.
    """
    if not isinstance(jobs, int) or not jobs:
        raise InputError(f"jobs: found {jobs!r}, expected a number of workers, or -1 for one a core")


def check_spend(monthly_spend: float | None) -> None:
    """Refuse a monthly spend that is none.

    Raises
    ------
    InputError : it is below 0, infinite or NaN.
    """
    if monthly_spend is not None and not (isfinite(monthly_spend) and monthly_spend >= 0):
        raise InputError(f"monthly_spend: found {monthly_spend:g}, expected USD a month, a number of 0 or more")
