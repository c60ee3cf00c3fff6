"""A client of the cascade's own, made from the user's: the same address, key and proxies, and an HTTP client that

- keeps the deadline of the call that is being made, while headers come as well as later;
- unpacks and counts what comes, and stops above the limits;
- follows redirects at most three times, and never to another scheme, host or port: the request and the key stay;
- never uses a socket of the process that it was forked from.

The user's own client stays as it is. Both generations of the openai client are served: one sends by ``httpx``, the
other by ``httpx2``, which is the same under another name. Synchronous calls go through a pool of connections of the
cascade's own, for only its sockets keep deadlines; asynchronous ones can be cancelled, and share the client's pool.
A transport that is not the library's own is called as it is, by a thread that is left behind where it is late.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from types import ModuleType
from typing import Any
from weakref import finalize

from classifier.cascade.bodies import ENCODINGS, Body
from classifier.cascade.deadline import current_call, in_time, time_left
from classifier.cascade.fork import renew_in_child
from classifier.cascade.limits import AnswerLimits
from classifier.cascade.network import DeadlineBackend
from classifier.errors import InputError, MalformedAnswerError

_MOST_REDIRECTS = 3
_LIBRARIES = ("httpx", "httpx2")
_POOL = ("_connections", "_requests", "_optional_thread_lock", "_network_backend")


def guarded(http_client: Any, limits: AnswerLimits) -> Any:
    """An ``httpx.Client`` or ``AsyncClient`` as above; headers, cookies, hooks and authentication are shared."""
    library = library_of(http_client)
    wrap = GuardedTransport if isinstance(http_client, library.Client) else AsyncGuardedTransport
    made = copy.copy(http_client)
    made._transport = wrap(http_client._transport, http_client, limits)
    made._mounts = {
        pattern: None if transport is None else wrap(transport, http_client, limits)
        for pattern, transport in http_client._mounts.items()
    }
    made.max_redirects = min(http_client.max_redirects, _MOST_REDIRECTS)
    return made


class _Guard:
    """What the transports of both kinds share."""

    def __init__(self, given: Any, owner: Any, limits: AnswerLimits) -> None:
        """Prepare.

        Parameters
        ----------
        given : the transport of ``owner``, the user's HTTP client.
        """
        self._given, self._owner, self._limits = given, owner, limits
        self._library = library_of(owner)
        self._inner, self._owned = given, False
        self._used = self._foreign = False
        renew_in_child(self._renew)

    def _begin(self, request: Any) -> None:
        """Check that a request may be sent, and prepare it."""
        if self._owner.is_closed:
            raise RuntimeError("Cannot send a request, as the client has been closed.")
        if self._foreign:
            raise InputError(
                f"this cascade was used before the process forked, and its http_client's {type(self._given).__name__} "
                "cannot be made anew; make the cascade in the child, such as in gunicorn's post_fork"
            )
        self._used = True
        if any(name in request.headers.get("accept-encoding", "*") for name in ("br", "zstd", "*")):
            request.headers["accept-encoding"] = ENCODINGS
        call = current_call()
        if call is not None:
            call.sent = True

    def _checked(self, request: Any, response: Any) -> Any:
        """The response with its headers checked, and its body as a stream that is counted."""
        size = sum(len(name) + len(value) for name, value in response.headers.raw)
        if size > self._limits.headers:
            raise MalformedAnswerError(
                f"the upstream's headers have {size:,} bytes, expected at most {self._limits.headers:,}; "
                "if that is meant, raise AnswerLimits(headers=...)"
            )
        if response.has_redirect_location and not _stays(request.url, response.headers["location"]):
            del response.headers["location"]
        if not hasattr(response, "_content"):  # else it is in memory already
            encoding = response.headers.pop("content-encoding", "")
            call, error = current_call(), response.status_code >= 400
            stream = call is not None and call.stream and not error
            body = Body(encoding, self._limits, stream=stream, error=error)
            response.stream = self._counted(response.stream, body)
        return response

    def _counted(self, stream: Any, body: Body) -> Any:
        raise NotImplementedError

    def _renew(self) -> None:
        """Let go of all that is the parent process's: its connections are closed here, and nothing is sent on them."""
        made = fresh(self._given)
        self._foreign = made is None and self._used
        if made is not None:
            self._adopt(made)

    def _adopt(self, made: Any) -> None:
        self._inner, self._owned = made, True


class GuardedTransport(_Guard):
    """A transport for ``httpx.Client``."""

    def __init__(self, given: Any, owner: Any, limits: AnswerLimits) -> None:
        """Prepare; see `guarded`."""
        super().__init__(given, owner, limits)
        self._closing: Any = None
        made = fresh(given)
        if made is not None:
            self._adopt(made)
        pool = getattr(made, "_pool", None)
        # Requests that share a connection (HTTP/2) may wait for each other's reads.
        self._direct = type(given) is self._library.HTTPTransport and not getattr(pool, "_http2", True)

    def handle_request(self, request: Any) -> Any:
        """Send a request; the response's body is still to be read.

        Raises
        ------
        TimeoutError : the call's time is up. MalformedAnswerError : the headers are too large.
        """
        self._begin(request)
        response = self._do(lambda: self._inner.handle_request(request), lambda late: late.close())
        try:
            return self._checked(request, response)
        except BaseException:
            response.close()
            raise

    def close(self) -> None:
        """Close the connections that are the cascade's own."""
        if self._owned:
            self._inner.close()

    def _do(self, work: Callable[[], Any], drop: Callable[[Any], object]) -> Any:
        return work() if self._direct else in_time(work, drop)

    def _counted(self, stream: Any, body: Body) -> Any:
        return _streams(self._library)[0](stream, body, self._do)

    def _adopt(self, made: Any) -> None:
        made._pool._network_backend = DeadlineBackend(made._pool._network_backend)
        super()._adopt(made)
        if self._closing is not None:
            self._closing()
        self._closing = finalize(self, _close_connections, made._pool)
        self._closing.atexit = False


class AsyncGuardedTransport(_Guard):
    """A transport for ``httpx.AsyncClient``."""

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request; see `GuardedTransport.handle_request`."""
        self._begin(request)
        response = await self._inner.handle_async_request(request)
        try:
            return self._checked(request, response)
        except BaseException:
            await response.aclose()
            raise

    async def aclose(self) -> None:
        """Close the connections that are the cascade's own."""
        if self._owned:
            await self._inner.aclose()

    def _counted(self, stream: Any, body: Body) -> Any:
        return _streams(self._library)[1](stream, body)


class _Counted:
    """A response's stream, counted."""

    def __init__(self, stream: Any, body: Body, do: Callable[..., Any]) -> None:
        self._stream, self._body, self._do = stream, body, do

    def __iter__(self) -> Iterator[bytes]:
        pieces = iter(self._stream)
        while (data := self._do(lambda: next(pieces, None), lambda late: None)) is not None:
            for piece in self._body.take(data):
                time_left()
                yield piece

    def close(self) -> None:
        """Close the connection, or give it back to its pool."""
        self._stream.close()


class _AsyncCounted:
    """A response's stream, counted; read asynchronously."""

    def __init__(self, stream: Any, body: Body) -> None:
        self._stream, self._body = stream, body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._stream:
            for piece in self._body.take(data):
                time_left()
                yield piece

    async def aclose(self) -> None:
        """Close the connection, or give it back to its pool."""
        await self._stream.aclose()


def fresh(transport: Any) -> Any:
    """A transport of the library's own, or of a class made from it, with a new pool of connections; None: another."""
    pool: Any = getattr(transport, "_pool", None)
    if not all(hasattr(pool, name) for name in _POOL):
        return None
    made, made_pool = copy.copy(transport), copy.copy(pool)
    made_pool._connections, made_pool._requests = [], []
    made_pool._optional_thread_lock = type(made_pool._optional_thread_lock)()
    made._pool = made_pool
    return made


def _close_connections(pool: Any) -> None:
    """Close all, without the pool's lock: in a child process, nobody may ever give it back."""
    for connection in pool.connections:
        connection.close()


def _stays(url: Any, location: str) -> bool:
    """Whether a redirect leads to the scheme, host and port that it comes from."""
    try:
        target = url.join(location)
    except Exception:
        return False
    return bool((target.scheme, target.host, target.port) == (url.scheme, url.host, url.port))


def library_of(http_client: Any) -> ModuleType:
    """The library that an HTTP client is of.

    Raises
    ------
    InputError : it is of none that is known.
    """
    for each in type(http_client).__mro__:
        name = each.__module__.partition(".")[0]
        if name in _LIBRARIES:
            return sys.modules[name]
    raise InputError(f"client: its http_client is a {type(http_client).__name__}, expected one of httpx or httpx2")


@cache
def _streams(library: ModuleType) -> tuple[type, type]:
    """`_Counted` and `_AsyncCounted` as the library's own kinds of stream, for which it checks."""
    return (
        type("Counted", (_Counted, library.SyncByteStream), {}),
        type("AsyncCounted", (_AsyncCounted, library.AsyncByteStream), {}),
    )
