"""Cross-fitting, and calibration on what it yields: no row is calibrated on a prediction that saw it."""

from __future__ import annotations

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from classifier.model import Calibration, loss_logit, sigmoid
from training.learner import Learner
from training.matrix import FeatureMatrix, Progress

FOLDS = 4
_BINS = 10


def cross_fit(
    learner: Learner,
    matrix: FeatureMatrix,
    quality: NDArray[np.float64],
    costs: NDArray[np.float64],
    groups: NDArray[np.int64],
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Outputs (n, 2t) for every row from a model that saw neither the row nor its group."""
    folds = min(FOLDS, len(np.unique(groups)))
    if folds < 2:
        return learner.fit(matrix, quality, costs).outputs(matrix)
    parts = list(GroupKFold(folds).split(groups, groups=groups))
    fitted = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(_fit_and_apply)(learner, matrix, quality, costs, kept, held) for kept, held in parts
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
) -> Calibration:
    """Platt scaling of cross-fitted quality logits, and of the adequacy logits that follow from them.

    Parameters
    ----------
    outputs : (n, 2t) from `cross_fit`.
    quality, adequate : (n, t) from `training.labels.judge`; equal where adequacy is a threshold.
    """
    tiers = quality.shape[1]
    slopes = np.array([_platt(outputs[:, tier], quality[:, tier]) for tier in range(tiers)])
    if np.array_equal(adequate, quality, equal_nan=True):
        return Calibration(slopes, None)
    calibrated = sigmoid(slopes[:, 0] * outputs[:, :tiers] + slopes[:, 1])
    logits = loss_logit(calibrated, reference)
    return Calibration(slopes, np.array([_platt(logits[:, tier], adequate[:, tier]) for tier in range(tiers)]))


def calibration_error(predicted: NDArray[np.float64], observed: NDArray[np.float64], bins: int = _BINS) -> float:
    """Expected calibration error over ``bins`` bins of equally many rows.

    Source: Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015, with the
    equal-mass bins of Nixon et al., "Measuring Calibration in Deep Learning", 2019. NaN where nothing was observed.
    """
    seen = np.flatnonzero(~np.isnan(observed))
    if not len(seen):
        return float("nan")
    order = seen[np.argsort(predicted[seen], kind="stable")]
    parts = np.array_split(order, min(bins, len(order)))
    return float(sum(len(p) * abs(predicted[p].mean() - observed[p].mean()) for p in parts) / len(order))


def _fit_and_apply(
    learner: Learner,
    matrix: FeatureMatrix,
    quality: NDArray[np.float64],
    costs: NDArray[np.float64],
    kept: NDArray[np.int64],
    held: NDArray[np.int64],
) -> NDArray[np.float64]:
    return learner.fit(matrix.rows(kept), quality[kept], costs[kept]).outputs(matrix.rows(held))


def _platt(logits: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and intercept of a logistic regression of ``target`` (0..1, NaN unknown) on ``logits``.

    A slope below zero would turn the ranking round: then the mean alone is kept.
    """
    seen = ~np.isnan(target)
    values, wins = logits[seen], target[seen]
    weights = np.concatenate([wins, 1.0 - wins])
    mean_logit = float(np.log((wins.sum() + 1.0) / ((1.0 - wins).sum() + 1.0)))
    if np.ptp(values) < 1e-9 or wins.sum() == 0 or (1.0 - wins).sum() == 0:
        return 0.0, mean_logit
    used = weights > 0
    doubled = np.concatenate([values, values])[:, None][used]
    classes = np.repeat([1, 0], len(values))[used]
    fitted: Any = LogisticRegression(C=1e6).fit(doubled, classes, sample_weight=weights[used])
    slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return (slope, intercept) if slope > 0 else (0.0, mean_logit)
