"""A bounded queue and the thread that works it off."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from classifier.outcomes.records import Record

LINGER = 0.1  # seconds that a record may wait for others to share its batch


class Lane:
    """Records wait here for a function that is given many at a time, in a daemon thread begun with the first of them.

    Parameters
    ----------
    size : records that may wait. batch : records given at a time, at most.
    work : what is done with them. It must not raise.
    idle : called before each batch; says after how many seconds it wants to be called again. It must not raise.
    end : the last that the thread does, after `close`.
    """

    def __init__(
        self,
        name: str,
        size: int,
        batch: int,
        work: Callable[[list[Record]], None],
        idle: Callable[[], float | None] = lambda: None,
        end: Callable[[], None] = lambda: None,
    ) -> None:
        self._name, self._size, self._batch, self._work, self._idle, self._end = name, size, batch, work, idle, end
        lock = threading.RLock()
        self._arrival, self._progress = threading.Condition(lock), threading.Condition(lock)
        self._waiting: deque[Record] = deque()
        self._in_hand: list[Record] = []
        self._accepted = self._done = self._flushing = 0
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
            self._start()
            return True

    def flush(self, timeout: float | None) -> bool:
        """Wait until all that was put before has been worked off; whether that happened in time (seconds)."""
        with self._progress:
            target = self._accepted
            if self._thread is None:
                return self._done >= target
            self._flushing += 1
            self._arrival.notify()
            try:
                return self._progress.wait_for(lambda: self._done >= target, timeout)
            finally:
                self._flushing -= 1

    def close(self, timeout: float) -> list[Record]:
        """Take no more; what has not been worked off in time (seconds), some of which may be in work."""
        deadline = monotonic() + timeout
        self.flush(timeout)
        with self._arrival:
            self._closed = True
            left = [*self._in_hand, *self._waiting]
            self._waiting.clear()
            self._arrival.notify()
            thread = self._thread
        if thread is not None:
            thread.join(max(0.0, deadline - monotonic()))
        return left

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            with suppress(RuntimeError):  # no thread begins any more where the interpreter ends; `close` has the rest
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while True:
            pause = self._idle()
            with self._arrival:
                self._arrival.wait_for(lambda: self._waiting or self._closed, pause)
                if self._closed:
                    return self._end()
                if self._waiting:
                    self._arrival.wait_for(self._is_due, LINGER)
                self._in_hand = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
            if self._in_hand:
                self._work(self._in_hand)
            with self._progress:
                self._done += len(self._in_hand)
                self._in_hand = []
                self._progress.notify_all()

    def _is_due(self) -> bool:
        return self._closed or self._flushing > 0 or len(self._waiting) >= self._batch
