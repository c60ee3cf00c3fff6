"""Groups that could hold all the loss allowed, and rows that come in runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from classifier.keywords import load_keywords
from classifier.request import make_request
from tests.helpers.tables import outcome_rows
from training.certify.bounds import design_effect
from training.certify.traffic import come_in_runs, too_large
from training.learners.matrix import build_matrix


def test_a_group_is_too_large_where_it_could_hide_the_loss_allowed() -> None:
    groups = np.concatenate([np.zeros(7, np.int64), np.ones(6, np.int64), np.arange(2, 500)])
    large = too_large(groups, 0.02, 1000, math.exp(-3))  # 20 rows may be lost: three groups of 6 2/3
    assert large[:7].all()
    assert not large[7:].any()


def test_a_row_by_itself_is_never_too_large() -> None:
    assert not too_large(np.arange(10), 0.0, 6, 0.05).any()


@given(st.lists(st.floats(0.1, 50), min_size=1, max_size=60))
def test_equal_values_give_what_the_weights_alone_say(raw: list[float]) -> None:
    weights = np.array(raw) / np.mean(raw)
    (effect,) = design_effect(weights, np.ones((len(raw), 1)))
    assert effect == pytest.approx((weights**2).mean())
    assert effect >= 1 - 1e-9


def test_values_of_heavy_units_count_for_more() -> None:
    weights = np.array([4.0, *[0.9] * 30])
    weights /= weights.mean()
    heavy, light = np.full((31, 1), 0.02), np.full((31, 1), 0.02)
    heavy[0], light[1] = 1.0, 1.0
    assert design_effect(weights, heavy)[0] > 2 * design_effect(weights, light)[0]


def topics(*, runs: bool, seed: int = 0) -> sparse.csr_matrix:
    """600 rows of 20 topics, in runs or shuffled: four of a topic's six terms, and ten of everybody's."""
    random = np.random.default_rng(seed)
    topic = np.repeat(np.arange(20), 30)
    if not runs:
        topic = random.permutation(topic)
    rows = [
        np.concatenate([1000 + 6 * each + random.choice(6, 4, replace=False), random.choice(900, 10, replace=False)])
        for each in topic
    ]
    places = np.repeat(np.arange(600), 14)
    return sparse.csr_matrix((np.ones(600 * 14), (places, np.concatenate(rows))), shape=(600, 2000))


@pytest.mark.parametrize("runs", [True, False])
def test_topics_that_come_in_runs_are_seen(runs: bool) -> None:
    order = np.arange(600)
    assert come_in_runs(topics(runs=runs), order, order, [None] * 600) is runs


def test_running_numbers_make_no_runs() -> None:
    rows = outcome_rows(600)
    matrix = build_matrix([make_request(row["prompt"]) for row in rows], load_keywords(None), "estimate", jobs=1)
    assert not come_in_runs(matrix.terms, np.arange(600), np.arange(600), [None] * 600)


def test_rows_in_order_of_their_task_are_no_runs() -> None:
    order = np.arange(600)
    tasks = [f"task {row // 30}" for row in order]
    assert not come_in_runs(topics(runs=True), order, order, tasks)


def test_rows_known_to_belong_together_are_no_runs() -> None:
    order = np.arange(600)
    assert not come_in_runs(topics(runs=True), order, order // 30, [None] * 600)
