"""Many requests at once, shared among threads.

`classifier.features.FeatureExtractor.many` and the compiled forward pass do not hold the interpreter's lock, so a
chunk's requests cost little more than their arithmetic. Results are those of single requests, to 1e-9.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

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
