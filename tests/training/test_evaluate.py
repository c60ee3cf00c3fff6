from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from training.evaluate import (
    Outcomes,
    cheapest_adequate,
    compare_to_mix,
    evaluate,
    fixed_weights,
    length_choice,
    mix_at,
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


@given(st.integers(2, 6), st.integers(0, 2**16), st.floats(0.0, 1.2))
def test_the_mix_is_the_best_that_linear_programming_finds(tiers: int, seed: int, share: float) -> None:
    random = np.random.default_rng(seed)
    costs, quality = random.uniform(0.1, 5, tiers), random.uniform(0, 1, tiers)
    budget = costs.min() + share * (costs.max() - costs.min())
    best = linprog(-quality, A_ub=[costs], b_ub=[budget], A_eq=[np.ones(tiers)], b_eq=[1.0], bounds=(0, 1))
    weights = mix_at(costs, quality, budget)
    assert weights.sum() == pytest.approx(1.0)
    assert weights @ costs <= budget + 1e-9
    assert weights @ quality == pytest.approx(-best.fun, abs=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_tuned_thresholds_are_the_cheapest_of_all_that_keep_the_quality(seed: int) -> None:
    rows = outcomes(30, seed=seed)
    tuned = tune_thresholds(rows, (0, 1, 2), 0.1)
    marks = sorted({1, *rows.sizes.tolist(), int(rows.sizes.max()) + 1, int(rows.sizes.max()) + 2})
    place = np.arange(len(rows))
    floor = 0.9 * rows.quality[:, 2].mean()
    tried = {
        (one, two): length_choice(rows.sizes, (one, two), (0, 1, 2)) for two in marks for one in marks if one < two
    }
    good = [rows.costs[place, c].mean() for c in tried.values() if rows.quality[place, c].mean() >= floor]
    chosen = length_choice(rows.sizes, tuned, (0, 1, 2))
    assert rows.quality[place, chosen].mean() >= floor
    assert rows.costs[place, chosen].mean() == pytest.approx(min(good))


def test_the_length_rule_is_the_given_one_at_its_edges() -> None:
    sizes = np.array([0, 499, 500, 4999, 5000, 10**6])
    assert length_choice(sizes, (500, 5000), (0, 1, 2)).tolist() == [0, 0, 1, 1, 2, 2]


def test_always_the_reference_saves_nothing_and_keeps_everything() -> None:
    rows = outcomes()
    result = evaluate("reference", fixed_weights(np.full(len(rows), 2), 3), rows, seed=0)
    assert (result.saving, result.kept) == (0.0, 1.0)
    assert (result.saving_interval.low, result.kept_interval.high) == (0.0, 1.0)
    assert result.shares == (0.0, 0.0, 1.0)


def test_the_oracle_keeps_every_row_of_the_reference_for_the_least() -> None:
    rows = outcomes()
    chosen = cheapest_adequate(rows)
    place = np.arange(len(rows))
    assert (rows.quality[place, chosen] >= rows.quality[:, 2]).all()
    for tier in range(3):
        adequate = rows.quality[:, tier] >= rows.quality[:, 2]
        assert (rows.costs[place, chosen][adequate] <= rows.costs[adequate, tier]).all()


def test_a_router_that_knows_beats_the_mix_and_one_that_guesses_does_not() -> None:
    rows = outcomes(600)
    assert compare_to_mix(cheapest_adequate(rows), rows, seed=0).better
    guess = compare_to_mix(np.random.default_rng(1).integers(3, size=600), rows, seed=0)
    assert not guess.better


def test_a_router_that_never_leaves_a_tier_needs_no_more_rows_to_be_called_equal() -> None:
    rows = outcomes()
    same = compare_to_mix(np.full(len(rows), int(np.argmax(rows.quality.mean(axis=0)))), rows, seed=0)
    assert same.rows_needed is None or same.gain != 0


def test_groups_are_drawn_whole() -> None:
    values = np.repeat([[0.0], [1.0]], 50, axis=0)
    together = redraw(values, np.repeat([0, 1], 50), seed=0).ravel()
    assert set(np.unique(together)) == {0.0, 0.5, 1.0}
    apart = redraw(values, np.arange(100), seed=0).ravel()
    assert apart.std() < 0.1


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for draw in range(100):
        values = random.random((80, 1))
        low, high = np.quantile(redraw(values, np.arange(80), seed=draw, draws=300), [0.025, 0.975])
        covered += low <= 0.5 <= high
    assert covered >= 87
