"""Limited child processes in which untrusted code is parsed (`classifier.gates.parsing_child` is what they run).

Parsers written in C have crashed on a few hundred characters and taken gigabytes on others. A child that crashes, takes
more than its memory or its time is ended, what it did not answer stays untold, and the next use starts another.

Children are started when first needed, kept, and shared by threads; a forked process starts its own.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

_SECONDS = 0.25  # wall time in which all pieces of an answer must be parsed; a child stops itself after 0.07 s of CPU
_START_SECONDS = 1.0  # that a child may take to start, beyond that
_RETRY_SECONDS = 10.0  # before another is tried where none could be started
_MOST_CHILDREN = 4
_READY = b"r"
_RESULTS = {b"1": True, b"0": False}

# Module and function of its grammar (None: a parser of the standard library), the language, the code.
Piece = tuple[tuple[str, str] | None, str, str]


def _start(connection: socket.socket) -> subprocess.Popen[bytes]:
    """The process, with a socket as its standard input; isolated, but with the parent's paths."""
    paths = json.dumps([path for path in sys.path if path])
    script = str(Path(__file__).with_name("parsing_child.py"))
    return subprocess.Popen(
        [sys.executable, "-I", "-S", script, paths],
        stdin=connection.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is the parent's
    )


class _Child:
    """One child process, used by one thread at a time.

    Raises
    ------
    OSError : it cannot be started, or does not say in time that it is ready.
    """

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = _start(theirs)
        except OSError:
            self._socket.close()
            raise
        try:
            self._socket.settimeout(_START_SECONDS)
            if self._socket.recv(1) != _READY:
                raise OSError("the child ended before it was ready")
        except OSError:
            self.end()
            raise

    def parse(self, pieces: Sequence[Piece], until: float) -> tuple[list[bool | None], bool]:
        """One result for each piece, and whether the child can go on; None where it gave none in time."""
        replies = b""
        body = json.dumps(pieces).encode()
        with suppress(OSError):  # which a timeout is, too
            self._wait_until(until)
            self._socket.sendall(len(body).to_bytes(4, "big") + body)
            while len(replies) < len(pieces):
                self._wait_until(until)
                part = self._socket.recv(len(pieces) - len(replies))
                if not part:
                    break
                replies += part
        told = [_RESULTS.get(replies[place : place + 1]) for place in range(len(pieces))]
        return told, len(replies) == len(pieces)

    def _wait_until(self, until: float) -> None:
        self._socket.settimeout(max(0.001, until - time.monotonic()))

    def end(self) -> None:
        """Kill it."""
        self._socket.close()
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)

    def forget(self) -> None:
        """Let go of a child that belongs to the process that this one was forked from."""
        self._socket.close()
        self._process.returncode = 0  # or its finaliser would look for it


class _Children:
    """The children of this process that have nothing to do, and how many more may be started."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(_MOST_CHILDREN)
        self._idle: list[_Child] = []
        self._all: set[_Child] = set()
        self._no_start_before = 0.0

    def parse(self, pieces: Sequence[Piece]) -> list[bool | None]:
        """One result for each piece; None where it cannot be told."""
        if not self._slots.acquire(timeout=_SECONDS):
            return [None] * len(pieces)
        try:
            child = self._idle_child() or self._start()
            return self._ask(child, pieces) if child else [None] * len(pieces)
        finally:
            self._slots.release()

    def _idle_child(self) -> _Child | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _ask(self, child: _Child, pieces: Sequence[Piece]) -> list[bool | None]:
        able = False
        try:
            results, able = child.parse(pieces, time.monotonic() + _SECONDS)
        finally:  # an interrupted exchange leaves replies behind that nobody reads
            if able:
                self._idle.append(child)
            else:
                self._all.discard(child)
                child.end()
        return results

    def _start(self) -> _Child | None:
        if not _can_start() or time.monotonic() < self._no_start_before:
            return None
        try:
            child = _Child()
        except OSError:
            self._no_start_before = time.monotonic() + _RETRY_SECONDS
            return None
        self._all.add(child)
        return child

    def close(self) -> None:
        """End all children; whoever waits for one is answered."""
        self._no_start_before = float("inf")
        while self._all:
            self._all.pop().end()

    def forget(self) -> None:
        """Let go of all children, in a forked process."""
        for child in self._all:
            child.forget()


def _can_start() -> bool:
    # Without limits, or a Python to start (frozen programs, interpreters inside a server), nothing is parsed.
    python = os.path.basename(sys.executable or "").lower().startswith(("python", "pypy"))
    return os.name == "posix" and python and not getattr(sys, "frozen", False)


_children = _Children()


def _after_fork() -> None:
    global _children
    _children.forget()
    _children = _Children()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(lambda: _children.close())


def parse_pieces(pieces: Iterable[Piece]) -> list[bool | None]:
    """Whether each piece of code parses; None where that cannot be told, in time, in memory or at all.

    Takes at most some 0.1 s of CPU and 0.5 s of wall time, besides starting a child. Never raises.
    """
    wanted = list(pieces)
    return _children.parse(wanted) if wanted else []
