"""The queue's thread outlives what it works on, and is replaced where it does not."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

from classifier.outcomes import FeedbackRecord
from classifier.outcomes.work_queue import Jobs, WorkQueue
from tests.helpers.outcomes import START, wait_for


def made(number: int) -> FeedbackRecord:
    return FeedbackRecord(str(number), "decision", START, 0.5)


class Log:
    """Counts what becomes of records, and fails as it is told."""

    def __init__(self, failing: BaseException | None = None) -> None:
        self.failing, self.counts, self.rescued = failing, Counter[str](), list[str]()
        self.queue = Mortal("queue", 100, 10, Jobs(self.work, self.rescue, self.counts.update), threading.RLock())

    def work(self, batch: list[Any]) -> dict[str, int]:
        if self.failing is not None:
            raise self.failing
        return {"worked": len(batch)}

    def rescue(self, batch: list[Any]) -> dict[str, int]:
        self.rescued += [each.id for each in batch]
        return {"rescued": len(batch)}


class Mortal(WorkQueue):
    """A queue whose first threads end with a record in hand, as if the interpreter had ended them."""

    lives = 0

    def _run(self) -> None:
        if not self.lives:
            return super()._run()
        self.lives -= 1
        with self._arrival:
            self._in_hand = [*self._in_hand, *([self._waiting.popleft()] if self._waiting else [])]


@pytest.mark.parametrize("error", [ValueError(), MemoryError(), RecursionError(), SystemExit(), KeyboardInterrupt()])
def test_records_whose_work_fails_are_rescued_and_the_thread_goes_on(error: BaseException) -> None:
    log = Log(error)
    log.queue.put(made(1))
    assert log.queue.flush(60)
    thread = log.queue._thread
    log.failing = None
    log.queue.put(made(2))
    assert log.queue.flush(60)
    assert log.queue._thread is thread
    assert (log.rescued, log.counts) == (["1"], Counter(rescued=1, worked=1))
    log.queue.close(60)


@pytest.mark.slow
@pytest.mark.parametrize("by", ["put", "flush", "close"])
@pytest.mark.parametrize("lives", [1, 3])
def test_a_dead_thread_is_replaced_and_what_it_had_in_hand_is_rescued(by: str, lives: int) -> None:
    log = Log()
    log.queue.lives = lives
    log.queue.put(made(0))
    thread = log.queue._thread
    assert thread is not None
    thread.join(60)
    assert len(log.queue) == 1
    if by == "put":
        for number in range(1, 20):
            log.queue.put(made(number))
    if by == "close":
        log.queue.close(60)
    else:
        assert log.queue.flush(60)
    assert len(log.queue) == 0
    assert "0" in log.rescued
    assert log.counts.total() == (20 if by == "put" else 1)
    log.queue.close(60)


def test_what_hangs_when_the_lane_is_closed_is_rescued_and_counted_once() -> None:
    log = Log()
    release, begun = threading.Event(), threading.Event()

    def hang(batch: list[Any]) -> dict[str, int]:
        begun.set()
        release.wait(60)
        return {"worked": len(batch)}

    log.queue = Mortal("queue", 100, 10, Jobs(hang, log.rescue, log.counts.update), threading.RLock())
    log.queue.put(made(1))
    begun.wait(60)
    log.queue.put(made(2))
    log.queue.close(0.1)
    release.set()
    thread = log.queue._thread
    assert thread is not None
    wait_for(lambda: not thread.is_alive())
    assert (sorted(log.rescued), log.counts) == (["1", "2"], Counter(rescued=2))
    assert not log.queue.put(made(3))
    assert log.queue.flush(None)
