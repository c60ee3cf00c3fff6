from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.split import SHARES, group_rows, split_rows

UNKNOWN = np.nan


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(0, 99))
def test_every_row_has_one_part_and_no_group_two(groups: list[int], seed: int) -> None:
    numbers = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    split = split_rows(numbers, np.full(len(groups), UNKNOWN), seed=seed)
    parts = [split.fit, split.choose, split.test]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(groups)))
    held = [set(numbers[part]) for part in parts]
    assert not held[0] & held[1]
    assert not held[0] & held[2]
    assert not held[1] & held[2]
    assert split.by == "group"


def test_parts_have_their_shares() -> None:
    split = split_rows(np.arange(10_000), np.full(10_000, UNKNOWN), seed=0)
    sizes = np.array([len(split.fit), len(split.choose), len(split.test)]) / 10_000
    np.testing.assert_allclose(sizes, SHARES, atol=0.001)


def test_a_seed_repeats_the_split_and_another_does_not() -> None:
    groups, unknown = np.arange(500), np.full(500, UNKNOWN)
    one, same, other = (split_rows(groups, unknown, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.test, same.test)
    assert not np.array_equal(one.test, other.test)


def test_with_timestamps_the_test_rows_are_the_latest() -> None:
    times = np.random.default_rng(0).permutation(1000).astype(float)
    split = split_rows(np.arange(1000), times, seed=0)
    assert split.by == "time"
    assert times[split.fit].max() < times[split.choose].min()
    assert times[split.choose].max() < times[split.test].min()


def test_by_time_a_group_stays_with_its_first_row() -> None:
    groups = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 0])
    split = split_rows(groups, np.arange(10.0), seed=0)
    assert 9 in split.fit
    assert 0 in split.fit


def test_a_missing_timestamp_means_no_split_by_time() -> None:
    times = np.arange(100.0)
    times[3] = np.nan
    assert split_rows(np.arange(100), times, seed=0).by == "group"
    assert split_rows(np.arange(100), np.zeros(100), seed=0).by == "group"


def test_the_same_prompt_but_for_case_and_blanks_is_one_group() -> None:
    assert group_rows(["Hello  there", "hello there ", "Hello you"], [None] * 3).tolist() == [0, 0, 1]


def test_groups_are_united_through_a_chain() -> None:
    texts = ["a", "b", "b", "c", "d"]
    assert group_rows(texts, ["x", "x", None, "y", None], [(2, 3)]).tolist() == [0, 0, 0, 0, 1]
