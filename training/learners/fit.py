"""Fitting: features and outcomes in, a calibrated model out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from classifier.model import LOGIT_LIMIT, Calibration, Expectations, Model, loss_logit, sigmoid
from training.learners.calibrate import cross_fit, fit_calibration
from training.learners.learner import Fitted, Learner
from training.learners.linear import LinearFit
from training.learners.matrix import FeatureMatrix
from training.learners.weights import weighted_mean
from training.progress import Progress


@dataclass(frozen=True, slots=True)
class FittedModel:
    """A fitted, calibrated model: the training side of `classifier.model.Model`; ``learner`` names what won."""

    learner: str
    learned: Fitted
    calibration: Calibration
    reference: int

    @property
    def linear(self) -> LinearFit:
        """The linear part of what was learned."""
        return self.learned.linear

    def predict(self, matrix: FeatureMatrix) -> Expectations:
        """Expectations for all rows of a matrix."""
        return calibrated(self.learned.outputs(matrix), self.calibration, self.reference)

    def runtime(self) -> Model:
        """The same model in the runtime's form."""
        linear = self.linear
        return Model(
            linear.weights(), self.calibration, linear.space.tasks, self.reference, trees=self.learned.tree_weights()
        )


@dataclass(frozen=True, slots=True, eq=False)
class FitRows:
    """Rows to fit on.

    Attributes
    ----------
    matrix : n requests' features.
    costs : (n, t) USD, complete.
    groups : (n,) group numbers; rows of one group stay in one fold.
    reference : place of the reference tier.
    """

    matrix: FeatureMatrix
    costs: NDArray[np.float64]
    groups: NDArray[np.int64]
    reference: int

    def rows(self, rows: NDArray[np.int64]) -> FitRows:
        """Some of them."""
        return FitRows(self.matrix.rows(rows), self.costs[rows], self.groups[rows], self.reference)


def fit_model(
    learners: Mapping[str, Learner],
    rows: FitRows,
    quality: NDArray[np.float64],
    adequate: NDArray[np.float64],
    *,
    weights: NDArray[np.float64] | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> tuple[FittedModel, Expectations]:
    """Fit the learner that does best on folds it did not see; calibrate it on the same cross-fitted expectations.

    The second value is these: the winner's cross-fitted expectations of the given rows.

    Parameters
    ----------
    learners : candidates by name; of equals the first wins.
    quality, adequate : (n, t), NaN where not observed.
    weights : (n, t) rows' worth of each quality; None: one each.
    """
    matrix, costs, groups, reference = rows.matrix, rows.costs, rows.groups, rows.reference
    best: tuple[float, str, Calibration, Expectations] | None = None
    for place, (name, learner) in enumerate(learners.items()):
        step = None if progress is None else partial(_one_of, progress, place, len(learners))
        outputs = cross_fit(learner, matrix, quality, costs, groups, weights=weights, jobs=jobs, progress=step)
        calibration = fit_calibration(outputs, quality, adequate, reference, weights)
        expected = calibrated(outputs, calibration, reference)
        error = gain_error(expected.quality, quality) if weights is None else _error(expected.quality, quality, weights)
        if best is None or error < best[0]:
            best = error, name, calibration, expected
    assert best is not None
    _, name, calibration, expected = best
    learned = learners[name].fit(matrix, quality, costs, weights=weights, jobs=jobs)
    return FittedModel(name, learned, calibration, reference), expected


def gain_error(expected: NDArray[np.float64], quality: NDArray[np.float64]) -> float:
    """Mean squared error of the tiers' expected gains over the cheapest, which is what routing decides by; (n, t) both.

    Where no row observed the cheapest tier beside another, the error of the qualities themselves.
    """
    errors = (expected[:, 1:] - expected[:, :1] - (quality[:, 1:] - quality[:, :1])) ** 2
    if np.isnan(errors).all():
        errors = (expected - quality) ** 2
    return float(np.nanmean(errors))


def _error(expected: NDArray[np.float64], quality: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Mean over tiers of the weighted mean squared error: with weights for what was observed by choice, no tier's gain
    over another is seen on rows that stand for all."""
    return float(weighted_mean((expected - quality) ** 2, weights, 0.0).mean())


def _one_of(progress: Progress, place: int, count: int, done: int, total: int) -> None:
    progress(place * total + done, count * total)


def calibrated(outputs: NDArray[np.float64], calibration: Calibration, reference: int) -> Expectations:
    """Outputs (n, 2t) of a learner to expectations, as `classifier.model.Model.predict` does it for one request."""
    tiers = outputs.shape[1] // 2
    quality = calibration.qualities(outputs[:, :tiers])
    adequate = quality
    if calibration.adequate is not None:
        adequate = sigmoid(calibration.adequate[:, 0] * loss_logit(quality, reference) + calibration.adequate[:, 1])
        adequate[:, reference] = 1.0
    return Expectations(quality, adequate, np.exp(np.minimum(outputs[:, tiers:], LOGIT_LIMIT)))
