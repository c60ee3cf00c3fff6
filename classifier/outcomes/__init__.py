"""The outcome store: where decisions, what came of them and feedback are kept, to learn from.

    records.py      what is kept                          database.py   URL -> connections
    store.py        `OutcomeStore`, the way in            schema.py     tables and migrations
    writer.py       the thread that writes                rows.py       records <-> rows
    work_queue.py   a queue and its thread                stats.py      the rows in sums
    recent.py       what no flush has confirmed yet       watch.py      is the file still the one that was opened?
    spill.py        where records wait while the          reading.py    files that cannot be written
                    store is down                         private.py    files for their owner alone
    dead_letters.py what is left of a record that         privacy.py    what a mode keeps of a request
                    cannot be written                     sealing.py    bytes that take a key to read
    encoding.py     any text, without loss                keys.py       where that key is
    lines.py        records <-> lines of JSON

``OutcomeStore`` loads SQLAlchemy when it is first asked for; the records alone load nothing heavy.
"""

from typing import TYPE_CHECKING, Any

from classifier.errors import NoStoreError, StoreError
from classifier.outcomes.records import (
    AttemptRecord,
    DecisionRecord,
    FeedbackRecord,
    LateAttempt,
    Outcome,
    Record,
    new_id,
)

if TYPE_CHECKING:
    from classifier.outcomes.privacy import dump_features, load_features
    from classifier.outcomes.stats import Stats
    from classifier.outcomes.store import OutcomeStore
    from classifier.outcomes.writer import Counters

__all__ = [
    "AttemptRecord",
    "Counters",
    "DecisionRecord",
    "FeedbackRecord",
    "LateAttempt",
    "NoStoreError",
    "Outcome",
    "OutcomeStore",
    "Record",
    "Stats",
    "StoreError",
    "dump_features",
    "load_features",
    "new_id",
]

_LATER = {
    "Counters": "writer",
    "OutcomeStore": "store",
    "Stats": "stats",
    "dump_features": "privacy",
    "load_features": "privacy",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
