"""Which rows are about the same request, within a file and across files."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from classifier.request import Request


@dataclass(frozen=True, slots=True)
class FoundRequest:
    """The row that a request has already, and the request as both files together know it."""

    row: int
    request: Request


class KnownRequests:
    """Rows by their requests.

    Line ends and blanks make no other request. Within a file, another task or ``max_tokens`` does; across files it does
    not, where the earlier ones have the text once: each run has a limit of its own.
    """

    def __init__(self) -> None:
        self._exact: dict[Hashable, int] = {}
        self._alike: dict[Hashable, list[tuple[int, int]]] = {}
        self._file = -1
        self.limits_differ: set[int] = set()

    def __len__(self) -> int:
        return len(self._exact)

    def start_file(self) -> None:
        """From here on, requests are another file's."""
        self._file += 1

    def add(self, request: Request, row: int) -> None:
        """Know a new row."""
        key = _loose_key(request)
        self._exact[_exact_key(request, key)] = row
        self._alike.setdefault(key, []).append((row, self._file))

    def find(self, request: Request, requests: Sequence[Request]) -> FoundRequest | None:
        """The row of the same request."""
        key = _loose_key(request)
        exact = _exact_key(request, key)
        row = self._exact.get(exact)
        if row is not None:
            return FoundRequest(row, requests[row])
        earlier = [row for row, file in self._alike.get(key, ()) if file < self._file]
        if len(earlier) != 1 or not _one_task(request, requests[earlier[0]]):
            return None
        row = self._exact[exact] = earlier[0]
        return FoundRequest(row, self._both(row, requests[row], request))

    def _both(self, row: int, first: Request, second: Request) -> Request:
        if first.max_tokens != second.max_tokens:
            self.limits_differ.add(row)
        limit = None if row in self.limits_differ else first.max_tokens
        task = first.task if first.task is not None else second.task
        unchanged = limit == first.max_tokens and task == first.task
        return first if unchanged else replace(first, max_tokens=limit, task=task)


def folded_text(text: str) -> str:
    """A text, line ends and blanks aside."""
    return " ".join(text.split())


def _loose_key(request: Request) -> Hashable:
    shape = (request.turns, request.tools, request.tool_calls, request.images, request.json_format, request.json_schema)
    around = tuple([folded_text(part) for excerpt in request.context for part in (excerpt.window, excerpt.sample)])
    return folded_text(request.text), request.unread_chars, around, shape


def _exact_key(request: Request, loose: Hashable) -> Hashable:
    return loose, request.max_tokens, request.task


def _one_task(one: Request, other: Request) -> bool:
    return one.task == other.task or one.task is None or other.task is None
