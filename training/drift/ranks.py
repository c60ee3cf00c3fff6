"""Conformal p-values: where each row's value stands among those up to it, drawn anew where values are equal.

    p = (values below + share * values equal to it, itself included) / rows up to it,    share uniform on (0, 1).

While rows are exchangeable, that is as long as nothing changes, these are independent and uniform, whatever the values'
distribution is (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005, theorem 8.2). So no
baseline has to be estimated, and none can be estimated badly. Within groups the same holds as long as the rows of each
group are exchangeable, whatever becomes of the groups' shares (Mondrian conformal prediction, section 4.5 there).
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

_BLOCK = 512
_STREAM = 20_220

_Float = NDArray[np.float64]


def tie_breaks(name: str, rows: int) -> _Float:
    """(rows,) uniform numbers: the same for the same name, and the first ones whatever comes after them."""
    return np.random.default_rng((_STREAM, zlib.crc32(name.encode()))).random(rows)


def value_ranks(values: _Float, groups: NDArray[np.int64], shares: _Float) -> _Float:
    """(n,) p-values of numbers in order of time, each among those of its group.

    Parameters
    ----------
    values, groups, shares : (n,) each; no value is NaN.
    """
    ranks = np.empty(len(values))
    order = np.argsort(groups, kind="stable")
    begins = np.flatnonzero(np.diff(groups[order], prepend=-1))
    for rows in np.split(order, begins[1:]):
        ranks[rows] = _ranks(values[rows], shares[rows])
    return ranks


def label_ranks(labels: NDArray[np.int64], shares: _Float) -> _Float:
    """(n,) p-values of labels in order of time; the value of a label is how often it was seen up to the row.

    The rarer a label is, the smaller is its p-value: that of one that was never seen before is at most 1 / rows.
    """
    counts = np.zeros(int(labels.max()) + 1 if len(labels) else 1, np.int64)
    ranks = np.empty(len(labels))
    for row, label in enumerate(labels):
        counts[label] += 1
        own = counts[label]
        below, alike = counts[counts < own].sum(), counts[counts == own].sum()
        ranks[row] = (below + shares[row] * alike) / (row + 1)
    return ranks


def _ranks(values: _Float, shares: _Float) -> _Float:
    """Block by block: against all blocks before by search in what is sorted, within the block pair by pair."""
    found = np.empty(len(values))
    known = np.empty(0)
    for begin in range(0, len(values), _BLOCK):
        block = values[begin : begin + _BLOCK]
        below, upto = np.searchsorted(known, block), np.searchsorted(known, block, side="right")
        earlier = np.tri(len(block), dtype=bool)
        less = (earlier & (block < block[:, None])).sum(axis=1)
        equal = (earlier & (block == block[:, None])).sum(axis=1)
        alike = upto - below + equal
        upon = np.arange(begin + 1, begin + len(block) + 1)
        found[begin : begin + _BLOCK] = (below + less + shares[begin : begin + _BLOCK] * alike) / upon
        known = np.sort(np.concatenate((known, block)))
    return found
