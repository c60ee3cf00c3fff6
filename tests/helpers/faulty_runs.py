"""Runs of a cascade over `faulty_upstream`, and what their callers saw; for tests and benchmarks."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import openai
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionChunk

from classifier import AsyncCascade, Cascade, Router, RouterError
from classifier.gates import default_gate
from tests.helpers.faulty_upstream import FAULTS, LARGE, PLAIN

MESSAGES = [{"role": "user", "content": "Translate to French: good morning"}]


@dataclass(frozen=True, slots=True)
class Case:
    """One run: a fault of the first tier (which is opus for streams, since the last tier streams), or of every tier."""

    fault: str
    stream: bool
    everywhere: bool
    awaited: bool

    @property
    def arguments(self) -> dict[str, Any]:
        """Of the cascade's ``create``."""
        first = "opus" if self.stream else "haiku"
        user = f"{self.fault}@{'*' if self.everywhere else first}"
        return {"messages": MESSAGES, "model": first, "user": user, "stream": self.stream}


@dataclass(slots=True)
class Outcome:
    """What the caller saw.

    Attributes
    ----------
    error : what was raised, None: nothing. late : seconds over the deadline, or over a stream's longest gap.
    said : something was said to the caller. documented : the error is one that the caller expects.
    """

    case: Case
    error: str | None = None
    documented: bool = True
    said: bool = False
    late: float = 0.0

    def note(self, error: BaseException) -> None:
        """Note what was raised."""
        self.error = f"{type(error).__name__}: {str(error)[:80]}"
        self.documented = isinstance(error, openai.OpenAIError | RouterError)

    @property
    def unanswered(self) -> bool:
        """Whether another tier would have answered."""
        return self.error is not None and not self.case.everywhere and not self.said


def cases() -> Iterator[Case]:
    for stream, everywhere, awaited in itertools.product((False, True), repeat=3):
        for fault in FAULTS if stream else PLAIN:
            yield Case(fault, stream, everywhere, awaited)


class Clock:
    """Measures how late each step of a run is."""

    def __init__(self, outcome: Outcome, limit: float) -> None:
        self._outcome, self._limit, self._began = outcome, limit, time.monotonic()

    def step(self) -> None:
        """Something came; the next one may take as long again."""
        now = time.monotonic()
        self._outcome.late = max(self._outcome.late, now - self._began - self._limit)
        self._began = now


def read(chunk: ChatCompletionChunk) -> list[str | None]:
    """What callers read of a chunk."""
    return [choice.delta.content for choice in chunk.choices]


def run_one(case: Case, cascade: Cascade, deadline: float, words: int = 20) -> Outcome:
    outcome = Outcome(case)
    clock = Clock(outcome, deadline)
    try:
        response = cascade.create(**case.arguments)
        clock.step()
        outcome.said = True
        for chunk in itertools.islice(response, words) if case.stream else ():
            read(chunk)
            clock.step()
    except BaseException as error:
        outcome.note(error)
    clock.step()
    return outcome


async def await_one(case: Case, cascade: AsyncCascade, deadline: float, words: int = 20) -> Outcome:
    outcome = Outcome(case)
    clock = Clock(outcome, deadline)
    try:
        response = await cascade.create(**case.arguments)
        clock.step()
        outcome.said = True
        if case.stream:
            for _ in range(words):
                read(await anext(response))
                clock.step()
            await response.close()
    except StopAsyncIteration:
        pass
    except BaseException as error:
        outcome.note(error)
    clock.step()
    return outcome


def run_all(url: str, router: Router, chosen: Iterable[Case], deadline: float, workers: int = 4) -> list[Outcome]:
    """All outcomes; some workers at a time, but faults of size one after the other, so that none pays for another."""
    chosen = list(chosen)
    small, large = ([case for case in chosen if (case.fault in LARGE) == each] for each in (False, True))
    options: dict[str, Any] = {"router": router, "gate": default_gate(), "deadline": deadline, "retries": 1}
    with OpenAI(base_url=url, api_key="none", max_retries=0) as client, Cascade(client, **options) as cascade:
        outcomes = []
        for part, number in ((small, workers), (large, 1)):
            waited = [case for case in part if not case.awaited]
            with ThreadPoolExecutor(number) as threads:
                outcomes += list(threads.map(lambda case: run_one(case, cascade, deadline), waited))
    for part, number in ((small, workers), (large, 1)):
        outcomes += asyncio.run(_await_all(url, [case for case in part if case.awaited], options, number))
    return outcomes


async def _await_all(url: str, chosen: list[Case], options: dict[str, Any], workers: int) -> list[Outcome]:
    free = asyncio.Semaphore(workers)
    async with (
        AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client,
        AsyncCascade(client, **options) as cascade,
    ):

        async def one(case: Case) -> Outcome:
            async with free:
                return await await_one(case, cascade, options["deadline"])

        return await asyncio.gather(*map(one, chosen))
