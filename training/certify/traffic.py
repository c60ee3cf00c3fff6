"""What rows stand for: tomorrow's traffic, in which a prompt that was asked often is asked often again.

A group of like rows (one prompt repeated, one conversation) is one draw from the traffic, and weighs as much as it is
asked. Many small groups are tested together (`training.certify.certify`). A group that is a large part of the traffic
is not: other rows say little of it. So its rows count as lost wherever a rule sends them to another tier than the
reference, and the certificate is about the whole traffic all the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from classifier.features import N_WORD_BUCKETS
from training.certify.bounds import largest_provable

_RARE = 0.03
_FAR_MORE = 2.0
_SURELY = 5.0
_FEWEST_PAIRS = 100
_MOST_PAIRS = 5_000


def too_large(groups: NDArray[np.int64], loss: float, certifying: int, level: float) -> NDArray[np.bool_]:
    """(n,): rows of groups that could hide the loss allowed (`training.certify.bounds.largest_provable`).

    Parameters
    ----------
    groups : (n,) group numbers.
    loss : the share of quality that may be lost.
    certifying : rows that certify. level : of the test.
    """
    sizes = np.bincount(groups)
    large: NDArray[np.bool_] = sizes[groups] > largest_provable(loss, certifying, level)
    return large


def come_in_runs(
    terms: sparse.csr_matrix, order: NDArray[np.int64], groups: NDArray[np.int64], tasks: Sequence[str | None]
) -> bool:
    """Whether rows next to each other share far more rare words than other rows of their task do.

    Topics then come and go: rows are not independent, and what belongs together should be named as groups.

    Parameters
    ----------
    terms : (n, buckets) sparse, from `training.learners.matrix`.
    order : (n,) row numbers by time, or as they stand in the table.
    groups, tasks : (n,); rows of one group are known to belong together, and are left out.
    """
    if len(order) < _FEWEST_PAIRS:
        return False
    words = terms[:, :N_WORD_BUCKETS].tocsr()  # not bytes: running numbers are alike in these
    frequency = np.bincount(words.indices, minlength=words.shape[1])
    rare = words[:, np.flatnonzero((frequency >= 2) & (frequency <= _RARE * len(order)))].tocsr()
    numbers = np.unique([str(task) for task in tasks], return_inverse=True)[1]
    random = np.random.default_rng(0)
    shuffled = random.permutation(order)
    by_task = shuffled[np.argsort(numbers[shuffled], kind="stable")]
    near, far = (_shared(rare, each, groups, numbers) for each in (order, by_task))
    if min(len(near), len(far)) < _FEWEST_PAIRS:
        return False
    error = math.sqrt(near.var() / len(near) + far.var() / len(far))
    return bool(near.mean() > _FAR_MORE * far.mean() + _SURELY * error)


def _shared(
    rare: sparse.csr_matrix, order: NDArray[np.int64], groups: NDArray[np.int64], tasks: NDArray[np.intp]
) -> NDArray[np.float64]:
    """How many rare terms neighbours share, of one task and of two groups each."""
    first, second = order[:-1], order[1:]
    apart = (groups[first] != groups[second]) & (tasks[first] == tasks[second])
    places = np.flatnonzero(apart)[:_MOST_PAIRS]
    shared = rare[first[places]].multiply(rare[second[places]]).sum(axis=1)
    return np.asarray(shared, np.float64).ravel()
