"""What rows stand for: tomorrow's traffic, in which a prompt that was asked often is asked often again.

A group of like rows (one prompt repeated, one conversation) proves as little as one row, and weighs as much as it is
asked. Many small groups are tested together (`training.certify`). A group that is a large part of the traffic is not:
no number of other rows says how good a tier is on it. So its rows count as lost wherever a rule sends them to another
tier than the reference, and the certificate is about the whole traffic all the same.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from training.bounds import effective_rows

_LEVEL = 0.05


def too_large(groups: NDArray[np.int64], loss: float, certified: float) -> NDArray[np.bool_]:
    """(n,): rows of groups too large to be certified beside the others.

    The size limit is the one at which the smallest loss could be certified at best: the share of the rows in larger
    groups, all lost, plus log(1 / 0.05) over the effective rows of the others.

    Parameters
    ----------
    groups : (n,) group numbers.
    loss : the share of quality that may be lost.
    certified : share of the rows that certify.
    """
    sizes = np.bincount(groups)
    present = np.sort(sizes[sizes > 0])
    limits = np.unique(present)
    if len(limits) < 2:
        return np.zeros(len(groups), bool)
    total = float(present.sum())
    possible = []
    for limit in limits.tolist():
        kept = present[present <= limit].astype(np.float64)
        worth = certified * effective_rows(kept / kept.mean(), loss)
        possible.append(1 - kept.sum() / total + math.log(1 / _LEVEL) / worth)
    best = limits[len(limits) - 1 - int(np.argmin(possible[::-1]))]
    large: NDArray[np.bool_] = sizes[groups] > best
    return large
