from __future__ import annotations

import numpy as np
import pytest

from classifier.keywords import load_keywords
from classifier.request import Request
from classifier.tokens import ESTIMATE
from tests.helpers.tables import TIERS, outcome_rows
from training.learners.matrix import FeatureMatrix, build_matrix
from training.learners.neighbours import Neighbours

KEYWORDS = load_keywords()


def made(count: int) -> tuple[FeatureMatrix, np.ndarray]:
    rows = outcome_rows(count)
    of = [Request(row["prompt"], row["max_tokens"], row["task"]) for row in rows]
    return build_matrix(of, KEYWORDS, ESTIMATE, jobs=1), np.array([[row[f"score__{t}"] for t in TIERS] for row in rows])


def test_new_rows_are_expected_to_fare_as_those_like_them() -> None:
    matrix, quality = made(600)
    known, new = np.arange(400), np.arange(400, 600)
    expected = Neighbours.fit(matrix.rows(known), quality[known]).predict(matrix.rows(new))
    assert expected.shape == (200, len(TIERS))
    naive = ((quality[known].mean(axis=0) - quality[new]) ** 2)[:, 0].mean()
    assert ((expected - quality[new]) ** 2)[:, 0].mean() < 0.9 * naive


@pytest.mark.parametrize("count", [1, 2, 30])
def test_few_rows_are_enough_and_expectations_stay_within_what_was_seen(count: int) -> None:
    matrix, quality = made(count)
    expected = Neighbours.fit(matrix, quality).predict(made(40)[0])
    assert (expected >= quality.min(axis=0) - 1e-6).all()
    assert (expected <= quality.max(axis=0) + 1e-6).all()


def test_rows_that_did_not_observe_a_tier_say_nothing_of_it() -> None:
    matrix, quality = made(50)
    quality[:, 0] = np.nan
    quality[:40, 1] = np.nan
    quality[40:, 1] = 0.25
    expected = Neighbours.fit(matrix, quality).predict(matrix)
    np.testing.assert_array_equal(expected[:, 0], 0.5)  # nothing is known
    np.testing.assert_allclose(expected[:, 1], 0.25, rtol=1e-6)
