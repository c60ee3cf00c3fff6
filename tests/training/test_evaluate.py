from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from classifier.catalog import default_menu
from classifier.heuristic import length_tier
from training.measure.evaluate import (
    Outcomes,
    cheapest_adequate,
    compare_to_mix,
    evaluate,
    fixed_weights,
    length_choice,
    mix_at,
    mix_quality,
    redraw,
    tune_thresholds,
)


def outcomes(count: int = 200, tiers: int = 3, seed: int = 0) -> Outcomes:
    random = np.random.default_rng(seed)
    return Outcomes(
        quality=random.integers(2, size=(count, tiers)).astype(float),
        costs=random.uniform(0.5, 1.5, size=(count, tiers)) * 4.0 ** np.arange(tiers),
        groups=random.integers(count, size=count),
        sizes=random.integers(1, 8000, size=count),
        tasks=(None,) * count,
        reference=tiers - 1,
    )


def reached(rows: Outcomes, chosen: np.ndarray) -> tuple[float, float]:
    """Mean cost and quality of chosen tiers."""
    place = np.arange(len(rows))
    return float(rows.costs[place, chosen].mean()), float(rows.quality[place, chosen].mean())


def best_mix(costs: np.ndarray, quality: np.ndarray, budget: float) -> float:
    tiers = len(costs)
    found = linprog(-quality, A_ub=[costs], b_ub=[budget], A_eq=[np.ones(tiers)], b_eq=[1.0], bounds=(0, 1))
    return float(-found.fun)


@given(st.integers(2, 6), st.integers(0, 2**16), st.floats(0.0, 1.2))
def test_the_mix_is_the_best_that_linear_programming_finds(tiers: int, seed: int, share: float) -> None:
    random = np.random.default_rng(seed)
    costs, quality = random.uniform(0.1, 5, tiers), random.uniform(0, 1, tiers)
    budget = costs.min() + share * (costs.max() - costs.min())
    weights = mix_at(costs, quality, budget)
    assert weights.sum() == pytest.approx(1.0)
    assert (weights >= 0).all()
    assert (weights > 0).sum() <= 2
    assert weights @ costs <= budget + 1e-9
    assert weights @ quality == pytest.approx(best_mix(costs, quality, budget), abs=1e-7)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), min_size=2, max_size=6), st.integers(2, 7))
def test_the_mix_is_the_best_among_tiers_of_equal_cost_or_quality(points: list[tuple[int, int]], half: int) -> None:
    costs, quality = np.array(points, float).T
    budget = half / 2
    if budget < costs.min():
        return
    assert mix_quality(costs, quality, budget) == pytest.approx(best_mix(costs, quality, budget), abs=1e-7)


def test_below_the_cheapest_tiers_cost_the_mix_is_that_tier() -> None:
    assert mix_at(np.array([2.0, 1.0, 1.0]), np.array([0.9, 0.1, 0.3]), 0.5).tolist() == [0.0, 0.0, 1.0]


def test_free_tiers_can_be_mixed() -> None:
    assert mix_at(np.array([0.0, 0.0]), np.array([0.4, 0.6]), 0.0).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("tiers", [(0, 1, 2), (0, 1, 1), (0, 2, 2), (2, 1, 0)])
@pytest.mark.parametrize("seed", range(4))
def test_tuned_thresholds_are_the_cheapest_of_all_that_keep_the_quality(tiers: tuple[int, int, int], seed: int) -> None:
    rows = outcomes(30, seed=seed)
    floor = 0.9 * rows.quality[:, rows.reference].mean()
    marks = sorted({1, *rows.sizes.tolist(), int(rows.sizes.max()) + 1, int(rows.sizes.max()) + 2})
    tried = [reached(rows, length_choice(rows.sizes, (one, two), tiers)) for two in marks for one in marks if one < two]
    cost, quality = reached(rows, length_choice(rows.sizes, tune_thresholds(rows, tiers, 0.1), tiers))
    if any(found >= floor for _, found in tried):
        assert quality >= floor
        assert cost == pytest.approx(min(cost for cost, found in tried if found >= floor))
    else:
        assert quality == pytest.approx(max(found for _, found in tried))


def test_without_thresholds_that_keep_the_quality_the_best_are_taken() -> None:
    # The rule can only use tiers that are worse than the reference.
    rows = outcomes(30, tiers=4)
    rows = replace(rows, quality=np.column_stack([rows.quality[:, :3] * 0.5, np.ones(30)]))
    marks = [1, *rows.sizes.tolist(), int(rows.sizes.max()) + 1, int(rows.sizes.max()) + 2]
    tried = (length_choice(rows.sizes, (one, two), (0, 1, 2)) for two in marks for one in marks if one < two)
    best = max(reached(rows, chosen)[1] for chosen in tried)
    found = reached(rows, length_choice(rows.sizes, tune_thresholds(rows, (0, 1, 2), 0.01), (0, 1, 2)))
    assert found[1] == pytest.approx(best)


@pytest.mark.parametrize("seed", range(10))
def test_with_no_loss_allowed_a_tier_as_good_as_the_reference_is_allowed(seed: int) -> None:
    random = np.random.default_rng(seed)
    quality = random.random((500, 3))
    quality[:, 1] = quality[:, 2] = quality.max(axis=1) + 0.001
    rows = Outcomes(quality, np.tile([1.0, 4, 16], (500, 1)), np.arange(500), random.integers(2, 9000, 500), (), 2)
    # Sums in another order differ in their last bits; that must not cost four times as much.
    assert (length_choice(rows.sizes, tune_thresholds(rows, (0, 1, 2), 0.0), (0, 1, 2)) == 1).all()


def test_rows_of_one_size_are_sent_to_one_tier() -> None:
    rows = replace(outcomes(), sizes=np.full(200, 700))
    low, high = tune_thresholds(rows, (0, 1, 2), 0.5)
    assert 0 < low < high
    assert len(np.unique(length_choice(rows.sizes, (low, high), (0, 1, 2)))) == 1


def test_the_length_rule_is_the_given_one_at_its_edges() -> None:
    sizes = np.array([0, 499, 500, 4999, 5000, 10**6])
    assert length_choice(sizes, (500, 5000), (0, 1, 2)).tolist() == [0, 0, 1, 1, 2, 2]
    assert length_choice(sizes, (500, 5000), (0, 1, 1)).tolist() == [0, 0, 1, 1, 1, 1]


@given(st.text(max_size=20), st.none() | st.integers(1, 6000))
def test_the_length_rule_is_the_runtimes(prompt: str, max_tokens: int | None) -> None:
    rule = default_menu().length
    (tier,) = length_choice(np.array([len(prompt) + (max_tokens or 0)]), rule.thresholds, (0, 1, 2))
    assert (rule.small, rule.medium, rule.large)[tier] == length_tier(len(prompt), max_tokens, rule)


def test_always_the_reference_saves_nothing_and_keeps_everything() -> None:
    rows = outcomes()
    result = evaluate("reference", fixed_weights(np.full(len(rows), 2), 3), rows, seed=0)
    assert (result.saving, result.kept) == (0.0, 1.0)
    assert (result.saving_interval.low, result.kept_interval.high) == (0.0, 1.0)
    assert result.shares == (0.0, 0.0, 1.0)


@given(st.integers(0, 2**16), st.integers(2, 6))
@settings(max_examples=20)
def test_a_result_is_what_the_choices_cost_and_are_worth(seed: int, tiers: int) -> None:
    rows = outcomes(60, tiers, seed)
    chosen = np.random.default_rng(seed).integers(tiers, size=60)
    result = evaluate("some", fixed_weights(chosen, tiers), rows, seed=0)
    cost, quality = reached(rows, chosen)
    base_cost, base_quality = reached(rows, np.full(60, rows.reference))
    assert (result.cost, result.quality) == (pytest.approx(cost), pytest.approx(quality))
    assert result.saving == pytest.approx(1 - cost / base_cost)
    assert result.kept == pytest.approx(quality / base_quality)
    assert sum(result.shares) == pytest.approx(1.0)
    assert result.saving_interval.low <= result.saving <= result.saving_interval.high
    assert result.kept_interval.low <= result.kept <= result.kept_interval.high


def test_a_random_mix_is_worth_its_weights() -> None:
    rows = outcomes()
    weights = np.tile([0.25, 0.0, 0.75], (len(rows), 1))
    result = evaluate("mix", weights, rows, seed=0)
    assert result.cost == pytest.approx(rows.costs.mean(axis=0) @ [0.25, 0.0, 0.75])
    assert result.quality == pytest.approx(rows.quality.mean(axis=0) @ [0.25, 0.0, 0.75])
    assert result.shares == pytest.approx((0.25, 0.0, 0.75))


def test_a_reference_that_is_hardly_ever_right_makes_no_absurd_interval() -> None:
    quality = np.zeros((60, 2))
    quality[:2, 1] = quality[10:12, 0] = 1.0
    rows = Outcomes(quality, np.tile([1.0, 2.0], (60, 1)), np.arange(60), np.ones(60, np.int64), (None,) * 60, 1)
    cheapest = fixed_weights(np.zeros(60, np.int64), 2)
    assert evaluate("cheapest", cheapest, rows, seed=0).kept_interval.high <= 10
    nothing = replace(rows, quality=np.zeros((60, 2)))
    result = evaluate("cheapest", cheapest, nothing, seed=0)
    assert (result.kept, result.kept_interval.low, result.kept_interval.high) == (1.0, 1.0, 1.0)


@given(st.integers(0, 2**16), st.integers(2, 6))
def test_the_oracle_keeps_every_row_of_the_reference_for_the_least(seed: int, tiers: int) -> None:
    rows = outcomes(40, tiers, seed)
    for row, tier in enumerate(cheapest_adequate(rows)):
        adequate = [t for t in range(tiers) if rows.quality[row, t] >= rows.quality[row, rows.reference]]
        assert tier == min(adequate, key=lambda t: rows.costs[row, t])


def test_a_router_that_knows_beats_the_mix_and_one_that_guesses_does_not() -> None:
    rows = outcomes(600)
    assert compare_to_mix(cheapest_adequate(rows), rows, seed=0).better
    guess = compare_to_mix(np.random.default_rng(1).integers(3, size=600), rows, seed=0)
    assert not guess.better


@pytest.mark.slow
def test_guessing_seldom_passes_for_better_than_the_mix() -> None:
    found = [
        compare_to_mix(np.random.default_rng(seed).integers(2, size=150), outcomes(150, 2, seed), seed=seed).better
        for seed in range(40)
    ]
    assert sum(found) <= 3


@pytest.mark.parametrize("seed", range(6))
def test_a_router_that_never_leaves_the_best_tier_is_a_mix_and_no_more_rows_would_tell_otherwise(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = outcomes(seed=seed)
    rows = replace(rows, quality=random.random((len(rows), 3)) + np.array([0.0, 0.0, 2.0]))
    same = compare_to_mix(np.full(len(rows), 2), rows, seed=0)
    assert same.gain == pytest.approx(0.0, abs=1e-12)
    assert not same.better
    assert same.rows_needed is None


def test_as_many_rows_as_are_said_to_be_needed_settle_it() -> None:
    random = np.random.default_rng(3)
    rows = replace(outcomes(80, seed=3), groups=np.arange(80))
    chosen = np.where(random.random(80) < 0.3, cheapest_adequate(rows), random.integers(3, size=80))
    found = compare_to_mix(chosen, rows, seed=0)
    assert found.interval.low < 0 < found.interval.high
    assert found.rows_needed is not None
    assert found.rows_needed > len(rows)
    times = int(np.ceil(1.3 * found.rows_needed / len(rows)))
    more = Outcomes(
        np.tile(rows.quality, (times, 1)),
        np.tile(rows.costs, (times, 1)),
        np.arange(80 * times),
        np.tile(rows.sizes, times),
        rows.tasks * times,
        rows.reference,
    )
    settled = compare_to_mix(np.tile(chosen, times), more, seed=0)
    assert settled.interval.low > 0 or settled.interval.high < 0


def test_groups_are_drawn_whole() -> None:
    values = np.repeat([[0.0], [1.0]], 50, axis=0)
    together = redraw(values, np.repeat([0, 1], 50), seed=0).ravel()
    assert set(np.unique(together)) == {0.0, 0.5, 1.0}
    apart = redraw(values, np.arange(100), seed=0).ravel()
    assert apart.std() < 0.1


def test_a_redrawn_mean_is_over_rows_and_not_over_groups() -> None:
    values = np.array([[1.0], [0.0], [0.0], [0.0]])
    drawn = redraw(values, np.array([7, 9, 9, 9]), seed=0).ravel()
    assert sorted(set(drawn.tolist())) == [0.0, 0.25, 1.0]


def test_one_group_has_one_mean() -> None:
    np.testing.assert_allclose(redraw(np.arange(4.0)[:, None], np.zeros(4, np.int64), seed=0), 1.5)


def test_a_seed_repeats_the_draws() -> None:
    values, groups = np.random.default_rng(0).random((50, 2)), np.arange(50)
    np.testing.assert_array_equal(redraw(values, groups, seed=4), redraw(values, groups, seed=4))
    assert not np.array_equal(redraw(values, groups, seed=4), redraw(values, groups, seed=5))


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 5])
def test_intervals_cover_the_truth_about_as_often_as_they_say(size: int) -> None:
    random = np.random.default_rng(0)
    covered = 0
    for draw in range(200):
        # Rows of a group are much alike: intervals that drew single rows would be far too narrow.
        values = np.repeat(random.random((80, 1)), size, axis=0)
        low, high = np.quantile(redraw(values, np.repeat(np.arange(80), size), seed=draw, draws=300), [0.025, 0.975])
        covered += low <= 0.5 <= high
    assert 180 <= covered <= 199


@pytest.mark.slow
def test_intervals_of_savings_cover_the_truth() -> None:
    covered = 0
    for seed in range(100):
        rows = replace(outcomes(120, 2, seed), groups=np.arange(120))
        result = evaluate("cheapest", fixed_weights(np.zeros(120, np.int64), 2), rows, seed=seed)
        # Expected costs are 1 and 4, whatever the rows.
        covered += result.saving_interval.low <= 0.75 <= result.saving_interval.high
    assert 88 <= covered <= 100
