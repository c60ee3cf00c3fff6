"""Which encoding a file's text has: its mark, what its bytes can be, and last what they look like."""

from __future__ import annotations

import codecs
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from typing import IO, Any, cast

from charset_normalizer import CharsetMatch, from_bytes

from classifier.errors import TableError
from training.tables.problems import UnsureError
from training.tables.stored import Stored

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK = 2**20
_SAMPLE = 2**18
_LOOKED_AT = 2**23  # bytes; what comes after them is found when it is read
_LIKELY = 10  # characters of UTF-8 for each byte that is not: such a file is UTF-8, and damaged
_WESTERN = "cp1252"
_WESTERN_MARKS = "“”„‘’‚«»‹›–—…€£§°´¿¡ºª·©®™²³½¼¾×±µ\xa0"
_MOST_FOREIGN = 0.5
_MOST_CHAOS = 0.12
_CLEAR = 0.02


@dataclass(frozen=True, slots=True)
class Encoding:
    """How bytes become text. ``guessed`` : from what the text looks like, so that it has to be said."""

    name: str
    guessed: bool = False


def find_encoding(stored: Stored, wanted: str | None) -> Encoding:
    """The encoding of a file's text.

    Parameters
    ----------
    wanted : what the user names.

    Raises
    ------
    TableError : the text is damaged. UnsureError : its encoding is not certain.
    """
    if wanted is not None:
        return Encoding(_known(wanted))
    with stored.open() as stream:
        head = stream.read(_CHUNK)
        mark = next((name for bom, name in _MARKS if head.startswith(bom)), None) or _unmarked_utf16(head)
        if mark:
            return Encoding(mark)
        bad = _first_bad(head, stream)
    return Encoding("utf-8") if bad is None else _guess(stored, bad)


@contextmanager
def open_text(stored: Stored, encoding: Encoding) -> Iterator[tuple[TextIOWrapper, Callable[[], int]]]:
    """Open text with line ends as they stand; what cannot be decoded becomes `TableError`.

    Yields the text and a function that says how many bytes have been read.
    """
    try:
        with (
            stored.open() as stream,
            TextIOWrapper(cast(Any, stream), encoding=encoding.name, newline="") as text,
        ):
            yield text, stream.tell
    except UnicodeDecodeError as error:
        raise TableError(
            f"{stored.name}: found damaged {_shown(error.encoding)} text, expected whole text; save it again as UTF-8, "
            "or name its encoding"
        ) from None


def _known(name: str) -> str:
    try:
        info = codecs.lookup(name)
        if info._is_text_encoding:
            return info.name
    except LookupError:
        pass
    raise TableError(f"encoding: found {name!r}, expected one that Python knows, such as cp1252 or shift_jis")


def _unmarked_utf16(head: bytes) -> str | None:
    """UTF-16 without its mark: of plain text, every other byte is NUL."""
    even, odd = head[0:4096:2].count(0), head[1:4096:2].count(0)
    half = len(head[:4096]) // 2
    if half >= 8 and max(even, odd) > 0.4 * half and min(even, odd) <= 0.05 * half:
        return "utf-16-le" if odd > even else "utf-16-be"
    return None


def _first_bad(head: bytes, stream: IO[bytes]) -> UnicodeDecodeError | None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    chunk, left = head, _LOOKED_AT
    try:
        while chunk and (left := left - len(chunk)) > 0:
            if not chunk.isascii() or decoder.getstate()[0]:
                decoder.decode(chunk)
            chunk = stream.read(_CHUNK)
        if not chunk:
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return error
    return None


def _guess(stored: Stored, bad: UnicodeDecodeError) -> Encoding:
    sample, place = _foreign_lines(stored)
    good = sample.decode("utf-8", "ignore")
    valid = sum(not char.isascii() for char in good)
    broken = len(sample) - len(good.encode())
    if valid >= _LIKELY * broken:
        raise TableError(
            f"{stored.name}: {place}, which is not UTF-8 as the rest is, expected UTF-8 text; write the line again"
        )
    logging.getLogger("charset_normalizer").setLevel(logging.ERROR)
    matches = [match for match in from_bytes(sample, threshold=0.3) if not match.encoding.startswith(("utf_", "ascii"))]
    if matches and matches[0].chaos <= _MOST_CHAOS:
        best = matches[0]
        if _WESTERN in best.could_be_from_charset:
            return Encoding(_WESTERN, guessed=True)
        if all(_is_clear(best, other) for other in matches[1:]):
            return Encoding(best.encoding, guessed=True)
    if _is_western(sample):
        return Encoding(_WESTERN, guessed=True)
    likely = matches[0].encoding if matches else _WESTERN
    raise UnsureError(
        f"{stored.name}: {place}, which is not UTF-8, expected text in a certain encoding; save it as UTF-8, or name "
        "its encoding",
        "encoding",
        likely,
    )


def _is_western(sample: bytes) -> bool:
    """Whether bytes are Western European letters among ASCII ones: "d\xe9j\xe0" is French, whole words would not be."""
    try:
        text = sample.decode(_WESTERN)
    except UnicodeDecodeError:
        return False
    letters = "".join(char for word in re.findall(r"\w+", text) if not word.isascii() for char in word)
    foreign = sum(not char.isascii() for char in letters)
    odd = [char for char in text if not char.isascii() and not char.isalpha() and char not in _WESTERN_MARKS]
    return not odd and foreign <= _MOST_FOREIGN * len(letters)


def _is_clear(best: CharsetMatch, other: CharsetMatch) -> bool:
    return other.chaos - best.chaos >= _CLEAR or best.coherence - other.coherence >= _CLEAR


def _foreign_lines(stored: Stored) -> tuple[bytes, str]:
    """Lines with bytes beyond ASCII, and where the first byte that is not UTF-8 stands."""
    lines, size, place, offset = [], 0, "", 0
    with stored.open() as stream:
        for number, line in enumerate(iter(lambda: stream.readline(_CHUNK), b""), 1):
            if not line.isascii():
                lines.append(line)
                size += len(line)
                place = place or _place(line, number, offset)
            offset += len(line)
            if size > _SAMPLE and place:
                break
    return b"".join(lines), place or "found a byte"


def _place(line: bytes, number: int, offset: int) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as bad:
        return f"line {number}, byte {offset + bad.start} of the file: found byte 0x{line[bad.start]:02x}"
    return ""


def _shown(encoding: str) -> str:
    return "UTF-16" if encoding.lower().replace("_", "-").startswith("utf-16") else encoding
