"""The records of a CSV file, found and checked without reading its cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

_BLOCK = 2**18  # stays in a processor's cache
_LONGEST_LINE = 2**26
_QUOTE, _NEWLINE, _RETURN, _NUL = 34, 10, 13, 0
_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class _State:
    """Where a scan is. ``open`` : inside of quotes. ``cells`` : delimiters of the record so far."""

    open: int = 0
    cells: int = 0
    lines: int = 0
    starts: list[NDArray[np.int64]] = field(default_factory=list)


def record_lines(path: Path, delimiter: str, width: int) -> NDArray[np.int64] | None:
    """The lines that records begin on, the header's first, where every record is whole and as wide as the others.

    None where one is not: ragged or blank records, quotes amid a cell, text after a closing quote, NUL characters, line
    ends of their own. Then a reader that goes from record to record has to say what is wrong.

    Parameters
    ----------
    delimiter : of one byte. width : cells of a record.
    """
    state = _State(starts=[np.array([1])])
    last = b""
    with path.open("rb", buffering=0) as raw:
        for block, end in _whole_lines(raw):
            if end > _LONGEST_LINE or not _scan(block, end, ord(delimiter), width, state):
                return None
            last = block[end - 1 : end]
    if state.open or (last != b"\n" and state.cells != width - 1):
        return None
    starts = np.concatenate(state.starts)
    return starts[:-1] if last == b"\n" else starts


def _whole_lines(raw: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Blocks that start with a line, and where the last line of each ends."""
    rest = raw.read(3)
    rest = b"" if rest == _BOM else rest
    while more := raw.read(_BLOCK):
        block = rest + more
        end = block.rfind(b"\n") + 1
        if end:
            yield block, end
        rest = block[end:]
        if len(rest) > _LONGEST_LINE:
            break
    if rest:
        yield rest, len(rest)


def _scan(block: bytes, end: int, delimiter: int, width: int, state: _State) -> bool:
    """Go over whole lines; False where something is not as it should be."""
    found = np.frombuffer(block, np.uint8, end)
    quotes = np.flatnonzero(found == _QUOTE)
    newlines = np.flatnonzero(found == _NEWLINE)
    if block.find(b"\0", 0, end) >= 0 or not _quotes_fit(found, quotes, delimiter, state.open):
        return False
    if block.find(b"\r", 0, end) >= 0 and not _returns_fit(found):
        return False
    ends = _outside(newlines, quotes, state.open)
    marks = np.flatnonzero(found == delimiter)
    marks = marks[_outside(marks, quotes, state.open)]
    upto = np.searchsorted(marks, newlines[ends])
    cells = np.diff(upto, prepend=0)
    if len(cells):
        cells[0] += state.cells
        if np.any(cells != width - 1):
            return False
    state.cells = (len(marks) - int(upto[-1])) if len(ends) else state.cells + len(marks)
    state.starts.append(state.lines + ends + 2)
    state.lines += len(newlines)
    state.open = (state.open + len(quotes)) % 2
    return True


def _outside(places: NDArray[np.int64], quotes: NDArray[np.int64], opened: int) -> NDArray[np.int64]:
    """Which of some places are outside of quotes: those with an even number of quotes before them."""
    passed = np.bincount(np.searchsorted(places, quotes), minlength=len(places) + 1)[: len(places)]
    return np.flatnonzero((np.cumsum(passed) + opened) % 2 == 0)


def _quotes_fit(found: NDArray[np.uint8], quotes: NDArray[np.int64], delimiter: int, opened: int) -> bool:
    """Whether quotes open at the beginning of cells and close at their ends; two amid a cell stand for one."""
    opening, closing = quotes[opened::2], quotes[1 - opened :: 2]
    before = found[opening - 1]
    starts = (before == delimiter) | (before == _NEWLINE) | (before == _QUOTE) | (opening == 0)
    after = found[np.minimum(closing + 1, len(found) - 1)]
    ends = (after == delimiter) | (after == _NEWLINE) | (after == _QUOTE) | (after == _RETURN)
    return bool(np.all(starts) and np.all(ends | (closing == len(found) - 1)))


def _returns_fit(found: NDArray[np.uint8]) -> bool:
    """Whether carriage returns stand before newlines only."""
    returns = np.flatnonzero(found == _RETURN)
    return bool(returns[-1] + 1 < len(found) and np.all(found[returns + 1] == _NEWLINE))
