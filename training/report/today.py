"""What changes for a team that uses another tier today than the reference."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace

from classifier.errors import InputError
from training.measure.evaluate import Result, evaluate_totals, fixed_weights
from training.report.data import RangedFigure, TodaySummary
from training.report.offer import offer_by_row, offered
from training.training import Training


def today_place(names: Sequence[str], today: str) -> int:
    """The place of the tier that is used today.

    Raises
    ------
    InputError : no tier has this name.
    """
    if today in names:
        return names.index(today)
    close = difflib.get_close_matches(today, names, n=1, cutoff=0.5)
    hint = f" (did you mean {close[0]}?)" if close else ""
    raise InputError(f"the tier used today is {today!r}, expected one of {', '.join(names)}{hint}")


def today_summary(training: Training, today: str | None, monthly_spend: float | None) -> TodaySummary | None:
    """What comes first against always today's tier, on the test rows; None where no tier is named.

    Raises
    ------
    InputError : no tier has this name.
    """
    if today is None:
        return None
    place, test = today_place(training.data.names, today), training.test
    kept, cost, quality = offer_by_row(training)
    against = replace(test, reference=place)
    weights = fixed_weights(kept, test.quality.shape[1])
    found = evaluate_totals(offered(training).name, weights, cost, quality, against, seed=training.seed)
    return TodaySummary(
        tier=today,
        spend=1000 * float(test.costs[:, place].mean()) if monthly_spend is None else monthly_spend,
        saving=RangedFigure(found.saving, found.saving_interval.low, found.saving_interval.high),
        kept=RangedFigure(found.kept, found.kept_interval.low, found.kept_interval.high),
    )


def saving_today(training: Training, result: Result, today: str | None) -> float | None:
    """Share of the cost of today's tier that a way of routing saves; None where no tier is named."""
    if today is None:
        return None
    spent = float(training.test.costs[:, today_place(training.data.names, today)].mean())
    return 1 - result.cost / spent if spent > 0 else 0.0


def reference_spend(training: Training, monthly_spend: float | None, today: str | None) -> float | None:
    """USD a month that the reference alone would cost, where today's tier costs ``monthly_spend``; None: not known."""
    if monthly_spend is None or today is None:
        return monthly_spend
    means = training.test.costs.mean(axis=0)
    spent = float(means[today_place(training.data.names, today)])
    return monthly_spend * float(means[training.test.reference]) / spent if spent > 0 else monthly_spend
