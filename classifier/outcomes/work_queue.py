"""A bounded queue and the thread that works it off."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from classifier.outcomes.records import Record

LINGER = 0.1  # seconds that a record may wait for others to share its batch
_LOOK = 0.5  # seconds between two looks at the thread while somebody waits for it
_PATIENCE = 60.0  # seconds without progress after which a flush without a limit gives up

Tally = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Jobs:
    """What a queue's thread does.

    Attributes
    ----------
    work : takes a batch, and says what became of its records.
    rescue : takes records whose work has failed by an error that nobody expected, and does the least that can be done.
    count : is told what became of records, under the queue's lock.
    idle : is called before each batch; says after how many seconds it wants to be called again.
    settle : is called while somebody flushes, after the work that there was.
    end : the last that is done, after `WorkQueue.close`.
    """

    work: Callable[[list[Record]], Tally]
    rescue: Callable[[list[Record]], Tally]
    count: Callable[[Tally], None]
    idle: Callable[[], float | None] = lambda: None
    settle: Callable[[], None] = lambda: None
    end: Callable[[], None] = lambda: None


class WorkQueue:
    """Records wait here for a function that is given many at a time, in a daemon thread begun with the first of them.

    No error ends the thread; should it end all the same, another takes its place, at the next record or while somebody
    waits. Records in hand then are rescued, not worked again, since they may be what ended it.

    Parameters
    ----------
    size : records that may wait. batch : records given at a time, at most.
    lock : under which records are taken and counted; queues may share one.
    """

    def __init__(self, name: str, size: int, batch: int, jobs: Jobs, lock: threading.RLock) -> None:
        self._name, self._size, self._batch, self._jobs = name, size, batch, jobs
        self._arrival, self._progress = threading.Condition(lock), threading.Condition(lock)
        self._waiting: deque[Record] = deque()
        self._in_hand: list[Record] = []
        self._accepted = self._done = 0
        self._flushing = self._settling = self._settled = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._waiting) + len(self._in_hand)

    def put(self, record: Record) -> bool:
        """Queue a record; False where there is no room, or after `close`."""
        with self._arrival:
            if self._closed or len(self._waiting) >= self._size:
                return False
            self._waiting.append(record)
            self._accepted += 1
            if len(self._waiting) in (1, self._batch):
                self._arrival.notify()
            self._watch()
            return True

    def flush(self, timeout: float | None) -> bool:
        """Wait until all that was put before has been worked off and settled; whether that happened in time (seconds).

        Without a limit it waits as long as there is progress.
        """
        with self._progress:
            target, turn = self._accepted, self._settling + 1

            def is_done() -> bool:
                return self._closed or (self._done >= target and self._settled >= turn)

            if not self._accepted or self._closed:
                return True
            self._flushing += 1
            try:
                return self._wait_for(is_done, timeout)
            finally:
                self._flushing -= 1

    def close(self, timeout: float) -> None:
        """Take no more; what has not been worked off in time (seconds), some of which may be in work, is rescued."""
        deadline = monotonic() + timeout
        self.flush(timeout)
        with self._arrival:
            self._closed = True
            self._in_hand = left = [*self._in_hand, *self._waiting]  # from here on the thread does not count them
            self._waiting.clear()
            self._arrival.notify_all()
            thread = self._thread
        if left:
            self._finish(left, self._jobs.rescue(left))
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(0.0, deadline - monotonic()))

    def _watch(self) -> bool:
        """See that there is a thread; whether there is."""
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            with suppress(RuntimeError):  # no thread begins any more where the interpreter ends; `close` has the rest
                thread.start()
                self._thread = thread
        return self._thread is not None and self._thread.is_alive()

    def _wait_for(self, is_done: Callable[[], bool], timeout: float | None) -> bool:
        end = None if timeout is None else monotonic() + timeout
        seen, seen_at = self._done, monotonic()
        while not is_done():
            now = monotonic()
            if self._done != seen:
                seen, seen_at = self._done, now
            left = (seen_at + _PATIENCE if end is None else end) - now
            if left <= 0 or not self._watch():
                return False
            self._arrival.notify()
            self._progress.wait(min(left, _LOOK))
        return True

    def _run(self) -> None:
        while True:
            try:
                if not self._step():
                    return self._jobs.end()
            except BaseException:  # also what is meant to end a thread: whoever raised it, it was not for this one
                with self._arrival:
                    self._arrival.wait_for(lambda: self._closed, LINGER)

    def _step(self) -> bool:
        """A batch, or what there is to do beside; False after `close`."""
        with self._arrival:
            if self._closed:
                return False
            left = self._in_hand  # of a thread, or a step, that has failed
        pause = self._jobs.idle()
        if left:
            self._finish(left, self._jobs.rescue(left))
        with self._arrival:
            self._arrival.wait_for(lambda: self._waiting or self._closed or self._flushing, pause)
            if self._closed:
                return False
            if self._waiting:
                self._arrival.wait_for(self._is_due, LINGER)
            if self._closed:
                return False
            self._in_hand = batch = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
        if batch:
            self._finish(batch, self._worked(batch))
        if self._flushing:
            self._settle()
        return True

    def _worked(self, batch: list[Record]) -> Tally:
        try:
            return self._jobs.work(batch)
        except BaseException:  # a record's own objects may raise anything
            return self._jobs.rescue(batch)

    def _finish(self, batch: list[Record], tally: Tally) -> None:
        """Count what became of the batch, unless `close` has taken it over."""
        with self._progress:
            if self._in_hand is batch:
                self._in_hand = []
                self._done += len(batch)
                self._jobs.count(tally)
            self._progress.notify_all()

    def _settle(self) -> None:
        with self._progress:
            self._settling += 1
            turn = self._settling
        self._jobs.settle()
        with self._progress:
            self._settled = turn
            self._progress.notify_all()

    def _is_due(self) -> bool:
        return self._closed or self._flushing > 0 or len(self._waiting) >= self._batch
