"""What changes for a team that uses another tier today than the reference."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from classifier.errors import InputError
from training.measure.evaluate import Result, evaluate_totals, fixed_weights
from training.prepare.data import RoutingData
from training.report.data import RangedFigure, TodaySummary
from training.report.offer import offer_by_row, offered
from training.training import Training

_LEAST_ROWS = 20
_Z = 1.96


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


@dataclass(frozen=True, slots=True)
class BestTier:
    """The tier with the best mean score beside the one that is used today, on rows that observed both.

    Attributes
    ----------
    score, today_score : mean scores. difference : of a row, with its 95% interval. rows : how many.
    times : how many times today's tier costs what the best one does.
    """

    name: str
    today: str
    score: float
    today_score: float
    difference: RangedFigure
    rows: int
    times: float


def best_tier(data: RoutingData, today: str | None) -> BestTier | None:
    """The reference against today's tier: whoever uses another one than the best can first of all change over.

    None where no tier is named, it is the reference, or too few rows observed both.

    Raises
    ------
    InputError : no tier has this name.
    """
    if today is None:
        return None
    place, best = today_place(data.names, today), data.reference
    both = ~np.isnan(data.scores[:, [place, best]]).any(axis=1)
    rows = int(both.sum())
    if place == best or rows < _LEAST_ROWS:
        return None
    ours, theirs = data.scores[both, best], data.scores[both, place]
    mean = float((ours - theirs).mean())
    half = _Z * float((ours - theirs).std(ddof=1)) / math.sqrt(rows)
    cost, spent = float(data.costs[:, best].mean()), float(data.costs[:, place].mean())
    return BestTier(
        name=data.names[best],
        today=today,
        score=float(ours.mean()),
        today_score=float(theirs.mean()),
        difference=RangedFigure(mean, mean - half, mean + half),
        rows=rows,
        times=spent / cost if cost > 0 else math.inf,
    )


def best_tier_sentence(found: BestTier) -> str:
    """The same in words, the advice first."""
    cheaper = found.times > 1
    much = found.times if cheaper else 1 / found.times
    price = f"{much:.1f} times {'cheaper' if cheaper else 'dearer'}"
    change = found.difference
    scores = (
        f"mean score {found.score:.3f} against {found.today_score:.3f}, difference {change.value:+.3f} "
        f"[{change.low:+.3f}, {change.high:+.3f}] on {found.rows:,} rows"
    )
    if change.low > 0:
        advice = f"Stop using {found.today}: {found.name} is better and" if cheaper else f"{found.name} is better and"
        return f"{advice} {price} ({scores})."
    if cheaper:
        return (
            f"Before any routing, try {found.name} in place of {found.today}: it is {price} and scores no worse on "
            f"these rows ({scores})."
        )
    return f"{found.name} scores best on these rows, which may be chance, and is {price} than {found.today} ({scores})."
