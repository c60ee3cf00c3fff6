"""What was written to the store's file and not confirmed yet, to be written again where the file is gone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from time import monotonic

from classifier.outcomes.records import Record
from classifier.outcomes.watch import Identity, still_there

_MOST = 1000  # records
_SECONDS = 60.0


class Recent:
    """The records of the last minute, `_MOST` at most, that no flush has confirmed; of SQLite only.

    A record is let go when it is confirmed or too old, and then only if the file on the disk holds it (``synced``): not
    its write-ahead log alone, which whoever moves the file may leave behind.
    """

    def __init__(self, path: Path | None) -> None:
        self.synced = False
        self._path = path
        self._home: Identity | None = None
        self._batches: deque[tuple[float, list[Record]]] = deque()
        self._left_behind: list[Record] = []
        self._unconfirmed = 0  # let go since the last flush

    def settle_in(self, home: Identity | None) -> None:
        """The store's file was opened."""
        if self._home is not None and (home is None or home.inode != self._home.inode):
            self.leave()
        self._home = home

    def add(self, records: Sequence[Record]) -> None:
        """Records were written to the file."""
        if self._path is None:
            return
        self.synced = False
        self._batches.append((monotonic(), list(records)))
        while len(self._batches) > 1 and sum(len(batch) for _, batch in self._batches) > _MOST:
            self._unconfirmed += len(self._batches.popleft()[1])

    def is_elsewhere(self, is_whole: Callable[[int], bool]) -> bool:
        """Whether the file that was opened is not at the path any more, or was cut.

        Parameters
        ----------
        is_whole : is asked of a file that has become shorter, whether so many bytes are all of it.
        """
        if self._path is None or self._home is None:
            return False
        now = still_there(self._path, self._home)
        if now is not None and now.size < self._home.size and not is_whole(now.size):
            now = None
        self._home = now or self._home
        return now is None

    def leave(self) -> int:
        """The file is gone; returns how many records that no flush confirmed have gone with it."""
        self._left_behind += self._take()
        self._home = None
        gone, self._unconfirmed = self._unconfirmed, 0
        return gone

    def take_left_behind(self) -> list[Record]:
        """Records to be written again."""
        records, self._left_behind = self._left_behind, []
        return records

    def take_all(self) -> list[Record]:
        """These and those that were written since."""
        return self.take_left_behind() + self._take()

    def confirm(self) -> None:
        """All that was written is where it should be, and has been confirmed."""
        self._unconfirmed = 0
        if self.synced:
            self._batches.clear()

    def let_go(self, now: float) -> None:
        """Forget what is too old."""
        while self.synced and self._batches and self._batches[0][0] < now - _SECONDS:
            self._unconfirmed += len(self._batches.popleft()[1])

    def _take(self) -> list[Record]:
        records = list(chain.from_iterable(batch for _, batch in self._batches))
        self._batches.clear()
        return records
