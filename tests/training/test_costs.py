from __future__ import annotations

import numpy as np
import pytest

from classifier.catalog import Tier
from training.costs import DEFAULT_TOKENS_OUT, fill_costs

PRICED = Tier("priced", "priced", 1.0, 5.0)
UNPRICED = Tier("unpriced", "unpriced", None, None)
ROWS = 60


def filled(tier: Tier, known=np.nan, tokens_out=np.nan, limits=np.nan):
    def column(values):
        return np.broadcast_to(np.asarray(values, float), (ROWS,)).reshape(ROWS, 1).copy()

    tokens_in = np.linspace(10, 1000, ROWS)
    limit = np.broadcast_to(np.asarray(limits, float), (ROWS,))
    table = fill_costs(column(known), column(tokens_out), tokens_in, limit, [None] * ROWS, [tier])
    return tokens_in, table.usd[:, 0], table.how[0]


def test_what_the_table_says_is_kept() -> None:
    known = np.linspace(0.001, 0.01, ROWS)
    _, usd, how = filled(PRICED, known)
    np.testing.assert_array_equal(usd, known)
    assert how == "the table's cost column"


def test_a_gap_is_filled_from_the_other_rows() -> None:
    known = np.full(ROWS, 0.004)
    known[::7] = np.nan
    for tier in (PRICED, UNPRICED):
        _, usd, how = filled(tier, known)
        np.testing.assert_allclose(usd, 0.004, rtol=1e-6)
        assert "estimated from the others" in how


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


def test_then_max_tokens_and_then_a_constant() -> None:
    tokens_in, usd, how = filled(PRICED, limits=500.0)
    np.testing.assert_allclose(usd, (tokens_in + 500 * 5.0) / 1e6)
    assert "taken to be max_tokens" in how
    tokens_in, usd, how = filled(PRICED)
    np.testing.assert_allclose(usd, (tokens_in + DEFAULT_TOKENS_OUT * 5.0) / 1e6)
    assert str(DEFAULT_TOKENS_OUT) in how


def test_estimates_have_the_right_mean_and_not_that_of_the_logarithms() -> None:
    random = np.random.default_rng(0)
    rows = 4000
    known = np.exp(random.normal(-6, 1.0, rows))
    truth = known.mean()
    known[:2000] = np.nan
    table = fill_costs(
        known[:, None],
        np.full((rows, 1), np.nan),
        np.full(rows, 50.0),
        np.full(rows, np.nan),
        [None] * rows,
        [UNPRICED],
    )
    assert table.usd[:2000, 0].mean() == pytest.approx(truth, rel=0.15)
