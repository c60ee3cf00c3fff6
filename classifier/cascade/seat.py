"""The client's own helpers over a cascade: parsing, streaming, raw responses.

The client builds all of them on one method, ``post``. A copy of the client whose ``post`` asks the cascade is therefore
as whole as the client is, in every version of it. Where the caller wants the raw response, the client is given the
HTTP response that belongs to the answer, and makes of it what it makes of any.
"""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any, TypeAlias, cast

from openai import AsyncOpenAI, OpenAI

from classifier.cascade.calls import Api
from classifier.cascade.result import CascadeResult, mark
from classifier.cascade.streams import plain
from classifier.cascade.transport import library_of
from classifier.cascade.wire import http_response
from classifier.errors import InputError

Answering: TypeAlias = Callable[[Mapping[str, Any]], CascadeResult]
AsyncAnswering: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[CascadeResult]]

_RAW = "x-stainless-raw-response"  # the header by which the client's helpers ask for the raw response
_OPTIONS = {"extra_headers": "headers", "extra_query": "params", "extra_body": "extra_json", "timeout": "timeout"}
_OF_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")  # as it came, packed


def seat(api: Api, client: OpenAI, answer: Answering, method: str) -> Any:
    """The client's resource, answered by a cascade.

    Parameters
    ----------
    method : that is to be called.

    Raises
    ------
    InputError : the client that is installed does not have it.
    """

    def post(path: str, *, cast_to: Any, body: Any = None, options: Any = None, **others: Any) -> Any:
        if path != api.path:
            return cast(Any, client).post(path, cast_to=cast_to, body=body, options=options or {}, **others)
        asked = _Asked(api, cast_to, body or {}, options or {}, bool(others.get("stream")), others.get("stream_cls"))
        result = answer(asked.arguments)
        if not asked.raw:
            return asked.finished(result)
        response = asked.response(result, client)
        http_client = _library(client).Client(transport=_One(response), trust_env=False)
        replaying = client.with_options(max_retries=0, http_client=http_client)
        return asked.bearing(result, response, replaying.post(path, **asked.again(result)))

    return _resource(api, _copy(api, client, post), method)


def async_seat(api: Api, client: AsyncOpenAI, answer: AsyncAnswering, method: str) -> Any:
    """The same of an asynchronous client."""

    async def post(path: str, *, cast_to: Any, body: Any = None, options: Any = None, **others: Any) -> Any:
        if path != api.path:
            return await cast(Any, client).post(path, cast_to=cast_to, body=body, options=options or {}, **others)
        asked = _Asked(api, cast_to, body or {}, options or {}, bool(others.get("stream")), others.get("stream_cls"))
        result = await answer(asked.arguments)
        if not asked.raw:
            return asked.finished(result)
        response = asked.response(result, client)
        http_client = _library(client).AsyncClient(transport=_AsyncOne(response), trust_env=False)
        replaying = client.with_options(max_retries=0, http_client=http_client)
        return asked.bearing(result, response, await replaying.post(path, **asked.again(result)))

    return _resource(api, _copy(api, client, post), method)


def unsupported(what: str) -> InputError:
    """What to raise for something that the installed client does not have."""
    import openai

    return InputError(f"openai {openai.__version__} has no {what}; install a newer one, such as openai>=2")


class _Asked:
    """What one of the client's helpers asks for."""

    def __init__(self, api: Api, cast_to: Any, body: Any, options: Any, stream: bool, stream_cls: Any) -> None:
        self._api, self._cast_to, self._body, self._options = api, cast_to, body, options
        self._stream, self._stream_cls = stream, stream_cls
        headers = options.get("headers") or {}
        self.raw = any(name.lower() == _RAW for name in headers)

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Those of the resource's ``create``."""
        given = {name: self._options[key] for name, key in _OPTIONS.items() if self._options.get(key) is not None}
        headers = given.get("extra_headers") or {}
        kept = {name: value for name, value in headers.items() if name.lower() != _RAW}
        return {**self._body, **given, "extra_headers": kept or None, "stream": self._stream}

    def finished(self, result: CascadeResult) -> Any:
        """An answer as the helper hands it on."""
        if not self._stream:
            return self._parsed(result)
        stream = result.response
        stream.response = _Closing(stream)  # which the client's helpers close, and not the stream
        return stream

    def again(self, result: CascadeResult) -> dict[str, Any]:
        """The arguments of ``post`` for the client itself."""

        def parser(parsed: Any) -> Any:
            if self._stream:
                return mark(parsed, result.id)
            return self._parsed(result) if type(parsed) is self._cast_to else parsed  # the caller's own type

        return {
            "cast_to": self._cast_to,
            "body": self._body,
            "options": {**self._options, "post_parser": parser},
            "stream": self._stream,
            "stream_cls": self._stream_cls,
        }

    def response(self, result: CascadeResult, client: Any) -> Any:
        """The HTTP response that the answer came by, to be read once more; of a stream, what the caller is to see."""
        library, answer = _library(client), result.response
        origin = answer.response if self._stream else http_response(answer)
        headers = [(name, value) for name, value in origin.headers.multi_items() if name not in _OF_THE_BODY]
        if not self._stream:
            return library.Response(origin.status_code, headers=headers, content=origin.content)
        kind = _bytes_of(library)[isinstance(client, AsyncOpenAI)]
        headers = [(name, value) for name, value in headers if name != "content-type"]
        headers.append(("content-type", "text/event-stream; charset=utf-8"))
        return library.Response(origin.status_code, headers=headers, stream=kind(answer, self._api.last))

    def bearing(self, result: CascadeResult, response: Any, made: Any) -> Any:
        """What the client made, with the outcome's id; the response tells of the request that was really sent."""
        origin = result.response.response if self._stream else http_response(result.response)
        response.request = origin.request
        if not self._stream and origin.is_closed:
            response.elapsed = origin.elapsed
        return mark(made, result.id)

    def _parsed(self, result: CascadeResult) -> Any:
        completion, parser = result.response, self._options.get("post_parser")
        if not callable(parser):
            return completion
        parsed = parser(completion)
        if parsed is not completion:
            parsed._request_id = completion._request_id
        return mark(parsed, result.id)


class _Closing:
    """A stream's HTTP response; closing it closes the stream."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._response = stream, stream.response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()

    async def aclose(self) -> None:
        """Close the asynchronous stream."""
        await self._stream.close()


class _One:
    """A transport that has one response, whatever is asked."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def handle_request(self, request: Any) -> Any:
        return self._response

    def close(self) -> None:
        """Nothing is open."""


class _AsyncOne(_One):
    """`_One` for an asynchronous client."""

    async def handle_async_request(self, request: Any) -> Any:
        return self._response

    async def aclose(self) -> None:
        """Nothing is open."""


class _Bytes:
    """The events of a stream as they would come over the network."""

    def __init__(self, events: Any, last: bytes) -> None:
        self._events, self._last = events, last

    def __iter__(self) -> Iterator[bytes]:
        for event in self._events:
            yield _sent(event)
        yield self._last

    def close(self) -> None:
        """Close the stream."""
        self._events.close()


class _AsyncBytes:
    """`_Bytes` of an asynchronous stream."""

    def __init__(self, events: Any, last: bytes) -> None:
        self._events, self._last = events, last

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for event in self._events:
            yield _sent(event)
        yield self._last

    async def aclose(self) -> None:
        """Close the stream."""
        await self._events.close()


def _sent(event: Any) -> bytes:
    """A server-sent event (HTML Living Standard, section 9.2)."""
    data, kind = json.dumps(plain(event), default=str), getattr(event, "type", None)
    named = f"event: {kind}\n" if isinstance(kind, str) and "\n" not in kind and "\r" not in kind else ""
    return f"{named}data: {data}\n\n".encode()


@cache
def _bytes_of(library: ModuleType) -> tuple[type, type]:
    """`_Bytes` and `_AsyncBytes` as the library's own kinds of stream, for which it checks."""
    return (
        type("Bytes", (_Bytes, library.SyncByteStream), {}),
        type("AsyncBytes", (_AsyncBytes, library.AsyncByteStream), {}),
    )


def _library(client: Any) -> ModuleType:
    return library_of(client._client)


def _copy(api: Api, client: Any, post: Callable[..., Any]) -> Any:
    """The client with another ``post``, which the API's resource uses."""
    made, name = copy.copy(client), _first(api)
    made.post = post
    setattr(made, name, type(getattr(client, name))(made))  # the one that is there has the other ``post`` already
    return made


def _resource(api: Api, client: Any, method: str) -> Any:
    resource = api.resource(client)
    if hasattr(resource, method):
        return resource
    beta: Any = getattr(client, "beta", None)  # where older clients have it
    if hasattr(beta, _first(api)):
        resource = api.resource(type(beta)(client))
    if not hasattr(resource, method):
        raise unsupported(f"{api.name}.{method}")
    return resource


def _first(api: Api) -> str:
    """The part of the client that the API's resource belongs to."""
    return api.name.partition(".")[0]
