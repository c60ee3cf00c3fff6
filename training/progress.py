"""How long work says how far it is: functions of (done, total), or of a stage and these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Progress = Callable[[int, int], None]
StageProgress = Callable[[str, int, int], None]
Item = TypeVar("Item")

_COUNTED = 500


def counted(items: Iterable[Item], progress: Progress | None, total: int) -> Iterator[Item]:
    """Items as they come, while ``progress`` is told of every 500th; ``total`` is how many there should be."""
    for number, item in enumerate(items, 1):
        yield item
        if progress is not None and number % _COUNTED == 0:
            progress(number, max(number, total))
