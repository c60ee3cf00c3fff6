from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.policy import choose_many
from training.measure.curves import (
    HEADLINE_TARGETS,
    Curve,
    average_quality,
    calls_for_gap,
    performance_gap_recovered,
    sweep,
)

World = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def world(seed: int, count: int = 60, tiers: int = 2) -> World:
    """What a model expects of rows (quality, cost) and what happened; dearer tiers cost more and tend to be better."""
    random = np.random.default_rng(seed)
    predicted = np.sort(random.random((count, tiers)), axis=1)
    expected_cost = random.uniform(0.8, 1.2, (count, tiers)) * 3.0 ** np.arange(tiers)
    quality = (random.random((count, tiers)) < predicted).astype(float)
    quality[0] = 1.0
    costs = expected_cost * random.uniform(0.9, 1.1, (count, tiers))
    return predicted, expected_cost, quality, costs


def point(chosen: np.ndarray, quality: np.ndarray, costs: np.ndarray, base: int) -> tuple[float, float]:
    place = np.arange(len(chosen))
    return costs[place, chosen].sum() / costs[:, base].sum(), quality[place, chosen].sum() / quality[:, base].sum()


def test_a_target_costs_the_least_of_all_points_that_reach_it() -> None:
    curve = Curve(np.array([0.1, 0.4, 0.3, 1.0]), np.array([0.5, 0.9, 0.95, 1.0]))
    assert [curve.cost_at(target) for target in (0.0, 0.5, 0.9, 0.95, 1.0)] == [0.1, 0.1, 0.3, 0.3, 1.0]
    assert np.isnan(curve.cost_at(1.01))


def test_a_target_reached_but_for_rounding_is_reached() -> None:
    assert Curve(np.array([0.2]), np.array([0.1 + 0.2])).cost_at(0.3) == 0.2
    assert Curve(np.array([0.2]), np.array([0.95 - 1e-16])).cost_at(0.95) == 0.2


def test_the_headline_is_the_mean_over_ten_targets() -> None:
    assert HEADLINE_TARGETS == (0.90, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)
    curve = Curve(np.array([0.2, 1.0]), np.array([0.945, 1.0]))
    assert curve.mean_cost() == pytest.approx((5 * 0.2 + 5 * 1.0) / 10)
    assert np.isnan(Curve(np.array([0.2]), np.array([0.95])).mean_cost())


@given(st.integers(0, 2**16))
def test_of_two_tiers_every_rule_is_a_point_of_the_curve(seed: int) -> None:
    predicted, expected_cost, quality, costs = world(seed)
    curve = sweep(predicted, expected_cost, quality, costs, 1)
    points = np.column_stack([curve.cost, curve.quality])
    for weight in np.concatenate([[0.0], np.geomspace(1e-4, 100, 60)]):
        chosen = choose_many(predicted, expected_cost / expected_cost[:, 1].mean(), weight)
        assert np.abs(points - point(chosen, quality, costs, 1)).max(axis=1).min() < 1e-9


@given(st.integers(0, 2**16))
def test_of_two_tiers_the_curve_runs_from_one_to_the_other(seed: int) -> None:
    predicted, expected_cost, quality, costs = world(seed)
    curve = sweep(predicted, expected_cost, quality, costs, 1)
    assert len(curve.cost) == len(predicted) + 1
    cheap = point(np.zeros(len(predicted), np.int64), quality, costs, 1)
    assert (curve.cost[0], curve.quality[0]) == pytest.approx(cheap)
    assert (curve.cost[-1], curve.quality[-1]) == pytest.approx((1.0, 1.0))
    assert (np.diff(curve.cost) > 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_two_tiers_and_a_third_that_nobody_would_take_cost_the_same(seed: int) -> None:
    predicted, expected_cost, quality, costs = world(seed, 400)
    exact = sweep(predicted, expected_cost, quality, costs, 1)

    def beside(values: np.ndarray, value: float) -> np.ndarray:
        return np.column_stack([values, np.full(len(values), value)])

    grid = sweep(beside(predicted, -1.0), beside(expected_cost, 50.0), beside(quality, 0.0), beside(costs, 50.0), 1)
    for target in (0.7, 0.8, 0.9, 0.95):
        assert grid.cost_at(target) == pytest.approx(exact.cost_at(target), abs=0.01)
        assert grid.cost_at(target) >= exact.cost_at(target) - 1e-9


@pytest.mark.parametrize("tiers", [3, 4, 6])
def test_the_ends_of_the_curve_are_the_best_expected_and_the_cheapest(tiers: int) -> None:
    predicted, expected_cost, quality, costs = world(0, 100, tiers)
    curve = sweep(predicted, expected_cost, quality, costs, tiers - 1)
    first = point(predicted.argmax(axis=1), quality, costs, tiers - 1)
    last = point(expected_cost.argmin(axis=1), quality, costs, tiers - 1)
    assert (curve.cost[0], curve.quality[0]) == pytest.approx(first)
    assert (curve.cost[-1], curve.quality[-1]) == pytest.approx(last)


@pytest.mark.parametrize("tiers", [2, 3])
def test_whoever_knows_the_outcomes_pays_least(tiers: int) -> None:
    predicted, expected_cost, quality, costs = world(1, 500, tiers)
    oracle = sweep(quality, costs, quality, costs, tiers - 1)
    model = sweep(predicted, expected_cost, quality, costs, tiers - 1)
    for target in (0.9, 0.95):
        assert oracle.cost_at(target) < model.cost_at(target)
    assert oracle.quality.max() >= 1.0


def test_quality_and_cost_are_shares_of_the_bases_wherever_it_stands() -> None:
    predicted, expected_cost, quality, costs = world(2, 50, 3)
    for base in range(3):
        curve = sweep(predicted, expected_cost, quality, costs, base)
        cost, reached = point(predicted.argmax(axis=1), quality, costs, base)
        assert (curve.cost[0], curve.quality[0]) == pytest.approx((cost, reached))
    last, named = (sweep(predicted, expected_cost, quality, costs, base) for base in (-1, 2))
    np.testing.assert_array_equal(last.cost, named.cost)


def test_tiers_of_equal_cost_are_no_trouble() -> None:
    predicted, _, quality, _ = world(3, 50, 3)
    same = np.ones((50, 3))
    curve = sweep(predicted, same, quality, same, 2)
    np.testing.assert_allclose(curve.cost, 1.0)
    two = sweep(predicted[:, :2], same[:, :2], quality[:, :2], same[:, :2], 1)
    np.testing.assert_allclose(two.cost, 1.0)
    assert two.quality.max() >= 1.0


def recovered_by_thresholds(gains: np.ndarray, quality: np.ndarray) -> float:
    """APGR from its definition: the share of the gap recovered at each share of strong calls, averaged."""
    weak, strong = quality[:, 0].mean(), quality[:, -1].mean()
    shares = []
    for calls in range(len(gains) + 1):
        chosen = np.zeros(len(gains), bool)
        chosen[np.argsort(-gains, kind="stable")[:calls]] = True
        shares.append((np.where(chosen, quality[:, -1], quality[:, 0]).mean() - weak) / (strong - weak))
    return float(np.mean([(one + two) / 2 for one, two in pairwise(shares)]))


@given(st.integers(0, 2**16), st.integers(2, 40), st.integers(2, 4))
def test_the_gap_recovered_is_that_of_its_definition(seed: int, count: int, tiers: int) -> None:
    random = np.random.default_rng(seed)
    predicted, quality = random.random((2, count, tiers))
    found = performance_gap_recovered(predicted, quality)
    if quality[:, -1].sum() <= quality[:, 0].sum():
        assert np.isnan(found)
    else:
        assert found == pytest.approx(recovered_by_thresholds(predicted[:, -1] - predicted[:, 0], quality))


def test_a_random_order_recovers_half_of_the_gap() -> None:
    random = np.random.default_rng(0)
    quality = (random.random((400, 2)) < [0.5, 0.8]).astype(float)
    found = [performance_gap_recovered(random.random((400, 2)), quality) for _ in range(200)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.02)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=5))
def test_no_order_recovers_more_than_that_by_true_gain(scores: list[tuple[int, int]]) -> None:
    quality = np.array(scores, float) / 2
    oracle = performance_gap_recovered(quality, quality)
    if np.isnan(oracle):
        return
    for order in permutations(range(len(quality))):
        predicted = np.column_stack([np.zeros(len(quality)), order])
        assert performance_gap_recovered(predicted, quality) <= oracle + 1e-12


@pytest.mark.parametrize("strong", [[1.0, 0.0], [0.0, 0.0]])
def test_without_a_gap_none_is_recovered(strong: list[float]) -> None:
    quality = np.column_stack([[0.0, 1.0], strong])
    assert np.isnan(performance_gap_recovered(quality, quality))


def test_calls_for_a_share_of_the_gap() -> None:
    predicted = np.column_stack([np.zeros(4), [0.9, 0.8, 0.7, 0.6]])
    quality = np.column_stack([[0.0, 1.0, 0.0, 1.0], np.ones(4)])
    assert calls_for_gap(predicted, quality, 0.5) == 0.25
    assert calls_for_gap(predicted, quality, 0.8) == 0.75
    assert calls_for_gap(predicted, quality, 0.0) == 0.0
    assert np.isnan(calls_for_gap(predicted, np.ones((4, 2)), 0.5))


def test_the_average_is_the_area_under_what_mixing_points_reaches() -> None:
    straight = Curve(np.array([0.0, 1.0]), np.array([0.5, 1.0]))
    assert average_quality(straight, 0.0, 1.0) == pytest.approx(0.75)
    # A point below the line changes nothing, nor does a dear one that is worse; one above it does.
    below = Curve(np.array([0.0, 0.5, 1.0, 1.2]), np.array([0.5, 0.6, 1.0, 0.9]))
    assert average_quality(below, 0.0, 1.0) == pytest.approx(0.75)
    above = Curve(np.array([0.0, 0.5, 1.0]), np.array([0.5, 1.0, 1.0]))
    assert average_quality(above, 0.0, 1.0) == pytest.approx(0.875)
    # Beyond its last point a curve stays as good as there.
    assert average_quality(above, 0.0, 2.0) == pytest.approx((0.875 + 1.0) / 2)
    assert np.isnan(average_quality(above, 1.0, 1.0))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12))
def test_the_average_lies_between_the_points_and_no_point_lowers_it(points: list[tuple[float, float]]) -> None:
    cost, quality = (np.array(values) for values in zip(*points, strict=True))
    area = average_quality(Curve(cost, quality), 0.0, 1.0)
    assert quality.min() - 1e-9 <= area <= quality.max() + 1e-9
    more = Curve(np.append(cost, 0.5), np.append(quality, quality.max()))
    assert average_quality(more, 0.0, 1.0) >= area - 1e-9 or cost.min() > 0.5
