"""The teacher: learners too slow to ship, stacked; models that did not see a row say what to expect of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.ensemble import ExtraTreesRegressor

_TREES = 120
_NEIGHBOURS = 60
_NEIGHBOUR_SHARPNESS = 6.0
_BLOCK = 2048
_STACK_RIDGE = 0.1


def forest_expectations(
    inputs: NDArray[np.float32], quality: NDArray[np.float64], *, jobs: int = 1
) -> NDArray[np.float64]:
    """Out-of-bag expectations (n, t) of extremely randomised trees (Geurts et al., Machine Learning 63, 2006)."""
    forest = ExtraTreesRegressor(
        _TREES, min_samples_leaf=4, max_features=0.3, bootstrap=True, oob_score=True, random_state=0, n_jobs=jobs
    )
    return np.asarray(forest.fit(inputs, quality).oob_prediction_).reshape(quality.shape)


def neighbour_expectations(inputs: NDArray[np.float32], quality: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave-one-out expectations (n, t): means over the nearest rows by cosine, nearer ones counting more."""
    lengths = np.linalg.norm(inputs, axis=1, keepdims=True)
    unit = (inputs / np.maximum(lengths, 1e-9)).astype(np.float32)
    count = min(_NEIGHBOURS, len(unit) - 2)
    expected = np.empty_like(quality)
    for start in range(0, len(unit), _BLOCK):
        block = unit[start : start + _BLOCK]
        alike = block @ unit.T
        own = np.arange(len(block))
        alike[own, start + own] = -np.inf
        nearest = np.argpartition(-alike, count, axis=1)[:, :count]
        weights = np.exp((np.take_along_axis(alike, nearest, axis=1) - 1) * _NEIGHBOUR_SHARPNESS)
        expected[start : start + _BLOCK] = (weights[:, :, None] * quality[nearest]).sum(axis=1) / weights.sum(
            axis=1, keepdims=True
        )
    return expected


def stack(members: Sequence[NDArray[np.float64]], quality: NDArray[np.float64]) -> NDArray[np.float64]:
    """Members' expectations (n, t) as one: non-negative least squares, drawn towards equal weights.

    The cheapest tier's quality and the other tiers' gains over it are stacked, each with weights of its own, for it is
    gains that routing decides by. Source: Breiman, "Stacked Regressions", Machine Learning 24, 1996.
    """
    stacked = np.empty_like(quality)
    for tier in range(quality.shape[1]):
        target = quality[:, tier] - (quality[:, 0] if tier else 0.0)
        columns = np.stack([member[:, tier] - (member[:, 0] if tier else 0.0) for member in members], axis=1)
        centre = columns.mean(axis=0)
        weights = _non_negative(columns - centre, target - target.mean())
        stacked[:, tier] = target.mean() + (columns - centre) @ weights
    stacked[:, 1:] += stacked[:, :1]
    return stacked


def _non_negative(columns: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    count = columns.shape[1]
    pull = np.sqrt(_STACK_RIDGE * (columns**2).sum() / count)
    if pull == 0:
        return np.full(count, 1 / count)
    rows = np.vstack([columns, pull * np.eye(count)])
    weights: NDArray[np.float64] = nnls(rows, np.concatenate([target, np.full(count, pull / count)]))[0]
    return weights
