"""Where a log is too thin to value a policy, and how much exploration would mend it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.challenge.estimators import Log
from training.learners.weights import effective_rows

_Z = 1.959964
_HARDLY = 10.0  # effective rows below which a tier counts as hardly tried
_RESIDUAL_SQUARE = 0.25  # of adequacy, at most

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gap:
    """Requests for which a policy picks a tier that the log never, or hardly, tried.

    Attributes
    ----------
    tier, task : of these requests; task None: those without one.
    share : of all of the policy's picks, 0..1.
    picks : of the tier, in requests.
    tried : those of them whose value is seen.
    effective_rows : Kish's, of the latter.
    """

    tier: str
    task: str | None
    share: float
    picks: float
    tried: int
    effective_rows: float

    def __str__(self) -> str:
        where = f"task {self.task!r}" if self.task is not None else "requests without a task"
        times = "once" if self.tried == 1 else f"{self.tried:,} times"
        seen = f"tried it there {times}" if self.tried else "never tried it there"
        return f"{self.tier}, {where}: picked for {self.picks:,.0f} requests ({self.share:.1%}), the log {seen}"


@dataclass(frozen=True, slots=True)
class Remedy:
    """How many requests give an interval of a wanted width, at a share of exploration.

    Attributes
    ----------
    explore : share of the requests that begin at a tier drawn from all others, 0..1.
    requests : that have to be logged.
    half_width : of the 95% interval.
    """

    explore: float
    requests: int
    half_width: float

    def __str__(self) -> str:
        return (
            f"exploring {self.explore:.0%} of {self.requests:,} requests brings the interval to +-{self.half_width:.3g}"
        )


def find_gaps(
    log: Log, policy: _Float, tiers: Sequence[str], tasks: Sequence[str | None], *, least_share: float = 0.001
) -> tuple[Gap, ...]:
    """Gaps by tier and task, the largest first.

    Parameters
    ----------
    policy : (n, t) probabilities of the picks.
    tasks : of the n requests.
    least_share : of all picks; smaller gaps are passed over.
    """
    labels = np.array([task or "" for task in tasks])
    weights = log.weights(policy)
    gaps = []
    for label in np.unique(labels):
        rows = labels == label
        for place, tier in enumerate(tiers):
            picked = float(policy[rows, place].sum())
            effective = effective_rows(weights[rows, place])
            if picked < least_share * len(labels) or picked == 0 or effective >= min(_HARDLY, picked):
                continue
            tried = int((weights[rows, place] > 0).sum())
            gaps.append(Gap(tier, str(label) or None, picked / len(labels), picked, tried, effective))
    return tuple(sorted(gaps, key=lambda gap: -gap.share))


def remedies(
    log: Log,
    policy: _Float,
    half_width: float,
    *,
    explore: Sequence[float] = (0.01, 0.02, 0.05, 0.1, 0.2),
    common: float = 0.5,
) -> tuple[Remedy, ...]:
    """Requests needed to value a policy as closely as wanted, by the share that explores.

    The variance of a doubly robust term is v = var(sum_t policy * m) + s2 * mean(sum_t policy ** 2 / c), and the
    interval +-z * sqrt(v / n). Picks with a chance of ``common`` or more are taken to keep it, but for what is explored
    elsewhere; any other gets explore / (t - 1).

    Parameters
    ----------
    half_width : wanted, in the unit of the log's values.
    explore : shares, above 0 and up to 1.

    Raises
    ------
    ValueError : a number is out of range.
    """
    if not half_width > 0 or not all(0 < share <= 1 for share in explore):
        raise ValueError("expected a half-width above 0 and shares above 0 and up to 1")
    others = max(log.values.shape[1] - 1, 1)
    base = float((policy * log.model).sum(axis=1).var())
    seen = log.residuals[log.seen]
    square = float((seen**2).mean()) if len(seen) else _RESIDUAL_SQUARE
    found = []
    for share in explore:
        drawn = share / others
        chance = np.where(log.chance >= common, max(1.0 - share, drawn), drawn)
        variance = base + square * float((policy**2 / chance).sum(axis=1).mean())
        found.append(Remedy(share, max(1, math.ceil(variance * (_Z / half_width) ** 2)), half_width))
    return tuple(found)
