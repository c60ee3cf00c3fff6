"""Which rows a certificate may rest on, so that it is about all the traffic that a table stands for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.prepare.data import RoutingData
from training.prepare.split import Split


@dataclass(frozen=True, slots=True)
class Provable:
    """Rows to certify on.

    Attributes
    ----------
    rows : (n,) row numbers: first those for choosing, then those of the user's own large groups, wherever they stand in
        the split, in so many rows that they weigh as in the table. Of the latter only the request is looked at.
    own : how many are of the first kind.
    groups : (n,) group numbers. Each row of a large group is one of its own: the group is not drawn, it is there.
    """

    rows: NDArray[np.int64]
    own: int
    groups: NDArray[np.int64]

    def values(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, k) of a table's (rows, k) values; NaN where they are not looked at."""
        found = table[self.rows]
        found[self.own :] = np.nan
        return found


def frequent(data: RoutingData, large: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,): rows of large groups that are one prompt asked often, which will be asked as often again.

    A large group of the user's own (a conversation, a document) need not come again, and others as large may.
    """
    unnamed = np.array([group is None for group in data.table.groups], bool)
    often: NDArray[np.bool_] = large & unnamed
    return often


def choose_on_frequent(split: Split, data: RoutingData, large: NDArray[np.bool_]) -> Split:
    """The split, with prompts asked often among the rows for choosing, in as many rows as they are of the table.

    What a certificate says of them then rests on their own rows, which nothing was fitted on. The rest of their rows is
    not used.
    """
    often = frequent(data, large)
    fit, choose, test = (part[~often[part]] for part in (split.fit, split.choose, split.test))
    rows = np.flatnonzero(often)
    kept = _thinned(rows, len(choose) / max(float((~often).sum()), 1.0))
    return replace(split, fit=fit, choose=np.sort(np.concatenate([choose, kept])), test=test)


def provable_rows(
    data: RoutingData,
    split: Split,
    large: NDArray[np.bool_],
    needed: Sequence[int],
    answered: NDArray[np.bool_] | None = None,
) -> Provable:
    """The rows for choosing that a router in use did not observe, and for their share those of other large groups.

    Parameters
    ----------
    large : (n,) rows of groups too large to stand for others of their kind.
    needed : places of the tiers that may be picked; rows that miss the score of one of them by chance are left out,
        since the others stand for them.
    answered : (n,) rows to keep; None: all.
    """
    often = frequent(data, large)
    lost = large & ~often
    chance = [tier for tier in data.by_chance if tier in needed]
    known = ~np.isnan(data.quality[:, chance]).any(axis=1) & ~data.logged & ~lost
    if answered is not None:
        known &= answered
    rows = split.choose[known[split.choose]]
    hidden = _thinned(np.flatnonzero(lost), len(rows) / max(float((~data.logged & ~lost).sum()), 1.0))
    every = np.concatenate([rows, hidden])
    single = large[every]
    groups = np.where(single, int(data.groups.max()) + 1 + np.arange(len(every)), data.groups[every])
    return Provable(every, len(rows), groups)


def _thinned(rows: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """A share of rows, evenly spread; at most all."""
    count = min(math.ceil(share * len(rows)), len(rows))
    return rows[np.linspace(0, max(len(rows) - 1, 0), count).astype(np.int64)]
