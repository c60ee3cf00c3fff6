"""The call that this thread or task is making: until when it may take, and whether anything was sent yet.

A blocking read cannot be interrupted, so every wait for an upstream asks here how long it may be: connecting, each read
and write of a socket (`classifier.cascade.network`), and each piece of a body (`classifier.cascade.transport`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import TypeVar

Value = TypeVar("Value")


@dataclass(slots=True)
class Underway:
    """One call, or the wait for one more chunk of a stream.

    Attributes
    ----------
    ends : by `time.monotonic`; None: it may take as long as the client allows.
    stream : a stream was asked for.
    sent : the request has reached the transport; what is raised before is the caller's own.
    """

    ends: float | None
    stream: bool = False
    sent: bool = False


_current: ContextVar[Underway | None] = ContextVar("tierwise_call", default=None)


@contextmanager
def underway(seconds: float | None, *, stream: bool = False) -> Iterator[Underway]:
    """Make a call that may take so many seconds; None: no limit but the client's own."""
    call = Underway(None if seconds is None else time.monotonic() + seconds, stream)
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)


def current_call() -> Underway | None:
    """The call that is being made here; None: the cascade makes none."""
    return _current.get()


def time_left(limit: float | None = None) -> float | None:
    """Seconds that a wait may take, ``limit`` at most; None: no limit.

    Raises
    ------
    TimeoutError : the call's time is up.
    """
    call = _current.get()
    if call is None or call.ends is None:
        return limit
    left = call.ends - time.monotonic()
    if left <= 0:
        raise TimeoutError("the call's time is up")
    return left if limit is None else min(limit, left)


def in_time(work: Callable[[], Value], drop: Callable[[Value], object]) -> Value:
    """The result of something that blocks and takes no deadline: done by another thread, which is left behind if late.

    Parameters
    ----------
    drop : gets a result that came too late.

    Raises
    ------
    TimeoutError : the call's time is up.
    """
    left = time_left()
    if left is None:
        return work()
    result: Future[Value] = Future()

    def run() -> None:
        try:
            value = work()
        except BaseException as error:
            if result.set_running_or_notify_cancel():
                result.set_exception(error)
            return
        if result.set_running_or_notify_cancel():
            result.set_result(value)
        else:
            drop(value)

    threading.Thread(target=copy_context().run, args=(run,), name="tierwise-call", daemon=True).start()
    try:
        return result.result(left)
    except TimeoutError:
        if result.cancel():
            raise
        return result.result()  # it ended at the same moment
