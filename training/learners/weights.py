"""How much labels count that are not all worth the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Float = NDArray[np.float64]


def effective(values: _Float, weights: _Float) -> _Float:
    """Weights (n,) scaled so that those of known values sum up to their effective sample size.

    So n equal weights become ones.

    Parameters
    ----------
    values : (n,), NaN where unknown.
    """
    known = np.where(np.isnan(values), 0.0, weights)
    total = float(known.sum())
    return weights * (effective_rows(known) / total) if total > 0 else weights


def effective_rows(weights: _Float) -> float:
    """Effective sample size, sum(w)^2 / sum(w^2) (Kish, "Survey Sampling", 1965); 0 where all weights are 0."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def weighted_mean(values: _Float, weights: _Float | None, otherwise: float) -> _Float:
    """Means (t,) of the known values of (n, t); ``otherwise`` in a column without any."""
    counts = known_weights(values, weights)
    total = counts.sum(axis=0)
    sums = (counts * np.nan_to_num(values)).sum(axis=0)
    means: _Float = np.divide(sums, total, out=np.full(len(total), otherwise), where=total > 0)
    return means


def known_weights(values: _Float, weights: _Float | None) -> _Float:
    """The weights of known values, 0 elsewhere; without weights, 1 each."""
    counts: _Float = np.where(np.isnan(values), 0.0, 1.0 if weights is None else weights)
    return counts
