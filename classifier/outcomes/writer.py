"""The thread that writes, so that no request waits for the store.

Records go into a queue. The thread writes what is in it, many records to a transaction. While the store cannot take
them it spills them instead, and asks again after a while (a second, then twice as long, up to a minute). When the store
is back, it takes up what was spilled; so does a later process, with its first record. Where the thread hangs in a call
to the database, so that the queue is full, a second thread spills what comes on top.

No record ends the thread: what can be neither stored nor spilled is set aside. Nothing is confirmed that went to a file
which is not at the store's path any more: what was written since the last flush is kept in mind, and written again.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import secrets
import threading
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from classifier.outcomes.database import HOME, Database, is_down, reason
from classifier.outcomes.dead_letters import dead_letter
from classifier.outcomes.keys import VARIABLE, Keys
from classifier.outcomes.lines import from_lines, to_line
from classifier.outcomes.privacy import PROMPT, kept, seal_record
from classifier.outcomes.recent import Recent
from classifier.outcomes.records import DecisionRecord, Record
from classifier.outcomes.rows import prune_decisions, write_records
from classifier.outcomes.sealing import KEY_BYTES
from classifier.outcomes.spill import BROKEN, Spill
from classifier.outcomes.work_queue import Jobs, Tally, WorkQueue

_LONGEST_PAUSE = 60.0  # seconds between two looks at a store that is down, or at the spill folder
_RETENTION_PAUSE = 3600.0
_EXIT_SECONDS = 10.0
_TRIES = 3  # to write to a file that is replaced meanwhile

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Counters:
    """What became of the records of this process.

    At any time ``given + recovered = written + spilled + set_aside + dropped + waiting``.

    Attributes
    ----------
    given : records that were to be recorded.
    written : records stored, those from spill files included.
    spilled : records written to a spill file.
    recovered : records taken up from spill files; they may be another process's.
    set_aside : records that can be neither stored nor spilled; what is left of them is in ``broken.lines``.
    dropped : records lost: neither the store nor a spill file could take them.
    broken : lines of spill files that could not be read; they are set aside.
    gone : records written that were in the store's file when it was moved, removed, replaced or emptied, and that no
        flush had confirmed: older ones than those that are written again.
    failed_writes : transactions that failed.
    waiting : records in the queue.
    """

    given: int = 0
    written: int = 0
    spilled: int = 0
    recovered: int = 0
    set_aside: int = 0
    dropped: int = 0
    broken: int = 0
    gone: int = 0
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

    def __init__(self, options: WriterOptions, keys: Keys) -> None:
        self.options, self.keys = options, keys
        self._begin()
        _OPEN.add(self)

    def _begin(self) -> None:
        options = self.options
        self.database, self.spill = Database(options.url, self.keys), Spill(options.folders)
        self._lock = threading.RLock()  # reentrant: an abandoned stream may be recorded while this thread holds it
        jobs = Jobs(self._store, self._rescue, self._count, self._idle, self._settle, self._end)
        self._queue = WorkQueue("outcomes", options.queue_size, options.batch, jobs, self._lock)
        jobs = Jobs(self._spill_overflow, self._rescue, self._count)
        self._overflow = WorkQueue("outcomes-overflow", options.queue_size, options.batch, jobs, self._lock)
        self._counts: Counter[str] = Counter()
        self._flushed_lost = 0
        self._warned: set[str] = set()
        self._connection: Connection | None = None
        self._recent = Recent(self.database.path)
        self._hash_key = secrets.token_bytes(KEY_BYTES)  # until the store's is known
        self._pause = options.retry_after
        self._retry_at = self._look_at = self._prune_at = 0.0
        self._chores: Generator[None, None, None] | None = None

    @property
    def counters(self) -> Counters:
        """What became of the records so far."""
        with self._lock:
            known = {each.name: self._counts[each.name] for each in fields(Counters)}
            return Counters(**{**known, "waiting": len(self._queue) + len(self._overflow)})

    def put(self, record: Record) -> None:
        """Take a record; never waits and never raises."""
        with self._lock:
            self._counts["given"] += 1
            if self not in _OPEN:
                return self._drop(1, "the store is closed")
            if self._queue.put(record):
                return
            self._warn("full", "the queue of outcomes is full; what comes on top is spilled")
            if not self._overflow.put(record):
                self._drop(1, "there is no room in the queue")

    def flush(self, timeout: float | None) -> bool:
        """Wait until all records put before are in the store or in a spill file on the disk.

        Returns
        -------
        False where ``timeout`` (seconds) was too short or, since the last call, a record was dropped or set aside, or
        was in a file that is gone.
        """
        begun = monotonic()
        done = self._queue.flush(timeout)
        left = None if timeout is None else max(0.0, timeout - (monotonic() - begun))
        done = self._overflow.flush(left) and done
        with self._lock:
            lost = sum(self._counts[name] for name in ("dropped", "set_aside", "gone"))
            new, self._flushed_lost = lost - self._flushed_lost, lost
        return done and not new

    def close(self, timeout: float) -> None:
        """Write what waits and end; what could not be written in time (seconds) is spilled."""
        with self._lock:
            if self not in _OPEN:
                return
            _OPEN.discard(self)
        end = monotonic() + timeout
        for queue in (self._queue, self._overflow):
            queue.close(max(0.0, end - monotonic()))

    def _store(self, records: list[Record]) -> Tally:
        tally: Counter[str] = Counter()
        self._look_at_file()
        self._connect_if_due()
        self._spill(self._write(self._cleaned(records, tally), tally), tally)
        self._secure(tally)
        return tally

    def _connect_if_due(self) -> None:
        if self._connection is None and monotonic() >= self._retry_at:
            try:
                self._connect()
            except Exception as error:
                self._mark_down(error)

    def _clean(self, record: Record) -> Record:
        """The record without what must not be kept, and the rest of what gives requests away sealed."""
        options = self.options
        return seal_record(kept(record, options.mode, options.responses, self._hash_key), options.mode, self.keys.own())

    def _cleaned(self, records: Iterable[Record], tally: Counter[str]) -> list[Record]:
        clean = []
        for record in records:
            try:
                clean.append(self._clean(record))
            except Exception as error:
                self._set_aside(record, error, tally)
        return clean

    def _write(self, records: list[Record], tally: Counter[str]) -> list[Record]:
        """Store records, and set aside those that no store can take; returns what is left where the store is down."""
        if not records or self._connection is None:
            return records
        try:
            self._transact(records)
        except Exception as error:
            self._count({"failed_writes": 1})
            if is_down(error):
                self._mark_down(error)
                return records
            half = len(records) // 2
            if half:
                return self._write(records[:half], tally) + self._write(records[half:], tally)
            self._set_aside(records[0], error, tally)
            return []
        tally["written"] += len(records)
        self._recent.add(records)
        return []

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

    def _connect(self) -> None:
        self._look_at_file()
        self._disconnect()
        self._connection = self.database.connect()
        self._recent.settle_in(self._connection.info[HOME])
        key = self.database.hash_key(self._connection)
        if key is None:
            self._warn(
                "key",
                f"it was begun with another key than {self.keys.where}; hashes and features of this "
                f"program can only be compared and read with its own; give all programs one key by ${VARIABLE}",
            )
        self._hash_key = key or self._hash_key
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

    def _look_at_file(self) -> None:
        """Notice where the store's file is not the one that was opened any more."""
        if self._recent.is_elsewhere(self._is_whole):
            self._warn(
                "file",
                "its file was moved, removed, replaced or emptied; what no flush has confirmed is written "
                "to the file that is there now, or to a new one",
            )
            path = self.database.path
            if path is not None and not path.exists():  # else another program may use the log's index for a new file
                self._checkpoint()
            self._count({"gone": self._recent.leave()})
            self._disconnect()
            self._retry_at = 0.0

    def _is_whole(self, size: int) -> bool:
        return self._connection is not None and self.database.is_whole(self._connection, size)

    def _secure(self, tally: Counter[str]) -> None:
        """See that what was written is in the file that lies at the path, or else spilled."""
        for _ in range(_TRIES):
            self._checkpoint()
            self._look_at_file()
            records = self._recent.take_left_behind()
            if not records:
                return
            tally["written"] -= len(records)
            self._connect_if_due()
            self._spill(self._write(records, tally), tally)
        records = self._recent.take_all()  # a file that is replaced all the time
        tally["written"] -= len(records)
        self._spill(records, tally)

    def _checkpoint(self) -> None:
        """Bring what was committed from the file's log into the file, which may be moved without it."""
        if self._connection is not None and not self._recent.synced:
            with suppress(Exception):  # it is committed all the same
                self._recent.synced = self.database.checkpoint(self._connection, "PASSIVE")

    def _settle(self) -> None:
        """Before anything is confirmed: look whether it is where it was written."""
        tally: Counter[str] = Counter()
        self._secure(tally)
        self._count(tally)
        self._recent.confirm()

    def _spill_overflow(self, records: list[Record]) -> Tally:
        tally: Counter[str] = Counter()
        self._spill(self._cleaned(records, tally), tally)
        self._look_at = min(self._look_at, monotonic() + self.options.retry_after)
        return tally

    def _spill(self, records: Sequence[Record], tally: Counter[str]) -> None:
        lines = []
        for record in records:
            try:
                lines.append(to_line(record))
            except Exception as error:
                self._set_aside(record, error, tally)
        if not lines:
            return
        try:
            self.spill.add(lines)
        except OSError as error:
            self._warn_of_dropped(f"the spill folder cannot be written ({error.strerror})")
            tally["dropped"] += len(lines)
        else:
            tally["spilled"] += len(lines)

    def _rescue(self, records: list[Record]) -> Tally:
        """Spill records, whatever happens; in the thread that writes, and in one that closes."""
        tally: Counter[str] = Counter()
        try:
            self._spill(self._cleaned(records, tally), tally)
        except BaseException as error:  # a record's own objects may raise anything
            if len(records) > 1:
                return sum((Counter(self._rescue([record])) for record in records), Counter())
            tally = Counter()
            self._set_aside(records[0], error, tally)
        return tally

    def _set_aside(self, record: Record, error: BaseException, tally: Counter[str]) -> None:
        try:
            aside = self.spill.set_aside(dead_letter(record, self._clean, reason(error)))
        except Exception:
            aside = False
        if aside:
            tally["set_aside"] += 1
            self._warn("aside", f"outcomes that cannot be written are set aside, in {BROKEN} ({reason(error)})")
        else:
            tally["dropped"] += 1
            self._warn_of_dropped(f"a record is unfit to be stored ({reason(error)})")

    def _idle(self) -> float | None:
        """A step of what is to be done beside writing; seconds until the next."""
        now = monotonic()
        self._look_at_file()
        self._recent.let_go(now)
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
                    if self._would_lose(lines):
                        return
                    tally: Counter[str] = Counter()
                    records = self._cleaned(from_lines(lines, self._set_line_aside), tally)
                    recovered = len(records) + tally.total()
                    if self._write(records, tally):
                        return
                    self._secure(tally)
                    self._count({**tally, "recovered": recovered})
                    yield

    def _would_lose(self, lines: Iterable[bytes]) -> bool:
        """Whether an older release spilled in the clear what would now be sealed with a key that is not kept."""
        if self.options.mode == PROMPT or self.keys.is_kept:
            return False
        decisions = (each for each in from_lines(lines, lambda _: None) if isinstance(each, DecisionRecord))
        if all(each.sealed is not None for each in decisions):
            return False
        self._warn("spilled", f"what an older release spilled waits until there is a key that is kept; set ${VARIABLE}")
        return True

    def _set_line_aside(self, line: bytes) -> None:
        self.spill.set_aside(line)
        self._count({"broken": 1})
        self._warn("broken", "a line of a spill file cannot be read; it is set aside")

    def _drop(self, number: int, why: str) -> None:
        self._count({"dropped": number})
        self._warn_of_dropped(why)

    def _warn_of_dropped(self, why: str) -> None:
        self._warn("dropped", f"outcomes are dropped: {why}")

    def _count(self, numbers: Tally) -> None:
        with self._lock:
            self._counts.update(numbers)

    def _warn(self, kind: str, message: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            _log.warning("outcome store %s: %s (said once)", self.database.shown, message)


_OPEN: set[Writer] = set()
_INHERITED: list[dict[str, Any]] = []  # of the parent process; its connections must not be closed here


def _close_all() -> None:
    end = monotonic() + _EXIT_SECONDS
    for writer in list(_OPEN):
        writer.close(max(0.0, end - monotonic()))


def _begin_all_anew() -> None:
    for writer in list(_OPEN):
        _INHERITED.append(dict(vars(writer)))
        writer._begin()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all_anew)
