"""Working memory for compiled code that lets go of the interpreter's lock: a piece for each thread at work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Pool(Generic[Item]):
    """Hands out items that one thread uses at a time; makes as many as are in use at once, and keeps them.

    The one that was used last is handed out first, since the processor may still have it near.
    """

    def __init__(self, make: Callable[[], Item]) -> None:
        self._make = make
        self._free: list[Item] = []

    def take(self) -> Item:
        """An item that nobody else uses until it is given back; one that is never given back is forgotten."""
        try:
            return self._free.pop()
        except IndexError:
            return self._make()

    def give(self, item: Item) -> None:
        """Give an item back."""
        self._free.append(item)
