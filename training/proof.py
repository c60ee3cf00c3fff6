"""Which rows a certificate may rest on, so that it is about all the traffic that a table stands for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data import RoutingData
from training.split import Split


@dataclass(frozen=True, slots=True)
class Provable:
    """Rows to certify on.

    Attributes
    ----------
    rows : (n,) row numbers: first those for choosing, then those of groups too large to be certified, wherever they
        stand in the split. Of the latter nothing is looked at but the request.
    own : how many are of the first kind. Of the second there are so many that large groups weigh as in the table.
    groups : (n,) group numbers. What counts as lost, or as unchanged, without a look is no draw, so each such row is a
        group of its own.
    """

    rows: NDArray[np.int64]
    own: int
    groups: NDArray[np.int64]

    def values(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, k) of a table's (rows, k) values; NaN where they are not looked at."""
        found = table[self.rows]
        found[self.own :] = np.nan
        return found


def provable_rows(
    data: RoutingData,
    split: Split,
    large: NDArray[np.bool_],
    needed: Sequence[int],
    answered: NDArray[np.bool_] | None = None,
) -> Provable:
    """The rows for choosing that a router in use did not observe, and for their share those too large to be certified.

    Parameters
    ----------
    large : (n,) rows of groups too large.
    needed : places of the tiers that may be picked; rows that miss the score of one of them by chance are left out,
        since the others stand for them.
    answered : (n,) rows to keep; None: all.
    """
    chance = [tier for tier in data.by_chance if tier in needed]
    kept = ~np.isnan(data.quality[:, chance]).any(axis=1) & ~data.logged & ~large
    if answered is not None:
        kept &= answered
    rows = split.choose[kept[split.choose]]
    heavy = np.flatnonzero(large)
    share = len(rows) / max(float((~data.logged & ~large).sum()), 1.0)
    heavy = heavy[np.linspace(0, max(len(heavy) - 1, 0), math.ceil(share * len(heavy))).astype(np.int64)]
    own_groups = int(data.groups.max()) + 1 + np.arange(len(heavy))
    return Provable(np.concatenate([rows, heavy]), len(rows), np.concatenate([data.groups[rows], own_groups]))
