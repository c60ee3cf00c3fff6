from __future__ import annotations

import numpy as np
import pytest

from classifier.keywords import load_keywords
from classifier.model import sigmoid
from classifier.request import Request
from classifier.tokens import ESTIMATE
from training.learners.linear import LinearFit, LinearLearner
from training.learners.matrix import FeatureMatrix, build_matrix
from training.learners.projection import task_means
from training.learners.task_means import TaskMeansLearner

KEYWORDS = load_keywords()


def matrix_of(*tasks: str | None) -> FeatureMatrix:
    of = [Request(f"words {number}", task=task) for number, task in enumerate(tasks)]
    return build_matrix(of, KEYWORDS, ESTIMATE, jobs=1)


@pytest.fixture(scope="module")
def fitted() -> LinearFit:
    matrix = matrix_of(*["chat"] * 60, *["proof"] * 40)
    quality = np.column_stack([[0.9] * 60 + [0.1] * 40, [1.0] * 100])
    quality[60:70, 1] = np.nan
    costs = np.column_stack([[1e-5] * 60 + [1e-4] * 40, [0.02] * 100])
    return TaskMeansLearner(LinearLearner()).fit(matrix, quality, costs)


def test_a_task_has_its_own_mean_drawn_towards_the_overall_one(fitted: LinearFit) -> None:
    chat, proof, unknown, none = fitted.outputs(matrix_of("chat", "proof", "other", None))
    overall = 0.58
    assert sigmoid(chat)[0] == pytest.approx((60 * 0.9 + 20 * overall) / 80)
    assert sigmoid(proof)[0] == pytest.approx((40 * 0.1 + 20 * overall) / 60)
    assert sigmoid(unknown)[0] == pytest.approx(overall)
    np.testing.assert_array_equal(unknown, none)
    assert np.exp(proof[2]) > 2 * np.exp(chat[2])
    assert np.exp(none[3]) == pytest.approx(0.02)


def test_words_say_nothing_to_it(fitted: LinearFit) -> None:
    one, other = (build_matrix([Request(text, task="chat")], KEYWORDS, ESTIMATE, jobs=1) for text in ("a", "b 7?" * 99))
    np.testing.assert_array_equal(fitted.outputs(one), fitted.outputs(other))


def test_where_nothing_was_observed_nothing_is_known() -> None:
    matrix = matrix_of("chat", "chat", "proof", None)
    space = LinearLearner().fit(matrix, np.full((4, 1), np.nan), np.ones((4, 1))).space
    np.testing.assert_array_equal(task_means(matrix, space, np.full((4, 1), np.nan)), 0.5)
