"""Values of many rows: lists, and what is made only when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from classifier.request import Request
from training.tables.problems import Source

T = TypeVar("T")

_BLOCK = 65_536


@dataclass(frozen=True, eq=False)
class RequestColumns(Sequence[Request]):
    """Requests whose texts stay in a column of Arrow's, which takes half the memory of a million objects.

    Attributes
    ----------
    texts : (n,) strings. limits : (n,) whole numbers, null where there is no limit. tasks : (n,) strings or null.
    """

    texts: pl.Series
    limits: pl.Series
    tasks: pl.Series

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, place: int) -> Request: ...
    @overload
    def __getitem__(self, place: slice) -> list[Request]: ...
    def __getitem__(self, place: int | slice) -> Request | list[Request]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        return Request(self.texts[place], self.limits[place], self.tasks[place])

    def __iter__(self) -> Iterator[Request]:
        for begin in range(0, len(self), _BLOCK):
            columns = (each.slice(begin, _BLOCK).to_list() for each in (self.texts, self.limits, self.tasks))
            yield from map(Request, *columns)


@dataclass(frozen=True, eq=False)
class SourceColumns(Sequence[Source]):
    """Sources of the rows of one file. ``numbers``, ``lines`` : (n,), see `Source`."""

    file: str
    numbers: NDArray[np.int64]
    lines: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> Source: ...
    @overload
    def __getitem__(self, place: slice) -> list[Source]: ...
    def __getitem__(self, place: int | slice) -> Source | list[Source]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        return Source(self.file, int(self.numbers[place]), int(self.lines[place]))

    def __iter__(self) -> Iterator[Source]:
        return (Source(self.file, *each) for each in zip(self.numbers.tolist(), self.lines.tolist(), strict=True))


class JoinedRows(Sequence[T]):
    """Sequences one after the other; single values are put at the end."""

    def __init__(self, values: Iterable[T] = ()) -> None:
        self._parts: list[Sequence[T]] = [list(values)]
        self._starts = [0]

    def append(self, value: T) -> None:
        """Put a value at the end."""
        last = self._parts[-1]
        if not isinstance(last, list):
            last = []
            self.extend(last)
        last.append(value)

    def extend(self, part: Sequence[T]) -> None:
        """Put a sequence at the end, as it is."""
        self._starts.append(len(self))
        self._parts.append(part)

    def whole(self) -> Sequence[T]:
        """The values as one plain list, where they are one anyway."""
        filled = [part for part in self._parts if len(part)]
        return filled[0] if len(filled) == 1 else self if filled else []

    def taken(self, rows: NDArray[np.int64]) -> Sequence[T]:
        """Some of the values, by ascending places."""
        return self.whole() if len(rows) == len(self) else [self[row] for row in rows.tolist()]

    def __len__(self) -> int:
        return self._starts[-1] + len(self._parts[-1])

    def _find(self, place: int) -> tuple[int, int]:
        if place < 0:
            place += len(self)
        part = int(np.searchsorted(self._starts, place, side="right")) - 1 if len(self._starts) > 1 else 0
        return part, place - self._starts[part]

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> list[T]: ...
    def __getitem__(self, place: int | slice) -> T | list[T]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        part, inner = self._find(place)
        return self._parts[part][inner]

    def __setitem__(self, place: int, value: T) -> None:
        part, inner = self._find(place)
        values: Any = self._parts[part]
        if not isinstance(values, list):
            values = self._parts[part] = list(values)
        values[inner] = value

    def __iter__(self) -> Iterator[T]:
        for part in self._parts:
            yield from part
