from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import training.learners.matrix
from classifier.features import N_BUCKETS, FeatureExtractor, dense_names
from classifier.keywords import load_keywords
from classifier.request import Request
from classifier.tokens import ESTIMATE, estimate_tokens
from tests.helpers.tables import outcome_rows
from training.learners.matrix import FeatureMatrix, build_matrix, stack_features

KEYWORDS = load_keywords()
any_request = st.builds(
    Request,
    text=st.text(max_size=80),
    max_tokens=st.none() | st.integers(1, 10**6),
    task=st.none() | st.text(max_size=10),
    turns=st.integers(1, 9),
    tools=st.integers(0, 3),
    images=st.integers(0, 3),
)


EXTRACT = FeatureExtractor(KEYWORDS, estimate_tokens)


def requests(count: int) -> list[Request]:
    return [Request(row["prompt"], row["max_tokens"], row["task"]) for row in outcome_rows(count)]


def assert_rows_are(matrix: FeatureMatrix, of: list[Request]) -> None:
    assert len(matrix) == len(of)
    for row, request in enumerate(of):
        single = EXTRACT(request)
        terms = matrix.terms[row]
        np.testing.assert_array_equal(np.sort(terms.indices), single.terms)
        assert (terms.data == 1.0).all()
        np.testing.assert_array_equal(matrix.dense[row], single.dense)
        assert (matrix.tasks[row], matrix.tokens[row]) == (single.task, single.tokens)


@settings(max_examples=40)
@given(st.lists(any_request, min_size=1, max_size=6))
def test_every_row_has_the_single_requests_features(of: list[Request]) -> None:
    matrix = build_matrix(of, KEYWORDS, ESTIMATE, jobs=1)
    assert matrix.terms.shape == (len(of), N_BUCKETS)
    assert matrix.dense.shape == (len(of), len(dense_names(KEYWORDS)))
    assert_rows_are(matrix, of)


def test_a_request_without_a_term_is_an_empty_row() -> None:
    matrix = build_matrix([Request("a b"), Request(""), Request("c d")], KEYWORDS, ESTIMATE, jobs=1)
    assert matrix.terms[1].nnz == 0
    assert matrix.terms[2].nnz > 0


def test_rows_are_picked_in_the_order_asked_for() -> None:
    of = requests(20)
    matrix = build_matrix(of, KEYWORDS, ESTIMATE, jobs=1)
    picked = [7, 3, 3, 19]
    assert_rows_are(matrix.rows(np.array(picked)), [of[row] for row in picked])
    assert len(matrix.rows(np.array([], np.int64))) == 0


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_chunks_and_workers_change_nothing_and_progress_reaches_the_end(
    monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    of = requests(25)
    monkeypatch.setattr(training.learners.matrix, "_CHUNK", 10)
    monkeypatch.setattr(training.learners.matrix, "_ROWS_WORTH_WORKERS", 0)
    seen: list[tuple[int, int]] = []
    matrix = build_matrix(of, KEYWORDS, ESTIMATE, jobs=jobs, progress=lambda *done: seen.append(done))
    assert_rows_are(matrix, of)
    assert seen == [(10, 25), (20, 25), (25, 25)]


def test_stacking_takes_features_as_they_are() -> None:
    of = requests(5)
    assert_rows_are(stack_features([EXTRACT(request) for request in of]), of)
