"""Tiers of one model at different efforts tell of each other."""

from __future__ import annotations

import numpy as np
import pytest

from classifier import Tier
from classifier.arguments import Arguments
from classifier.model import logit, sigmoid
from training.learners.relatives import LEAST_SHARED, can_tell, fill_by_relatives, relatives


def worlds(rows: int = 2000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, 2) P(right), outcomes and what a model expects, of a model at two efforts."""
    random = np.random.default_rng(0)
    low = sigmoid(random.normal(0, 2, rows))
    right = (random.random(rows) < low).astype(float)
    high = np.where(right == 1, 0.97, 0.5 * low + 0.1)
    outcomes = np.stack([right, (random.random(rows) < high).astype(float)], axis=1)
    return np.stack([low, high], axis=1), outcomes, np.stack([low, np.full(rows, 0.5)], axis=1)


def test_tiers_that_share_a_model_are_relatives():
    tiers = [
        Tier("low", "gpt-x", 1.0, 2.0, arguments=Arguments({"effort": "low"})),
        Tier("other", "m", 1.0, 2.0),
        Tier("high", "GPT x", 1.0, 2.0, arguments=Arguments({"effort": "high"})),
    ]
    assert relatives(tiers) == [(0, 2), (2, 0)]


def test_scores_that_were_not_observed_are_told_by_the_relative():
    truth, outcomes, expected = worlds()
    quality = outcomes.copy()
    quality[100:, 1] = np.nan
    filled = fill_by_relatives(quality, expected, [(0, 1), (1, 0)])
    assert np.array_equal(filled[:100], outcomes[:100])  # what was observed stays
    assert np.array_equal(filled[:, 0], outcomes[:, 0])
    error = np.abs(filled[100:, 1] - truth[100:, 1]).mean()
    assert error < 0.5 * np.abs(outcomes[:100, 1].mean() - truth[100:, 1]).mean()


def test_graded_scores_are_told_as_well():
    truth, outcomes, expected = worlds()
    quality = 0.2 + 0.6 * outcomes
    quality[200:, 1] = np.nan
    told = fill_by_relatives(quality, expected, [(1, 0)])[200:, 1]
    assert np.abs(told - (0.2 + 0.6 * truth[200:, 1])).mean() < 0.06


@pytest.mark.parametrize(
    "hide",
    [
        lambda quality: quality,  # no gaps
        lambda quality: np.where([[True, False]], quality, np.nan),  # never seen together
        lambda quality: np.where(np.arange(len(quality))[:, None] < [len(quality), LEAST_SHARED - 1], quality, np.nan),
        lambda quality: np.where(np.arange(len(quality))[:, None] < 500, quality, np.nan),  # gaps of both at once
    ],
)
def test_where_a_relative_tells_nothing_all_stays(hide):
    _, outcomes, expected = worlds()
    quality = hide(outcomes)
    assert not can_tell(quality, [(0, 1), (1, 0)])
    assert np.array_equal(fill_by_relatives(quality, expected, [(0, 1), (1, 0)]), quality, equal_nan=True)


def test_one_outcome_alone_teaches_nothing():
    _, outcomes, expected = worlds()
    quality = outcomes.copy()
    quality[:, 1] = np.where(np.arange(len(quality)) < 50, 1.0, np.nan)
    assert not can_tell(quality, [(1, 0)])
    assert np.isfinite(logit(expected)).all()
