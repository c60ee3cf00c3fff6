from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import minimize

from classifier.features import extract
from classifier.keywords import load_keywords
from classifier.model import Calibration, Model, sigmoid
from classifier.request import Request
from classifier.tokens import ESTIMATE, estimate_tokens
from tests.helpers.tables import outcome_rows
from training.learners.linear import LinearFit, LinearLearner, _log_ridge, _logistic
from training.learners.matrix import FeatureMatrix, build_matrix

KEYWORDS = load_keywords()
TIERS = ("haiku", "sonnet", "opus")
any_request = st.builds(
    Request,
    text=st.text(max_size=60) | st.sampled_from([row["prompt"] for row in outcome_rows(20)]),
    max_tokens=st.none() | st.integers(1, 10**6),
    task=st.sampled_from([None, "chat", "Reasoning", "never seen"]),
    images=st.integers(0, 2),
)


def requests(count: int) -> list[Request]:
    return [Request(row["prompt"], row["max_tokens"], row["task"]) for row in outcome_rows(count)]


def matrix_of(of: list[Request]) -> FeatureMatrix:
    return build_matrix(of, KEYWORDS, ESTIMATE, jobs=1)


def outcomes(count: int) -> tuple[np.ndarray, np.ndarray]:
    rows = outcome_rows(count)
    quality, costs = (
        np.array([[row[f"{kind}__{tier}"] for tier in TIERS] for row in rows]) for kind in ("score", "cost")
    )
    return quality, costs


def runtime(fit: LinearFit) -> Model:
    tiers = len(fit.bias) // 2
    return Model(fit.weights(), Calibration(np.tile([1.0, 0.0], (tiers, 1)), None), fit.space.tasks, tiers - 1)


def assert_runs_the_same(fit: LinearFit, of: list[Request]) -> None:
    model = runtime(fit)
    for request, expected in zip(of, fit.outputs(matrix_of(of)), strict=True):
        np.testing.assert_allclose(model.outputs(extract(request, KEYWORDS, estimate_tokens)), expected, atol=1e-6)


@pytest.fixture(scope="module")
def fitted() -> LinearFit:
    quality, costs = outcomes(200)
    quality[::7, 1] = np.nan
    return LinearLearner().fit(matrix_of(requests(200)), quality, costs)


@settings(max_examples=60)
@given(request=any_request)
def test_the_runtime_computes_the_same_for_any_request(fitted: LinearFit, request: Request) -> None:
    assert_runs_the_same(fitted, [request])


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_handful_of_rows_can_be_fitted_and_run(count: int) -> None:
    quality, costs = outcomes(count)
    fit = LinearLearner().fit(matrix_of(requests(count)), quality, costs)
    assert np.isfinite(fit.outputs(matrix_of(requests(10)))).all()
    assert_runs_the_same(fit, requests(10))


def test_rows_without_terms_tasks_or_any_difference_can_be_fitted_and_run() -> None:
    same = [Request("")] * 6
    quality = np.array([[0.0, 1.0]] * 3 + [[1.0, 1.0]] * 3)
    fit = LinearLearner().fit(matrix_of(same), quality, np.full((6, 2), 0.5))
    assert fit.space.tasks == ()
    assert_runs_the_same(fit, [Request(""), Request("words", 10, "chat")])
    # Nothing varied, so nothing may speak.
    outputs = fit.outputs(matrix_of([Request(""), Request("words " * 500, 10_000, "chat")]))
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-5)
    np.testing.assert_allclose(np.exp(outputs[:, 2:]), 0.5)
    assert sigmoid(outputs[0, :1])[0] == pytest.approx(0.5, abs=0.05)


def test_a_feature_that_never_varied_stands_at_its_mean_whatever_a_request_has() -> None:
    quality = np.tile([0.0, 1.0], (6, 1))
    space = LinearLearner().fit(matrix_of([Request("same")] * 6), quality, np.ones((6, 2))).space
    assert np.abs(space.standardised(matrix_of([Request("WORDS 7\n" * 500, 10_000, images=5)]))).max() < 1e-6


@pytest.mark.parametrize(
    "learner", [LinearLearner(dense_weight=0.3, task_weight=0.4), LinearLearner(C=2.0, min_rows=5)]
)
def test_other_settings_run_the_same_too(learner: LinearLearner) -> None:
    quality, costs = outcomes(100)
    assert_runs_the_same(learner.fit(matrix_of(requests(100)), quality, costs), requests(10))


def test_what_tells_hard_from_easy_is_learned_from_the_rows_that_observed_a_tier() -> None:
    matrix = matrix_of(requests(600))
    quality, costs = outcomes(600)
    complete = LinearLearner().fit(matrix, quality, costs).outputs(matrix)
    hidden = quality.copy()
    hidden[300:, 0] = np.nan
    partial = LinearLearner().fit(matrix, hidden, costs).outputs(matrix)
    hard = np.array([row["task"] == "reasoning" for row in outcome_rows(600)])
    for outputs in (complete, partial):
        assert outputs[~hard, 0].min() > outputs[hard, 0].max()
    np.testing.assert_array_equal(partial[:, 1:3], complete[:, 1:3])


def test_rows_that_did_not_observe_a_tier_say_nothing_of_it() -> None:
    random = np.random.default_rng(0)
    design = sparse.csr_matrix(random.normal(size=(60, 5)))
    scores = random.random(60)
    scores[40:] = np.nan
    some, only = _logistic(design, scores, 0.3), _logistic(design[:40], scores[:40], 0.3)
    np.testing.assert_array_equal(some[0], only[0])
    assert some[1] == only[1]


@pytest.mark.parametrize("seed", range(3))
def test_the_logistic_is_the_penalised_maximum_of_the_likelihood(seed: int) -> None:
    random = np.random.default_rng(seed)
    design = random.normal(size=(200, 8)) * (random.random((200, 8)) < 0.5)
    scores = random.integers(11, size=200) / 10
    strength = 0.3

    def loss(weights: np.ndarray) -> float:
        logits = design @ weights[:-1] + weights[-1]
        return float(strength * (np.logaddexp(0, logits) - scores * logits).sum() + weights[:-1] @ weights[:-1] / 2)

    best = minimize(loss, np.zeros(9), options={"gtol": 1e-8}).x
    slopes, bias = _logistic(sparse.csr_matrix(design), scores, strength)
    np.testing.assert_allclose(np.append(slopes, bias), best, atol=0.02)


def test_a_score_between_0_and_1_counts_as_that_share_of_a_success() -> None:
    random = np.random.default_rng(0)
    design = sparse.csr_matrix(random.normal(size=(80, 6)))
    tenths = random.integers(11, size=80)
    scored = _logistic(design, tenths / 10, 1.0)
    # Each row ten times, as many of them successes as its score has tenths; C a tenth, as there is ten times the data.
    rows = np.repeat(np.arange(80), 10)
    won = (np.tile(np.arange(10), 80) < np.repeat(tenths, 10)).astype(float)
    repeated = _logistic(design[rows], won, 0.1)
    np.testing.assert_allclose(scored[0], repeated[0], atol=0.01)
    assert scored[1] == pytest.approx(repeated[1], abs=0.02)


@pytest.mark.parametrize(("scores", "odds"), [([1.0] * 8, 9), ([0.0] * 8, 1 / 9), ([np.nan] * 8, 1)])
def test_a_single_class_leaves_its_smoothed_odds(scores: list[float], odds: float) -> None:
    slopes, bias = _logistic(sparse.csr_matrix(np.eye(8)), np.array(scores), 1.0)
    assert not slopes.any()
    assert bias == pytest.approx(np.log(odds))


@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_expected_costs_are_means_and_not_medians(spread: float) -> None:
    random = np.random.default_rng(0)
    dear = (random.random(8000) < 0.3).astype(float)
    design = sparse.csr_matrix(dear[:, None])
    costs = np.exp(random.normal(-6 + 2 * dear, spread))
    slopes, bias = _log_ridge(design, costs)
    means = np.exp(bias + slopes[0] * np.array([0.0, 1.0]))
    np.testing.assert_allclose(means, np.exp(np.array([-6.0, -4.0]) + spread**2 / 2), rtol=0.05)


@pytest.mark.parametrize("cost", [0.0, 0.004])
def test_constant_costs_are_expected_exactly(cost: float) -> None:
    slopes, bias = _log_ridge(sparse.csr_matrix(np.eye(9)), np.full(9, cost))
    assert not slopes.any()
    assert np.exp(bias) == pytest.approx(cost, abs=1e-11)


def test_free_calls_among_others_leave_the_mean_of_new_rows_right() -> None:
    matrix = matrix_of(requests(1200))
    quality, costs = outcomes(1200)
    costs[:, 0] *= np.random.default_rng(0).random(1200) > 0.3
    known, new = np.arange(600), np.arange(600, 1200)
    fit = LinearLearner().fit(matrix.rows(known), quality[known], costs[known])
    assert np.exp(fit.outputs(matrix.rows(new))[:, 3]).mean() == pytest.approx(costs[new, 0].mean(), rel=0.15)


def test_a_task_of_too_few_rows_has_no_column() -> None:
    of = [replace(request, task=f"task {number // 2}") for number, request in enumerate(requests(20))]
    matrix = matrix_of([*of, Request("one more", task="alone")])
    quality, costs = outcomes(21)
    fit = LinearLearner().fit(matrix, quality, costs)
    assert fit.space.tasks == tuple(sorted(f"task {number}" for number in range(10)))
    assert fit.space.one_hot(matrix).sum(axis=1).tolist() == [1.0] * 20 + [0.0]
    assert LinearLearner(min_rows=3).fit(matrix, quality, costs).space.tasks == ()
    assert_runs_the_same(fit, [*of, Request("new", task="alone")])


def test_free_text_tasks_do_not_make_a_column_each() -> None:
    count = 700
    labels = tuple(f"task {row % 350}" if row < 699 else "task 5" for row in range(count))
    matrix = replace(matrix_of([Request("same words")] * count), tasks=labels)
    fit = LinearLearner().fit(matrix, np.tile([0.0, 1.0], (count, 1)), np.ones((count, 2)))
    assert len(fit.space.tasks) == 200
    assert "task 5" in fit.space.tasks


def test_terms_of_nearly_every_row_and_of_too_few_are_left_out() -> None:
    of = [Request(f"always the same {word}") for word in ["often"] * 10 + ["seldom"] * 10 + ["once"]]
    quality = np.tile([0.0, 1.0], (21, 1))
    space = LinearLearner().fit(matrix_of(of), quality, np.ones((21, 2))).space

    def known(text: str) -> set[int]:
        terms = extract(Request(text), KEYWORDS, estimate_tokens)
        return set(terms.terms[: terms.word_terms].tolist()) & set(space.buckets.tolist())

    assert known("often")
    assert known("seldom")
    assert not known("always")
    assert not known("once")
