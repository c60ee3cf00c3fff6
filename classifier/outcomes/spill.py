"""Where records wait as JSON Lines while the store cannot take them.

Every process writes files of its own, and every file may be taken up by any process: it renames the file, which only
one can do, and holds a lock on it until what it says is in the store. The writer locks its file for each addition, and
begins another one where its file was taken meanwhile. So a line is written whole before it is read, and a file whose
taker died is found by its free lock.

An addition is on the disk (fsync) when `Spill.add` returns. A line cut by a kill was never confirmed; like any other
line that cannot be read it is set aside in ``broken.lines``; so is what is left of a record that no store can take. The
file is bounded: what comes on top is lost.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BufferedRandom, FileIO
from pathlib import Path

from classifier.outcomes.private import FILE_MODE, make_folder

if sys.platform != "win32":
    from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock


WAITING, TAKEN, BROKEN = ".jsonl", ".taken", "broken.lines"
MOST_BROKEN = 2**26  # bytes


class Spill:
    """The waiting records of one store; threads may share it.

    ``folders`` are tried in order when records are added; what waits is looked for in all of them.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self._lock = threading.Lock()
        self._name = _new_name()

    def add(self, lines: Sequence[str]) -> None:
        """Append lines, each with its line break; they are on the disk when this returns.

        Raises
        ------
        OSError : no folder can be written; nothing was added.
        """
        data = "".join(lines).encode()
        with self._lock:
            for folder in self.folders[:-1]:
                with suppress(OSError):
                    return self._add_to(folder, data)
            return self._add_to(self.folders[-1], data)

    def files(self) -> list[Path]:
        """Files that wait or are being taken up, oldest first."""
        found: list[Path] = []
        for folder in self.folders:
            with suppress(OSError):
                found += [path for path in folder.iterdir() if path.suffix in (WAITING, TAKEN)]
        return sorted(found, key=lambda path: path.name)

    def count(self) -> int:
        """Records that wait, those being taken up included."""
        total = 0
        for path in self.files():
            with suppress(FileNotFoundError), path.open("rb") as file:
                total += sum(1 for _ in file)
        return total

    def take(self) -> Generator[BufferedRandom, None, None]:
        """One waiting file after the other, locked; each is removed when the next is asked for.

        Ending the iteration early (an exception, or ``close``) leaves the file in hand to the next taker.
        """
        for path in self.files():
            with _taken(path) as file:
                if file is not None:
                    yield file
                    if sys.platform == "win32":
                        file.close()
                    os.unlink(file.name)

    def set_aside(self, line: bytes) -> bool:
        """Keep a line that cannot be read or stored, beside the files; False where there are too many already.

        Raises
        ------
        OSError : no folder can be written.
        """
        with self._lock:
            for folder in self.folders[:-1]:
                with suppress(OSError):
                    return _set_aside(folder, line)
            return _set_aside(self.folders[-1], line)

    def rewrite(self, keep: Callable[[bytes], bool]) -> None:
        """Leave out the lines that are not to be kept, of all files that no other process holds.

        Raises
        ------
        OSError : a file cannot be written.
        """
        with self._lock:
            for file in self.take():
                left = b"".join(line for line in file if keep(line))
                if left:
                    path = Path(file.name).with_name(_new_name() + WAITING)
                    with _opened(path) as renewed:
                        _append(renewed, path, left)
            for path in (folder / BROKEN for folder in self.folders):
                if path.exists():
                    left = b"".join(line for line in path.read_bytes().splitlines(keepends=True) if keep(line))
                    with _opened(path) as broken:
                        broken.truncate(0)
                        _append(broken, path, left)

    def forget_broken(self, before: float) -> None:
        """Remove the lines set aside, where none has been added since a time (seconds since 1970)."""
        for folder in self.folders:
            with suppress(OSError):
                if (folder / BROKEN).stat().st_mtime < before:
                    (folder / BROKEN).unlink()

    def _add_to(self, folder: Path, data: bytes) -> None:
        make_folder(folder)
        while True:
            path = folder / (self._name + WAITING)
            with _opened(path) as file:
                if _lock(file) and _is_at(file, path):
                    try:
                        return _append(file, path, data)
                    except OSError:
                        self._name = _new_name()  # this one may end in half a line
                        raise
            self._name = _new_name()


def _new_name() -> str:
    return f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}"


@contextmanager
def _opened(path: Path) -> Iterator[FileIO]:
    """The file, for its owner alone, made where it is missing, at its end."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), FILE_MODE)
    with FileIO(descriptor, "r+") as file:
        try:
            yield file
        finally:
            _unlock(file)


@contextmanager
def _taken(path: Path) -> Iterator[BufferedRandom | None]:
    """The file renamed and locked, or None where another has it."""
    mine = path if path.suffix == TAKEN else path.with_suffix(f".{secrets.token_hex(4)}{TAKEN}")
    try:
        os.rename(path, mine)
        file = mine.open("r+b")
    except (FileNotFoundError, PermissionError):
        yield None
        return
    with file:
        try:
            yield file if _lock(file) and _is_at(file, mine) else None
        finally:
            _unlock(file)


def _lock(file: FileIO | BufferedRandom) -> bool:
    """Whether the file could be locked at once. Windows neither renames nor removes an open file: that is its lock."""
    if sys.platform != "win32":
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except OSError:
            return False
    return True


def _unlock(file: FileIO | BufferedRandom) -> None:
    # Closing would not do: a process forked meanwhile holds the same lock.
    if sys.platform != "win32":
        flock(file, LOCK_UN)


def _is_at(file: FileIO | BufferedRandom, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _append(file: FileIO, path: Path, data: bytes) -> None:
    size = file.seek(0, os.SEEK_END)
    try:
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    except OSError:
        file.truncate(size)
        raise
    if size == 0 and sys.platform != "win32":
        _sync_folder(path.parent)


def _set_aside(folder: Path, line: bytes) -> bool:
    make_folder(folder)
    with _opened(folder / BROKEN) as file:
        if file.seek(0, os.SEEK_END) + len(line) > MOST_BROKEN:
            return False
        _append(file, folder / BROKEN, line.rstrip(b"\n") + b"\n")
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
