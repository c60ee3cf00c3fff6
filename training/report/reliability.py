"""Do predictions mean what they say? Predicted against observed, in bins of equally many test rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.learners.calibrate import calibration_error, chance_error
from training.report.data import RangedFigure, Reliability, ReliabilityBin

_BINS = 10


def reliability(
    tier: str, measure: str, predicted: NDArray[np.float64], observed: NDArray[np.float64]
) -> Reliability | None:
    """One tier's reliability; None where nothing was observed.

    Parameters
    ----------
    predicted : (m,) 0..1.
    observed : (m,) 0..1, NaN where not observed.
    """
    seen = np.flatnonzero(~np.isnan(observed))
    if not len(seen):
        return None
    # Of equal predictions, wins come no sooner than losses: the rows' order must not make a bin.
    random = np.random.default_rng(0).random(len(seen))
    order = seen[np.lexsort((random, predicted[seen]))]
    parts = np.array_split(order, min(_BINS, len(order)))
    return Reliability(
        tier=tier,
        measure=measure,
        error=calibration_error(predicted, observed, _BINS),
        chance=chance_error(predicted, observed, _BINS),
        rows=len(seen),
        bins=tuple(ReliabilityBin(float(predicted[p].mean()), _mean(observed[p]), len(p)) for p in parts),
    )


def _mean(values: NDArray[np.float64]) -> RangedFigure:
    """Mean of values in 0..1 with an interval that stays inside.

    Wilson's score interval ("Probable Inference", JASA 22, 1927), which for scores between 0 and 1 is too wide, never
    too narrow: no such variable varies more than a coin.
    """
    count, mean, z = len(values), float(values.mean()), 1.96
    centre = (mean + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * (mean * (1 - mean) / count + z * z / (4 * count * count)) ** 0.5
    return RangedFigure(mean, max(0.0, centre - half), min(1.0, centre + half))
