"""`AsyncCascade`: the engine, driven with ``openai.AsyncOpenAI``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast, overload

from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from classifier.cascade.background import AUDITS_WAITING
from classifier.cascade.calls import Api, Call, EventCollector, Pause, Result, Steps, Wait
from classifier.cascade.chat import CHAT
from classifier.cascade.fork import renew_in_child
from classifier.cascade.options import Options
from classifier.cascade.resources import AsyncChat, AsyncCompletions, RawResource, check_responses
from classifier.cascade.result import CascadeResult, make_result
from classifier.cascade.run import CascadeRun
from classifier.cascade.settings import Settings, client_of_tiers, homes_of, own_client, own_clients
from classifier.cascade.streams import AsyncReplayedStream, AsyncWatchedStream
from classifier.cascade.wire import call_arguments, calling, empty_stream, http_response, wants_usage

if TYPE_CHECKING:
    from classifier.cascade.response_resources import AsyncResponses


class AsyncCascade:
    """`Cascade` over ``openai.AsyncOpenAI``: the same arguments, awaited."""

    def __init__(
        self, client: AsyncOpenAI, *, clients: Mapping[str, AsyncOpenAI] | None = None, **options: Unpack[Options]
    ) -> None:
        """Make a cascade; see `Cascade` for the parameters."""
        self._settings = Settings(**options)
        self._engine = self._settings.engine
        self._client = own_client(client, AsyncOpenAI, self._settings.limits)
        self._clients = own_clients(clients, self._settings, AsyncOpenAI)
        self._given, self._given_for = client, client_of_tiers(clients, self._settings)
        self._engine.conversations.homes = homes_of(self._given_for, client)
        self._engine.fitting.know(self._client, self._clients)
        self._renew()
        renew_in_child(self._renew)

    def _renew(self) -> None:
        """Begin without background tasks: those of a parent process are in its own loop."""
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
        return await self._answer(CHAT, arguments, task, key)

    @property
    def chat(self) -> AsyncChat:
        """``client.chat``, answered by the cascade; its ``completions.create`` is `create`."""
        return AsyncChat(AsyncCompletions(CHAT, self._client, self._answer))

    @property
    def responses(self) -> AsyncResponses:
        """``client.responses``, answered by the cascade.

        Raises
        ------
        InputError : the openai client that is installed does not have it.
        """
        check_responses(self._client)
        from classifier.cascade.response_resources import AsyncResponses

        return AsyncResponses(self._client, self._answer, self._keeper)

    def parse(self, *, task: str | None = None, key: str | None = None, **arguments: Any) -> Any:
        """``client.chat.completions.parse``, answered by the cascade: a `ParsedChatCompletion`, awaited.

        Raises what `create` and the client's own method do.
        """
        return self.chat.completions.parse(task=task, key=key, **arguments)

    def stream(self, *, task: str | None = None, key: str | None = None, **arguments: Any) -> Any:
        """``client.chat.completions.stream``, answered by the cascade: a context manager of a stream of events.

        The request is made when it is entered; raises what `create` and the client's own method do.
        """
        return self.chat.completions.stream(task=task, key=key, **arguments)

    @property
    def with_raw_response(self) -> RawResource:
        """``client.chat.completions.with_raw_response``, answered by the cascade."""
        return self.chat.completions.with_raw_response

    @property
    def with_streaming_response(self) -> RawResource:
        """``client.chat.completions.with_streaming_response``, answered by the cascade."""
        return self.chat.completions.with_streaming_response

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
        """Wait for audits, and for the outcomes that this cascade's own store has not yet written; see `Cascade`."""
        if self._audits:
            _, unfinished = await asyncio.wait(self._audits, timeout=self._settings.close_timeout)
            for task in unfinished:
                task.cancel()
            self._settings.left_out.ended(len(unfinished), self._settings.close_timeout)
        await asyncio.to_thread(self._settings.close)

    @property
    def audits_left_out(self) -> int:
        """How many audits were drawn and not done; see `Cascade.audits_left_out`."""
        return self._settings.left_out.count

    async def __aenter__(self) -> AsyncCascade:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _answer(self, api: Api, arguments: Mapping[str, Any], task: str | None, key: str | None) -> CascadeResult:
        usage_shown = wants_usage(arguments)
        run = await self._drive(self._engine.steps(arguments, api=api, task=task, key=key), usage_shown)
        if run.audited and len(self._audits) < AUDITS_WAITING:
            self._start(self._audit(run))
        elif run.audited:
            self._settings.left_out.add()
        if isinstance(run.stream, AsyncWatchedStream):
            run.stream.watch.when_ended(
                lambda collected, error: self._note_end(run, collected, error),
                lambda collected: self._engine.abandon_stream(run, collected),
            )
            return make_result(run, run.stream)
        completion = run.completion
        if not run.wants_stream:
            return make_result(run, completion)
        return make_result(run, AsyncReplayedStream(api.events(completion, usage_shown), http_response(completion)))

    def _keeper(self, response_id: str) -> AsyncOpenAI:
        """The user's client of the tier that gave a response."""
        known = self._engine.conversations.find(response_id)
        return self._given if known is None else self._given_for.get(known.tier, self._given)

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
            with calling(wanted):
                async with asyncio.timeout(wanted.timeout):
                    return await (self._open(wanted, usage_shown) if wanted.stream else self._complete(wanted))
        if isinstance(wanted, Pause):
            return await asyncio.sleep(wanted.seconds)
        async with asyncio.timeout(wanted.timeout):
            return await wanted.awaitable

    async def _complete(self, call: Call) -> Any:
        client = self._clients.get(call.tier.name, self._client)
        async with call.api.resource(client).with_streaming_response.create(**call_arguments(call, client)) as response:
            return call.api.parse(await response.read(), response, call, self._settings.limits)

    async def _open(self, call: Call, usage_shown: bool) -> AsyncWatchedStream:
        stream = await self._begin_stream(call)
        try:
            return await AsyncWatchedStream.begin(stream, call.api.collector(usage_shown), call.gap)
        except StopAsyncIteration:
            raise empty_stream(call.tier) from None
        except BaseException:
            await stream.close()
            raise

    async def _begin_stream(self, call: Call) -> AsyncStream[Any]:
        client = self._clients.get(call.tier.name, self._client)
        stream = await call.api.resource(client).create(**call_arguments(call, client))
        return cast("AsyncStream[Any]", stream)

    def _start(self, work: Any) -> None:
        """Let something run in the background."""
        task = asyncio.get_running_loop().create_task(work)
        self._audits.add(task)
        task.add_done_callback(self._audits.discard)

    def _note_end(self, run: CascadeRun, collected: EventCollector, error: BaseException | None) -> None:
        self._engine.remember_stream(run, collected)
        self._start(self._end_stream(run, collected, error))

    async def _end_stream(self, run: CascadeRun, collected: EventCollector, error: BaseException | None) -> None:
        await self._drive(self._engine.end_stream(run, collected, error))

    async def _audit(self, run: CascadeRun) -> None:
        self._settings.recorder.audit(run, await self._drive(self._engine.audit(run)))
