"""The thread that writes, so that no request waits for the store.

Records go into a queue. The thread writes what is in it, many records to a transaction. While the store cannot take
them it spills them instead, asks again after a while (a second, then twice as long, up to a minute), and when the store
is back, or at the next start, takes up what was spilled. Where the thread hangs in a call to the database, so that the
queue is full, a second thread spills what comes on top.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import secrets
import threading
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from classifier.outcomes.database import Database, is_down, reason
from classifier.outcomes.lane import Lane
from classifier.outcomes.lines import from_lines, to_line
from classifier.outcomes.privacy import kept
from classifier.outcomes.records import Record
from classifier.outcomes.rows import prune_decisions, write_records
from classifier.outcomes.schema import HASH_KEY, store_settings
from classifier.outcomes.spill import Spill

_LONGEST_PAUSE = 60.0  # seconds between two looks at a store that is down, or at the spill folder
_RETENTION_PAUSE = 3600.0
_EXIT_SECONDS = 10.0
_UNFIT = (ValueError, TypeError, AttributeError, RecursionError)  # of a record that cannot be written as JSON

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Counters:
    """What became of the records of this process.

    Attributes
    ----------
    written : records stored, those from spill files included.
    spilled : records written to a spill file.
    recovered : records taken up from spill files; they may be another process's.
    dropped : records lost: neither the store nor a spill file could take them.
    broken : lines of spill files that could not be read; they are set aside.
    failed_writes : transactions that failed.
    waiting : records in the queue.
    """

    written: int = 0
    spilled: int = 0
    recovered: int = 0
    dropped: int = 0
    broken: int = 0
    failed_writes: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class WriterOptions:
    """How a `Writer` works; see `classifier.outcomes.OutcomeStore`."""

    url: str = field(repr=False)  # may hold a password
    mode: str
    responses: bool
    queue_size: int
    batch: int
    folders: tuple[Path, ...]
    retention_days: float | None
    retry_after: float


class Writer:
    """Takes records from any thread and sees that they are kept; see the module's first lines.

    After a fork the child has a queue, threads, connections and spill files of its own, and counts from 0.
    """

    def __init__(self, options: WriterOptions) -> None:
        self.options = options
        self._begin()
        _OPEN.add(self)

    def _begin(self) -> None:
        options = self.options
        self.database, self.spill = Database(options.url), Spill(options.folders)
        self._lane = Lane("outcomes", options.queue_size, options.batch, self._store, self._idle, self._end)
        self._overflow = Lane("outcomes-overflow", options.queue_size, options.batch, self._spill_overflow)
        self._lock = threading.RLock()  # reentrant: an abandoned stream may be recorded while this thread holds it
        self._counters = Counters()
        self._flushed_dropped = 0
        self._warned: set[str] = set()
        self._connection: Connection | None = None
        self._key = secrets.token_bytes(32)  # until the store's is known
        self._pause = options.retry_after
        self._retry_at = self._look_at = self._prune_at = 0.0
        self._chores: Generator[None, None, None] | None = None

    @property
    def counters(self) -> Counters:
        """What became of the records so far."""
        with self._lock:
            return replace(self._counters, waiting=len(self._lane) + len(self._overflow))

    def put(self, record: Record) -> None:
        """Take a record; never waits and never raises."""
        if self not in _OPEN:
            return self._drop(1, "the store is closed")
        if self._lane.put(record):
            return
        self._warn("full", "the queue of outcomes is full; what comes on top is spilled")
        if not self._overflow.put(record):
            self._drop(1, "there is no room in the queue")

    def flush(self, timeout: float | None) -> bool:
        """Wait until all records put before are in the store or in a spill file on the disk.

        Returns
        -------
        False where ``timeout`` (seconds) was too short, or a record was dropped since the last call.
        """
        begun = monotonic()
        done = self._lane.flush(timeout)
        left = None if timeout is None else max(0.0, timeout - (monotonic() - begun))
        done = self._overflow.flush(left) and done
        with self._lock:
            dropped, self._flushed_dropped = self._counters.dropped - self._flushed_dropped, self._counters.dropped
        return done and not dropped

    def close(self, timeout: float) -> None:
        """Write what waits and end; what could not be written in time (seconds) is spilled."""
        if self not in _OPEN:
            return
        _OPEN.discard(self)
        for lane in (self._lane, self._overflow):
            self._spill(self._cleaned(lane.close(timeout)))

    def _store(self, records: list[Record]) -> None:
        if self._connection is None and monotonic() >= self._retry_at:
            self._try_to_connect()
        clean = self._cleaned(records)
        if not self._write(clean):
            self._spill(clean)

    def _cleaned(self, records: Sequence[Record]) -> list[Record]:
        """The records without what must not be kept."""
        clean = []
        for record in records:
            try:
                clean.append(kept(record, self.options.mode, self.options.responses, self._key))
            except _UNFIT as error:
                self._drop(1, f"a record is unfit to be stored ({type(error).__name__})")
        return clean

    def _write(self, records: Sequence[Record]) -> bool:
        """Whether the store took them, but for those that no store can take; else some may have been written."""
        if not records:
            return True
        if self._connection is None:
            return False
        try:
            self._transact(records)
        except Exception as error:
            self._count(failed_writes=1)
            if is_down(error):
                self._mark_down(error)
                return False
            if len(records) > 1:
                half = len(records) // 2
                return self._write(records[:half]) and self._write(records[half:])
            self._drop(1, f"a record is unfit to be stored ({reason(error)})")
            return True
        self._count(written=len(records))
        return True

    def _transact(self, records: Sequence[Record]) -> None:
        assert self._connection is not None
        try:
            with self._connection.begin():
                write_records(self._connection, records)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            self._connect()  # the server may have been begun anew, or cut an idle connection
            with self._connection.begin():
                write_records(self._connection, records)

    def _try_to_connect(self) -> None:
        try:
            self._connect()
        except Exception as error:
            self._mark_down(error)

    def _connect(self) -> None:
        self._disconnect()
        self._connection = self.database.connect(write=True)
        with self._connection.begin():
            key = select(store_settings.c.value).where(store_settings.c.name == HASH_KEY)
            self._key = bytes.fromhex(self._connection.scalar(key) or "")
        if "down" in self._warned:
            _log.info("outcome store %s: back", self.database.shown)
        self._warned.discard("down")
        self._pause, self._look_at = self.options.retry_after, 0.0

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it may be broken in any way
                connection.close()

    def _mark_down(self, error: Exception) -> None:
        self._disconnect()
        self._warn("down", f"{reason(error)}; outcomes are spilled until it is back")
        self._retry_at = self._look_at = monotonic() + self._pause * random.uniform(0.5, 1.0)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _spill_overflow(self, records: list[Record]) -> None:
        self._spill(self._cleaned(records))
        self._look_at = min(self._look_at, monotonic() + self.options.retry_after)

    def _spill(self, records: Sequence[Record]) -> None:
        lines = []
        for record in records:
            try:
                lines.append(to_line(record))
            except _UNFIT as error:
                self._drop(1, f"a record is unfit to be stored ({type(error).__name__})")
        if not lines:
            return
        try:
            self.spill.add(lines)
        except OSError as error:
            self._drop(len(lines), f"the spill folder cannot be written ({error.strerror})")
        else:
            self._count(spilled=len(lines))

    def _idle(self) -> float | None:
        """A step of what is to be done beside writing; seconds until the next."""
        now = monotonic()
        due = max(self._look_at, self._retry_at if self._connection is None else 0.0)
        if self._chores is None and now < due:
            return due - now
        self._chores = self._chores or self._steps()
        try:
            next(self._chores)
        except StopIteration:
            pause = self.options.retry_after if self.spill.files() else _LONGEST_PAUSE
            self._chores, self._look_at = None, now + pause
        except OSError as error:  # of the spill folder, not of the store
            self._chores, self._look_at = None, now + _LONGEST_PAUSE
            self._warn("folder", f"what was spilled cannot be taken up ({error.strerror})")
        except Exception as error:  # whatever it is must not end the thread
            self._chores = None
            self._mark_down(error)
        return 0.0

    def _end(self) -> None:
        if self._chores is not None:
            self._chores.close()
        self._disconnect()

    def _steps(self) -> Generator[None, None, None]:
        """Take up what was spilled, then remove what is too old; a step is about a transaction."""
        if self.spill.files():
            yield from self._take_up()
        days = self.options.retention_days
        if days is not None and monotonic() >= self._prune_at:
            if self._connection is None:
                self._connect()
            assert self._connection is not None
            before = datetime.now(UTC) - timedelta(days=days)
            for _ in prune_decisions(self._connection, before):
                yield
            self.spill.forget_broken(before.timestamp())
            self._prune_at = monotonic() + _RETENTION_PAUSE

    def _take_up(self) -> Generator[None, None, None]:
        if self._connection is None:
            self._connect()
        with closing(self.spill.take()) as files:
            for file in files:
                while lines := list(islice(file, self.options.batch)):
                    records = self._cleaned(from_lines(lines, self._set_aside))
                    if not self._write(records):
                        return
                    self._count(recovered=len(records))
                    yield

    def _set_aside(self, line: bytes) -> None:
        self.spill.set_aside(line)
        self._count(broken=1)
        self._warn("broken", "a line of a spill file cannot be read; it is set aside")

    def _drop(self, number: int, why: str) -> None:
        self._count(dropped=number)
        self._warn("dropped", f"outcomes are dropped: {why}")

    def _count(self, **numbers: int) -> None:
        with self._lock:
            old: Any = self._counters
            self._counters = replace(old, **{name: getattr(old, name) + more for name, more in numbers.items()})

    def _warn(self, kind: str, message: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            _log.warning("outcome store %s: %s (said once)", self.database.shown, message)


_OPEN: set[Writer] = set()
_INHERITED: list[dict[str, Any]] = []  # of the parent process; its connections must not be closed here


def _close_all() -> None:
    for writer in list(_OPEN):
        writer.close(_EXIT_SECONDS)


def _begin_all_anew() -> None:
    for writer in list(_OPEN):
        _INHERITED.append(dict(vars(writer)))
        writer._begin()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all_anew)
