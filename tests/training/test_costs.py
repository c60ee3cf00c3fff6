from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.catalog import Tier
from training.learners.amounts import log_amounts
from training.prepare.costs import DEFAULT_TOKENS_OUT, CostTable, fill_costs

PRICED = Tier("priced", "priced", 1.0, 5.0)
FREE = Tier("free", "free", 0.0, 0.0)
UNPRICED = Tier("unpriced", "unpriced", None, None)
ROWS = 60
TOKENS_IN = np.linspace(10, 1000, ROWS)


def filled(tier: Tier, known=np.nan, tokens_out=np.nan, limits=np.nan):
    def column(values):
        return np.broadcast_to(np.asarray(values, float), (ROWS,)).reshape(ROWS, 1).copy()

    limit = np.broadcast_to(np.asarray(limits, float), (ROWS,))
    table = fill_costs(column(known), column(tokens_out), TOKENS_IN, limit, [None] * ROWS, [tier])
    return TOKENS_IN, table.usd[:, 0], table.how[0]


def costs_only(known: np.ndarray, tasks: list[str | None] | None = None) -> CostTable:
    """Costs (n,) of an unpriced tier completed, with nothing else known of the rows but their tasks."""
    count = len(known)
    unknown = np.full(count, np.nan)
    return fill_costs(
        known[:, None], unknown[:, None], np.full(count, 50.0), unknown, tasks or [None] * count, [UNPRICED]
    )


def test_what_the_table_says_is_kept() -> None:
    known = np.linspace(0.001, 0.01, ROWS)
    _, usd, how = filled(PRICED, known)
    np.testing.assert_array_equal(usd, known)
    assert how == "the table's cost column"


@given(st.integers(0, 2**16), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_costs_are_complete_and_what_is_known_stays(draw: int, costs: float, lengths: float, limits: float) -> None:
    random = np.random.default_rng(draw)

    def gappy(values: np.ndarray, share: float) -> np.ndarray:
        return np.where(random.random(values.shape) < share, values, np.nan)

    known = gappy(random.lognormal(-6, 2, (ROWS, 2)) * random.integers(2, size=(ROWS, 2)), costs)
    tokens_out = gappy(random.integers(4000, size=(ROWS, 2)).astype(float), lengths)
    limit = gappy(random.integers(1, 4000, size=ROWS).astype(float), limits)
    tasks = [str(task) if task else None for task in random.integers(3, size=ROWS)]
    before = known.copy()
    table = fill_costs(known, tokens_out, TOKENS_IN, limit, tasks, [PRICED, FREE])
    np.testing.assert_array_equal(known, before)
    assert np.isfinite(table.usd).all()
    assert (table.usd >= 0).all()
    np.testing.assert_array_equal(table.usd[~np.isnan(known)], known[~np.isnan(known)])


def test_a_gap_is_filled_from_the_other_rows() -> None:
    known = np.full(ROWS, 0.004)
    known[::7] = np.nan
    for tier in (PRICED, UNPRICED):
        _, usd, how = filled(tier, known)
        np.testing.assert_allclose(usd, 0.004, rtol=1e-6)
        assert "estimated from the others" in how


def test_a_few_known_costs_of_a_tier_without_prices_give_their_mean() -> None:
    known = np.full(ROWS, np.nan)
    known[:3] = [0.001, 0.002, 0.006]
    _, usd, _ = filled(UNPRICED, known)
    np.testing.assert_allclose(usd[3:], 0.003)


def test_a_few_known_costs_of_a_tier_with_prices_stay_beside_these() -> None:
    known = np.full(ROWS, np.nan)
    known[:3] = 0.5
    tokens_in, usd, how = filled(PRICED, known, tokens_out=100.0)
    np.testing.assert_allclose(usd[3:], (tokens_in[3:] + 500) / 1e6)
    assert how.startswith("the table's cost column, 57 rows from prices $1 / $5")


def test_token_counts_of_the_table_are_priced() -> None:
    tokens_in, usd, how = filled(PRICED, tokens_out=100.0)
    np.testing.assert_allclose(usd, (tokens_in * 1.0 + 100 * 5.0) / 1e6)
    assert "output length from the table" in how


def test_output_lengths_are_learned_where_some_are_known() -> None:
    lengths = np.full(ROWS, 80.0)
    lengths[30:] = np.nan
    tokens_in, usd, how = filled(PRICED, tokens_out=lengths)
    np.testing.assert_allclose(usd, (tokens_in + 80 * 5.0) / 1e6, rtol=1e-6)
    assert "a model fitted on 30 rows" in how


def test_lengths_that_the_table_knows_are_kept_beside_learned_ones() -> None:
    lengths = np.random.default_rng(0).integers(10, 900, ROWS).astype(float)
    lengths[40:] = np.nan
    tokens_in, usd, _ = filled(PRICED, tokens_out=lengths)
    np.testing.assert_allclose(usd[:40], (tokens_in[:40] + lengths[:40] * 5.0) / 1e6)


def test_a_few_known_lengths_are_kept_beside_what_the_others_are_taken_to_be() -> None:
    lengths = np.full(ROWS, np.nan)
    lengths[:5] = 7.0
    tokens_in, usd, how = filled(PRICED, tokens_out=lengths, limits=500.0)
    np.testing.assert_allclose(usd, (tokens_in + np.where(np.arange(ROWS) < 5, 7.0, 500.0) * 5.0) / 1e6)
    assert how.endswith("output length from the table in 5 rows, else taken to be max_tokens")


def test_then_max_tokens_and_then_a_constant() -> None:
    tokens_in, usd, how = filled(PRICED, limits=500.0)
    np.testing.assert_allclose(usd, (tokens_in + 500 * 5.0) / 1e6)
    assert "taken to be max_tokens" in how
    tokens_in, usd, how = filled(PRICED)
    np.testing.assert_allclose(usd, (tokens_in + DEFAULT_TOKENS_OUT * 5.0) / 1e6)
    assert str(DEFAULT_TOKENS_OUT) in how
    half = np.where(np.arange(ROWS) % 2, 500.0, np.nan)
    tokens_in, usd, how = filled(PRICED, limits=half)
    np.testing.assert_allclose(usd, (tokens_in + np.where(np.isnan(half), DEFAULT_TOKENS_OUT, 500) * 5.0) / 1e6)
    assert f"max_tokens, or {DEFAULT_TOKENS_OUT} where a row has none" in how


def test_free_calls_cost_nothing() -> None:
    assert not filled(FREE)[1].any()
    assert not filled(UNPRICED, np.where(np.arange(ROWS) % 3, 0.0, np.nan))[1].max() > 1e-9


def test_estimates_have_the_right_mean_and_not_that_of_the_logarithms() -> None:
    random = np.random.default_rng(0)
    known = np.exp(random.normal(-6, 1.0, 4000))
    truth = known.mean()
    known[:2000] = np.nan
    assert costs_only(known).usd[:2000, 0].mean() == pytest.approx(truth, rel=0.15)


def test_the_mean_is_right_within_each_task() -> None:
    random = np.random.default_rng(1)
    dear = random.random(20_000) < 0.3
    known = np.exp(random.normal(np.where(dear, -3.0, -7.0), 0.8))
    truth = np.exp(np.array([-7.0, -3.0]) + 0.8**2 / 2)
    hidden = random.random(20_000) < 0.5
    usd = costs_only(np.where(hidden, np.nan, known), ["dear" if each else "cheap" for each in dear]).usd[:, 0]
    np.testing.assert_allclose([usd[hidden & ~dear].mean(), usd[hidden & dear].mean()], truth, rtol=0.05)


def test_a_few_free_calls_do_not_turn_the_estimates_round() -> None:
    random = np.random.default_rng(0)
    known = random.uniform(0.0005, 0.0015, 2000) * (random.random(2000) > 0.2)
    truth = known.mean()
    known[:1000] = np.nan
    tasks: list[str | None] = [f"task {task}" for task in random.integers(30, size=2000)]
    estimates = costs_only(known, tasks).usd[:1000, 0]
    assert estimates.mean() == pytest.approx(truth, rel=0.2)
    assert estimates.max() < 5 * truth


def test_logarithms_of_amounts_are_exact_but_near_zero() -> None:
    np.testing.assert_array_equal(log_amounts(np.array([1.0, 2.0, 3.0])), np.log([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(log_amounts(np.array([0.0, 2.0])), np.log([0.01, 2.0]))
    assert np.isfinite(log_amounts(np.zeros(3))).all()


def test_a_task_of_its_own_for_every_row_costs_no_memory() -> None:
    count = 5000
    known = np.where(np.arange(count) % 2, 0.01, np.nan)
    tasks: list[str | None] = [f"task {row}" for row in range(count)]
    tracemalloc.start()
    usd = costs_only(known, tasks).usd
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(usd, 0.01, rtol=1e-6)
    assert peak < 20e6
