from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import sparse

from classifier.features import N_BUCKETS
from classifier.model import sigmoid
from training.calibrate import calibration_error, cross_fit, fit_calibration
from training.matrix import FeatureMatrix


def matrix_of(dense: np.ndarray) -> FeatureMatrix:
    count = len(dense)
    return FeatureMatrix(sparse.csr_matrix((count, N_BUCKETS)), dense, (None,) * count, np.ones(count))


@dataclass
class Remembering:
    """A learner that gives back what it saw of a row's number (its only feature), and 0 of others."""

    def fit(self, matrix, quality, costs, *, jobs=1):
        seen = dict(zip(matrix.dense[:, 0].tolist(), quality[:, 0].tolist(), strict=True))
        return Remembered(seen, quality.shape[1])


@dataclass
class Remembered:
    seen: dict[float, float]
    tiers: int

    def outputs(self, matrix):
        values = [self.seen.get(number, 0.0) for number in matrix.dense[:, 0].tolist()]
        return np.tile(np.array(values)[:, None], (1, 2 * self.tiers))


def test_no_row_is_judged_by_a_model_that_saw_it_or_its_group() -> None:
    groups = np.repeat(np.arange(20), 3)
    # Rows of a group are one and the same row: a model that saw one of them knows them all.
    matrix = matrix_of(groups[:, None].astype(float))
    outputs = cross_fit(Remembering(), matrix, np.ones((60, 2)), np.ones((60, 2)), groups)
    np.testing.assert_array_equal(outputs, 0.0)


@pytest.mark.parametrize("slope", [0.3, 1.0, 2.5])
def test_platt_scaling_finds_slope_and_intercept(slope: float) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(40_000, 1))
    quality = (random.random((40_000, 1)) < sigmoid(slope * logits + 0.5)).astype(float)
    calibration = fit_calibration(np.hstack([logits, logits]), quality, quality, 0)
    np.testing.assert_allclose(calibration.quality[0], [slope, 0.5], atol=0.08)
    assert calibration.adequate is None


def test_a_ranking_turned_round_leaves_the_mean() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(2000, 1))
    quality = (random.random((2000, 1)) < sigmoid(-2 * logits)).astype(float)
    slope, intercept = fit_calibration(np.hstack([logits, logits]), quality, quality, 0).quality[0]
    assert slope == 0.0
    assert sigmoid(np.array([intercept]))[0] == pytest.approx(quality.mean(), abs=0.01)


def test_adequacy_is_calibrated_too() -> None:
    random = np.random.default_rng(0)
    chance = random.uniform(0.2, 0.98, size=(20_000, 2))
    quality = (random.random(chance.shape) < chance).astype(float)
    adequate = (quality >= quality[:, [1]]).astype(float)
    logits = np.log(chance / (1 - chance))
    calibration = fit_calibration(np.hstack([logits, logits]), quality, adequate, 1)
    assert calibration.adequate is not None
    # The tiers are independent here, so the adequacy logit is right as it is.
    np.testing.assert_allclose(calibration.adequate[0], [1.0, 0.0], atol=0.1)


def test_unknown_scores_are_left_out() -> None:
    logits = np.zeros((100, 1))
    quality = np.full((100, 1), np.nan)
    quality[:10] = 1.0
    slope, intercept = fit_calibration(np.hstack([logits, logits]), quality, quality, 0).quality[0]
    assert slope == 0.0
    assert intercept == pytest.approx(np.log(11.0))


def test_the_calibration_error_of_what_is_right_is_small_and_of_what_is_off_is_that() -> None:
    random = np.random.default_rng(0)
    predicted = random.random(50_000)
    observed = (random.random(50_000) < predicted).astype(float)
    assert calibration_error(predicted, observed) < 0.01
    assert calibration_error(np.full(100, 0.7), np.full(100, 0.4)) == pytest.approx(0.3)
    assert np.isnan(calibration_error(predicted, np.full(50_000, np.nan)))
