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
    rows : (n,) row numbers: first those for choosing, then those of groups too large to be certified beside them, in so
        many rows that such groups weigh as in the table.
    own : how many are of the first kind.
    hidden : (n,) rows of which nothing is looked at but the request: of large groups that need not come again.
    groups : (n,) group numbers. Each row of a large group is one of its own: the group is not drawn, it is there.
    """

    rows: NDArray[np.int64]
    own: int
    hidden: NDArray[np.bool_]
    groups: NDArray[np.int64]

    def values(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, k) of a table's (rows, k) values; NaN where they are not looked at."""
        found = table[self.rows]
        found[self.hidden] = np.nan
        return found


def provable_rows(
    data: RoutingData,
    split: Split,
    large: NDArray[np.bool_],
    needed: Sequence[int],
    answered: NDArray[np.bool_] | None = None,
) -> Provable:
    """The rows for choosing that a router in use did not observe, and for their share those of large groups.

    A prompt that is asked often is asked often again, so a large group of like prompts is certified by its own rows,
    those for fitting included: by models that did not see them. A large group of the user's own (a conversation, a
    document) need not come again, and other large ones may: it counts as lost where it leaves the reference.

    Parameters
    ----------
    large : (n,) rows of groups too large to stand for others of their kind.
    needed : places of the tiers that may be picked; rows that miss the score of one of them by chance are left out,
        since the others stand for them.
    answered : (n,) rows to keep; None: all.
    """
    chance = [tier for tier in data.by_chance if tier in needed]
    known = ~np.isnan(data.quality[:, chance]).any(axis=1) & ~data.logged
    if answered is not None:
        known &= answered
    rows = split.choose[(known & ~large)[split.choose]]
    tested = np.zeros(len(data), bool)
    tested[split.test] = True
    named = np.array([group is not None for group in data.table.groups], bool)
    every, seen = np.flatnonzero(large), np.flatnonzero(large & known & ~named & ~tested)
    if not len(rows):
        every = every[:0]
    wanted = len(rows) / max(float((~data.logged & ~large).sum()), 1.0)
    hidden = _thinned(every[named[every]], wanted)
    open_rows = _thinned(seen, wanted * np.sum(~named[every]) / max(len(seen), 1))
    if len(every) and not len(seen) and not named[every].all():
        hidden = _thinned(every, wanted)
    heavy = np.concatenate([open_rows, hidden])
    own_groups = int(data.groups.max()) + 1 + np.arange(len(heavy))
    return Provable(
        rows=np.concatenate([rows, heavy]),
        own=len(rows),
        hidden=np.concatenate([np.zeros(len(rows) + len(open_rows), bool), np.ones(len(hidden), bool)]),
        groups=np.concatenate([data.groups[rows], own_groups]),
    )


def _thinned(rows: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """A share of rows, evenly spread; at most all."""
    count = min(math.ceil(share * len(rows)), len(rows))
    return rows[np.linspace(0, max(len(rows) - 1, 0), count).astype(np.int64)]
