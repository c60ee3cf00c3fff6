"""What each way of routing costs and how good it is, on rows that nothing was learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

BOOTSTRAP_DRAWS = 1000
_QUANTILES = 40
_GRADED = 0.05
_MOST_WEIGHT = 2.0**40
_HALVINGS = 40
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Interval:
    """A bootstrap interval (95%, percentile; Efron & Tibshirani, "An Introduction to the Bootstrap", 1993)."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Rows to evaluate on, m of them.

    Attributes
    ----------
    quality : (m, t), complete.
    costs : (m, t) USD, complete.
    groups : (m,) group numbers; resampling draws whole groups, since their rows are alike.
    sizes : (m,) characters plus max_tokens, for the length rule.
    tasks : (m,) normalised task labels.
    reference : position of the reference tier.
    """

    quality: NDArray[np.float64]
    costs: NDArray[np.float64]
    groups: NDArray[np.int64]
    sizes: NDArray[np.int64]
    tasks: tuple[str | None, ...]
    reference: int

    def __len__(self) -> int:
        return len(self.quality)

    def part(self, rows: NDArray[np.int64]) -> Outcomes:
        """Some of the rows."""
        return Outcomes(
            self.quality[rows],
            self.costs[rows],
            self.groups[rows],
            self.sizes[rows],
            tuple(self.tasks[row] for row in rows),
            self.reference,
        )


@dataclass(frozen=True, slots=True)
class Result:
    """One way of routing, evaluated.

    Attributes
    ----------
    name : how people call it.
    shares : (t,) share of requests per tier.
    cost : mean USD a request.
    quality : mean quality.
    saving : 1 - cost / the reference's cost.
    kept : quality / the reference's quality; 1 where the reference has none to lose.
    saving_interval, kept_interval : of the two, over redrawn groups.
    """

    name: str
    shares: tuple[float, ...]
    cost: float
    quality: float
    saving: float
    kept: float
    saving_interval: Interval
    kept_interval: Interval


@dataclass(frozen=True, slots=True)
class MixComparison:
    """The router against the best random mix of tiers of the same cost.

    Attributes
    ----------
    gain : quality of the router minus that of the mix.
    interval : of the gain, over redrawn groups.
    rows_needed : about how many rows would put the interval on one side of zero; None when it is, or none would.
    """

    gain: float
    interval: Interval
    rows_needed: int | None

    @property
    def better(self) -> bool:
        """The whole interval is above zero."""
        return self.interval.low > _ROUNDING


def fixed_weights(chosen: NDArray[np.int64], tiers: int) -> NDArray[np.float64]:
    """(m,) chosen tiers to (m, t) weights, one a row."""
    return np.eye(tiers)[chosen]


def evaluate(name: str, weights: NDArray[np.float64], rows: Outcomes, *, seed: int) -> Result:
    """Evaluate one way of routing, given as the weight of each tier on each row: (m, t), each row summing to 1."""
    return evaluate_totals(name, weights, *_totals(weights, rows), rows, seed=seed)


def evaluate_totals(
    name: str,
    weights: NDArray[np.float64],
    cost: NDArray[np.float64],
    quality: NDArray[np.float64],
    rows: Outcomes,
    *,
    seed: int,
) -> Result:
    """Evaluate what was spent and reached on each row, (m,) both, where more than one tier may have been asked.

    Parameters
    ----------
    weights : (m, t), of the tiers whose answers were kept.
    """
    base_cost, base_quality = rows.costs[:, rows.reference], rows.quality[:, rows.reference]
    draws = redraw(np.column_stack([cost, quality, base_cost, base_quality]), rows.groups, seed)
    return Result(
        name=name,
        shares=tuple(weights.mean(axis=0).tolist()),
        cost=float(cost.mean()),
        quality=float(quality.mean()),
        saving=1 - float(_shares(cost.mean(), base_cost.mean())),
        kept=float(_shares(quality.mean(), base_quality.mean())),
        saving_interval=interval(1 - _shares(draws[:, 0], draws[:, 2])),
        kept_interval=interval(_shares(draws[:, 1], draws[:, 3])),
    )


def compare_to_mix(chosen: NDArray[np.int64], rows: Outcomes, *, seed: int) -> MixComparison:
    """Is the router better than tossing a coin between tiers, at the same cost?

    The mix is the best there is for that cost on these very rows, which favours it.
    """
    tiers = rows.quality.shape[1]
    cost, quality = _totals(fixed_weights(chosen, tiers), rows)
    draws = redraw(np.column_stack([cost, quality, rows.costs, rows.quality]), rows.groups, seed)
    mixed = [mix_quality(draw[2 : 2 + tiers], draw[2 + tiers :], draw[0]) for draw in draws]
    gains = draws[:, 1] - np.array(mixed)
    gain = float(quality.mean() - mix_quality(rows.costs.mean(axis=0), rows.quality.mean(axis=0), cost.mean()))
    found = interval(gains)
    # Where every draw gains the same (a router that never leaves one tier), more rows would say the same.
    settled = found.low > _ROUNDING or found.high < -_ROUNDING or float(np.ptp(gains)) < _ROUNDING
    # The interval's half width shrinks with the square root of the rows; a gain below a tenth of a point is none.
    half, aim = 1.96 * float(gains.std()), max(abs(gain), 0.001)
    return MixComparison(
        gain, found, None if settled else max(len(rows) + 1, int(np.ceil(len(rows) * (half / aim) ** 2)))
    )


def mix_at(costs: NDArray[np.float64], quality: NDArray[np.float64], budget: float) -> NDArray[np.float64]:
    """Weights (t,) of the random mix of tiers with the best mean quality whose mean cost is at most ``budget``.

    The best mix lies on the upper hull of the tiers' (cost, quality) points, between two of them; below the cheapest
    tier's cost it is that tier (of equally cheap ones, the best).
    """
    tiers = len(costs)
    cheapest = int(np.lexsort((-quality, costs))[0])
    best: NDArray[np.float64] = np.eye(tiers)[cheapest]
    best_quality = float(quality[cheapest])
    for low in range(tiers):
        for high in range(tiers):
            if costs[low] > budget or quality[high] < quality[low]:
                continue
            rise = costs[high] - costs[low]
            share = 1.0 if rise <= 0 else min(1.0, (budget - costs[low]) / rise)
            reached = (1 - share) * quality[low] + share * quality[high]
            if reached > best_quality + 1e-15:
                best, best_quality = np.eye(tiers)[low] * (1 - share) + np.eye(tiers)[high] * share, float(reached)
    return best


def mix_quality(costs: NDArray[np.float64], quality: NDArray[np.float64], budget: float) -> float:
    """Mean quality of `mix_at`."""
    return float(mix_at(costs, quality, budget) @ quality)


def cheapest_adequate(rows: Outcomes) -> NDArray[np.int64]:
    """(m,): the cheapest tier no worse than the reference on the row; none that is never worse costs less.

    Where scores are grades, being a little worse on one row can be made up for on another: then it is the cheapest
    choice that is no worse on the whole, where that costs less.
    """
    wanted = rows.quality[:, [rows.reference]]
    chosen: NDArray[np.int64] = np.argmin(np.where(rows.quality >= wanted - _ROUNDING, rows.costs, np.inf), axis=1)
    if not is_graded(rows.quality):
        return chosen
    traded = _cheapest_on_the_whole(rows)
    each = np.arange(len(rows))
    return traded if rows.costs[each, traded].mean() < rows.costs[each, chosen].mean() else chosen


def is_graded(scores: NDArray[np.float64]) -> bool:
    """Whether scores are more than right and wrong: over 5% of those that are known lie between 0 and 1."""
    known = scores[~np.isnan(scores)]
    return bool(len(known)) and float(np.mean((known > _ROUNDING) & (known < 1 - _ROUNDING))) > _GRADED


def _cheapest_on_the_whole(rows: Outcomes) -> NDArray[np.int64]:
    """(m,): the tier with the best trade of quality for cost, at the least weight of quality that keeps its mean."""
    wanted = rows.quality[:, rows.reference].mean() - _ROUNDING
    cost = rows.costs / max(float(rows.costs[:, rows.reference].mean()), 1e-300)
    each = np.arange(len(rows))

    def at(weight: float) -> NDArray[np.int64]:
        return np.asarray(np.argmin(cost - weight * rows.quality, axis=1), np.int64)

    low, high = 0.0, 1.0
    while rows.quality[each, at(high)].mean() < wanted and high < _MOST_WEIGHT:
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if rows.quality[each, at(middle)].mean() >= wanted else (middle, high)
    return at(high)


def length_choice(sizes: NDArray[np.int64], thresholds: tuple[int, int], tiers: Sequence[int]) -> NDArray[np.int64]:
    """(m,): the length rule's tier; ``tiers`` are the positions of its small, medium and large."""
    return np.asarray(tiers)[np.searchsorted(np.asarray(thresholds), sizes, side="right")]


def tune_thresholds(rows: Outcomes, tiers: Sequence[int], max_loss: float) -> tuple[int, int]:
    """The length rule's thresholds that cost least on these rows among those that keep the quality asked for.

    Where none does, those with the best quality. Thresholds are tried at quantiles of the sizes.
    """
    grid = np.unique(np.quantile(rows.sizes, np.linspace(0, 1, _QUANTILES + 1), method="higher"))
    marks = sorted({1, *map(int, grid), int(grid[-1]) + 1, int(grid[-1]) + 2})
    floor = (1 - max_loss) * rows.quality[:, rows.reference].mean() - _ROUNDING
    order = np.argsort(rows.sizes, kind="stable")
    ends = np.searchsorted(rows.sizes[order], marks, side="left")
    # Sums over the rows below each mark, for the tier that those rows would go to.
    below = {
        kind: np.vstack([np.zeros(len(values[0])), np.cumsum(values[order], axis=0)])[ends]
        for kind, values in (("cost", rows.costs), ("quality", rows.quality))
    }
    total = {"cost": rows.costs.sum(axis=0), "quality": rows.quality.sum(axis=0)}
    small, medium, large = tiers

    def mean(kind: str, one: int, two: int) -> float:
        sums = below[kind]
        parts = sums[one, small] + (sums[two, medium] - sums[one, medium]) + (total[kind][large] - sums[two, large])
        return float(parts) / len(rows)

    pairs = [(one, two) for two in range(len(marks)) for one in range(two)]
    good = [pair for pair in pairs if mean("quality", *pair) >= floor]
    best = (
        min(good, key=lambda pair: mean("cost", *pair)) if good else max(pairs, key=lambda pair: mean("quality", *pair))
    )
    return marks[best[0]], marks[best[1]]


def redraw(
    values: NDArray[np.float64], groups: NDArray[np.int64], seed: int, draws: int = BOOTSTRAP_DRAWS
) -> NDArray[np.float64]:
    """Means of the columns over rows redrawn by whole groups: (m, k) to (draws, k)."""
    numbers = np.unique(groups, return_inverse=True)[1]
    count = int(numbers.max()) + 1
    sums = np.zeros((count, values.shape[1] + 1))
    np.add.at(sums, numbers, np.column_stack([values, np.ones(len(values))]))
    random = np.random.default_rng(seed)
    means = np.empty((draws, values.shape[1]))
    for draw in range(draws):
        drawn = np.bincount(random.integers(count, size=count), minlength=count) @ sums
        means[draw] = drawn[:-1] / drawn[-1]
    return means


def interval(values: NDArray[np.float64]) -> Interval:
    """The middle 95% of redrawn values."""
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high))


def _totals(weights: NDArray[np.float64], rows: Outcomes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return (weights * rows.costs).sum(axis=1), (weights * rows.quality).sum(axis=1)


def _shares(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """part / whole, 1 where the whole is nothing."""
    parts, wholes = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(parts, wholes, out=np.ones_like(parts), where=wholes > 0)
