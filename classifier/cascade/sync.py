"""`Cascade`: the engine, driven with ``openai.OpenAI``.

cascade = Cascade(OpenAI(), gate=Finished() & NoRefusal() & LearnedGate.load())
response = cascade.create(messages=messages, max_tokens=300)  # a ChatCompletion, as the client itself returns
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import Any, Literal, Unpack, cast, overload

import openai
from openai import OpenAI, Stream
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from classifier.cascade.calls import Call, Pause, Result, Steps, Wait
from classifier.cascade.result import CascadeResult, make_result
from classifier.cascade.run import Run
from classifier.cascade.settings import AUDITS_WAITING, Options, Settings, own_clients, quiet
from classifier.cascade.streams import Collected, ReplayedStream, WatchedStream
from classifier.cascade.wire import call_arguments, empty_stream, may_not_count, parse_completion, reading, wants_usage


class Cascade:
    """Tries the tier that the router picks, checks the answer, and goes on to a dearer one where it falls short.

    Threads may share it. Close it, or use it as a context manager, so that audits under way and waiting outcomes are
    finished.
    """

    def __init__(
        self, client: OpenAI, *, clients: Mapping[str, OpenAI] | None = None, **options: Unpack[Options]
    ) -> None:
        """Make a cascade.

        Parameters
        ----------
        client : any ``openai.OpenAI``; its ``base_url`` and key are used, its retries are not: another tier is asked
            instead.
        clients : by tier name, for tiers that are reached through another client.
        options : see `classifier.cascade.settings.Options`.

        Raises
        ------
        InputError : a number is out of range, ``start`` is no tier, or the store's URL is wrong.
        ArtifactError : no router was given, and the shared one cannot be loaded.
        """
        self._settings = Settings(**options)
        self._engine = self._settings.engine
        self._client, self._clients = quiet(client, OpenAI), own_clients(clients, self._engine.router, OpenAI)
        self._uncounted: set[str] = set()  # tiers whose streams do not count tokens
        self._audits = _Background()

    @overload
    def create(
        self, *, stream: Literal[True], task: str | None = None, key: str | None = None, **arguments: Any
    ) -> Stream[ChatCompletionChunk]: ...

    @overload
    def create(
        self, *, stream: Literal[False] | None = None, task: str | None = None, key: str | None = None, **arguments: Any
    ) -> ChatCompletion: ...

    def create(
        self, *, task: str | None = None, key: str | None = None, **arguments: Any
    ) -> ChatCompletion | Stream[ChatCompletionChunk]:
        """An answer; `run` says how it came about.

        Parameters
        ----------
        task : the request's label, for the router.
        key : a label of who pays, for the budget and the outcome store; never an API key.
        arguments : of ``client.chat.completions.create``. ``model`` may be left out or "auto"; a tier's name or model
            starts there.

        Raises
        ------
        NoFeasibleTierError : no tier of the menu can serve the request.
        BudgetExceededError : a spend limit is reached, and the budget's policy is to refuse.
        openai.OpenAIError : the upstream's own, when no tier gave an answer.
        """
        return cast("ChatCompletion | Stream[ChatCompletionChunk]", self.run(task=task, key=key, **arguments).response)

    def run(self, *, task: str | None = None, key: str | None = None, **arguments: Any) -> CascadeResult:
        """An answer and how it came about; takes and raises what `create` does."""
        usage_shown = wants_usage(arguments)
        run = self._drive(self._engine.steps(arguments, task=task, key=key), usage_shown)
        if run.audited:
            self._audits.start(lambda: self._audit(run))
        if isinstance(run.stream, WatchedStream):
            run.stream.watch.when_ended(
                lambda collected, error: self._end_stream(run, collected, error),
                lambda collected: self._engine.abandon_stream(run, collected),
            )
            return make_result(run, run.stream)
        completion = run.completion
        return make_result(run, ReplayedStream(completion, usage_shown) if run.wants_stream else completion)

    def record_feedback(self, outcome: str | None, *, score: float, tier: str | None = None) -> None:
        """Tell the outcome store how good an answer was.

        Parameters
        ----------
        outcome : `CascadeResult.id`, or `outcome_id` of a response.
        score : 0..1.
        tier : whose answer; None: the one that was given.

        Raises
        ------
        InputError : there is no store, ``outcome`` is none, or the score is not from 0 to 1.
        """
        self._settings.record_feedback(outcome, score, tier)

    def close(self) -> None:
        """Wait for audits under way, and for the outcomes that this cascade's own store has not yet written."""
        self._audits.close()
        self._settings.close()

    def __enter__(self) -> Cascade:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drive(self, steps: Steps[Result], usage_shown: bool = False) -> Result:
        """Do what the engine asks for, until it is done."""
        try:
            wanted = next(steps)
            while True:
                try:
                    done = self._do(wanted, usage_shown)
                except Exception as error:
                    wanted = steps.throw(error)
                else:
                    wanted = steps.send(done)
        except StopIteration as end:
            return cast(Result, end.value)
        finally:
            steps.close()

    def _do(self, wanted: Call | Pause | Wait, usage_shown: bool) -> Any:
        if isinstance(wanted, Call):
            return self._open(wanted, usage_shown) if wanted.stream else self._complete(wanted)
        if isinstance(wanted, Pause):
            time.sleep(wanted.seconds)
            return None
        return _wait_for(wanted)

    def _complete(self, call: Call) -> ChatCompletion:
        """A completion, read piece by piece so that an upstream which trickles does not outlast the deadline."""
        ends = None if call.timeout is None else time.monotonic() + call.timeout
        client = self._clients.get(call.tier.name, self._client)
        with client.chat.completions.with_streaming_response.create(**call_arguments(call, client)) as response:
            body = bytearray()
            with reading(response):
                for piece in response.iter_bytes():
                    body += piece
                    if ends is not None and time.monotonic() > ends:
                        raise openai.APITimeoutError(request=response.http_request)
            return parse_completion(body, response, call.tier)

    def _open(self, call: Call, usage_shown: bool) -> WatchedStream:
        name = call.tier.name
        client = self._clients.get(name, self._client)
        try:
            count = name not in self._uncounted
            stream = client.chat.completions.create(**call_arguments(call, client, count=count))
        except openai.APIStatusError as error:
            if not count or not may_not_count(error, call):
                raise
            stream = client.chat.completions.create(**call_arguments(call, client, count=False))
            self._uncounted.add(name)
        try:
            return WatchedStream(stream, usage_shown)
        except StopIteration:
            raise empty_stream(call.tier) from None

    def _end_stream(self, run: Run, collected: Collected, error: BaseException | None) -> None:
        self._drive(self._engine.end_stream(run, collected, error))

    def _audit(self, run: Run) -> None:
        self._settings.recorder.audit(run, self._drive(self._engine.audit(run)))


class _Background:
    """A thread for audits, started with the first."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._lock = Lock()
        self._waiting = 0

    def start(self, work: Callable[[], None]) -> None:
        """Do something soon, unless too much is waiting already, or nothing more is started."""
        with self._lock, suppress(RuntimeError):
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, "cascade-audit")
            if self._waiting < AUDITS_WAITING:
                self._thread.submit(self._work, work)
                self._waiting += 1

    def _work(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            with self._lock:
                self._waiting -= 1

    def close(self) -> None:
        """Wait for what was started."""
        if self._thread is not None:
            self._thread.shutdown()


def _wait_for(wanted: Wait) -> Any:
    """The result of something awaitable, from synchronous code."""

    async def wait() -> Any:
        async with asyncio.timeout(wanted.timeout):
            return await wanted.awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(wait())
    with ThreadPoolExecutor(1) as thread:  # the loop of this thread is taken
        return thread.submit(asyncio.run, wait()).result()
