"""A response's body, unpacked and counted piece by piece, so that nothing above the limits is ever in memory."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from classifier.cascade.limits import AnswerLimits
from classifier.errors import MalformedAnswerError

ENCODINGS = "gzip, deflate"  # that are asked for, and taken

_PIECE = 2**18  # bytes unpacked at once
_EITHER = zlib.MAX_WBITS | 32  # gzip or zlib, as the data says
_GZIP = b"\x1f\x8b"
_MOST_OF_ERROR = 2**20  # bytes
_HEAD = 2  # bytes that tell which packing it is
_EMPTY_LINE = re.compile(rb"\n\r?\n|\r\r")
_EVENTS_SHARE = 40  # an event may have this part of the values of a whole answer


class Body:
    """Takes in what comes from the network and gives out what it says; one for each response."""

    def __init__(self, encoding: str, limits: AnswerLimits, *, stream: bool, error: bool = False) -> None:
        """Prepare.

        Parameters
        ----------
        encoding : the header of that name.
        stream : it is a stream of events.
        error : it says what went wrong.

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
        self._error = error
        if error:  # which the client parses as it comes
            self._limit = min(self._limit, _MOST_OF_ERROR)
        self._events = Events(limits) if stream else None
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
            raise _too_large("error" if self._error else "answer", self._limit, self._limit_name)


class Unpacker:
    """Unpacks gzip (of several members, too) and deflate, with or without its header."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_EITHER)
        self._began = self._ended = False
        self._head = b""

    def take(self, data: bytes) -> Iterator[bytes]:
        """Unpacked pieces of some hundred KiB at most.

        Raises
        ------
        MalformedAnswerError : the data is not packed so.
        """
        if not self._began:
            data = self._head = self._head + data
            if len(data) < _HEAD:
                return
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
    """Watches how much comes without an empty line, which ends an event, and how many values an event may have."""

    def __init__(self, limits: AnswerLimits) -> None:
        self._most_bytes, self._most_values = limits.event, max(limits.values // _EVENTS_SHARE, 1)
        self._bytes = self._values = 0
        self._tail = b""

    def check(self, piece: bytes) -> None:
        """Take a piece in.

        Raises
        ------
        MalformedAnswerError : an event is too large, or has too many values.
        """
        piece, known = self._tail + piece, len(self._tail)  # an empty line may stand across two pieces
        start = 0
        for found in _EMPTY_LINE.finditer(piece):
            self._add(piece, start or known, found.start())
            self._bytes = self._values = 0
            start = found.end()
        self._add(piece, start or known, len(piece))
        self._tail = piece[max(start, len(piece) - 2) :]

    def _add(self, piece: bytes, start: int, end: int) -> None:
        self._bytes += max(end - start, 0)
        self._values += count_values(piece, start, end)
        if self._bytes > self._most_bytes:
            raise _too_large("event of a stream", self._most_bytes, "event")
        if self._values > self._most_values:
            raise MalformedAnswerError(
                f"an event of the upstream's stream has more than {self._most_values:,} values; "
                f"if that is meant, raise AnswerLimits(values=...), of which it is 1/{_EVENTS_SHARE}"
            )


def count_values(data: bytes | bytearray, start: int = 0, end: int | None = None) -> int:
    """About how many values JSON has, and never less: commas and brackets, those in texts included."""
    end = len(data) if end is None else end
    return sum(data.count(mark, start, end) for mark in (b"[", b"{", b","))


def _too_large(what: str, limit: int, name: str) -> MalformedAnswerError:
    remedy = "check its address" if what == "error" else f"if that is meant, raise AnswerLimits({name}=...)"
    return MalformedAnswerError(f"the upstream's {what} has more than {limit:,} bytes; {remedy}")
