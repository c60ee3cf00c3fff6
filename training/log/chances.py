"""How likely each tier was tried for a request, by what a log tells of it.

A cascade begins at one tier and comes to dearer ones when the answers before them fail. With

    start[j]     probability that the request's route begins at tier j (`start_chances`),
    reach[j, t]  share of the rows begun at j, under the same artifact, that came to t,

a tier t that was tried would have been tried as well, had the route begun at t itself or at any tier seen to fail
before it: with probability h = sum of start[j] over these, times the share of audits where only an audit asked it.
Whether a route begun elsewhere would have come to t depends on answers that were never seen. That has probability

    r = sum of start[j] * reach[j, t] / g,    g = sum of start[j],    both over all other tiers j.

The exact weight 1 / P(tried) is 1 / h where no other start leads there and 1 / (h + g) where all do. Its expectation
over what was not seen,

    1 / chance = r / (h + g) + (1 - r) / h,

is the weight used here. Weighted sums over tried cells then have the right total, and are unbiased where the unseen
verdicts tell nothing of the tier's answer beyond what the request tells. They usually do tell something: requests that
come to a tier after a failure are harder than others. What a policy is worth is therefore estimated from the starts
alone (`training.challenge.estimators.log_of_starts`), whose probabilities are the logged ones; these chances are for
weighting labels.

Where several other starts are likely the expression is above the expected weight (by convexity); with one, as under
little exploration, it is exact. In simulations with three tiers it was too large by up to a fifth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_RAREST = 1e-6

_Float = NDArray[np.float64]


def start_chances(
    start: NDArray[np.int64],
    propensity: _Float,
    explored: NDArray[np.bool_],
    artifact: NDArray[np.int64],
    tiers: int,
    recorded: _Float | None = None,
) -> _Float:
    """(n, t) probability that the route begins at each tier.

    Where the record says it, that is exact. Of rows that older releases recorded, it is estimated: that of the logged
    start is its propensity. Another tier's is the mean propensity that drawn starts there have in such rows of the same
    artifact, 0 where there are none. Where the start was drawn, the tier that would have been chosen is one of the
    others, which were chosen as often as these rows show.

    Parameters
    ----------
    start : (n,) places; -1: outside the menu. propensity : (n,). explored : (n,) drawn. artifact : (n,) numbers.
    recorded : (n, t) what the records say; NaN in the rows of those that do not; None: none does.
    """
    chance = np.full((len(start), tiers), np.nan) if recorded is None else recorded.copy()
    told = np.equal(np.isnan(chance).sum(axis=1), 0)
    inside, places = start >= 0, np.arange(tiers)
    for every in _by_artifact(artifact):
        rows = every[~told[every]]
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
    known = inside & ~told
    chance[known, start[known]] = propensity[known]
    return chance


def tried_chances(
    tried: NDArray[np.bool_],
    by_audit: NDArray[np.bool_],
    start: NDArray[np.int64],
    begins: _Float,
    artifact: NDArray[np.int64],
    reference: int | None,
    audit_share: float | _Float,
) -> _Float:
    """(n, t) probability that each tier is tried, by the formula above.

    For a tier that was not tried it is g * r, and for the reference h * audit share more.

    Parameters
    ----------
    tried, by_audit : (n, t), see `training.log.observed.Observed`.
    start : (n,) places; -1: outside the menu, which counts as certain.
    begins : (n, t) from `start_chances`.
    artifact : (n,) numbers.
    reference : place of the tier that audits ask; None: there are none.
    audit_share : of the answers that are audited; one for all, or (n,).
    """
    rows, tiers = tried.shape
    answered = tried & ~by_audit
    chance = np.zeros((rows, tiers))
    outside = (start < 0).astype(np.float64)
    for place in range(tiers):
        before = answered.copy()
        if place != reference:
            before[:, place + 1 :] = False
        own = np.where(before, begins, 0.0).sum(axis=1) + outside
        other = np.where(before, 0.0, begins)
        elsewhere = other.sum(axis=1)
        reached = (other * _reach(answered, start, artifact, place)).sum(axis=1)
        share = np.divide(reached, elsewhere, out=np.zeros(rows), where=elsewhere > 0)
        audited = np.broadcast_to(audit_share if place == reference else 0.0, rows)
        path = np.where(by_audit[:, place], own * np.maximum(audited, _RAREST), own)
        weight = share / np.maximum(path + elsewhere, _RAREST) + (1.0 - share) / np.maximum(path, _RAREST)
        chance[:, place] = np.where(tried[:, place], 1.0 / weight, reached + own * audited)
    return np.minimum(chance, 1.0)


def _reach(answered: NDArray[np.bool_], start: NDArray[np.int64], artifact: NDArray[np.int64], place: int) -> _Float:
    """(n, t) share of the rows begun at each tier, under the row's artifact, that came to one tier."""
    tiers = answered.shape[1]
    reach = np.zeros(answered.shape)
    for rows in _by_artifact(artifact):
        inside = rows[start[rows] >= 0]
        came = np.bincount(start[inside], answered[inside, place], tiers)
        reach[rows] = came / np.maximum(np.bincount(start[inside], minlength=tiers), 1)
    return reach


def _by_artifact(artifact: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [np.flatnonzero(artifact == number) for number in np.unique(artifact)]
