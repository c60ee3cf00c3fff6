"""Costs and lengths, of which models learn the logarithms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LEAST_SHARE = 0.01


def log_amounts(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of costs or lengths; any below 1% of their mean counts as that.

    A zero has no logarithm, and its stand-in must not lie so far off that a few free calls turn the model round.
    """
    floor = max(_LEAST_SHARE * float(values.mean()), 1e-12)
    logs: NDArray[np.float64] = np.log(np.maximum(values, floor))
    return logs
