from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import minimize

from classifier.features import N_BUCKETS
from classifier.model import Calibration, sigmoid
from training.learners.calibrate import calibration_error, chance_error, cross_fit, fit_calibration
from training.learners.matrix import FeatureMatrix

NAN = np.nan


def matrix_of(dense: np.ndarray) -> FeatureMatrix:
    count = len(dense)
    return FeatureMatrix(sparse.csr_matrix((count, N_BUCKETS)), dense, (None,) * count, np.ones(count))


@dataclass
class Remembering:
    """A learner that gives back what it saw of a row's number (its only feature), and 0 of others."""

    def fit(self, matrix, quality, costs, *, weights=None, jobs=1):
        seen = dict(zip(matrix.dense[:, 0].tolist(), quality[:, 0].tolist(), strict=True))
        return Remembered(seen, quality.shape[1])


@dataclass
class Remembered:
    seen: dict[float, float]
    tiers: int

    def outputs(self, matrix):
        values = [self.seen.get(number, 0.0) for number in matrix.dense[:, 0].tolist()]
        return np.tile(np.array(values)[:, None], (1, 2 * self.tiers))


@dataclass
class Counting:
    """A learner whose outputs are how many rows it was fitted on."""

    def fit(self, matrix, quality, costs, *, weights=None, jobs=1):
        assert len(matrix) == len(quality) == len(costs) > 0
        return Counted(len(matrix), quality.shape[1])


@dataclass
class Counted:
    rows: int
    tiers: int

    def outputs(self, matrix):
        return np.full((len(matrix), 2 * self.tiers), float(self.rows))


@given(st.lists(st.integers(0, 9), min_size=2, max_size=60).filter(lambda groups: len(set(groups)) > 1))
def test_no_row_is_judged_by_a_model_that_saw_it_or_its_group(groups: list[int]) -> None:
    # Rows of a group are one and the same row: a model that saw one of them knows them all.
    matrix = matrix_of(np.array(groups)[:, None].astype(float))
    ones = np.ones((len(groups), 2))
    np.testing.assert_array_equal(cross_fit(Remembering(), matrix, ones, ones, np.array(groups)), 0.0)


def test_models_see_all_rows_but_their_folds() -> None:
    matrix, ones = matrix_of(np.arange(80.0)[:, None]), np.ones((80, 1))
    done: list[tuple[int, int]] = []
    outputs = cross_fit(Counting(), matrix, ones, ones, np.arange(80), progress=lambda *steps: done.append(steps))
    np.testing.assert_array_equal(outputs, 60.0)
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_one_group_cannot_be_cross_fitted() -> None:
    ones = np.ones((9, 1))
    with pytest.raises(ValueError, match="n_splits"):
        cross_fit(Remembering(), matrix_of(ones), ones, ones, np.zeros(9, np.int64))


@pytest.mark.parametrize("slope", [0.3, 1.0, 2.5])
def test_platt_scaling_finds_slope_and_intercept(slope: float) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(40_000, 1))
    quality = (random.random((40_000, 1)) < sigmoid(slope * logits + 0.5)).astype(float)
    calibration = fit_calibration(np.hstack([logits, logits]), quality, quality, 0)
    np.testing.assert_allclose(calibration.quality[0], [slope, 0.5], atol=0.08)
    assert calibration.adequate is None


@pytest.mark.parametrize("count", [6, 40, 300])
def test_scaling_is_platts_maximum_of_the_likelihood(count: int) -> None:
    random = np.random.default_rng(count)
    logits = random.normal(size=count)
    scores = np.where(random.random(count) < sigmoid(2 * logits), 1.0, random.choice([0.0, 0.3], count))
    won, lost = scores.sum(), (1 - scores).sum()
    aims = scores * (won + 1) / (won + 2) + (1 - scores) / (lost + 2)

    def loss(parameters: np.ndarray) -> float:
        shifted = parameters[0] * logits + parameters[1]
        return float((np.logaddexp(0, shifted) - aims * shifted).sum())

    best = minimize(loss, [1.0, 0.0], options={"gtol": 1e-9}).x
    found = fit_calibration(np.column_stack([logits, logits]), scores[:, None], scores[:, None], 0).quality[0]
    np.testing.assert_allclose(found, best, atol=2e-3)


def test_a_few_rows_that_part_cleanly_do_not_make_for_certainty() -> None:
    logits = np.array([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])[:, None]
    quality = (logits > 0).astype(float)
    slope, intercept = fit_calibration(np.hstack([logits, logits]), quality, quality, 0).quality[0]
    assert 0 < slope < 3
    assert 0.5 < sigmoid(np.array([slope * 1.0 + intercept]))[0] < 0.95


def test_a_score_between_0_and_1_counts_as_that_share_of_a_success() -> None:
    random = np.random.default_rng(0)
    logits, tenths = random.normal(size=3000), random.integers(11, size=3000)
    won = (np.tile(np.arange(10), 3000) < np.repeat(tenths, 10)).astype(float)
    scored, repeated = (
        fit_calibration(np.column_stack([of, of]), scores[:, None], scores[:, None], 0).quality[0]
        for of, scores in ((logits, tenths / 10), (np.repeat(logits, 10), won))
    )
    np.testing.assert_allclose(scored, repeated, atol=5e-3)


def test_a_ranking_turned_round_leaves_the_mean() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(2000, 1))
    quality = (random.random((2000, 1)) < sigmoid(-2 * logits)).astype(float)
    slope, intercept = fit_calibration(np.hstack([logits, logits]), quality, quality, 0).quality[0]
    assert slope == 0.0
    assert sigmoid(np.array([intercept]))[0] == pytest.approx(quality.mean(), abs=0.01)


@pytest.mark.slow
@given(st.integers(0, 2**16), st.floats(0, 1), st.integers(2, 6))
def test_calibration_never_turns_a_ranking_and_is_always_finite(draw: int, known: float, tiers: int) -> None:
    random = np.random.default_rng(draw)
    outputs = random.normal(scale=3, size=(20, 2 * tiers))
    quality = random.integers(3, size=(20, tiers)) / 2
    quality[random.random(quality.shape) > known] = NAN
    adequate = np.where(np.isnan(quality), NAN, quality >= quality[:, [0]])
    calibration = fit_calibration(outputs, quality, adequate, 0)
    for slopes in (calibration.quality, calibration.adequate):
        if slopes is not None:
            assert np.isfinite(slopes).all()
            assert (slopes[:, 0] >= 0).all()
    rising = np.sort(random.normal(scale=5, size=(200, tiers)), axis=0)
    assert (np.diff(calibration.qualities(rising), axis=0) >= -1e-12).all()


def test_what_no_line_fits_is_bent_into_shape_and_a_line_stays_one() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(scale=2, size=(20_000, 1))
    for truth, bent in ((0.6 / (1 + np.exp(-3 * (logits + 1))) + 0.2, True), (sigmoid(logits), False)):
        quality = (random.random(logits.shape) < truth).astype(float)
        calibration = fit_calibration(np.hstack([logits, logits]), quality, quality, 0)
        assert calibration.bends is not None
        assert (np.abs(calibration.bends[:, 1]).max() > 0.2) == bent
        usual = np.abs(logits[:, 0]) < 3
        np.testing.assert_allclose(calibration.qualities(logits)[usual], truth[usual], atol=0.06)
        alone = Calibration(calibration.quality, None)
        assert (np.abs(alone.qualities(logits) - truth)[usual].max() > 0.07) == bent


def test_few_rows_bend_little() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(size=(60, 1))
    quality = (random.random((60, 1)) < sigmoid(logits)).astype(float)
    calibration = fit_calibration(np.hstack([logits, logits]), quality, quality, 0)
    assert calibration.bends is not None
    assert np.abs(calibration.bends[:, 1]).max() < 0.3


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


def test_adequacy_that_is_quality_is_not_calibrated_twice_nor_after_rows_were_picked() -> None:
    quality = np.array([[0.0, 1.0], [1.0, NAN], [1.0, 0.0], [0.0, 0.0]])
    rows = np.array([3, 1, 0, 2])
    calibration = fit_calibration(np.random.default_rng(0).normal(size=(4, 4)), quality[rows], quality[rows], 1)
    assert calibration.adequate is None


def test_unknown_scores_are_left_out() -> None:
    logits = np.zeros((100, 1))
    quality = np.full((100, 1), NAN)
    quality[:10] = 1.0
    slope, intercept = fit_calibration(np.hstack([logits, logits]), quality, quality, 0).quality[0]
    assert slope == 0.0
    assert intercept == pytest.approx(np.log(11.0))


def test_a_tier_never_seen_beside_the_reference_keeps_its_logits_of_adequacy() -> None:
    random = np.random.default_rng(0)
    quality = random.integers(2, size=(40, 2)).astype(float)
    quality[:20, 0] = quality[20:, 1] = NAN
    adequate = np.column_stack([np.full(40, NAN), np.where(np.isnan(quality[:, 1]), NAN, 1.0)])
    calibration = fit_calibration(random.normal(size=(40, 4)), quality, adequate, 1)
    assert calibration.adequate is not None
    assert calibration.adequate[0].tolist() == [1.0, 0.0]


def test_the_calibration_error_of_what_is_right_is_small_and_of_what_is_off_is_that() -> None:
    random = np.random.default_rng(0)
    predicted = random.random(50_000)
    observed = (random.random(50_000) < predicted).astype(float)
    assert calibration_error(predicted, observed) < 0.01
    assert calibration_error(np.full(100, 0.7), np.full(100, 0.4)) == pytest.approx(0.3)
    assert np.isnan(calibration_error(predicted, np.full(50_000, NAN)))


@given(st.integers(0, 2**16), st.integers(1, 120), st.integers(1, 12))
def test_the_calibration_error_is_that_of_its_definition(draw: int, count: int, bins: int) -> None:
    random = np.random.default_rng(draw)
    predicted = random.permutation(np.linspace(0.01, 0.99, count))
    observed = np.where(random.random(count) < 0.2, NAN, random.random(count))
    pairs = sorted((p, o) for p, o in zip(predicted, observed, strict=True) if not np.isnan(o))
    if not pairs:
        assert np.isnan(calibration_error(predicted, observed, bins))
        return
    used, error, start = min(bins, len(pairs)), 0.0, 0
    for number in range(used):
        size = len(pairs) // used + (number < len(pairs) % used)
        part = pairs[start : start + size]
        error += size / len(pairs) * abs(np.mean([p for p, _ in part]) - np.mean([o for _, o in part]))
        start += size
    assert start == len(pairs)
    assert calibration_error(predicted, observed, bins) == pytest.approx(error, abs=1e-12)


@given(st.integers(0, 2**16), st.integers(1, 60), st.integers(1, 5))
def test_the_order_of_the_rows_does_not_matter_to_the_calibration_error(draw: int, count: int, values: int) -> None:
    random = np.random.default_rng(draw)
    predicted = random.integers(values, size=count) / values
    observed = random.random(count)
    order = random.permutation(count)
    expected = calibration_error(predicted, observed)
    assert calibration_error(predicted[order], observed[order]) == pytest.approx(expected, abs=1e-12)


def test_a_constant_prediction_that_is_right_on_average_has_no_calibration_error_even_on_sorted_rows() -> None:
    assert calibration_error(np.full(100, 0.5), np.repeat([0.0, 1.0], 50)) == pytest.approx(0.0)


@pytest.mark.parametrize("count", [60, 600])
def test_the_chance_error_is_what_perfect_predictions_show_on_average(count: int) -> None:
    random = np.random.default_rng(0)
    shown, chance = [], []
    for _ in range(200):
        predicted = random.beta(2, 1, count)
        observed = (random.random(count) < predicted).astype(float)
        shown.append(calibration_error(predicted, observed))
        chance.append(chance_error(predicted, observed))
    assert np.mean(shown) == pytest.approx(np.mean(chance), rel=0.08)


def test_certain_predictions_have_no_chance_error_and_unobserved_ones_none_at_all() -> None:
    assert chance_error(np.ones(20), np.zeros(20)) == 0
    assert np.isnan(chance_error(np.ones(20), np.full(20, NAN)))
