"""A response's body, unpacked and counted piece by piece, so that nothing above the limits is ever in memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from classifier.cascade.limits import AnswerLimits
from classifier.errors import MalformedAnswerError

ENCODINGS = "gzip, deflate"  # that are asked for, and taken

_PIECE = 2**18  # bytes unpacked at once
_EITHER = zlib.MAX_WBITS | 32  # gzip or zlib, as the data says
_GZIP = b"\x1f\x8b"
_EMPTY_LINES = (b"\n\n", b"\n\r\n", b"\r\r")


class Body:
    """Takes in what comes from the network and gives out what it says; one for each response."""

    def __init__(self, encoding: str, limits: AnswerLimits, *, stream: bool) -> None:
        """Prepare.

        Parameters
        ----------
        encoding : the header of that name.
        stream : it is a stream of events.

        Raises
        ------
        MalformedAnswerError : the encoding is none of those that were asked for.
        """
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise MalformedAnswerError(
                f"the upstream packed its answer as '{encoding[:40]}', expected one of: {ENCODINGS}"
            )
        self._unpacker = None if encoding in ("", "identity") else Unpacker()
        self._limit, self._limit_name = (limits.stream, "stream") if stream else (limits.body, "body")
        self._events = Events(limits.event) if stream else None
        self._packed = self._unpacked = 0

    def take(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes from the network say.

        Raises
        ------
        MalformedAnswerError : it is too much, or the packing is broken.
        """
        self._packed += len(data)
        self._check(self._packed)
        for piece in (data,) if self._unpacker is None else self._unpacker.take(data):
            self._unpacked += len(piece)
            self._check(self._unpacked)
            if self._events is not None:
                self._events.check(piece)
            yield piece

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise _too_large("answer", self._limit, self._limit_name)


class Unpacker:
    """Unpacks gzip (of several members, too) and deflate, with or without its header."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_EITHER)
        self._began = self._ended = False

    def take(self, data: bytes) -> Iterator[bytes]:
        """Unpacked pieces of some hundred KiB at most.

        Raises
        ------
        MalformedAnswerError : the data is not packed so.
        """
        full = False  # a piece may be cut where no data is left
        while data or full:
            if self._ended and not data.startswith(_GZIP):
                return  # what else follows the end is no part of the answer
            found, data = self._next(data)
            full = len(found) == _PIECE
            if found:
                yield found

    def _next(self, data: bytes) -> tuple[bytes, bytes]:
        """A piece, and the data that is still to be unpacked."""
        if self._ended:
            self._inner, self._ended = zlib.decompressobj(_EITHER), False
        try:
            found = self._inner.decompress(data, _PIECE)
        except zlib.error:
            if self._began:
                raise MalformedAnswerError("the upstream's answer cannot be unpacked; check its address") from None
            self._inner, found = zlib.decompressobj(-zlib.MAX_WBITS), b""
        else:
            self._ended = self._inner.eof
            data = self._inner.unused_data if self._ended else self._inner.unconsumed_tail
        self._began = True
        return found, data


class Events:
    """Watches how much of a stream comes without an empty line, which ends an event."""

    def __init__(self, limit: int) -> None:
        self._limit, self._size, self._tail = limit, 0, b""

    def check(self, piece: bytes) -> None:
        """Take a piece in.

        Raises
        ------
        MalformedAnswerError : an event is too large.
        """
        seen = self._tail + piece  # an empty line may stand across two pieces
        end = max(seen.rfind(mark) + len(mark) if mark in seen else 0 for mark in _EMPTY_LINES)
        self._size = len(seen) - end if end else self._size + len(piece)
        self._tail = seen[max(end, len(seen) - 2) :]
        if self._size > self._limit:
            raise _too_large("event of a stream", self._limit, "event")


def _too_large(what: str, limit: int, name: str) -> MalformedAnswerError:
    return MalformedAnswerError(
        f"the upstream's {what} has more than {limit:,} bytes; if that is meant, raise AnswerLimits({name}=...)"
    )
