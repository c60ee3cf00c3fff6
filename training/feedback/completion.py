"""Outcomes that a log does not show, by what it shows of the same request.

A dear tier is mostly seen where a cheaper one failed, and requests like that are hard for it as well. Whether it was
tried depends on the request and on the cheaper tiers' verdicts alone, so given these its outcomes are missing at
random (Rubin, "Inference and Missing Data", Biometrika 63, 1976) and can be filled in by a regression on the rows that
show them (Robins, Rotnitzky and Zhao, "Estimation of Regression Coefficients When Some Regressors Are Not Always
Observed", JASA 89, 1994). For tier t

    logit E(y_t) = intercept + slope * base_t + sum over cheaper tiers j that were seen of c_j * (y_j - p_j)

with p what the log's requests are expected to reach without their verdicts. base_t is the logit of p_t; of a tier with
few rows it is drawn towards the reference's, so that a tier hardly ever tried is not taken to be better than the
reference by luck. The coefficients are drawn towards 0, 1 and 0 by normal priors.

On fixed logs of two published tables this kept more of the savings than weights by inverse propensity did, which leave
a few heavy rows to speak for all. It did not in every case, and routers that feed on their own logs gain less:
docs/retraining.md has the figures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifier.model import logit, sigmoid

_BORROWED_ROWS = 200.0
_INTERCEPT_PENALTY = 3.0
_SLOPE_PENALTY = 20.0
_RESIDUAL_PENALTY = 3.0
_NEWTON_STEPS = 12
_LEAST = 0.01

_Float = NDArray[np.float64]


def complete_outcomes(values: _Float, expected: _Float, reference: int, weights: _Float | None = None) -> _Float:
    """All outcomes (n, t): those seen as they are, others by regression.

    Parameters
    ----------
    values : (n, t) adequacy in 0..1, NaN where not seen; tiers in price order.
    expected : (n, t) adequacy expected of the requests alone, by models that did not see the row.
    reference : place of the reference tier.
    weights : (n,) rows' worth of each row, such as by its age; None: one each.
    """
    counts = np.ones(len(values)) if weights is None else weights
    residuals = np.nan_to_num(values - expected)
    filled = values.copy()
    for tier in range(values.shape[1]):
        base = _base(values, expected, tier, reference)
        design = np.column_stack([np.ones(len(values)), base, residuals[:, :tier]])
        missing = np.isnan(values[:, tier])
        coefficients = _regression(design[~missing], values[~missing, tier], counts[~missing])
        filled[missing, tier] = sigmoid(design[missing] @ coefficients)
    return filled


def _base(values: _Float, expected: _Float, tier: int, reference: int) -> _Float:
    """(n,) logits of what is expected of a tier, drawn towards the reference's where that was seen more often."""
    logits = logit(np.clip(expected, _LEAST, 1.0 - _LEAST))
    rows = (~np.isnan(values)).sum(axis=0)
    own = 1.0 if rows[tier] >= rows[reference] else rows[tier] / (rows[tier] + _BORROWED_ROWS)
    base: _Float = own * logits[:, tier] + (1.0 - own) * logits[:, reference]
    return base


def _regression(design: _Float, target: _Float, counts: _Float) -> _Float:
    """Logistic regression by Newton's method; without rows, the priors' centre."""
    centre = np.zeros(design.shape[1])
    centre[1] = 1.0
    penalty = np.full(len(centre), _RESIDUAL_PENALTY)
    penalty[:2] = _INTERCEPT_PENALTY, _SLOPE_PENALTY
    found = centre.copy()
    for _ in range(_NEWTON_STEPS):
        expected = sigmoid(design @ found)
        gradient = design.T @ (counts * (target - expected)) - penalty * (found - centre)
        curvature = (design.T * (counts * expected * (1.0 - expected))) @ design + np.diag(penalty)
        found = found + np.linalg.solve(curvature, gradient)
    return found
