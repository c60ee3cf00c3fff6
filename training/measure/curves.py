"""The cost-quality curve of a router, and single figures read off it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.policy import choose_many

HEADLINE_TARGETS = tuple(round(0.90 + 0.01 * step, 2) for step in range(10))
_STEPS = 4000
_SAME_COST = 1e-3
_LEAST_WEIGHT = 1e-4
_NO_GAP = 1e-9


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a cost-quality curve, both as shares of always using one base tier; each (k,)."""

    cost: NDArray[np.float64]
    quality: NDArray[np.float64]

    def cost_at(self, target: float) -> float:
        """Least cost on the curve whose quality is at least ``target``; NaN where none is."""
        reached = self.quality >= target - 1e-12
        return float(self.cost[reached].min()) if reached.any() else float("nan")

    def mean_cost(self, targets: tuple[float, ...] = HEADLINE_TARGETS) -> float:
        """Mean of `cost_at` over several targets: less noisy than any one point."""
        return float(np.mean([self.cost_at(target) for target in targets]))


def sweep(
    predicted: NDArray[np.float64],
    expected_cost: NDArray[np.float64],
    quality: NDArray[np.float64],
    costs: NDArray[np.float64],
    base: int,
) -> Curve:
    """The curve of the rule of `classifier.policy` over all price weights.

    Parameters
    ----------
    predicted, expected_cost : (n, t), what the model expects.
    quality, costs : (n, t), what happened.
    base : the tier whose quality and cost are 1.
    """
    base_cost, base_quality = costs[:, base].sum(), quality[:, base].sum()
    if predicted.shape[1] == 2:
        # Requests move to the dearer tier one by one, in order of expected gain for expected money.
        gain = (predicted[:, 1] - predicted[:, 0]) / np.maximum(expected_cost[:, 1] - expected_cost[:, 0], 1e-12)
        order = np.argsort(-gain, kind="stable")
        moved_cost = np.concatenate([[0.0], np.cumsum((costs[:, 1] - costs[:, 0])[order])])
        moved_quality = np.concatenate([[0.0], np.cumsum((quality[:, 1] - quality[:, 0])[order])])
        return Curve((costs[:, 0].sum() + moved_cost) / base_cost, (quality[:, 0].sum() + moved_quality) / base_quality)
    share = expected_cost / expected_cost[:, base].mean()
    gaps = np.diff(np.sort(share.mean(axis=0)))
    # Tiers that cost the same need no weight to be told apart.
    most = 10.0 / float(gaps[gaps > _SAME_COST].min()) if (gaps > _SAME_COST).any() else 1.0
    rows = np.arange(len(quality))
    points = []
    for weight in np.concatenate([[0.0], np.geomspace(_LEAST_WEIGHT, most, _STEPS)]):
        chosen = choose_many(predicted, share, weight)
        points.append((costs[rows, chosen].sum() / base_cost, quality[rows, chosen].sum() / base_quality))
    cost, reached = np.array(points).T
    return Curve(cost, reached)


def performance_gap_recovered(predicted: NDArray[np.float64], quality: NDArray[np.float64]) -> float:
    """APGR of the outer two tiers: how much of their gap in quality is recovered, on average over the share of calls.

    Requests go to the strong tier in order of predicted gain; the area between the curve and the weak tier's quality,
    by the trapezoid rule, is divided by the gap. A random order gives 0.5; NaN where the strong tier is no better, as
    there is no gap to recover. Source: Ong et al., "RouteLLM: Learning to Route LLMs with Preference Data", 2024.

    Parameters
    ----------
    predicted, quality : (n, t); the first column is the weak tier, the last the strong one.
    """
    order = np.argsort(-(predicted[:, -1] - predicted[:, 0]), kind="stable")
    gained = np.concatenate([[0.0], np.cumsum((quality[:, -1] - quality[:, 0])[order])])
    gap = float(gained[-1])
    return float(np.trapezoid(gained, dx=1 / len(order)) / gap) if gap > _NO_GAP else float("nan")


def calls_for_gap(predicted: NDArray[np.float64], quality: NDArray[np.float64], share: float) -> float:
    """CPT: least share of calls to the strong tier that recovers ``share`` of the gap in quality; NaN without a gap.

    Requests go to it in order of predicted gain. Source and parameters: as `performance_gap_recovered`.
    """
    order = np.argsort(-(predicted[:, -1] - predicted[:, 0]), kind="stable")
    gained = np.concatenate([[0.0], np.cumsum((quality[:, -1] - quality[:, 0])[order])])
    gap = float(gained[-1])
    return float(np.argmax(gained >= share * gap - _NO_GAP) / len(order)) if gap > _NO_GAP else float("nan")


def average_quality(curve: Curve, low: float, high: float) -> float:
    """AIQ: mean height, from cost ``low`` to ``high``, of the curve's upper hull, which mixing its points reaches.

    Left of its first point the hull is taken to have that point's quality. Source: Hu et al., "RouterBench: A
    Benchmark for Multi-LLM Routing System", 2024. NaN where the costs are equal.
    """
    if high <= low:
        return float("nan")
    hull: list[tuple[float, float]] = []
    for point in sorted(zip(curve.cost.tolist(), curve.quality.tolist(), strict=True)):
        if hull and point[1] <= hull[-1][1]:
            continue
        while len(hull) > 1 and _below(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    costs, heights = np.array(hull).T
    marks = np.unique(np.concatenate([[low, high], costs[(costs > low) & (costs < high)]]))
    return float(np.trapezoid(np.interp(marks, costs, heights), marks) / (high - low))


def _below(left: tuple[float, float], middle: tuple[float, float], right: tuple[float, float]) -> bool:
    """The middle point lies on or below the line between the others."""
    return (middle[1] - left[1]) * (right[0] - left[0]) <= (right[1] - left[1]) * (middle[0] - left[0])
