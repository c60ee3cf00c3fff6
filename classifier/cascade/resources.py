"""The client's resources as a cascade has them: what all share, and ``cascade.chat.completions``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast, overload

from openai import AsyncOpenAI, AsyncStream, OpenAI, Stream
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from classifier.cascade.calls import Api
from classifier.cascade.result import CascadeResult
from classifier.cascade.seat import async_seat, seat, unsupported

Whole = TypeVar("Whole")
Event = TypeVar("Event")
Answer: TypeAlias = Callable[[Api, Mapping[str, Any], "str | None", "str | None"], CascadeResult]
AsyncAnswer: TypeAlias = Callable[[Api, Mapping[str, Any], "str | None", "str | None"], Awaitable[CascadeResult]]


class _Helpers(ABC):
    """What the client builds on ``create``; each takes what the client's own takes, ``task`` and ``key``."""

    def parse(self, *, task: str | None = None, key: str | None = None, **arguments: Any) -> Any:
        """An answer parsed into the caller's own class; see the client's ``parse``, and `Cascade.create`."""
        return self._seat("parse", task, key).parse(**_with_model(arguments))

    def stream(self, *, task: str | None = None, key: str | None = None, **arguments: Any) -> Any:
        """A context manager of a stream of events that knows what was said; see the client's ``stream``."""
        return self._seat("stream", task, key).stream(**_with_model(arguments))

    @property
    def with_raw_response(self) -> RawResource:
        """The same methods, which return the raw HTTP response of the tier that answered."""
        return RawResource(self._seat, "with_raw_response")

    @property
    def with_streaming_response(self) -> RawResource:
        """The same methods, as context managers of that response, which is read as it comes."""
        return RawResource(self._seat, "with_streaming_response")

    @abstractmethod
    def _seat(self, method: str, task: str | None, key: str | None) -> Any:
        """The client's resource, which asks the cascade."""


class RawResource:
    """A resource's methods that return raw responses."""

    def __init__(self, seat: Callable[[str, str | None, str | None], Any], wrapper: str) -> None:
        self._seat, self._wrapper = seat, wrapper

    def create(self, *, task: str | None = None, key: str | None = None, **arguments: Any) -> Any:
        """The response of ``create``, whose ``parse()`` is the answer."""
        return self._wrapped("create", task, key).create(**_with_model(arguments))

    def parse(self, *, task: str | None = None, key: str | None = None, **arguments: Any) -> Any:
        """The response of ``parse``."""
        return self._wrapped("parse", task, key).parse(**_with_model(arguments))

    def _wrapped(self, method: str, task: str | None, key: str | None) -> Any:
        return getattr(self._seat(method, task, key), self._wrapper)


class Resource(_Helpers, Generic[Whole, Event]):
    """A resource of ``openai.OpenAI`` that a cascade answers."""

    def __init__(self, api: Api, client: OpenAI, answer: Answer) -> None:
        """Prepare; ``answer`` takes the API, the arguments, ``task`` and ``key``."""
        self._api, self._client, self._answer = api, client, answer

    @overload
    def create(
        self, *, stream: Literal[True], task: str | None = None, key: str | None = None, **arguments: Any
    ) -> Stream[Event]: ...

    @overload
    def create(
        self, *, stream: Literal[False] | None = None, task: str | None = None, key: str | None = None, **arguments: Any
    ) -> Whole: ...

    def create(self, *, task: str | None = None, key: str | None = None, **arguments: Any) -> Whole | Stream[Event]:
        """An answer; see `Cascade.create`."""
        return cast("Whole | Stream[Event]", self.run(task=task, key=key, **arguments).response)

    def run(self, *, task: str | None = None, key: str | None = None, **arguments: Any) -> CascadeResult:
        """An answer and how it came about; takes and raises what `create` does."""
        return self._answer(self._api, arguments, task, key)

    def _seat(self, method: str, task: str | None, key: str | None) -> Any:
        return seat(self._api, self._client, partial(self._asked, task, key), method)

    def _asked(self, task: str | None, key: str | None, arguments: Mapping[str, Any]) -> CascadeResult:
        return self._answer(self._api, arguments, task, key)


class AsyncResource(_Helpers, Generic[Whole, Event]):
    """A resource of ``openai.AsyncOpenAI`` that a cascade answers."""

    def __init__(self, api: Api, client: AsyncOpenAI, answer: AsyncAnswer) -> None:
        """Prepare; see `Resource`."""
        self._api, self._client, self._answer = api, client, answer

    @overload
    async def create(
        self, *, stream: Literal[True], task: str | None = None, key: str | None = None, **arguments: Any
    ) -> AsyncStream[Event]: ...

    @overload
    async def create(
        self, *, stream: Literal[False] | None = None, task: str | None = None, key: str | None = None, **arguments: Any
    ) -> Whole: ...

    async def create(
        self, *, task: str | None = None, key: str | None = None, **arguments: Any
    ) -> Whole | AsyncStream[Event]:
        """An answer; see `Cascade.create`."""
        result = await self.run(task=task, key=key, **arguments)
        return cast("Whole | AsyncStream[Event]", result.response)

    async def run(self, *, task: str | None = None, key: str | None = None, **arguments: Any) -> CascadeResult:
        """An answer and how it came about; takes and raises what `create` does."""
        return await self._answer(self._api, arguments, task, key)

    def _seat(self, method: str, task: str | None, key: str | None) -> Any:
        return async_seat(self._api, self._client, partial(self._asked, task, key), method)

    async def _asked(self, task: str | None, key: str | None, arguments: Mapping[str, Any]) -> CascadeResult:
        return await self._answer(self._api, arguments, task, key)


class Completions(Resource[ChatCompletion, ChatCompletionChunk]):
    """``cascade.chat.completions``: create, run, parse, stream, with_raw_response, with_streaming_response."""


class AsyncCompletions(AsyncResource[ChatCompletion, ChatCompletionChunk]):
    """`Completions`, awaited."""


class Chat:
    """``cascade.chat``."""

    def __init__(self, completions: Completions) -> None:
        self.completions = completions


class AsyncChat:
    """`Chat`, awaited."""

    def __init__(self, completions: AsyncCompletions) -> None:
        self.completions = completions


def check_responses(client: OpenAI | AsyncOpenAI) -> None:
    """Check that the client that is installed has the Responses API.

    Raises
    ------
    InputError : it does not.
    """
    if not hasattr(type(client), "responses") and not hasattr(client, "responses"):
        raise unsupported("Responses API")


def _with_model(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": "auto", **arguments}
