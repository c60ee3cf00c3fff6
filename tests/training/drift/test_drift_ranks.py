"""Conformal p-values: against their definition, and uniform while nothing changes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from training.drift.ranks import label_ranks, tie_breaks, value_ranks

ROWS = st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), st.integers(0, 2)), max_size=40)


def by_definition(values: NDArray[np.float64], groups: NDArray[np.int64], shares: NDArray[np.float64]) -> list[float]:
    ranks = []
    for row, value in enumerate(values):
        upto = values[: row + 1][groups[: row + 1] == groups[row]]
        ranks.append(((upto < value).sum() + shares[row] * (upto == value).sum()) / len(upto))
    return ranks


@given(ROWS)
def test_ranks_of_values_are_as_defined(rows: list[tuple[float, int]]) -> None:
    values, groups = np.array([value for value, _ in rows]), np.array([group for _, group in rows], np.int64)
    shares = tie_breaks("some", len(rows))
    np.testing.assert_allclose(value_ranks(values, groups, shares), by_definition(values, groups, shares))


def test_ranks_are_the_same_over_many_blocks() -> None:
    random = np.random.default_rng(1)
    values, groups = random.integers(0, 300, 2500).astype(np.float64), random.integers(0, 2, 2500)
    shares = tie_breaks("many", 2500)
    np.testing.assert_allclose(value_ranks(values, groups, shares), by_definition(values, groups, shares))


@given(st.lists(st.integers(0, 4), max_size=40))
def test_ranks_of_labels_are_those_of_their_counts(labels: list[int]) -> None:
    shares = tie_breaks("labels", len(labels))
    ranks = label_ranks(np.array(labels, np.int64), shares)
    for row in range(len(labels)):
        upto = labels[: row + 1]
        counts = np.array([upto.count(label) for label in upto])
        below, alike = (counts < counts[-1]).sum(), (counts == counts[-1]).sum()
        assert np.isclose(ranks[row], (below + shares[row] * alike) / (row + 1))


def test_a_label_never_seen_before_is_as_rare_as_can_be() -> None:
    labels = np.array([*([0, 1] * 50), 2], np.int64)
    assert label_ranks(labels, tie_breaks("new", 101))[-1] <= 1 / 101


def test_ranks_are_uniform_while_nothing_changes() -> None:
    random = np.random.default_rng(3)
    labels = random.choice(3, 5000, p=[0.6, 0.3, 0.1])
    for ranks in (
        label_ranks(labels, tie_breaks("labels", 5000)),
        value_ranks((labels > 0).astype(np.float64), random.integers(0, 4, 5000), tie_breaks("values", 5000)),
    ):
        assert stats.kstest(ranks, "uniform").pvalue > 0.01
        assert abs(np.corrcoef(ranks[1:], ranks[:-1])[0, 1]) < 0.05


@given(st.text(max_size=20), st.integers(0, 50), st.integers(0, 50))
def test_tie_breaks_do_not_depend_on_what_comes_after(name: str, few: int, more: int) -> None:
    np.testing.assert_array_equal(tie_breaks(name, few + more)[:few], tie_breaks(name, few))
