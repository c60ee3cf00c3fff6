"""How likely each tier was tried for a request, by what a log tells of it.

A cascade begins at a start s, chosen with a known probability p, and comes to later tiers when the answers before them
fail. Whether a request would have come to tier t from another start depends on answers that were never seen. With

    reach[s, t] = share of the rows begun elsewhere than at s that tried t,

a tier that was tried has been so for sure on its own path (all verdicts on it were seen), with probability h = p, or
p * audit share where only an audit asked it. From another start it would have been tried with probability reach. The
exact weight 1 / P(tried) is 1 / h where no other start leads there and 1 / (h + 1 - p) where all do. Its expectation
over what was not seen,

    1 / chance = reach / (h + 1 - p) + (1 - reach) / h,

is the weight used here. Weighted sums over tried cells then have the right total, and are unbiased where the unseen
verdicts tell nothing of the tier's answer beyond what the request tells. They usually do tell something: requests that
come to a tier after a failure are harder than others. What a policy is worth is therefore estimated from the starts
alone (`Log.of_starts`), whose probabilities are the logged ones; these chances are for weighting labels.

With several other starts the expression is an upper bound of the expected weight (by convexity); with one, as under
little exploration, it is exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Float = NDArray[np.float64]


def start_chances(
    start: NDArray[np.int64], propensity: _Float, explored: NDArray[np.bool_], artifact: NDArray[np.int64], tiers: int
) -> _Float:
    """(n, t) probability that the route begins at each tier.

    That of the logged start is its propensity. Another tier's is the mean propensity that drawn starts there have in
    the same artifact's log, 0 where there are none. Where the start was drawn, the tier that would have been chosen is
    one of the others, which were chosen as often as the log shows.

    Parameters
    ----------
    start : (n,) places; -1: outside the menu. propensity : (n,). explored : (n,) drawn. artifact : (n,) numbers.
    """
    chance = np.zeros((len(start), tiers))
    inside, places = start >= 0, np.arange(tiers)
    for rows in _by_artifact(artifact):
        own, drawn, within = start[rows], explored[rows], inside[rows]
        sums = np.bincount(own[drawn & within], propensity[rows][drawn & within], tiers)
        counts = np.bincount(own[drawn & within], minlength=tiers)
        by_draw = sums / np.maximum(counts, 1)
        by_choice = np.bincount(own[~drawn & within], propensity[rows][~drawn & within], tiers)
        chosen = np.bincount(own[~drawn & within], minlength=tiers)
        usual = by_choice / np.maximum(chosen, 1)
        others = np.where(own[:, None] == places, 0, chosen)
        share = np.where(drawn[:, None], others / np.maximum(others.sum(axis=1, keepdims=True), 1), 0.0)
        chance[rows] = np.minimum(share * usual + (1.0 - share) * by_draw, 1.0 - propensity[rows, None])
    chance[inside, start[inside]] = propensity[inside]
    return chance


def tried_chances(
    tried: NDArray[np.bool_],
    by_audit: NDArray[np.bool_],
    start: NDArray[np.int64],
    propensity: _Float,
    artifact: NDArray[np.int64],
    elsewhere: NDArray[np.bool_],
    reference: int | None,
    audit_share: float,
) -> _Float:
    """(n, t) probability that each tier is tried, by the formula above.

    For a tier that was not tried it is (1 - p) * reach, and for the reference p * audit share more where another tier
    answered.

    Parameters
    ----------
    tried, by_audit : (n, t), see `training.feedback.observed.Observed`.
    start, propensity, artifact : (n,).
    elsewhere : (n,) another tier than the reference answered, so that an audit may have followed.
    """
    reach = np.zeros(tried.shape)
    answered = tried & ~by_audit
    for rows in _by_artifact(artifact):
        for begun in np.unique(start[rows]):
            others = rows[start[rows] != begun]
            if len(others):
                reach[rows[start[rows] == begun]] = answered[others].mean(axis=0)
    own = propensity[:, None]
    path = own * np.where(by_audit, max(audit_share, 1e-6), 1.0)
    weight = reach / (path + 1.0 - own) + (1.0 - reach) / path
    untried = (1.0 - own) * reach
    if reference is not None:
        untried[elsewhere, reference] += propensity[elsewhere] * audit_share
    return np.where(tried, 1.0 / weight, untried)


def _by_artifact(artifact: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [np.flatnonzero(artifact == number) for number in np.unique(artifact)]
