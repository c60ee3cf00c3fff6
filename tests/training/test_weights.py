"""Labels that are not all worth the same: whole weights do what repeated rows would."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from classifier.keywords import load_keywords
from classifier.model import sigmoid
from classifier.request import Request
from classifier.tokens import ESTIMATE
from tests.helpers.tables import TIERS, outcome_rows
from training.learners.blend import BlendLearner
from training.learners.calibrate import fit_calibration
from training.learners.fit import FitRows, fit_model
from training.learners.forest import ForestLearner
from training.learners.linear import LinearLearner
from training.learners.matrix import build_matrix
from training.learners.projection import task_means
from training.learners.stacking import fit_stack
from training.learners.weights import effective, known_weights, weighted_mean

COUNT = 160
NAN = np.nan


def columns(kind: str) -> np.ndarray:
    return np.array([[row[f"{kind}__{tier}"] for tier in TIERS] for row in outcome_rows(COUNT)])


@pytest.fixture(scope="module")
def matrix():
    return build_matrix(
        [Request(row["prompt"], row["max_tokens"], row["task"]) for row in outcome_rows(COUNT)],
        load_keywords(),
        ESTIMATE,
        jobs=1,
    )


@pytest.fixture(scope="module")
def scores() -> np.ndarray:
    found = columns("score")
    found[::5, 1] = NAN
    return found


@pytest.fixture(scope="module")
def costs() -> np.ndarray:
    return columns("cost")


@given(arrays(float, st.integers(1, 30), elements=st.floats(0, 50)), st.data())
def test_scaled_weights_sum_up_to_the_effective_rows(weights, data) -> None:
    values = data.draw(arrays(float, len(weights), elements=st.sampled_from([0.0, 1.0, NAN])))
    known = weights[~np.isnan(values)]
    found = effective(values, weights)[~np.isnan(values)]
    if (known**2).sum() > 0:
        assert found.sum() == pytest.approx(known.sum() ** 2 / (known**2).sum())
        assert found.sum() <= len(known) * (1 + 1e-9)


def test_equal_weights_of_any_size_are_no_weights(matrix, scores, costs) -> None:
    learner = LinearLearner()
    plain = learner.fit(matrix, scores, costs)
    for size in (1.0, 7.0):
        weighted = learner.fit(matrix, scores, costs, weights=np.full(scores.shape, size))
        np.testing.assert_allclose(weighted.coefficients, plain.coefficients)


@pytest.mark.slow
@pytest.mark.parametrize("learner", [LinearLearner(), BlendLearner(forest=ForestLearner(trees=10))])
def test_rows_without_weight_are_not_learned_from(learner, matrix, scores, costs) -> None:
    weights = np.ones(scores.shape)
    weights[::2] = 0.0
    turned = np.where(weights > 0, scores, 1.0 - scores)
    blind = np.where(weights > 0, scores, NAN)
    one, other, left = (
        learner.fit(matrix, given, costs, weights=weights).outputs(matrix) for given in (scores, turned, blind)
    )
    np.testing.assert_allclose(one, other)
    np.testing.assert_allclose(one, left)


def test_what_was_seen_by_choice_is_put_right_by_weights(matrix, costs) -> None:
    """Failures are seen ten times as often as successes: inverse propensities give the true mean."""
    random = np.random.default_rng(1)
    truth = np.less(random.random((COUNT, 2)), 0.6).astype(float)
    chance = np.where(truth > 0, 0.2, 0.9)
    seen = random.random(truth.shape) < chance
    quality = np.where(seen, truth, NAN)
    weights = 1 / chance
    rows = np.arange(COUNT)
    groups = rows
    learners = {"linear": LinearLearner()}
    naive, _ = fit_model(learners, FitRows(matrix, costs[:, :2], groups, 0), quality, quality)
    right, expected = fit_model(learners, FitRows(matrix, costs[:, :2], groups, 0), quality, quality, weights=weights)
    wanted = truth.mean(axis=0)
    off = np.abs(naive.predict(matrix).quality.mean(axis=0) - wanted)
    assert (np.abs(right.predict(matrix).quality.mean(axis=0) - wanted) < off / 2).all()
    assert (np.abs(expected.quality.mean(axis=0) - wanted) < off / 2).all()


def test_calibration_counts_weights_as_rows() -> None:
    outputs = np.random.default_rng(2).normal(size=(300, 4))
    quality = np.less(np.random.default_rng(3).random((300, 2)), sigmoid(outputs[:, :2] * 2)).astype(float)
    weights = np.ones((300, 2))
    weights[:100] = 0.0
    half = fit_calibration(outputs, quality, quality, 0, weights)
    alone = fit_calibration(outputs[100:], quality[100:], quality[100:], 0)
    np.testing.assert_allclose(half.quality, alone.quality, rtol=1e-3)


def test_weighted_stacking_follows_the_member_that_is_right_where_it_counts() -> None:
    random = np.random.default_rng(4)
    quality = random.random((400, 2))
    good, bad = quality + 0.01, random.random((400, 2))
    weights = np.ones((400, 2))
    weights[200:] = 0.0
    members = [np.where(weights > 0, good, bad), np.where(weights > 0, bad, good)]
    stack = fit_stack(members, quality, weights)
    assert stack.shares[0][1, 1] > 3 * stack.shares[1][1, 1]
    np.testing.assert_array_equal(stack.shares[0] - np.diag(np.diag(stack.shares[0])), 0.0)


def test_task_means_weigh(matrix) -> None:
    space = LinearLearner().fit(matrix, np.ones((COUNT, 1)), np.ones((COUNT, 1))).space
    quality = np.tile([[1.0], [0.0]], (COUNT // 2, 1))
    weights = np.tile([[3.0], [1.0]], (COUNT // 2, 1))
    assert task_means(matrix, space, quality, weights)[-1, 0] == pytest.approx(0.75)
    assert task_means(matrix, space, quality)[-1, 0] == pytest.approx(0.5)


@given(arrays(float, (8, 2), elements=st.sampled_from([0.0, 0.25, 1.0, NAN])))
def test_without_weights_means_are_plain(values) -> None:
    found = weighted_mean(values, None, 0.5)
    for column, mean in zip(values.T, found, strict=True):
        seen = column[~np.isnan(column)]
        assert mean == pytest.approx(seen.mean() if len(seen) else 0.5)
    assert known_weights(values, None).sum() == (~np.isnan(values)).sum()
