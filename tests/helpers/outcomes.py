"""Made records, and what a store holds."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from classifier.outcomes import AttemptRecord, DecisionRecord, OutcomeStore, new_id

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "the vault opens with marzipan"


class Opener(Protocol):
    def __call__(self, url: str, **options: Any) -> OutcomeStore: ...


def decision(moment: datetime = START, **fields: Any) -> DecisionRecord:
    """A decision that was escalated once."""
    given = {
        "id": new_id(moment),
        "time": moment,
        "chosen": "haiku",
        "rule": "learned",
        "artifact": "ab" * 32,
        "setting": {"max_quality_loss": 0.02},
        "menu": ("haiku", "opus"),
        "prompt": SECRET,
        "task": "summarization",
        "max_tokens": 300,
        "probabilities": (0.7, 0.9),
        "expected_quality": (0.6, 0.8),
        "expected_cost": (0.001, 0.01),
        "novelty": 0.1,
        "propensity": 0.95,
        "answered": "opus",
        "attempts": (attempt(0, passed=False, score=0.2), attempt(1, tier="opus", cost=0.02)),
    }
    return DecisionRecord(**{**given, **fields})


def attempt(position: int, **fields: Any) -> AttemptRecord:
    given = {"position": position, "purpose": "answer", "tier": "haiku", "model": "m", "cost": 0.002, "latency": 0.5}
    return AttemptRecord(**{**given, **fields})


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Until something holds; the limit only ends a test that fails."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def ids(store: OutcomeStore) -> list[str]:
    return [each.decision.id for each in store.outcomes()]


def everything(folder: Path) -> bytes:
    """The bytes of all files below a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another connection writes, and takes its time."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("ROLLBACK")
    connection.close()
