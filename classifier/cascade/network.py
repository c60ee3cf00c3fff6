"""Sockets that keep the deadline of the call that uses them.

An HTTP library gives each read of a socket a time limit of its own, so an upstream that sends a byte now and then is
waited for without end. Here no read, write or connection may take longer than what is left of the call.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

from classifier.cascade.deadline import in_time, time_left

_PIECE = 2**14  # bytes written at once: a socket that has room takes them whole


class DeadlineBackend:
    """A network backend of httpcore whose streams keep deadlines; it stands in for the one it is made from."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> DeadlineStream:
        """Connect; looking the name up and trying several addresses is in the deadline as well."""

        def connect() -> Any:
            return self._inner.connect_tcp(host, port, time_left(timeout), local_address, socket_options)

        return DeadlineStream(in_time(connect, _close))

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> DeadlineStream:
        """Connect to a socket file."""
        return DeadlineStream(self._inner.connect_unix_socket(path, time_left(timeout), socket_options))

    def sleep(self, seconds: float) -> None:
        """Wait before connecting again."""
        self._inner.sleep(time_left(seconds))


class DeadlineStream:
    """A network stream of httpcore that keeps deadlines."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Bytes as they come; b"" at the end."""
        found: bytes = self._inner.read(max_bytes, time_left(timeout))
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write piece by piece: an upstream that takes a byte now and then is not waited for."""
        for start in range(0, len(buffer), _PIECE):
            self._inner.write(buffer[start : start + _PIECE], time_left(timeout))

    def close(self) -> None:
        """Close the socket."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> DeadlineStream:
        """The same connection, encrypted."""

        def start() -> Any:
            return self._inner.start_tls(ssl_context, server_hostname, time_left(timeout))

        return DeadlineStream(in_time(start, _close))

    def get_extra_info(self, info: str) -> Any:
        """What the stream knows of itself."""
        return self._inner.get_extra_info(info)


def _close(stream: Any) -> None:
    stream.close()
