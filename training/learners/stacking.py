"""Stacking: several models' expectations of rows that they did not see, as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

_PULL = 0.1


@dataclass(frozen=True, slots=True)
class Stack:
    """Members' expectations (n, t) as one: the sum of ``member @ share``, plus ``constant``.

    Attributes
    ----------
    shares : (t, t), one for each member.
    constant : (t,).
    """

    shares: tuple[NDArray[np.float64], ...]
    constant: NDArray[np.float64]

    def predict(self, members: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Expectations (n, t)."""
        return self.constant + sum(member @ share for member, share in zip(members, self.shares, strict=True))


def fit_stack(
    members: Sequence[NDArray[np.float64]], quality: NDArray[np.float64], weights: NDArray[np.float64] | None = None
) -> Stack:
    """Stack by non-negative least squares, drawn towards equal weights.

    The cheapest tier's quality and the other tiers' gains over it have weights of their own, as routing decides by
    gains. Where rows have weights, since they were not observed at random, each tier stands for itself: a log that
    shows two tiers of a request shows those where the cheaper one failed.

    Source: Breiman, "Stacked Regressions", Machine Learning 24, 1996.

    Parameters
    ----------
    members : expectations (n, t), complete, each by models that did not see the row.
    quality : (n, t), NaN where not observed.
    weights : (n, t) rows' worth of each; None: one each.
    """
    tiers = quality.shape[1]
    if weights is not None:
        own = [_weights(*_column(members, quality, tier), weights[:, tier]) for tier in range(tiers)]
        return Stack(
            tuple(np.diag([each[0][member] for each in own]) for member in range(len(members))),
            np.array([each[1] for each in own]),
        )
    shares = [np.zeros((tiers, tiers)) for _ in members]
    constant = np.empty(tiers)
    for tier in range(tiers):
        target = quality[:, tier] - (quality[:, 0] if tier else 0.0)
        columns = np.stack([member[:, tier] - (member[:, 0] if tier else 0.0) for member in members], axis=1)
        found, constant[tier] = _weights(columns, target, np.ones(len(target)))
        for share, weight in zip(shares, found, strict=True):
            # Column 0 makes the cheapest tier's quality; every other adds its gain to that.
            share[0, tier] -= weight if tier else 0.0
            share[tier, tier] += weight
    for share in shares:
        share[:, 1:] += share[:, :1]
    constant[1:] += constant[0]
    return Stack(tuple(shares), constant)


def _column(
    members: Sequence[NDArray[np.float64]], quality: NDArray[np.float64], tier: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.stack([member[:, tier] for member in members], axis=1), quality[:, tier]


def _weights(
    columns: NDArray[np.float64], target: NDArray[np.float64], counts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Weights (members,) and constant from the rows that observed the target; without any, equal weights.

    Parameters
    ----------
    counts : (n,) rows' worth of each row.
    """
    seen = ~np.isnan(target) & (counts > 0)
    count = columns.shape[1]
    equal = np.full(count, 1 / count)
    if not seen.any():
        return equal, 0.0
    root = np.sqrt(counts[seen])
    centre = np.average(columns[seen], axis=0, weights=counts[seen])
    mean = float(np.average(target[seen], weights=counts[seen]))
    centred = (columns[seen] - centre) * root[:, None]
    pull = np.sqrt(_PULL * (centred**2).sum() / count)
    weights = equal
    if pull > 0:
        rows = np.vstack([centred, pull * np.eye(count)])
        weights = nnls(rows, np.concatenate([(target[seen] - mean) * root, pull * equal]))[0]
    return weights, mean - float(centre @ weights)
