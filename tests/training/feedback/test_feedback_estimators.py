"""Off-policy estimates: right on logs of which everything is known, and unmoved by what must not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.helpers.logs import RATES, World
from training.challenge.estimators import (
    ESTIMATORS,
    Log,
    cascade_values,
    cross_fitted_means,
    doubly_robust,
    effective_rows,
    ips,
    log_of_starts,
    naive,
    normalised_dr,
    picks,
    snips,
)
from training.feedback.gate_truth import gate_truth
from training.feedback.labels import make_labels

UNBIASED = ("IPS", "SNIPS", "DR", "SNDR")
RUNS = 200


def made_log(seed: int, rows: int = 40, tiers: int = 3, limits: tuple[float, float] = (0.0, 1.0)) -> Log:
    """One tier a row is seen, with known chances."""
    random = np.random.default_rng(seed)
    chance = random.dirichlet(np.full(tiers, 2.0), rows) + 0.05
    chance /= chance.sum(axis=1, keepdims=True)
    drawn = (random.random((rows, 1)) < chance.cumsum(axis=1)).argmax(axis=1)
    values = np.full((rows, tiers), np.nan)
    values[np.arange(rows), drawn] = random.random(rows)
    return Log(values, chance, random.random((rows, tiers)), limits)


def made_policy(seed: int, rows: int = 40, tiers: int = 3) -> NDArray[np.float64]:
    return np.random.default_rng(seed).dirichlet(np.ones(tiers), rows)


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "explore"), [(300, 0.05), (300, 0.2), (600, 0.02)])
@pytest.mark.parametrize("nearby", [True, False])
def test_intervals_cover_the_truth(rows: int, explore: float, nearby: bool) -> None:
    """For policies close to the logged one, and for one that mostly picks what was only ever explored."""
    covered = dict.fromkeys(UNBIASED, 0)
    gains = dict.fromkeys(UNBIASED, 0)
    for seed in range(RUNS):
        world = World(rows, seed)
        far = np.where(world.hard < 0.3, 0, np.where(world.hard < 0.8, 1, 2))
        target = picks(np.where(world.hard < 0.7, 0, 2) if nearby else far, 3)
        logged, log = picks(world.start, 3), world.quality_log(seed, explore=explore)
        for name in UNBIASED:
            valued = ESTIMATORS[name](log, target)
            found, gain = valued.estimate(), valued.minus(ESTIMATORS[name](log, logged))
            covered[name] += found.low <= world.value(target) <= found.high
            gains[name] += gain.low <= world.value(target) - world.value(logged) <= gain.high
    assert min(covered.values()) >= 0.93 * RUNS, covered
    assert min(gains.values()) >= 0.93 * RUNS, gains


@pytest.mark.slow
def test_errors_are_smaller_than_by_plain_weighting_or_none() -> None:
    errors: dict[str, list[float]] = {name: [] for name in ESTIMATORS}
    for seed in range(100):
        world = World(1500, seed)
        target = picks(np.where(world.hard < 0.8, 0, 2), 3)
        log = world.quality_log(seed, explore=0.3)
        for name, estimator in ESTIMATORS.items():
            errors[name].append(estimator(log, target).value - world.value(target))
    squared = {name: float(np.mean(np.square(error))) for name, error in errors.items()}
    assert squared["DR"] < squared["IPS"]
    assert squared["SNIPS"] < squared["IPS"]
    assert squared["SNDR"] < squared["naive"]
    assert abs(np.mean(errors["naive"])) > 5 * abs(np.mean(errors["DR"]))


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_a_policy_equals_itself(seed: int) -> None:
    log, policy = made_log(seed), made_policy(seed + 1)
    for estimator in ESTIMATORS.values():
        found = estimator(log, policy).minus(estimator(log, policy))
        assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_the_order_of_rows_and_tiers_does_not_matter(seed: int) -> None:
    log, policy = made_log(seed), made_policy(seed + 1)
    random = np.random.default_rng(seed)
    rows, tiers = random.permutation(40), random.permutation(3)
    moved = Log(*(part[rows][:, tiers] for part in (log.values, log.chance, log.model)))
    for estimator in ESTIMATORS.values():
        one, other = estimator(log, policy).estimate(), estimator(moved, policy[rows][:, tiers]).estimate()
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.01, 100.0))
def test_the_unit_of_the_values_does_not_matter(seed: int, unit: float) -> None:
    log, policy = made_log(seed, limits=(-np.inf, np.inf)), made_policy(seed + 1)
    scaled = replace(log, values=unit * log.values, model=unit * log.model)
    for estimator in ESTIMATORS.values():
        one, other = estimator(log, policy).estimate(), estimator(scaled, policy).estimate()
        assert (unit * one.value, unit * one.low, unit * one.high) == pytest.approx(
            (other.value, other.low, other.high)
        )


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(-5.0, 5.0))
def test_normalised_estimates_move_with_a_constant(seed: int, constant: float) -> None:
    log, policy = made_log(seed, limits=(-np.inf, np.inf)), made_policy(seed + 1)
    moved = replace(log, values=log.values + constant, model=log.model + constant)
    for estimator in (snips, normalised_dr, doubly_robust, naive):
        assert estimator(moved, policy).value == pytest.approx(estimator(log, policy).value + constant)


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_a_log_that_shows_everything_gives_the_plain_mean(seed: int) -> None:
    random, policy = np.random.default_rng(seed), made_policy(seed + 1)
    values = random.random((40, 3))
    log = Log(values, np.ones((40, 3)), random.random((40, 3)))
    for estimator in (ips, snips, doubly_robust, normalised_dr, naive):
        assert estimator(log, policy).value == pytest.approx(float((policy * values).sum(axis=1).mean()))


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_a_perfect_model_needs_no_weights(seed: int) -> None:
    log, policy = made_log(seed), made_policy(seed + 1)
    perfect = replace(log, model=np.where(log.seen, log.values, log.model))
    expected = float((policy * perfect.model).sum(axis=1).mean())
    assert doubly_robust(perfect, policy).value == pytest.approx(expected)
    assert ESTIMATORS["direct"](perfect, policy).value == pytest.approx(expected)


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_values_and_gains_add_up_over_policies(seed: int) -> None:
    log, one, other = made_log(seed), made_policy(seed + 1), made_policy(seed + 2)
    for estimator in (ips, doubly_robust):
        mixed = estimator(log, 0.3 * one + 0.7 * other).value
        assert mixed == pytest.approx(0.3 * estimator(log, one).value + 0.7 * estimator(log, other).value)


def test_intervals_say_when_nothing_is_known() -> None:
    values = np.full((20, 2), np.nan)
    values[:, 0] = 1.0
    log = Log(values, np.tile([1.0, 0.0], (20, 1)), np.full((20, 2), 0.5))
    for name, estimator in ESTIMATORS.items():
        found = estimator(log, picks(np.ones(20, np.int64), 2)).estimate()
        assert found.uncovered == 1.0, name
        assert found.low == 0.0, name
        assert found.high == 1.0, name


def test_half_uncovered_is_half_known() -> None:
    values = np.full((200, 2), np.nan)
    values[:, 0] = 1.0
    log = Log(values, np.tile([1.0, 0.0], (200, 1)), np.ones((200, 2)))
    found = doubly_robust(log, np.full((200, 2), 0.5)).estimate()
    assert found.uncovered == 0.5
    assert (found.low, found.high) == (pytest.approx(0.5), 1.0)


def test_weights_are_counted_as_kish_does() -> None:
    assert effective_rows(np.ones(7)) == pytest.approx(7)
    assert effective_rows(np.array([1.0, 0.0, 0.0])) == pytest.approx(1)
    assert effective_rows(np.array([3.0, 1.0])) == pytest.approx(16 / 10)
    assert effective_rows(np.zeros(3)) == 0.0


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_no_row_has_a_part_in_its_own_expectation(seed: int) -> None:
    log = made_log(seed)
    groups = np.arange(40) % 4
    before = cross_fitted_means(log, groups, seed=seed)
    values = log.values.copy()
    values[7] = np.where(np.isnan(values[7]), np.nan, 1.0 - values[7])
    after = cross_fitted_means(replace(log, values=values), groups, seed=seed)
    assert before[7] == pytest.approx(after[7])
    assert ((before >= 0) & (before <= 1)).all()


def test_costs_are_valued_like_quality() -> None:
    world = World(2000, 1)
    observed = world.log(1, explore=0.4).observed
    target = picks(np.where(world.hard < 0.8, 0, 2), 3)
    log = log_of_starts(observed, world.cost, np.tile(world.cost.mean(axis=0), (2000, 1)), (0.0, np.inf))
    found = doubly_robust(log, target).estimate()
    truth = float((target * world.cost).sum(axis=1).mean())
    assert found.low < truth < found.high
    assert found.high - found.low < truth


def test_a_cascade_is_worth_its_last_answer_and_costs_all_of_them() -> None:
    world = World(500, 3)
    observed = world.log(3, explore=0.3).observed
    quality, cost = cascade_values(observed, world.quality)
    rows = np.arange(500)
    assert quality[rows, observed.start].tolist() == world.quality[rows, observed.answered].tolist()
    answering = observed.tried & ~observed.by_audit
    assert cost[rows, observed.start] == pytest.approx((answering * world.cost).sum(axis=1))
    assert np.isfinite(quality).sum() == np.isfinite(cost).sum() == 500


def test_starts_without_a_value_lower_the_chance_of_seeing_one() -> None:
    world = World(4000, 4)
    observed = world.log(4, explore=0.5).observed
    hidden = np.where(np.random.default_rng(0).random((4000, 1)) < 0.5, np.nan, world.quality)
    log = log_of_starts(observed, hidden, np.zeros((4000, 3)))
    target = picks(np.zeros(4000, np.int64), 3)
    found = ips(log, target).estimate()
    assert found.low < world.value(target) < found.high
    assert found.high - found.low < 0.2


@pytest.mark.parametrize(
    ("chance", "model"),
    [
        (np.array([[0.0, 1.0]]), np.zeros((1, 2))),
        (np.ones((1, 2)), np.zeros((1, 3))),
        (np.full((1, 2), 2.0), np.zeros((1, 2))),
        (np.ones((1, 2)), np.full((1, 2), np.nan)),
    ],
)
def test_impossible_logs_are_refused(chance: NDArray[np.float64], model: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Log(np.array([[0.5, np.nan]]), chance, model)


def test_unknown_expectations_are_filled_in_and_known_ones_kept() -> None:
    world = World(400, 5)
    observed = world.log(5, explore=0.3).observed
    partly = np.where(np.arange(3) == 1, np.nan, world.expected)
    log = log_of_starts(observed, world.quality, partly)
    assert (log.model[:, [0, 2]] == world.expected[:, [0, 2]]).all()
    hard = world.task == 1
    assert log.model[hard, 1].mean() < log.model[~hard, 1].mean()


def test_labels_are_worth_more_than_bare_verdicts() -> None:
    """A gate that passes four of ten bad answers makes every policy look too good."""
    errors = []
    for seed in range(5):
        world = World(4000, seed)
        observed = world.log(seed, explore=0.3, audit=0.2).observed
        labels = make_labels(observed, gate_truth(observed, RATES.pass_adequate))
        target = picks(np.where(world.hard < 0.7, 0, 2), 3)
        errors.append(
            [
                doubly_robust(log_of_starts(observed, values, world.expected), target).value - world.value(target)
                for values in (labels.values, observed.verdict)
            ]
        )
    corrected, bare = np.mean(errors, axis=0)
    assert abs(corrected) < 0.02
    assert bare > 0.05
