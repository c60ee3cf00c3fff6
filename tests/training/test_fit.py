from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.features import extract
from classifier.keywords import load_keywords
from classifier.model import Calibration, loss_logit, sigmoid
from classifier.request import Request
from classifier.tokens import ESTIMATE, estimate_tokens
from tests.helpers.tables import TIERS, outcome_rows
from training.learners.calibrate import cross_fit, fit_calibration
from training.learners.fit import FitRows, FittedModel, calibrated, fit_model, gain_error
from training.learners.linear import LinearLearner
from training.learners.matrix import FeatureMatrix, build_matrix
from training.prepare.adequacy import Adequacy, judge

KEYWORDS = load_keywords()
NAN = np.nan
COUNT = 300
REFERENCE = 2


def columns(kind: str, rows: Iterable[dict]) -> np.ndarray:
    return np.array([[row[f"{kind}__{tier}"] for tier in TIERS] for row in rows])


@pytest.fixture(scope="module")
def requests() -> list[Request]:
    return [Request(row["prompt"], row["max_tokens"], row["task"]) for row in outcome_rows(COUNT)]


@pytest.fixture(scope="module")
def matrix(requests: list[Request]) -> FeatureMatrix:
    return build_matrix(requests, KEYWORDS, ESTIMATE, jobs=1)


@pytest.fixture(scope="module")
def scores() -> np.ndarray:
    found = columns("score", outcome_rows(COUNT))
    found[::5, 1] = NAN
    return found


@pytest.fixture(scope="module")
def costs() -> np.ndarray:
    return columns("cost", outcome_rows(COUNT))


def fitted(matrix, scores, costs, rule, learners=None, progress=None):
    adequate, quality = judge(scores, REFERENCE, rule)
    rows = np.arange(len(scores))
    return fit_model(
        learners or {"linear": LinearLearner()},
        FitRows(matrix, costs, rows, REFERENCE),
        quality[rows],
        adequate[rows],
        progress=progress,
    )


@pytest.mark.parametrize("rule", [Adequacy(), Adequacy(tolerance=0.2), Adequacy(at=0.5)])
def test_the_runtime_expects_what_was_fitted(requests, matrix, scores, costs, rule: Adequacy) -> None:
    model, _ = fitted(matrix, scores, costs, rule)
    expected, runtime = model.predict(matrix), model.runtime()
    assert (runtime.calibration.adequate is None) == (rule.at is not None)
    for row in range(0, COUNT, 15):
        found = runtime.predict(extract(requests[row], KEYWORDS, estimate_tokens))
        np.testing.assert_allclose(found.quality, expected.quality[row], atol=1e-6)
        np.testing.assert_allclose(found.adequate, expected.adequate[row], atol=1e-6)
        np.testing.assert_allclose(found.cost, expected.cost[row], rtol=1e-6)


def test_the_reference_is_always_adequate_unless_adequacy_is_a_threshold(matrix, scores, costs) -> None:
    relative = fitted(matrix, scores, costs, Adequacy())[0].predict(matrix)
    np.testing.assert_array_equal(relative.adequate[:, REFERENCE], 1.0)
    by_threshold = fitted(matrix, scores, costs, Adequacy(at=0.5))[0].predict(matrix)
    np.testing.assert_array_equal(by_threshold.adequate, by_threshold.quality)
    assert by_threshold.adequate[:, REFERENCE].max() < 1.0


def test_the_expectations_handed_back_are_cross_fitted_and_calibrated(matrix, scores, costs) -> None:
    model, expected = fitted(matrix, scores, costs, Adequacy())
    adequate, quality = judge(scores, REFERENCE, Adequacy())
    outputs = cross_fit(LinearLearner(), matrix, quality, costs, np.arange(COUNT))
    calibration = fit_calibration(outputs, quality, adequate, REFERENCE)
    np.testing.assert_array_equal(model.calibration.quality, calibration.quality)
    np.testing.assert_array_equal(expected.quality, calibrated(outputs, calibration, REFERENCE).quality)
    # A row's own outcome must not be known to its expectation: refitted, the row is known better.
    own = model.predict(matrix)
    assert gain_error(expected.quality, quality) > gain_error(own.quality, quality)


def test_expectations_are_calibrated(matrix, scores, costs) -> None:
    _, expected = fitted(matrix, scores, costs, Adequacy())
    np.testing.assert_allclose(expected.quality[:, 0].mean(), scores[:, 0].mean(), atol=0.02)
    np.testing.assert_allclose(expected.cost.mean(axis=0), costs.mean(axis=0), rtol=0.1)


class Blind:
    """A learner that sees no features; a real one, only useless."""

    def fit(self, matrix, quality, costs, *, weights=None, jobs=1):
        return LinearLearner(C=1e-9).fit(matrix, quality, costs, jobs=jobs)


def test_the_learner_that_does_best_on_rows_it_did_not_see_wins(matrix, scores, costs) -> None:
    good = LinearLearner()
    for learners in ({"blind": Blind(), "good": good}, {"good": good, "blind": Blind()}):
        assert fitted(matrix, scores, costs, Adequacy(), learners)[0].learner == "good"


def test_of_equal_learners_the_first_wins_and_progress_runs_through_all(matrix, scores, costs) -> None:
    done: list[tuple[int, int]] = []
    learners = {"one": LinearLearner(), "two": LinearLearner()}
    model, _ = fitted(matrix, scores, costs, Adequacy(), learners, lambda *steps: done.append(steps))
    assert isinstance(model, FittedModel)
    assert model.learner == "one"
    assert done == [(step, 8) for step in range(1, 9)]


def test_the_gain_error_is_that_of_gains_over_the_cheapest_where_both_were_seen() -> None:
    expected = np.array([[0.2, 0.7], [0.5, 0.5], [0.1, 0.9]])
    quality = np.array([[0.0, 1.0], [NAN, 1.0], [1.0, 1.0]])
    assert gain_error(expected, quality) == pytest.approx(np.mean([(0.5 - 1.0) ** 2, (0.8 - 0.0) ** 2]))


def test_without_gains_the_error_is_that_of_the_qualities() -> None:
    expected = np.array([[0.2, 0.7], [0.5, 0.5]])
    quality = np.array([[NAN, 1.0], [1.0, NAN]])
    assert gain_error(expected, quality) == pytest.approx(np.mean([0.3**2, 0.5**2]))


@given(st.integers(0, 2**16), st.integers(2, 6))
def test_expectations_are_probabilities_and_costs_whatever_the_outputs(draw: int, tiers: int) -> None:
    random = np.random.default_rng(draw)
    outputs = random.normal(scale=200, size=(9, 2 * tiers))
    slopes = np.column_stack([random.random(tiers), random.normal(size=tiers)])
    reference = int(random.integers(tiers))
    found = calibrated(outputs, Calibration(slopes, slopes), reference)
    for values in (found.quality, found.adequate):
        assert ((values >= 0) & (values <= 1)).all()
    assert np.isfinite(found.cost).all()
    assert (found.cost >= 0).all()
    expected = sigmoid(slopes[:, 0] * loss_logit(found.quality, reference) + slopes[:, 1])
    expected[:, reference] = 1.0
    np.testing.assert_allclose(found.adequate, expected)
