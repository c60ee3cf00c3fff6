"""Tests of kept quality: their p-values are small no more often than they may be."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from training.certify.bounds import betting_p_values, exact_p_value, paired_values

BOTH = pytest.mark.parametrize("relative", [True, False])


def scores(worse: int, equal: int, better: int, failed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pass/fail scores of the reference and a router with so many rows of each kind."""
    counts = (worse, equal, better, failed)
    return np.repeat([1.0, 1.0, 0.0, 0.0], counts), np.repeat([0.0, 1.0, 1.0, 0.0], counts)


def exact(worse: int, equal: int, better: int, target: float, *, relative: bool = True) -> float:
    return exact_p_value(*scores(worse, equal, better), target, relative=relative)


@BOTH
@pytest.mark.parametrize(("rows", "target"), [(12, 0.0), (25, 0.02), (25, 0.1), (40, 0.3)])
def test_exact_p_value_is_valid_for_every_truth(rows: int, target: float, relative: bool) -> None:
    """By enumeration of all outcomes, for a grid of distributions on the hypothesis's edge."""
    gain = 1 - target if relative else 1.0

    @cache
    def p_value(worse: int, better: int) -> float:
        return exact(worse, rows - worse - better, better, target, relative=relative)

    outcomes = [(worse, better) for worse in range(rows + 1) for better in range(rows + 1 - worse)]
    p_values = np.array([p_value(*outcome) for outcome in outcomes])
    counts = np.array([(worse, better, rows - worse - better) for worse, better in outcomes])
    for better_share in np.linspace(0, (1 - target) / (1 + gain), 30):
        worse_share = target + gain * better_share
        shares = np.array([worse_share, better_share, max(1 - worse_share - better_share, 0.0)])
        chances = stats.multinomial.pmf(counts, rows, shares / shares.sum())
        for level in (0.01, 0.05, 0.2):
            assert chances[p_values <= level].sum() <= level


def test_rows_without_any_loss_speak_for_themselves() -> None:
    assert exact(0, 200, 0, 0.02) == pytest.approx(0.98**200, rel=0.02)
    assert exact(0, 200, 0, 0.02, relative=False) == pytest.approx(0.98**200, rel=0.02)


def test_relative_targets_ignore_rows_where_both_fail() -> None:
    with_failures = exact_p_value(*scores(2, 300, 1, failed=500), 0.02, relative=True)
    assert with_failures == pytest.approx(exact(2, 300, 1, 0.02))


def test_fractional_scores_that_agree_stay_in_agreement() -> None:
    halves = np.full(400, 0.5)
    assert exact_p_value(halves, halves, 0.05, relative=True) < 0.001


@given(
    st.integers(0, 30),
    st.integers(0, 200),
    st.integers(0, 30),
    st.sampled_from([0.0, 0.005, 0.02, 0.1, 0.6, -0.1]),
    st.booleans(),
)
def test_a_worse_row_never_helps(worse: int, equal: int, better: int, target: float, relative: bool) -> None:
    before = exact(worse, equal + 1, better, target, relative=relative)
    after = exact(worse + 1, equal, better, target, relative=relative)
    assert 0 < before <= after + 1e-12 <= 1 + 1e-12


@BOTH
@pytest.mark.parametrize("rows", [50, 400])
def test_betting_p_values_are_valid(rows: int, relative: bool) -> None:
    """Graded scores on the hypothesis's edge; each column is a sample of its own."""
    random = np.random.default_rng(rows)
    target, samples = 0.04, 3000
    reference = random.choice([0.25, 0.5, 1.0], p=[0.1, 0.2, 0.7], size=(rows, samples))
    mean_loss = target * (0.825 if relative else 1.0)
    router = np.where(random.random((rows, samples)) < mean_loss / 0.825, 0.0, reference)
    values = paired_values(reference, router, target, relative=relative)
    small = (betting_p_values(values, 1 - target, 0.05) <= 0.05).sum()
    assert small <= stats.binom.ppf(0.999, samples, 0.05)


def test_betting_finds_what_is_there() -> None:
    random = np.random.default_rng(0)
    reference = random.choice([0.25, 0.5, 1.0], size=(1000, 50))
    router = np.where(random.random((1000, 50)) < 0.03, reference - 0.25, reference)
    values = paired_values(reference, router, 0.05, relative=True)
    assert (betting_p_values(values, 0.95, 0.05) <= 0.05).mean() > 0.9


def test_betting_on_nothing_gains_nothing() -> None:
    assert betting_p_values(np.zeros((10, 2)), 1.0, 0.05).tolist() == [1.0, 1.0]
