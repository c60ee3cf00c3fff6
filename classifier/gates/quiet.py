"""Python's parser warns of odd source; what an answer holds must warn nobody."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_LOCK = Lock()


@contextmanager
def no_warnings() -> Iterator[None]:
    """Ignore warnings inside. The filters are global, so threads that change and restore them take turns."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
