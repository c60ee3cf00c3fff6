"""Rows for fitting, for choosing the rule and for the final figures: disjoint, and no prompt on two sides."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Fitting gains little from the last rows, while a promise is the tighter the more rows it is tested on.
SHARES = (0.5, 0.3, 0.2)
MIN_GROUPS = 4  # one a part, and a second to fit on, for cross-fitting
_TIMED = 0.95
_MUCH = 0.1
_UNUSUAL = 10
_ROUNDING = 1e-12
_BLANK = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Split:
    """Row numbers of the three parts, each sorted.

    Attributes
    ----------
    fit : rows that weights and calibration are learned from.
    choose : rows that the decision rule is chosen on.
    test : rows that only the reported figures come from.
    by : "group" or "time", how the parts were drawn.
    """

    fit: NDArray[np.int64]
    choose: NDArray[np.int64]
    test: NDArray[np.int64]
    by: str


def group_rows(
    texts: Sequence[str], groups: Sequence[str | None], alike: Sequence[tuple[int, int]] = ()
) -> NDArray[np.int64]:
    """One group number a row: rows share it that have one given group, or the same prompt but for case and blanks.

    Parameters
    ----------
    alike : further pairs of rows that belong together, such as near-duplicates.

    Returns
    -------
    (n,) int64, numbered in order of first appearance.
    """
    parents = list(range(len(texts)))

    def root(row: int) -> int:
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    def unite(one: int, other: int) -> None:
        first, second = sorted((root(one), root(other)))
        parents[second] = first

    seen: dict[Hashable, int] = {}
    for row, (text, group) in enumerate(zip(texts, groups, strict=True)):
        keys: list[Hashable] = [("text", folded(text))]
        if group is not None:
            keys.append(("group", group))
        for key in keys:
            unite(seen.setdefault(key, row), row)
    for one, other in alike:
        unite(one, other)
    roots = np.array([root(row) for row in range(len(texts))], dtype=np.int64)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)


def folded(text: str) -> str:
    """A prompt but for case and blanks."""
    return _BLANK.sub(" ", text).strip().casefold()


def is_timed(timestamps: NDArray[np.float64]) -> bool:
    """Whether rows can be told apart by time: at least 95% have one, and not all the same.

    Parameters
    ----------
    timestamps : (n,) seconds, NaN where unknown.
    """
    known = np.isfinite(timestamps)
    return bool(known.any() and known.mean() >= _TIMED) and len(np.unique(timestamps[known])) > 1


def split_rows(
    groups: NDArray[np.int64],
    timestamps: NDArray[np.float64],
    *,
    seed: int,
    shares: tuple[float, float, float] = SHARES,
) -> Split:
    """Deal whole groups to the three parts: by time when nearly every row has a timestamp, else at random.

    Rows without a time among others that have one are learned from: nothing is claimed about when they came. By time, a
    group goes where its first row falls, so that later parts hold no prompt that an earlier one saw. A group
    larger than the test part, or than a tenth of it and ten times the usual group, is to be learned from: its rows are
    alike and prove little, and figures on a part that it fills would be about it. At random it goes to fitting, by time
    it stays in its place; either way the shares are those of the other rows. No part is left empty, unless there are
    fewer than `MIN_GROUPS` groups: these are all for fitting.

    Parameters
    ----------
    groups : (n,) group numbers from `group_rows`.
    timestamps : (n,) seconds, NaN where unknown.
    shares : of the rows for fitting, choosing and testing.
    """
    sizes = np.bincount(groups)
    count = len(sizes)
    tested = shares[2] * len(groups)
    large = (sizes > tested) | ((sizes > _MUCH * tested) & (sizes > _UNUSUAL * np.median(sizes)))
    known = np.isfinite(timestamps)
    by_time = is_timed(timestamps)
    if by_time:
        first_seen = np.full(count, np.inf)
        np.minimum.at(first_seen, groups[known], timestamps[known])
        first_seen[np.isinf(first_seen)] = -np.inf
        order = np.argsort(first_seen, kind="stable")
    else:
        order = np.random.default_rng(seed).permutation(count)
        order = order[np.argsort(~large[order], kind="stable")]
    dealt = np.where(large, 0, sizes)[order]
    reached = np.cumsum(dealt) / max(1, int(dealt.sum()))
    ends = np.searchsorted(reached, np.cumsum(shares[:2]) + _ROUNDING, side="right")
    fitted = chosen = count
    if count >= MIN_GROUPS:
        fitted = int(np.clip(ends[0], 2, count - 2))
        chosen = int(np.clip(ends[1], fitted + 1, count - 1))
    part = np.empty(count, dtype=np.int64)
    part[order] = np.repeat([0, 1, 2], [fitted, chosen - fitted, count - chosen])
    rows = part[groups]
    fit, choose, test = (np.flatnonzero(rows == number) for number in range(3))
    return Split(fit, choose, test, "time" if by_time else "group")
