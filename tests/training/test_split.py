from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from training.prepare.split import MIN_GROUPS, SHARES, Split, group_rows, split_rows

UNKNOWN = np.nan
some_groups = st.lists(st.integers(0, 30), min_size=1, max_size=200).map(
    lambda groups: np.unique(groups, return_inverse=True)[1].astype(np.int64)
)


def parts_of(split: Split) -> list[np.ndarray]:
    return [split.fit, split.choose, split.test]


def by_sizes(*sizes: int) -> np.ndarray:
    return np.repeat(np.arange(len(sizes)), sizes)


def untimed(count: int) -> np.ndarray:
    return np.full(count, UNKNOWN)


@given(some_groups, st.integers(0, 99), st.integers(0, 2**16), st.sampled_from(["none", "some", "few", "all"]))
def test_every_row_has_one_part_and_no_group_two(groups: np.ndarray, seed: int, draw: int, timed: str) -> None:
    random = np.random.default_rng(draw)
    times = random.integers(4 if timed == "few" else 10**6, size=len(groups)).astype(float)
    if timed in ("none", "some"):
        times[random.random(len(groups)) < (1.0 if timed == "none" else 0.5)] = UNKNOWN
    split = split_rows(groups, times, seed=seed)
    assert sorted(np.concatenate(parts_of(split)).tolist()) == list(range(len(groups)))
    held = [set(groups[part].tolist()) for part in parts_of(split)]
    assert not held[0] & held[1]
    assert not held[0] & held[2]
    assert not held[1] & held[2]
    assert all((np.diff(part) > 0).all() for part in parts_of(split))
    if len(np.unique(groups)) >= MIN_GROUPS:
        assert len(held[0]) >= 2
        assert min(len(held[1]), len(held[2])) >= 1


@given(some_groups, st.integers(0, 2**16))
def test_by_time_no_part_begins_before_the_one_before_it_has(groups: np.ndarray, draw: int) -> None:
    times = np.random.default_rng(draw).integers(50, size=len(groups)).astype(float)
    split = split_rows(groups, times, seed=0)
    if len(np.unique(times)) == 1:
        assert split.by == "group"
        return
    assert split.by == "time"
    first_seen = np.array([times[groups == group].min() for group in groups])
    held = [first_seen[part] for part in parts_of(split) if len(part)]
    assert all(before.max() <= after.min() for before, after in pairwise(held))


@given(st.lists(st.integers(1, 5), min_size=30, max_size=120), st.integers(0, 99))
def test_parts_have_their_shares_but_for_a_group(sizes: list[int], seed: int) -> None:
    split = split_rows(by_sizes(*sizes), untimed(sum(sizes)), seed=seed)
    ends = np.cumsum([len(part) for part in parts_of(split)])
    # A part ends with the last group that fits into it.
    for end, share in zip(ends, np.cumsum(SHARES), strict=True):
        assert share * sum(sizes) - max(sizes) <= end <= share * sum(sizes) + 1e-9


def test_parts_have_their_shares() -> None:
    split = split_rows(np.arange(10_000), untimed(10_000), seed=0)
    np.testing.assert_allclose([len(part) / 10_000 for part in parts_of(split)], SHARES, atol=0.001)


def test_a_seed_repeats_the_split_and_another_does_not() -> None:
    groups, unknown = np.arange(500), untimed(500)
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


def test_a_missing_timestamp_is_one_rows_problem() -> None:
    times = np.arange(100.0)
    times[[3, 97]] = np.nan
    split = split_rows(np.arange(100), times, seed=0)
    assert split.by == "time"
    assert {3, 97} <= set(split.fit.tolist())
    assert times[split.choose].max() < times[split.test].min()


def test_times_that_many_rows_lack_or_that_are_all_the_same_deal_nothing() -> None:
    times = np.arange(100.0)
    times[::10] = np.nan
    assert split_rows(np.arange(100), times, seed=0).by == "group"
    assert split_rows(np.arange(100), np.zeros(100), seed=0).by == "group"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("huge", [30, 90, 900])
def test_a_huge_group_is_learned_from_and_the_others_are_dealt_by_the_shares(huge: int, seed: int) -> None:
    groups = by_sizes(*[1] * 100, huge)
    split = split_rows(groups, untimed(len(groups)), seed=seed)
    assert 100 in groups[split.fit]
    assert [len(part) for part in parts_of(split)] == [50 + huge, 30, 20]


@pytest.mark.parametrize("place", [0, 40, 99])
def test_by_time_a_huge_group_stays_in_its_place_and_the_others_keep_their_shares(place: int) -> None:
    groups = np.concatenate([np.arange(100), np.full(400, place)])
    times = np.concatenate([np.arange(100.0), np.full(400, 1000.0)])
    split = split_rows(groups, times, seed=0)
    assert place in groups[split.fit if place < 50 else split.test]
    others = [int((groups[part] != place).sum()) for part in parts_of(split)]
    np.testing.assert_allclose(others, 99 * np.array(SHARES), atol=1)


def test_groups_too_few_to_part_are_all_for_fitting() -> None:
    split = split_rows(by_sizes(40, 30, 30), untimed(100), seed=0)
    assert [len(part) for part in parts_of(split)] == [100, 0, 0]


def test_the_fewest_groups_that_can_be_parted_are() -> None:
    split = split_rows(by_sizes(40, 30, 20, 10), untimed(100), seed=0)
    assert [len(np.unique(by_sizes(40, 30, 20, 10)[part])) for part in parts_of(split)] == [2, 1, 1]


def test_the_same_prompt_but_for_case_and_blanks_is_one_group() -> None:
    assert group_rows(["Hello  there", "hello there ", "Hello you"], [None] * 3).tolist() == [0, 0, 1]
    assert group_rows(["STRASSE\n", "straße"], [None] * 2).tolist() == [0, 0]


def test_a_groups_name_is_no_prompt() -> None:
    assert group_rows(["a", "b"], [None, "a"]).tolist() == [0, 1]


def test_groups_are_united_through_a_chain() -> None:
    texts = ["a", "b", "b", "c", "d"]
    assert group_rows(texts, ["x", "x", None, "y", None], [(2, 3)]).tolist() == [0, 0, 0, 0, 1]


def test_no_rows_make_no_groups() -> None:
    assert group_rows([], []).shape == (0,)


@given(
    st.lists(st.tuples(st.integers(0, 12), st.none() | st.integers(0, 6)), min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=10),
)
def test_groups_are_the_connected_components(rows: list[tuple[int, int | None]], links: list[tuple[int, int]]) -> None:
    texts = [f"prompt {text}" for text, _ in rows]
    names = [None if name is None else f"group {name}" for _, name in rows]
    alike = [(one, other) for one, other in links if max(one, other) < len(rows)]
    joined = np.array(
        [
            [
                texts[one] == texts[other] or (names[one] is not None and names[one] == names[other])
                for other in range(len(rows))
            ]
            for one in range(len(rows))
        ]
    )
    for one, other in alike:
        joined[one, other] = True
    expected = connected_components(sparse.csr_matrix(joined), directed=False)[1]
    found = group_rows(texts, names, alike)
    np.testing.assert_array_equal(found[:, None] == found, expected[:, None] == expected)
    # Numbered in order of first appearance.
    assert [int(number) for number in dict.fromkeys(found.tolist())] == list(range(found.max() + 1))


def test_many_rows_are_grouped_in_a_moment() -> None:
    # One long chain, linked from its end: the worst that a forest of parents can be asked for.
    count = 50_000
    alike = [(row, row + 1) for row in reversed(range(count - 1))]
    assert group_rows([str(row) for row in range(count)], [None] * count, alike).max() == 0
