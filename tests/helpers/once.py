"""What is costly to make is made once a run, by whichever of pytest-xdist's workers asks first."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from filelock import FileLock

T = TypeVar("T")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], T]) -> T:
    """What ``make`` returns, given an empty folder that stays until the end of the run.

    The other workers read a pickle of it, so paths in it must lead into that folder.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    kept = root / f"once-{name}.pickle"
    with FileLock(kept.with_suffix(".lock")):
        if not kept.exists():
            folder = root / f"once-{name}"
            folder.mkdir()
            kept.write_bytes(pickle.dumps(make(folder)))
    value: T = pickle.loads(kept.read_bytes())
    return value
