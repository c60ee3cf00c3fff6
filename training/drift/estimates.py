"""Means and differences with their 95% intervals.

A difference is taken within groups of like rows and weighted by the groups of the later ones, so that another mix of
groups is no difference (direct standardisation). Its interval is the normal one, and takes the moment of the change as
given: it says how large a change is, while an alarm says that there is one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from training.report.data import RangedFigure

_Z = 1.959964

_Float = NDArray[np.float64]


def mean_share(values: _Float) -> RangedFigure | None:
    """Mean of values in 0..1 with Wilson's score interval ("Probable Inference", JASA 22, 1927); None: of nothing."""
    count = len(values)
    if not count:
        return None
    mean, square = float(values.mean()), _Z * _Z
    centre = (mean + square / (2 * count)) / (1 + square / count)
    half = _Z / (1 + square / count) * math.sqrt(max(mean * (1 - mean), 0.0) / count + square / (4 * count * count))
    return RangedFigure(mean, min(max(0.0, centre - half), mean), max(min(1.0, centre + half), mean))


def mean_ratio(logs: _Float) -> RangedFigure | None:
    """Geometric mean of ratios, given as logarithms, with the normal interval; None: of nothing."""
    if not len(logs):
        return None
    half = _Z * float(logs.std()) / math.sqrt(len(logs))
    mean = float(logs.mean())
    return RangedFigure(math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def difference(values: _Float, groups: NDArray[np.int64], later: NDArray[np.bool_]) -> RangedFigure | None:
    """How much larger later values are than earlier ones of their groups; None where no group has both.

    Parameters
    ----------
    values, groups, later : (m,) each.
    """
    _, codes = np.unique(groups, return_inverse=True)
    size = int(codes.max(initial=-1)) + 1
    before, after = (np.bincount(codes[part], minlength=size) for part in (~later, later))
    both = (before > 0) & (after > 0)
    if not both.any():
        return None
    means = [
        np.bincount(codes[part], values[part], size) / np.maximum(count, 1)
        for part, count in ((~later, before), (later, after))
    ]
    left = values - np.where(later, means[1][codes], means[0][codes])
    spread = [float((left[part] ** 2).mean()) for part in (~later, later)]
    weights = after[both] / after[both].sum()
    value = float(weights @ (means[1] - means[0])[both])
    half = _Z * math.sqrt(float((weights**2) @ (spread[0] / before[both] + spread[1] / after[both])))
    return RangedFigure(value, value - half, value + half)
