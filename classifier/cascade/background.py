"""Audits in the background, and how long their end is waited for."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from weakref import WeakSet

from classifier.cascade.fork import renew_in_child

AUDITS_WAITING = 100  # at most; more are left out rather than piled up
CLOSE_TIMEOUT = 10.0  # seconds

_log = logging.getLogger(__name__)


class LeftOut:
    """Counts audits that were drawn and not done."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()
        renew_in_child(self._renew)

    def add(self, number: int = 1) -> None:
        """Count some more."""
        with self._lock:
            self.count += number

    def ended(self, number: int, seconds: float) -> None:
        """Count those that were under way or waiting when the cascade was closed, and say so."""
        if number:
            self.add(number)
            _log.warning("audits left out, since they were not done within %.3g s of closing: %d", seconds, number)

    def _renew(self) -> None:
        self._lock = threading.Lock()


class Background:
    """A thread that does audits one after the other, started with the first. It never keeps a process from ending."""

    def __init__(self, left_out: LeftOut, timeout: float = CLOSE_TIMEOUT) -> None:
        """Prepare; ``timeout``: seconds that a process which ends without `close` waits."""
        self.timeout = timeout
        self._left_out = left_out
        self._waiting: deque[Callable[[], None]] = deque()
        self._thread: threading.Thread | None = None
        self._busy = 0
        self._closed = False
        self._changed = threading.Condition()
        renew_in_child(self._renew)
        _open.add(self)

    def start(self, work: Callable[[], None]) -> None:
        """Do something soon, unless too much is waiting already, or nothing more is started."""
        with self._changed:
            if self._closed or len(self._waiting) >= AUDITS_WAITING:
                self._left_out.add()
                return
            self._waiting.append(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="cascade-audit", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self, timeout: float | None = None) -> None:
        """Wait for what was started, so many seconds; the rest is left out, and counted."""
        seconds = self.timeout if timeout is None else timeout
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._waiting and not self._busy, seconds)
            unfinished = len(self._waiting) + self._busy
            self._waiting.clear()
            self._busy = 0
        self._left_out.ended(unfinished, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                work, self._busy = self._waiting.popleft(), 1
            try:
                work()
            except Exception:  # such as that the budget does not allow it
                self._left_out.add()
            with self._changed:
                self._busy = 0
                self._changed.notify_all()

    def _renew(self) -> None:
        """Begin anew: a child process has none of its parent's threads, nor its audits."""
        self._waiting.clear()
        self._thread, self._busy, self._changed = None, 0, threading.Condition()


_open: WeakSet[Background] = WeakSet()


@atexit.register
def _close_all() -> None:
    """Wait for all at the end of the process, together no longer than the most patient of them."""
    began = time.monotonic()
    for each in list(_open):
        each.close(max(each.timeout - (time.monotonic() - began), 0.0))
