"""The e-detector: against its recursion, its bound on false alarms, and where it says that a change began."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.drift.evidence import _log_bets, changed_at, log_evidence

RANKS = st.lists(st.floats(0.0, 1.0, exclude_min=True), max_size=30)


@given(RANKS)
def test_evidence_is_the_mean_of_the_recursions(ranks: list[float]) -> None:
    found = log_evidence(np.array(ranks))
    densities = np.exp(np.array(list(_log_bets(np.array(ranks), None)))) if ranks else np.empty((1, 0))
    capital = np.zeros(len(densities))
    for row in range(len(ranks)):
        capital = (capital + 1) * densities[:, row]
        assert found[row] == pytest.approx(math.log(capital.mean()), abs=1e-6)


@pytest.mark.parametrize("edges", [None, (0.07, 0.35, 0.9)])
def test_bets_are_densities(edges: tuple[float, ...] | None) -> None:
    cells = 100_000
    middles = (np.arange(cells) + 0.5) / cells
    everywhere = None if edges is None else np.tile(edges, (cells, 1))
    for gains in _log_bets(middles, everywhere):
        assert np.exp(gains).mean() == pytest.approx(1.0, abs=2e-3)


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_promised() -> None:
    random = np.random.default_rng(0)
    bound, rows = 200.0, 100
    alarms = [bool((log_evidence(random.random(rows)) >= math.log(bound)).any()) for _ in range(2000)]
    assert np.mean(alarms) <= rows / bound + 3 * math.sqrt(0.25 / 2000)
    assert np.mean(alarms) > 0.05  # the bound is not met by betting on nothing


def test_a_change_is_found_and_dated() -> None:
    random = np.random.default_rng(4)
    ranks = np.concatenate((random.random(1000), random.random(400) ** 2))
    found = log_evidence(ranks)
    assert found[:1000].max() < math.log(20_000) < found.max()
    assert abs(changed_at(ranks) - 1000) < 60


def test_no_rows_are_no_evidence() -> None:
    assert log_evidence(np.empty(0)).shape == (0,)
