"""Cross-fitting, and calibration on what it yields: no row is calibrated on a prediction that saw it."""

from __future__ import annotations

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from classifier.model import Calibration, loss_logit, sigmoid
from training.learners.learner import Learner
from training.learners.matrix import FeatureMatrix
from training.learners.weights import effective
from training.progress import Progress

FOLDS = 4
_BINS = 10
_KNOTS = 9
_BEND_VARIANCE = 0.15**2
_NEWTON_STEPS = 8
_NO_SPREAD = 1e-9


def cross_fit(
    learner: Learner,
    matrix: FeatureMatrix,
    quality: NDArray[np.float64],
    costs: NDArray[np.float64],
    groups: NDArray[np.int64],
    *,
    weights: NDArray[np.float64] | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Outputs (n, 2t) for every row from a model that saw neither the row nor its group.

    Raises
    ------
    ValueError : there are fewer than two groups.
    """
    folds = min(FOLDS, len(np.unique(groups)))
    parts = list(GroupKFold(folds).split(groups, groups=groups))
    fitted = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(_fit_and_apply)(learner, matrix, quality, costs, weights, kept, held) for kept, held in parts
    )
    outputs = np.empty((len(matrix), 2 * quality.shape[1]))
    for done, ((_, held), values) in enumerate(zip(parts, fitted, strict=True), start=1):
        outputs[held] = values
        if progress is not None:
            progress(done, folds)
    return outputs


def fit_calibration(
    outputs: NDArray[np.float64],
    quality: NDArray[np.float64],
    adequate: NDArray[np.float64],
    reference: int,
    weights: NDArray[np.float64] | None = None,
) -> Calibration:
    """Platt scaling of cross-fitted quality logits, bent where that fits better; then of the adequacy logits.

    Parameters
    ----------
    outputs : (n, 2t) from `cross_fit`.
    quality, adequate : (n, t) from `training.prepare.adequacy.judge`; equal where adequacy is a threshold.
    weights : (n, t) rows' worth of each quality; None: one each.
    """
    tiers = quality.shape[1]
    given = np.ones(quality.shape) if weights is None else weights
    counts = np.stack([effective(*column) for column in zip(quality.T, given.T, strict=True)])
    slopes = np.array([_platt(outputs[:, tier], quality[:, tier], counts[tier]) for tier in range(tiers)])
    lines = slopes[:, 0] * outputs[:, :tiers] + slopes[:, 1]
    bends = np.stack([_bend(lines[:, tier], quality[:, tier], counts[tier]) for tier in range(tiers)])
    if np.array_equal(adequate, quality, equal_nan=True):
        return Calibration(slopes, None, bends)
    logits = loss_logit(Calibration(slopes, None, bends).qualities(outputs[:, :tiers]), reference)
    return Calibration(
        slopes, np.array([_platt(logits[:, tier], adequate[:, tier], counts[tier]) for tier in range(tiers)]), bends
    )


def calibration_error(predicted: NDArray[np.float64], observed: NDArray[np.float64], bins: int = _BINS) -> float:
    """Expected calibration error over ``bins`` bins of equally many rows, equal predictions in one bin.

    Source: Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015, with the
    equal-mass bins of Nixon et al., "Measuring Calibration in Deep Learning", 2019. NaN where nothing was observed.
    """
    seen = ~np.isnan(observed)
    if not seen.any():
        return float("nan")
    values = predicted[seen]
    surplus = np.bincount(_bins(values, bins), weights=values - observed[seen])
    return float(np.abs(surplus).sum() / len(values))


def chance_error(predicted: NDArray[np.float64], observed: NDArray[np.float64], bins: int = _BINS) -> float:
    """What `calibration_error` would be on average were the predictions perfectly calibrated: the rows' noise alone.

    Each bin's surplus is taken for normal, with the variance of coins that fall as predicted, so for scores between 0
    and 1 this is too high rather than too low. NaN where nothing was observed.
    """
    values = predicted[~np.isnan(observed)]
    if not len(values):
        return float("nan")
    variance = np.bincount(_bins(values, bins), weights=values * (1.0 - values))
    return float(np.sqrt(2.0 / np.pi) * np.sqrt(variance).sum() / len(values))


def _bins(values: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """The bin of each value: equally many in each, equal values in one."""
    count = len(values)
    starts = [part[0] for part in np.array_split(np.arange(count), min(bins, count))]
    below = np.searchsorted(np.sort(values), values)
    return np.searchsorted(starts, below, side="right")


def _fit_and_apply(
    learner: Learner,
    matrix: FeatureMatrix,
    quality: NDArray[np.float64],
    costs: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    kept: NDArray[np.int64],
    held: NDArray[np.int64],
) -> NDArray[np.float64]:
    counts = None if weights is None else weights[kept]
    return learner.fit(matrix.rows(kept), quality[kept], costs[kept], weights=counts).outputs(matrix.rows(held))


def _bend(lines: NDArray[np.float64], target: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is to be added to calibrated logits, at quantiles of them: (2, k), the logits and what is added.

    Logistic regression with the logits as offset on piecewise linear functions, its weights held small by a normal
    prior, as a spline calibration (Gupta et al., "Calibration of Neural Networks using Splines", ICLR 2021) would; few
    rows bend little. Where the sum would fall, it is raised to what it was before, so that order is kept.
    """
    seen = ~np.isnan(target) & (counts > 0)
    values, wins, weight = lines[seen], target[seen], counts[seen]
    if len(np.unique(values)) < _KNOTS or np.ptp(wins) < _NO_SPREAD:
        return np.stack([np.arange(_KNOTS, dtype=np.float64), np.zeros(_KNOTS)])
    spread = np.quantile(np.unique(values), np.linspace(0.05, 0.95, _KNOTS))
    knots = np.quantile(values, np.linspace(0.05, 0.95, _KNOTS))
    knots = knots if (np.diff(knots) > 0).all() else spread
    hats = np.stack([np.interp(values, knots, unit) for unit in np.eye(len(knots))], axis=1)
    added = np.zeros(len(knots))
    for _ in range(_NEWTON_STEPS):
        expected = sigmoid(values + hats @ added)
        gradient = hats.T @ (weight * (wins - expected)) - added / _BEND_VARIANCE
        curvature = (hats * (weight * expected * (1 - expected))[:, None]).T @ hats + np.eye(
            len(knots)
        ) / _BEND_VARIANCE
        added = added + np.linalg.solve(curvature, gradient)
    return np.stack([knots, np.maximum.accumulate(knots + added) - knots])


def _platt(
    logits: NDArray[np.float64], target: NDArray[np.float64], counts: NDArray[np.float64]
) -> tuple[float, float]:
    """Slope and intercept of a logistic regression of ``target`` (0..1, NaN unknown) on ``logits``, weighted.

    Platt's targets stop short of 0 and 1, by less the more rows there are, so that a few rows which the logits part
    cleanly do not make for certainty. A slope below zero would turn the ranking round: then the mean alone is kept.
    Where nothing is known, the logits stay as they are.
    """
    seen = ~np.isnan(target) & (counts > 0)
    if not seen.any():
        return 1.0, 0.0
    values, wins, weight = logits[seen], target[seen], counts[seen]
    won, lost = float(weight @ wins), float(weight @ (1.0 - wins))
    mean_logit = float(np.log((won + 1.0) / (lost + 1.0)))
    if np.ptp(values) < _NO_SPREAD or np.ptp(wins) < _NO_SPREAD:
        return 0.0, mean_logit
    high, low = (won + 1.0) / (won + 2.0), 1.0 / (lost + 2.0)
    aims = low + wins * (high - low)
    doubled = np.concatenate([values, values])[:, None]
    classes = np.repeat([1, 0], len(values))
    fitted: Any = LogisticRegression(C=1e6).fit(
        doubled, classes, sample_weight=np.concatenate([weight * aims, weight * (1.0 - aims)])
    )
    slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return (slope, intercept) if slope > 0 else (0.0, mean_logit)
