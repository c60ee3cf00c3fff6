"""Scores that are missing by chance are told from those that are not, and the promise holds either way."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from classifier.keywords import load_keywords
from classifier.request import make_request
from tests.helpers.tables import outcome_rows
from training.learners.matrix import FeatureMatrix, build_matrix
from training.prepare.missing import LEAST_MISSING, describe, find_missing

ROWS = outcome_rows(800)
SCORES = np.array([[row["score__haiku"], row["score__sonnet"], row["score__opus"]] for row in ROWS])
TASKS = tuple(row["task"] for row in ROWS)
TEXTS = [row["prompt"] for row in ROWS]
GROUPS = np.arange(len(ROWS))


@pytest.fixture(scope="module")
def matrix() -> FeatureMatrix:
    requests = [make_request(text, task=task) for text, task in zip(TEXTS, TASKS, strict=True)]
    return build_matrix(requests, load_keywords(None), "estimate", jobs=1)


def without(gone: NDArray[np.bool_]) -> NDArray[np.float64]:
    scores = SCORES.copy()
    scores[gone, 0] = np.nan
    return scores


def test_a_whole_table_misses_nothing(matrix: FeatureMatrix) -> None:
    assert find_missing(matrix, SCORES, GROUPS, TEXTS) == ()


@pytest.mark.parametrize("share", [0.05, 0.4])
def test_scores_missing_at_random_are_missing_by_chance(matrix: FeatureMatrix, share: float) -> None:
    random = np.random.default_rng(3)
    (gap,) = find_missing(matrix, without(random.random(800) < share), GROUPS, TEXTS)
    assert gap.tier == 0
    assert gap.by_chance


@pytest.mark.slow
def test_chance_is_seldom_refused(matrix: FeatureMatrix) -> None:
    random = np.random.default_rng(5)
    draws = [find_missing(matrix, without(random.random(800) < 0.2), GROUPS, TEXTS)[0] for _ in range(30)]
    assert sum(not gap.by_chance for gap in draws) <= 3  # 0.6 expected at most


WAYS = {
    "of one task": np.array([task == "reasoning" for task in TASKS]),
    "more often of one task": np.array([task == "reasoning" for task in TASKS])
    & (np.random.default_rng(1).random(800) < 0.5),
    "of its failures": (SCORES[:, 0] == 0) & (np.random.default_rng(2).random(800) < 0.7),
    "of its successes": (SCORES[:, 0] == 1) & (np.random.default_rng(2).random(800) < 0.7),
    "where another tier failed": (SCORES[:, 1] == 0) & (np.random.default_rng(2).random(800) < 0.8),
}


@pytest.mark.parametrize("way", WAYS)
def test_scores_missing_for_a_reason_are_not_missing_by_chance(matrix: FeatureMatrix, way: str) -> None:
    (gap,) = find_missing(matrix, without(WAYS[way]), GROUPS, TEXTS)
    assert not gap.by_chance
    assert gap.p_value < 0.01


def test_too_few_to_tell_are_not_missing_by_chance(matrix: FeatureMatrix) -> None:
    gone = np.zeros(800, bool)
    gone[: LEAST_MISSING - 1] = True
    (gap,) = find_missing(matrix, without(gone), GROUPS, TEXTS)
    assert not gap.by_chance
    assert np.isnan(gap.p_value)


def test_a_tier_without_any_score_is_not_missing_by_chance(matrix: FeatureMatrix) -> None:
    (gap,) = find_missing(matrix, without(np.ones(800, bool)), GROUPS, TEXTS)
    assert not gap.by_chance


def test_says_of_which_requests_scores_are_missing() -> None:
    gone = np.array([task == "reasoning" for task in TASKS])
    assert describe(gone, TASKS, TEXTS) == f"mostly of the task reasoning ({gone.sum()} of {gone.sum()})"
    untold = (None,) * len(TASKS)
    assert "\u201cprove\u201d" in describe(gone, untold, TEXTS)
    long = [text * (10 if lost else 1) for text, lost in zip(TEXTS, gone, strict=True)]
    assert "mostly of long requests" in describe(gone, untold, long)
    random = np.random.default_rng(0).random(len(TASKS)) < 0.3
    assert describe(random, untold, TEXTS) == ""
