"""`Cascade`: the engine, driven with ``openai.OpenAI``.

cascade = Cascade(OpenAI(), gate=Finished() & NoRefusal() & LearnedGate.load())
response = cascade.create(messages=messages, max_tokens=300)  # a ChatCompletion, as the client itself returns
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast, overload

from openai import OpenAI, Stream
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from classifier.cascade.background import Background
from classifier.cascade.calls import Api, Call, EventCollector, Pause, Result, Steps, Wait
from classifier.cascade.chat import CHAT
from classifier.cascade.options import Options
from classifier.cascade.resources import Chat, Completions, RawResource, check_responses
from classifier.cascade.result import CascadeResult, make_result
from classifier.cascade.run import CascadeRun
from classifier.cascade.settings import Settings, client_of_tiers, homes_of, own_client, own_clients
from classifier.cascade.streams import ReplayedStream, WatchedStream
from classifier.cascade.wire import call_arguments, calling, empty_stream, http_response, wants_usage

if TYPE_CHECKING:
    from classifier.cascade.response_resources import Responses


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
        client : any ``openai.OpenAI``; its ``base_url``, key and HTTP client's settings are used, its retries are not:
            another tier is asked instead. It stays as it is.
        clients : by tier name, for tiers that are reached through another client.
        options : see `classifier.cascade.options.Options`.

        Raises
        ------
        InputError : a number is out of range, ``start`` is no tier, or the store's URL is wrong.
        ArtifactError : no router was given, and the shared one cannot be loaded.
        """
        self._settings = Settings(**options)
        self._engine = self._settings.engine
        self._client = own_client(client, OpenAI, self._settings.limits)
        self._clients = own_clients(clients, self._settings, OpenAI)
        self._given, self._given_for = client, client_of_tiers(clients, self._settings)
        self._engine.conversations.homes = homes_of(self._given_for, client)
        self._engine.fitting.know(self._client, self._clients)
        self._audits = Background(self._settings.left_out, self._settings.close_timeout)

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
        openai.OpenAIError : the upstream's own, when no tier gave an answer; also a `MalformedAnswerError`, where what
            came was none.
        TypeError, ValueError : the client's own, when it cannot send the arguments.
        """
        return cast("ChatCompletion | Stream[ChatCompletionChunk]", self.run(task=task, key=key, **arguments).response)

    def run(self, *, task: str | None = None, key: str | None = None, **arguments: Any) -> CascadeResult:
        """An answer and how it came about; takes and raises what `create` does."""
        return self._answer(CHAT, arguments, task, key)

    @property
    def chat(self) -> Chat:
        """``client.chat``, answered by the cascade; its ``completions.create`` is `create`."""
        return Chat(Completions(CHAT, self._client, self._answer))

    @property
    def responses(self) -> Responses:
        """``client.responses``, answered by the cascade.

        Raises
        ------
        InputError : the openai client that is installed does not have it.
        """
        check_responses(self._client)
        from classifier.cascade.response_resources import Responses

        return Responses(self._client, self._answer, self._keeper)

    def parse(self, *, task: str | None = None, key: str | None = None, **arguments: Any) -> Any:
        """``client.chat.completions.parse``, answered by the cascade: a `ParsedChatCompletion`.

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

    def close(self) -> None:
        """Wait for audits, and for the outcomes that this cascade's own store has not yet written.

        Each for ``close_timeout`` seconds at most. Audits that are not done by then are left out (`audits_left_out`);
        outcomes wait in the store's spill folder.
        """
        self._audits.close()
        self._settings.close()

    @property
    def audits_left_out(self) -> int:
        """How many audits were drawn and not done: too many were waiting, the budget was spent, or time was up."""
        return self._settings.left_out.count

    def __enter__(self) -> Cascade:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, api: Api, arguments: Mapping[str, Any], task: str | None, key: str | None) -> CascadeResult:
        usage_shown = wants_usage(arguments)
        run = self._drive(self._engine.steps(arguments, api=api, task=task, key=key), usage_shown)
        if run.audited:
            self._audits.start(lambda: self._audit(run))
        if isinstance(run.stream, WatchedStream):
            run.stream.watch.when_ended(
                lambda collected, error: self._end_stream(run, collected, error),
                lambda collected: self._engine.abandon_stream(run, collected),
            )
            return make_result(run, run.stream)
        completion = run.completion
        if not run.wants_stream:
            return make_result(run, completion)
        return make_result(run, ReplayedStream(api.events(completion, usage_shown), http_response(completion)))

    def _keeper(self, response_id: str) -> OpenAI:
        """The user's client of the tier that gave a response."""
        known = self._engine.conversations.find(response_id)
        return self._given if known is None else self._given_for.get(known.tier, self._given)

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

    def _complete(self, call: Call) -> Any:
        client = self._clients.get(call.tier.name, self._client)
        with (
            calling(call),
            call.api.resource(client).with_streaming_response.create(**call_arguments(call, client)) as response,
        ):
            return call.api.parse(response.read(), response, call, self._settings.limits)

    def _open(self, call: Call, usage_shown: bool) -> WatchedStream:
        with calling(call):
            stream = self._begin_stream(call)
            try:
                return WatchedStream(stream, call.api.collector(usage_shown), call.gap)
            except StopIteration:
                raise empty_stream(call.tier) from None
            except BaseException:
                stream.close()
                raise

    def _begin_stream(self, call: Call) -> Stream[Any]:
        client = self._clients.get(call.tier.name, self._client)
        stream = call.api.resource(client).create(**call_arguments(call, client))
        return cast("Stream[Any]", stream)

    def _end_stream(self, run: CascadeRun, collected: EventCollector, error: BaseException | None) -> None:
        self._engine.remember_stream(run, collected)
        self._drive(self._engine.end_stream(run, collected, error))

    def _audit(self, run: CascadeRun) -> None:
        self._settings.recorder.audit(run, self._drive(self._engine.audit(run)))


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


Cascade.__doc__ = f"{cleandoc(Cascade.__doc__ or '')}\n\n{Options.__doc__}"  # so that help(Cascade) lists them
