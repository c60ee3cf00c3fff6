"""Many requests at once: shared among threads, and decided with arrays.

`classifier.features.FeatureExtractor.many` and the compiled forward pass do not hold the interpreter's lock, so a
chunk's requests cost little more than their arithmetic. Results are those of single requests, to 1e-9.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from classifier.request import Request

_CHUNK = 256

Result = TypeVar("Result")


def by_chunks(items: Sequence[Request], work: Callable[[Sequence[Request]], Result]) -> list[Result]:
    """Results of ``work`` on chunks of ``items``, in order; computed by as many threads as there are processors."""
    chunks = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    if len(chunks) < 2:
        return list(map(work, chunks))
    with ThreadPoolExecutor(min(len(chunks), os.cpu_count() or 1)) as threads:
        return list(threads.map(work, chunks))


def choose_rows(
    quality: NDArray[np.float64],
    cost: NDArray[np.float64],
    price_weight: NDArray[np.float64],
    allowed: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """`classifier.policy.choose` for n requests.

    Parameters
    ----------
    quality : (n, t) expected quality, the reference's bonus included.
    cost : (n, t) expected cost as a share of the reference's mean cost.
    price_weight : (n,).
    allowed : (n, t); a row without any gets 0.
    """
    worth = np.where(allowed, quality - price_weight[:, None] * cost, -np.inf)
    picked: NDArray[np.int64] = np.argmax(worth, axis=1)
    return picked
