from __future__ import annotations

import numpy as np
import pytest

from training.teacher import forest_expectations, neighbour_expectations, stack


def test_no_row_is_its_own_neighbour() -> None:
    # Every row is alone in its direction but for one twin: only the twin's quality may be seen.
    inputs = np.repeat(np.eye(100, dtype=np.float32), 2, axis=0)
    quality = np.zeros((200, 1))
    quality[0] = 1.0
    expected = neighbour_expectations(inputs, quality)
    assert expected[0, 0] < 0.1
    assert expected[1, 0] == expected.max()


@pytest.mark.parametrize("count", [3, 10, 70])
def test_few_rows_are_enough_to_run(count: int) -> None:
    random = np.random.default_rng(0)
    inputs, quality = random.normal(size=(count, 4)).astype(np.float32), random.random((count, 2))
    expected = neighbour_expectations(inputs, quality)
    assert expected.shape == quality.shape
    assert (expected >= quality.min()).all()
    assert (expected <= quality.max()).all()


def test_out_of_bag_expectations_do_not_repeat_noise() -> None:
    random = np.random.default_rng(0)
    inputs, noise = random.normal(size=(300, 5)).astype(np.float32), random.integers(2, size=(300, 2)).astype(float)
    expected = forest_expectations(inputs, noise)
    assert abs(np.corrcoef(expected.ravel(), noise.ravel())[0, 1]) < 0.25


def test_the_stack_prefers_the_member_that_is_right() -> None:
    random = np.random.default_rng(0)
    quality = random.random((400, 3))
    useless = random.random((400, 3))
    stacked = stack([quality + random.normal(scale=0.05, size=quality.shape), useless], quality)
    assert ((stacked - quality) ** 2).mean() < 0.2 * ((useless - quality) ** 2).mean()


def test_members_without_spread_leave_the_mean() -> None:
    quality = np.array([[0.0, 1.0], [1.0, 1.0], [0.5, 1.0]])
    constant = np.full_like(quality, 0.3)
    np.testing.assert_allclose(stack([constant, constant], quality), np.tile(quality.mean(axis=0), (3, 1)))
