"""What a cascade with a gate does on many rows at once: which tiers it tries, what it keeps, what all that costs.

From the dearest tier down, a tier is asked directly, or tried before the best later one where that is worth more
(`classifier.gates.try_value`). One price weight w gives both halves of a setting: an answer is kept where it is
expected to lose less quality than a reference call costs, that is with a score of at least 1 - w.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.gates.try_value import TryValue, make_try_value
from training.certify.rule import RuleView, price_weights
from training.measure.evaluate import Outcomes

_COST_STEP = 0.02


@dataclass(frozen=True, slots=True)
class PassRates:
    """P(pass | adequate) and P(pass | inadequate) of a gate at one threshold."""

    adequate: float
    inadequate: float


@dataclass(frozen=True, slots=True)
class Pair:
    """A setting of router and gate: the price weight, the least score that passes, and what trying a tier promises.

    Tiers without a try_value have no gate: they are asked directly or not at all.
    """

    price_weight: float
    threshold: float
    try_values: Mapping[int, TryValue]


@dataclass(frozen=True, slots=True)
class CascadeReplay:
    """What a cascade did on m rows: USD of all its calls, quality and tier of the answer kept, each (m,).

    ``known``: (m,) whether the gate's score of every answer that it looked at is known.
    """

    cost: NDArray[np.float64]
    quality: NDArray[np.float64]
    kept: NDArray[np.int64]
    known: NDArray[np.bool_]


def pass_rates(scores: NDArray[np.float64], quality: NDArray[np.float64], threshold: float) -> PassRates:
    """PassRates over all judged answers, (m, t) both, NaN unknown; one of quality q counts as q of an adequate answer.

    Without answers of one kind, all of it is taken to pass.
    """
    known = ~np.isnan(scores) & ~np.isnan(quality)
    passed, good = scores[known] >= threshold, quality[known]
    return PassRates(*(float(share @ passed / share.sum()) if share.sum() > 0 else 1.0 for share in (good, 1.0 - good)))


def replay(pair: Pair, expected: RuleView, scores: NDArray[np.float64], rows: Outcomes) -> CascadeReplay:
    """Replay a cascade.

    Parameters
    ----------
    expected : what the router expects of the rows.
    scores : (m, t) the gate's; NaN is an answer that does not pass.
    """
    first, following = plan_tiers(pair, expected)
    count = np.arange(len(rows))
    cost, kept, at = np.zeros(len(rows)), first.copy(), first.copy()
    live, known = np.ones(len(rows), bool), np.ones(len(rows), bool)
    while live.any():
        cost[live] += rows.costs[count, at][live]
        kept[live] = at[live]
        after = following[count, at]
        known &= ~(live & (after >= 0) & np.isnan(scores[count, at]))
        live &= (after >= 0) & ~(scores[count, at] >= pair.threshold)
        at = np.where(live, after, at)
    return CascadeReplay(cost, rows.quality[count, kept], kept, known)


def make_pair(price_weight: float, expected: RuleView, scores: NDArray[np.float64]) -> Pair:
    """The setting at a price weight, its try_values from rows that neither router nor gate saw in fitting.

    Parameters
    ----------
    scores : (n, t), 1 + what the gate expects that the answer is better than the reference's; NaN unknown.
    """
    threshold = max(0.0, 1.0 - price_weight)
    before = expected.quality - expected.quality[:, [expected.reference]]
    try_values = {}
    for tier, column in enumerate(scores.T):
        known = ~np.isnan(column)
        if known.any():
            try_values[tier] = make_try_value(before[known, tier], column[known] - 1.0, threshold)
    return Pair(price_weight, threshold, try_values)


def make_path(expected: RuleView, scores: NDArray[np.float64], rows: Outcomes) -> list[Pair]:
    """The settings to test, the most careful first, each at least 2% of the reference's cost cheaper than the last.

    Parameters
    ----------
    expected, scores, rows : of rows that the certificate does not use, cross-fitted.
    """
    reference_cost = float(rows.costs[:, rows.reference].mean())
    path: list[Pair] = []
    last = np.inf
    for weight in price_weights(expected.cost)[1:]:
        pair = make_pair(float(weight), expected, scores)
        cost = float(replay(pair, expected, scores, rows).cost.mean())
        if cost <= min(reference_cost, last - _COST_STEP * reference_cost):
            path.append(pair)
            last = cost
    return path


def plan_tiers(pair: Pair, expected: RuleView) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first tier to ask, (m,), and the one after each, (m, t); -1: the answer is kept as it is."""
    quality, paid = expected.quality, pair.price_weight * expected.cost
    following = np.full(quality.shape, -1, np.int64)
    best, best_worth = np.full(len(quality), -1, np.int64), np.full(len(quality), -np.inf)
    for tier in reversed(range(quality.shape[1])):
        worth = quality[:, tier] - paid[:, tier]
        try_value = pair.try_values.get(tier)
        if try_value is not None:
            later = np.where(best >= 0, best_worth, 0.0)
            tried = try_value.worth(quality[:, tier], quality[:, expected.reference], later) - paid[:, tier]
            first = (best >= 0) & (tried > worth)
            following[first, tier] = best[first]
            worth[first] = tried[first]
        if expected.unsupported is not None:
            worth[expected.unsupported[:, tier]] = -np.inf
        better = worth > best_worth
        best[better], best_worth[better] = tier, worth[better]
    following[expected.novel] = -1
    return np.where(expected.novel, expected.reference, best), following
