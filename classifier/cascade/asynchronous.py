"""`AsyncCascade`: the engine, driven with ``openai.AsyncOpenAI``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal, Unpack, cast, overload

import openai
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from classifier.cascade.calls import Call, Pause, Result, Steps, Wait
from classifier.cascade.result import CascadeResult, make_result
from classifier.cascade.run import Run
from classifier.cascade.settings import AUDITS_WAITING, Options, Settings, own_clients, quiet
from classifier.cascade.streams import AsyncReplayedStream, AsyncWatchedStream, Collected
from classifier.cascade.wire import call_arguments, empty_stream, may_not_count, parse_completion, reading, wants_usage


class AsyncCascade:
    """`Cascade` over ``openai.AsyncOpenAI``: the same arguments, awaited."""

    def __init__(
        self, client: AsyncOpenAI, *, clients: Mapping[str, AsyncOpenAI] | None = None, **options: Unpack[Options]
    ) -> None:
        """Make a cascade; see `Cascade` for the parameters."""
        self._settings = Settings(**options)
        self._engine = self._settings.engine
        self._client, self._clients = quiet(client, AsyncOpenAI), own_clients(clients, self._engine.router, AsyncOpenAI)
        self._uncounted: set[str] = set()  # tiers whose streams do not count tokens
        self._audits: set[asyncio.Task[None]] = set()

    @overload
    async def create(
        self, *, stream: Literal[True], task: str | None = None, key: str | None = None, **arguments: Any
    ) -> AsyncStream[ChatCompletionChunk]: ...

    @overload
    async def create(
        self, *, stream: Literal[False] | None = None, task: str | None = None, key: str | None = None, **arguments: Any
    ) -> ChatCompletion: ...

    async def create(
        self, *, task: str | None = None, key: str | None = None, **arguments: Any
    ) -> ChatCompletion | AsyncStream[ChatCompletionChunk]:
        """An answer; see `Cascade.create`."""
        result = await self.run(task=task, key=key, **arguments)
        return cast("ChatCompletion | AsyncStream[ChatCompletionChunk]", result.response)

    async def run(self, *, task: str | None = None, key: str | None = None, **arguments: Any) -> CascadeResult:
        """An answer and how it came about; see `Cascade.create`."""
        usage_shown = wants_usage(arguments)
        run = await self._drive(self._engine.steps(arguments, task=task, key=key), usage_shown)
        if run.audited and len(self._audits) < AUDITS_WAITING:
            self._start(self._audit(run))
        if isinstance(run.stream, AsyncWatchedStream):
            run.stream.watch.when_ended(
                lambda collected, error: self._start(self._end_stream(run, collected, error)),
                lambda collected: self._engine.abandon_stream(run, collected),
            )
            return make_result(run, run.stream)
        completion = run.completion
        return make_result(run, AsyncReplayedStream(completion, usage_shown) if run.wants_stream else completion)

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

    async def close(self) -> None:
        """Wait for audits under way, and for the outcomes that this cascade's own store has not yet written."""
        while self._audits:
            await asyncio.gather(*self._audits, return_exceptions=True)
        await asyncio.to_thread(self._settings.close)

    async def __aenter__(self) -> AsyncCascade:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _drive(self, steps: Steps[Result], usage_shown: bool = False) -> Result:
        """Do what the engine asks for, until it is done."""
        try:
            wanted = next(steps)
            while True:
                try:
                    done = await self._do(wanted, usage_shown)
                except Exception as error:
                    wanted = steps.throw(error)
                else:
                    wanted = steps.send(done)
        except StopIteration as end:
            return cast(Result, end.value)
        finally:
            steps.close()

    async def _do(self, wanted: Call | Pause | Wait, usage_shown: bool) -> Any:
        if isinstance(wanted, Call):
            try:
                async with asyncio.timeout(wanted.timeout):
                    return await (self._open(wanted, usage_shown) if wanted.stream else self._complete(wanted))
            except TimeoutError as error:
                # What callers of the client expect; there is no request yet, or none that could be told.
                raise openai.APITimeoutError(request=cast(Any, None)) from error
        if isinstance(wanted, Pause):
            return await asyncio.sleep(wanted.seconds)
        async with asyncio.timeout(wanted.timeout):
            return await wanted.awaitable

    async def _complete(self, call: Call) -> ChatCompletion:
        client = self._clients.get(call.tier.name, self._client)
        async with client.chat.completions.with_streaming_response.create(**call_arguments(call, client)) as response:
            with reading(response):
                body = await response.read()
            return parse_completion(body, response, call.tier)

    async def _open(self, call: Call, usage_shown: bool) -> AsyncWatchedStream:
        name = call.tier.name
        client = self._clients.get(name, self._client)
        try:
            count = name not in self._uncounted
            stream = await client.chat.completions.create(**call_arguments(call, client, count=count))
        except openai.APIStatusError as error:
            if not count or not may_not_count(error, call):
                raise
            stream = await client.chat.completions.create(**call_arguments(call, client, count=False))
            self._uncounted.add(name)
        try:
            return AsyncWatchedStream(stream, await anext(stream), usage_shown)
        except StopAsyncIteration:
            raise empty_stream(call.tier) from None
        except BaseException:
            await stream.close()
            raise

    def _start(self, work: Any) -> None:
        """Let something run in the background."""
        task = asyncio.get_running_loop().create_task(work)
        self._audits.add(task)
        task.add_done_callback(self._audits.discard)

    async def _end_stream(self, run: Run, collected: Collected, error: BaseException | None) -> None:
        await self._drive(self._engine.end_stream(run, collected, error))

    async def _audit(self, run: Run) -> None:
        self._settings.recorder.audit(run, await self._drive(self._engine.audit(run)))
