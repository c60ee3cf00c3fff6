"""The outcome store: what the router decided, what came of it, and how good it was found."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from platformdirs import user_state_path

from classifier.errors import InputError, NoStoreError, StoreError
from classifier.outcomes.database import Database
from classifier.outcomes.encoding import dump_json, snapshot
from classifier.outcomes.keys import VARIABLE, Keys
from classifier.outcomes.lines import LineError, from_line, from_lines
from classifier.outcomes.privacy import MODES, PROMPT, open_record, seal_record
from classifier.outcomes.records import (
    USER,
    AttemptRecord,
    DecisionRecord,
    FeedbackRecord,
    LateAttempt,
    Outcome,
    Record,
    new_id,
)
from classifier.outcomes.rows import (
    check_ids,
    count_decisions,
    delete_decision,
    prune_decisions,
    read_outcomes,
    write_records,
)
from classifier.outcomes.sealing import sealed_by
from classifier.outcomes.stats import Stats, read_stats
from classifier.outcomes.watch import why_unfit
from classifier.outcomes.writer import Counters, Writer, WriterOptions

DEFAULT_URL = "sqlite:///outcomes.db"
_DELETE_SECONDS = 10.0

_log = logging.getLogger(__name__)


class OutcomeStore:
    """Keeps decisions, attempts and feedback in SQLite or PostgreSQL; threads may share it.

    Recording takes microseconds, does no I/O and never raises: a thread writes. While the store is down, records wait
    in a spill folder on this machine and are stored later, each once. What `flush` confirmed survives the death of the
    process, and that its file is moved; without it, the last tenth of a second may be lost. A normal exit flushes,
    ``os._exit`` does not, and neither do children of multiprocessing: let these call `close`.

    Nothing is opened before it is needed: a store that is down is no error here.
    """

    # One parameter an option of the store, all but the first with a default.
    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        keep: str = PROMPT,
        store_responses: bool = False,
        queue_size: int = 10_000,
        batch: int = 500,
        spill: str | Path | None = None,
        retention_days: float | None = None,
        retry_after: float = 1.0,
        key: str | None = None,
        store: str | None = None,
    ) -> None:
        """Make a store.

        Parameters
        ----------
        url : ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``postgresql://user@host/database``.
        keep : "prompt", "features" or "hash": what is kept of a request, see `classifier.outcomes.privacy`.
        store_responses : keep the answers, too; only with "prompt".
        queue_size : records that may wait for the thread that writes, and as many for the one that spills.
        batch : records written in one transaction, at most.
        spill : folder for records that wait for the store; None: ``<file>.spill`` beside the SQLite file, or where that
            cannot be written, and for PostgreSQL, a folder of the user's own state.
        retention_days : remove older decisions, about once an hour while records are written; None: never.
        retry_after : seconds until a store that was down is asked again; doubles up to a minute.
        key : of what the store hides, 64 hexadecimal digits, one for all programs that share the store; None:
            ``$TIERWISE_STORE_KEY``, else a file of the user's own, see `classifier.outcomes.keys`.
        store : the old name of ``keep``.

        Raises
        ------
        InputError : an argument is wrong. NoStoreError : a folder, or another thing that is no file, lies at the path.
        """
        if store is not None:
            warnings.warn(f"OutcomeStore(store={store!r}) is now OutcomeStore(keep={store!r})", DeprecationWarning, 2)
            keep = store
        if keep not in MODES:
            raise InputError(f"keep: found {keep!r}, expected one of {', '.join(MODES)}")
        if store_responses and keep != PROMPT:
            raise InputError(f'store_responses: found it with keep="{keep}", expected it with keep="prompt" only')
        for name, number in {"queue_size": queue_size, "batch": batch, "retry_after": retry_after}.items():
            if not number > 0:
                raise InputError(f"{name}: found {number}, expected a number above 0")
        if retention_days is not None and not 0 < retention_days < 1e6:
            raise InputError(f"retention_days: found {retention_days}, expected a number of days above 0, or None")
        self._keys = Keys(key)
        self._database = Database(url, self._keys)
        if self._database.path is not None and (wrong := why_unfit(self._database.path)) is not None:
            raise NoStoreError(f"{self.name}: {wrong}")
        folders = (Path(spill).absolute(),) if spill is not None else _spill_folders(self._database)
        self._writer = Writer(
            WriterOptions(url, keep, store_responses, queue_size, batch, folders, retention_days, retry_after),
            self._keys,
        )
        self.mode = keep
        self._told_of_key = False

    def __repr__(self) -> str:
        return f"OutcomeStore({self._database.shown!r}, keep={self.mode!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """The URL without user, password and options: it may be shown."""
        return self._database.shown

    def record(self, decision: DecisionRecord) -> None:
        """Keep a decision with the attempts made so far."""
        with suppress(Exception):  # where they cannot be copied, they are written as they are
            copies = {name: snapshot(getattr(decision, name)) for name in ("tools", "response_format")}
            if decision.messages is not None:  # callers go on with their conversation
                copies["messages"] = [_copied(message) for message in decision.messages]
            decision = replace(decision, **copies)
        self._writer.put(decision)

    def record_attempt(self, decision: str, attempt: AttemptRecord) -> None:
        """Keep an attempt made after its decision was recorded; its position has to be one not used yet."""
        self._writer.put(LateAttempt(decision, attempt))

    def record_feedback(self, decision: str, score: float, *, tier: str | None = None, source: str = USER) -> None:
        """Keep how good an answer was found.

        Parameters
        ----------
        decision : the decision's id.
        score : 0..1.
        tier : whose answer; None: the one the caller got.
        source : "user", "audit", or any other label.

        Raises
        ------
        InputError : the score is no number, or out of range.
        """
        try:
            fits = bool(0 <= score <= 1)
        except (TypeError, ValueError, ArithmeticError):
            found = f"a score of type {type(score).__name__}"
            raise InputError(f"feedback: found {found}, expected a number from 0 to 1") from None
        if not fits:
            raise InputError(f"feedback: found a score of {score}, expected a number from 0 to 1")
        self._writer.put(FeedbackRecord(new_id(), decision, datetime.now(UTC), float(score), source, tier))

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything recorded before is in the store or, where that is down, on this machine's disk.

        Returns
        -------
        False where ``timeout`` (seconds; None: as long as there is progress, at most a minute without any) was too
        short or, since the last call, a record was dropped, set aside (see `Counters`), or gone with the store's file.
        """
        return self._writer.flush(timeout)

    def close(self, timeout: float = 10.0) -> None:
        """Write what waits, and end; what the store does not take in time (seconds) is spilled."""
        self._writer.close(timeout)

    @property
    def counters(self) -> Counters:
        """What became of what this process recorded."""
        return self._writer.counters

    def outcomes(
        self, *, since: datetime | None = None, until: datetime | None = None, batch: int = 500, opened: bool = True
    ) -> Iterator[Outcome]:
        """Decisions from ``since`` to before ``until`` with attempts and feedback, oldest first, streamed.

        Parameters
        ----------
        since, until : aware times; None: no limit.
        batch : decisions held in memory.
        opened : with what is sealed in them opened, as far as the key at hand does; False: as they lie in the store.

        Raises
        ------
        StoreError : the store cannot be read.
        """
        keys = self._keys.all()
        with self._database.session() as connection:
            found = read_outcomes(connection, since, until, batch)
            yield from (self._opened(outcome, keys) for outcome in found) if opened else found

    def _opened(self, outcome: Outcome, keys: Sequence[bytes]) -> Outcome:
        decision = open_record(outcome.decision, keys)
        if decision.sealed is not None and not self._told_of_key:
            self._told_of_key = True
            _log.warning(
                "outcome store %s: holds requests sealed with a key (fingerprint %s) that is not at hand; what they "
                "were like cannot be read without it: set $%s (said once)",
                self.name,
                sealed_by(decision.sealed),
                VARIABLE,
            )
        return replace(outcome, decision=decision)

    def count(self, *, since: datetime | None = None, until: datetime | None = None) -> int:
        """How many decisions `outcomes` would give; raises as it does."""
        with self._database.session() as connection:
            return count_decisions(connection, since, until)

    def stats(self) -> Stats:
        """The store in sums; raises as `outcomes`."""
        with self._database.session() as connection:
            return read_stats(connection)

    def spilled(self) -> int:
        """Records that wait on this machine for the store, of all its processes."""
        return self._writer.spill.count()

    def write(self, records: Sequence[Record]) -> None:
        """Store records now, in one transaction and as they are, but for features, which are sealed.

        Those stored already are passed over.

        Raises
        ------
        StoreError : the store cannot take them. ValueError : an identifier is too long.
        """
        check_ids(records)
        with self._database.session(write=True) as connection, connection.begin():
            write_records(connection, [seal_record(record, PROMPT, self._keys.own()) for record in records])

    def take_up(self) -> int:
        """Store what waits on this machine now, in this thread; returns how many records were taken up.

        Raises
        ------
        StoreError : the store cannot take them; they go on waiting.
        """
        spill, count = self._writer.spill, 0
        with closing(spill.take()) as files:
            for file in files:
                while lines := list(islice(file, self._writer.options.batch)):
                    records = from_lines(lines, spill.set_aside)
                    self.write(records)
                    count += len(records)
        return count

    def delete(self, decision: str) -> bool:
        """Remove a decision, its attempts and its feedback for good, from spill files, too; whether it was stored.

        What may still come of it (from another machine's spill folder, or a late audit) is not stored any more.

        Raises
        ------
        StoreError : the store cannot be reached, or a spill file not be written.
        """
        self.flush(_DELETE_SECONDS)
        with self._database.session(write=True) as connection:
            found = delete_decision(connection, decision)
            self._database.checkpoint(connection)
        try:
            self._writer.spill.rewrite(lambda line: not _is_of(line, decision))
        except OSError as error:
            raise StoreError(f"spill folder: {error.strerror}; check its permissions and free space") from None
        return found

    def prune(self, older_than: timedelta | datetime) -> int:
        """Remove all decisions older than an age or an aware time, with what belongs to them; returns how many.

        Raises
        ------
        StoreError : the store cannot be reached.
        """
        before = older_than if isinstance(older_than, datetime) else datetime.now(UTC) - older_than
        with self._database.session(write=True) as connection:
            removed = sum(prune_decisions(connection, before))
            self._database.checkpoint(connection)
        self._writer.spill.forget_broken(before.timestamp())
        return removed

    def vacuum(self) -> None:
        """Give the space of what was removed back to the disk; raises as `prune`."""
        self._database.vacuum()


def _spill_folders(database: Database) -> tuple[Path, ...]:
    own = user_state_path("tierwise") / "spill" / hashlib.sha256(database.shown.encode()).hexdigest()[:16]
    if database.path is None:
        return (own,)
    return database.path.with_name(database.path.name + ".spill"), own


def _copied(message: Any) -> Any:
    return snapshot(dict(message) if isinstance(message, Mapping) else message)


def _is_of(line: bytes, decision: str) -> bool:
    """Whether a line of a spill file tells of the decision; one that cannot be read, whether it names it."""
    if dump_json(decision)[1:-1].encode() not in line:
        return False
    try:
        record = from_line(line)
    except LineError:
        return True
    return (record.id if isinstance(record, DecisionRecord) else record.decision) == decision
