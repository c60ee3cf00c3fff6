from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from classifier.cascade.route import GateRates
from classifier.features import N_BUCKETS
from tests.helpers.logs import RATES, World
from training.feedback.completion import SPREAD, Easiness, complete_outcomes, fit_easiness
from training.feedback.labels import AUDITED, FILLED, VERDICT, LabelOptions
from training.feedback.learn import _gates_apart, completed_labels, learn
from training.feedback.verdicts import Passing, passing_rates
from training.learners.fit import FitRows
from training.learners.linear import LinearLearner
from training.learners.matrix import FeatureMatrix
from training.log.simulation import simulate_log

REFERENCE = 2


def matrix(world: World) -> FeatureMatrix:
    rows = len(world.hard)
    return FeatureMatrix(
        sparse.csr_matrix((rows, N_BUCKETS)), world.hard[:, None], (None,) * rows, np.full(rows, 100.0)
    )


@given(
    adequate=st.floats(0.5, 0.99),
    share=st.floats(0.02, 0.9),
    expected=st.floats(0.02, 0.98),
)
def test_verdicts_move_an_expectation_without_changing_its_mean(adequate: float, share: float, expected: float) -> None:
    passing = Passing(adequate, np.array([share * adequate]))
    chance = float(passing.inadequate[0] + (adequate - passing.inadequate[0]) * expected)
    found = []
    for verdict in (1.0, 0.0):
        if_not, if_so = passing.likelihood(np.array([[verdict]]))[0, 0]
        found.append(if_so * expected / (if_so * expected + if_not * (1 - expected)))
    passed, failed = found
    assert failed <= expected + 1e-12 <= passed + 2e-12
    assert chance * passed + (1 - chance) * failed == pytest.approx(expected)
    assert passing.expected(np.array([[chance]]))[0, 0] == pytest.approx(expected)


def test_no_verdict_says_nothing() -> None:
    passing = Passing(0.9, np.array([0.3]))
    assert (passing.likelihood(np.array([[np.nan]])) == 1).all()


def test_audits_say_how_often_the_gate_passes_wrong_answers() -> None:
    world = World(8_000, 3)
    found = passing_rates(world.log(4, audit=0.1).observed, RATES.pass_adequate)
    assert np.abs(found.inadequate[:2] - RATES.pass_inadequate).max() < 0.1


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_that_leaves_nothing_to_learn_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="pass_adequate"):
        passing_rates(World(100, 0).log(0).observed, share)


def test_a_gate_that_hardly_passes_anything_has_a_rate_below_it() -> None:
    found = passing_rates(World(200, 0).log(0).observed, 0.03)
    assert (found.inadequate < 0.03).all()


def dealt_by_failure(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Truth, what is seen (the dear tier where the cheap one failed, and rarely else), and a guess of both."""
    random = np.random.default_rng(seed)
    easiness = random.normal(0, 1, 4_000)
    luck = SPREAD * random.normal(0, 1, 4_000)
    logits = np.stack([easiness + luck, easiness + luck + 1.5], axis=1)
    truth = (random.logistic(0, 1, logits.shape) < logits).astype(np.float64)
    seen = truth.copy()
    seen[(truth[:, 0] > 0.5) & (random.random(4_000) > 0.03), 1] = np.nan
    expected = 1 / (1 + np.exp(-np.stack([easiness, easiness + 1.5], axis=1) / np.sqrt(1 + 0.346 * SPREAD**2)))
    return truth, seen, expected


def of_outcomes(seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, t, 2) likelihood of outcomes that are known for sure."""
    return np.where(np.isnan(seen)[:, :, None], 1.0, np.stack([1.0 - seen, seen], axis=-1))


@pytest.mark.parametrize("seed", [1, 2])
def test_outcomes_missing_after_a_success_are_not_taken_for_those_after_a_failure(seed: int) -> None:
    truth, seen, expected = dealt_by_failure(seed)
    filled = complete_outcomes(of_outcomes(seen), expected, reference=1)
    known = ~np.isnan(seen)
    assert np.allclose(filled[known], seen[known])
    assert ((filled >= 0) & (filled <= 1)).all()
    missing = ~known[:, 1]
    assert abs(filled[missing, 1].mean() - truth[missing, 1].mean()) < 0.03
    assert abs(np.nanmean(seen[:, 1]) - truth[missing, 1].mean()) > 0.2


@pytest.mark.parametrize("spread", [0.5, 1.5, 3.0])
def test_the_spread_of_ease_is_found_where_every_outcome_is_known(spread: float) -> None:
    random = np.random.default_rng(5)
    logits = random.normal(0, 1, (6_000, 3))
    easiness = Easiness(np.array([0.2, 0.0, -0.3]), np.array([1.0, 0.8, 1.2]), spread)
    chances = easiness.chances(logits, np.array([0.0]))[:, :, 0]
    u = spread * random.normal(0, 1, (6_000, 1))
    chances = 1 / (1 + np.exp(-(np.log(chances / (1 - chances)) + u)))
    truth = (random.random(chances.shape) < chances).astype(np.float64)
    found = fit_easiness(of_outcomes(truth), logits, np.ones(6_000), deviation=10.0)
    assert found.spread == pytest.approx(spread, abs=0.15)
    assert np.abs(found.shift - easiness.shift).max() < 0.1
    assert np.abs(found.slope - easiness.slope).max() < 0.1


def test_rows_that_count_twice_count_as_two() -> None:
    _, seen, expected = dealt_by_failure(3)
    few = slice(0, 500)
    twice = complete_outcomes(
        of_outcomes(np.vstack([seen[few], seen[few]])), np.vstack([expected[few], expected[few]]), reference=1
    )
    weighted = complete_outcomes(of_outcomes(seen[few]), expected[few], reference=1, weights=np.full(500, 2.0))
    np.testing.assert_allclose(weighted, twice[:500], atol=1e-4)


def test_a_passed_answer_speaks_for_the_request_and_a_sure_gates_verdict_is_the_outcome() -> None:
    expected = np.full((300, 2), 0.5)
    verdict = np.tile([[1.0, np.nan], [0.0, np.nan], [np.nan, np.nan]], (100, 1))
    passed, failed, unseen = complete_outcomes(
        Passing(0.95, np.array([0.3, 0.3])).likelihood(verdict), expected, reference=1
    )[:3]
    assert passed[0] > unseen[0] > failed[0]
    assert passed[1] > unseen[1] > failed[1]
    sure = complete_outcomes(Passing(1.0, np.array([0.0, 0.0])).likelihood(verdict), expected, reference=1)
    assert np.allclose(sure[:2, 0], [1.0, 0.0])


@given(
    cells=st.lists(
        st.tuples(st.sampled_from([0.0, 0.3, 1.0, np.nan]), st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=30
    ),
    old=st.floats(1e-6, 1.0),
)
def test_whatever_was_seen_completed_outcomes_are_shares_and_what_is_sure_stays(cells, old: float) -> None:
    rows = len(cells) // 3
    outcome, first, second = (np.array(part)[: 3 * rows].reshape(rows, 3) for part in zip(*cells, strict=True))
    filled = complete_outcomes(of_outcomes(outcome), first * second, reference=2, weights=np.full(rows, old))
    assert ((filled >= 0) & (filled <= 1)).all()
    sure = np.isin(outcome, (0.0, 1.0))
    np.testing.assert_allclose(filled[sure], outcome[sure], atol=1e-9)


def test_a_tier_that_was_never_tried_is_expected_to_do_as_well_as_the_reference() -> None:
    _, seen, expected = dealt_by_failure(1)
    unseen = np.full((len(seen), 1), np.nan)
    filled = complete_outcomes(
        of_outcomes(np.hstack([seen, unseen])), np.hstack([expected, np.full(unseen.shape, 0.5)]), reference=1
    )
    low, high = (float(filled[part, 2].mean()) for part in (expected[:, 1] < 0.5, expected[:, 1] >= 0.5))
    assert low < 0.5 < high
    nothing = complete_outcomes(of_outcomes(unseen), np.full((len(seen), 1), 0.5), reference=0)
    assert np.allclose(nothing, 0.5)


def test_labels_of_a_log_are_complete_and_say_where_they_come_from() -> None:
    world = World(1_000, 5)
    observed = world.log(6, audit=0.05).observed
    labels = completed_labels(
        LinearLearner(), observed, FitRows(matrix(world), world.cost, np.arange(1_000), REFERENCE), pass_adequate=0.9
    )
    assert not np.isnan(labels.values).any()
    assert np.array_equal(labels.source == FILLED, ~observed.tried)
    audited = labels.source == AUDITED
    assert audited.any()
    assert np.array_equal(labels.values[audited], observed.audit[audited])
    assert ((labels.values > 0) & (labels.values < 1))[labels.source == VERDICT].all()
    assert (labels.weights == 1).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_reference_is_not_judged_by_the_hard_requests_that_came_to_it(seed: int) -> None:
    truth, _, expected = dealt_by_failure(seed)
    rows = len(truth)
    starts, cost = np.zeros(rows, np.int64), np.tile([0.001, 0.02], (rows, 1))
    gate = GateRates(pass_adequate=0.9, pass_inadequate=0.2)
    observed = simulate_log(truth, cost, starts, gate, seed=seed, explore=0.02, audit=0.2).observed
    features = FeatureMatrix(
        sparse.csr_matrix((rows, N_BUCKETS)), expected[:, :1], (None,) * rows, np.full(rows, 100.0)
    )
    labels = completed_labels(LinearLearner(), observed, FitRows(features, cost, np.arange(rows), 1), pass_adequate=0.9)
    missing = labels.source[:, 1] == FILLED
    true = truth[missing, 1].mean()
    assert labels.values[missing, 1].mean() == pytest.approx(true, abs=0.05)
    assert labels.values[~missing, 1].mean() < true - 0.15


def test_old_rows_count_less() -> None:
    world = World(400, 5)
    labels = completed_labels(
        LinearLearner(),
        world.log(6).observed,
        FitRows(matrix(world), world.cost, np.arange(400), REFERENCE),
        options=LabelOptions(half_life=0.1),
    )
    assert labels.weights[-1, 0] == 1.0
    assert (np.diff(labels.weights, axis=0) > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("half_life", [None, 10.0])
def test_a_model_learned_from_a_log_expects_what_is_true(half_life: float | None) -> None:
    world = World(4_000, 7)
    fitted, _, _ = learn(
        {"linear": LinearLearner(dense_weight=1.0)},
        world.log(8, audit=0.03).observed,
        FitRows(matrix(world), world.cost, np.arange(4_000), REFERENCE),
        pass_adequate=RATES.pass_adequate,
        options=LabelOptions(half_life=half_life),
    )
    found = fitted.predict(matrix(world)).quality
    easy, hard = world.hard < 0.3, world.hard > 0.7
    for part in (easy, hard):
        assert np.abs(found[part].mean(axis=0) - world.expected[part].mean(axis=0)).max() < 0.15
    assert found[easy].mean() > found[hard].mean() + 0.3


@given(st.lists(st.sampled_from([None, "one", "two", "three"]), min_size=2, max_size=900), st.integers(1, 40))
def test_every_row_is_read_by_one_gates_rates(names, groups) -> None:
    world = World(len(names), 0)
    observed = world.log(0).observed
    observed = replace(observed, asked=replace(observed.asked, checks=tuple(names)))
    parts = _gates_apart(observed, np.arange(len(names)) % groups)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(names)))


def test_tiers_of_a_log_can_be_taken_in_any_order() -> None:
    observed = World(200, 1).log(1, explore=0.3, audit=0.2).observed
    moved = observed.columns([2, -1, 0], ["large", "new", "small"])
    assert moved.tiers == ("large", "new", "small")
    assert moved.reference == 0
    np.testing.assert_array_equal(moved.verdict[:, [0, 2]], observed.verdict[:, [2, 0]])
    assert np.isnan(moved.verdict[:, 1]).all()
    assert not moved.tried[:, 1].any()
    assert (moved.chance[:, 1] == 0).all()
    assert ((moved.start == -1) == (observed.start == 1)).all()
    assert (moved.answered[observed.answered == 2] == 0).all()
