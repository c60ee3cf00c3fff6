"""What one tier's success says of a dearer one: where it is sure enough, a tier that was not tried has a label.

Tiers are nested where a request that a cheaper tier answers well is answered well by a dearer one, too. Models often
are not, so it is counted, and believed only above a confidence bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from training.feedback.labels import AUDITED, IMPLIED, JUDGED, Labels

_LEVEL = 0.95
_ADEQUATE = 0.5

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Nesting:
    """How often a tier is adequate where a cheaper one is; (t, t), row: the cheaper one, NaN below the diagonal.

    Attributes
    ----------
    rate, low : the share seen, and its lower 95% confidence bound (0 where no pair was seen).
    pairs : rows where the cheaper tier was adequate and the dearer one is known.
    """

    rate: _Float
    low: _Float
    pairs: NDArray[np.int64]


def nesting(scores: _Float) -> Nesting:
    """Count pairs of tiers of which both outcomes are known.

    The bound is Clopper and Pearson's ("The Use of Confidence or Fiducial Limits", Biometrika 26, 1934), one-sided.

    Parameters
    ----------
    scores : (n, t) with tiers in price order, 0..1, NaN where not known for sure; adequate from 0.5 on. Audited and
        judged labels (`Labels.certain`), or tables with several tiers' scores.
    """
    known, adequate = ~np.isnan(scores), scores >= _ADEQUATE
    pairs = adequate.T.astype(np.int64) @ known.astype(np.int64)
    held = adequate.T.astype(np.int64) @ adequate.astype(np.int64)
    dearer = np.triu(np.ones(pairs.shape, bool), 1)
    with np.errstate(invalid="ignore"):
        rate = np.where(dearer & (pairs > 0), held / np.maximum(pairs, 1), np.nan)
    bound = stats.beta.ppf(1.0 - _LEVEL, np.maximum(held, 1e-9), pairs - held + 1)
    low = np.where(dearer, np.where(held > 0, bound, 0.0), np.nan)
    return Nesting(rate, low, np.where(dearer, pairs, 0))


def imply(labels: Labels, nested: Nesting, least: float = 0.95) -> Labels:
    """Labels with those that follow from a cheaper tier's success.

    Only what is known for sure of the cheaper tier counts (feedback or audit), and only cells without a label get one:
    the share that was seen, with the cheaper tier's weight.

    Parameters
    ----------
    least : the lower bound from which a pair of tiers counts as nested.
    """
    values, weights, source = labels.values.copy(), labels.weights.copy(), labels.source.copy()
    sure = np.isin(labels.source, (AUDITED, JUDGED)) & (labels.values >= _ADEQUATE)
    for cheaper, dearer in np.argwhere(nested.low >= least):
        rows = sure[:, cheaper] & np.isin(source[:, dearer], (0, IMPLIED))
        better = rows & ~(values[:, dearer] >= nested.rate[cheaper, dearer])
        values[better, dearer] = nested.rate[cheaper, dearer]
        weights[better, dearer] = labels.weights[better, cheaper]
        source[better, dearer] = IMPLIED
    return replace(labels, values=values, weights=weights, source=source)
