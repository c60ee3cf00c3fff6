"""The records of a CSV file, found and checked without reading its cells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

try:
    import training.tables._structure as _structure
except ImportError:  # not built here: numpy alone is several times slower
    _structure = None  # type: ignore[assignment]

_BLOCK = 2**18  # stays in a processor's cache
_LONGEST_LINE = 2**26
_QUOTE, _NEWLINE, _RETURN = 34, 10, 13
_BOM = b"\xef\xbb\xbf"


State = tuple[int, int, int]  # whether inside of quotes, delimiters of the record so far, lines before


def record_lines(path: Path, delimiter: str, width: int) -> NDArray[np.int64] | None:
    """The lines that records begin on, the header's first, where every record is whole and as wide as the others.

    None where one is not: ragged or blank records, quotes amid a cell, text after a closing quote, NUL characters, line
    ends of their own. Then a reader that goes from record to record has to say what is wrong.

    Parameters
    ----------
    delimiter : of one byte. width : cells of a record.
    """
    state: State = (0, 0, 0)
    starts = [np.array([1])]
    last = b""
    with path.open("rb", buffering=0) as raw:
        for block, end in _whole_lines(raw):
            found = None if end > _LONGEST_LINE else _checked(block, end, ord(delimiter), width, state)
            if found is None:
                return None
            state = found[0]
            starts.append(found[1])
            last = block[end - 1 : end]
    if state[0] or (last != b"\n" and state[1] != width - 1):
        return None
    lines = np.concatenate(starts)
    return lines[:-1] if last == b"\n" else lines


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


def _checked(
    block: bytes, end: int, delimiter: int, width: int, state: State
) -> tuple[State, NDArray[np.int64]] | None:
    if block.find(b"\0", 0, end) >= 0 or (block.find(b"\r", 0, end) >= 0 and not _returns_fit(block, end)):
        return None
    scan = scan_block if _structure is None else _structure.scan_block
    return scan(block, end, delimiter, width, state)


def scan_block(
    block: bytes, end: int, delimiter: int, width: int, state: State
) -> tuple[State, NDArray[np.int64]] | None:
    """Go over whole lines; the state after them, and the lines that the next records begin on.

    None where a record has another width, or quotes are not where they should be.
    """
    opened, begun, lines = state
    found = np.frombuffer(block, np.uint8, end)
    quotes = np.flatnonzero(found == _QUOTE)
    newlines = np.flatnonzero(found == _NEWLINE)
    if not _quotes_fit(found, quotes, delimiter, opened):
        return None
    ends = _outside(newlines, quotes, opened)
    marks = np.flatnonzero(found == delimiter)
    marks = marks[_outside(marks, quotes, opened)]
    upto = np.searchsorted(marks, newlines[ends])
    cells = np.diff(upto, prepend=0)
    if len(cells):
        cells[0] += begun
        if np.any(cells != width - 1):
            return None
    begun = (len(marks) - int(upto[-1])) if len(ends) else begun + len(marks)
    return ((opened + len(quotes)) % 2, begun, lines + len(newlines)), lines + ends + 2


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


def _returns_fit(block: bytes, end: int) -> bool:
    """Whether carriage returns stand before newlines only."""
    found = np.frombuffer(block, np.uint8, end)
    returns = np.flatnonzero(found == _RETURN)
    return bool(returns[-1] + 1 < end and np.all(found[returns + 1] == _NEWLINE))
