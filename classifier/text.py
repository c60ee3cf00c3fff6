"""One bounded pass over a request's text: what every feature and the token estimate start from.

The text is looked at through a window (head and tail), as UTF-8 bytes, so that its cost is bounded and nearly all of
the work is done by compiled code: a translation table, a histogram, a split. Of what lies between head and tail a
sample is kept, by which its tokens are estimated.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HEAD_CHARS = 2048
TAIL_CHARS = 1024
SAMPLES = 24  # pieces, spread over what a window leaves out
SAMPLE_CHARS = 64  # of each


class ByteClass(IntEnum):
    """What a UTF-8 byte says of the character that it begins: a kind of ASCII character, or a family of scripts."""

    LOWER = 0
    UPPER = 1
    DIGIT = 2
    SPACE = 3
    NEWLINE = 4
    PUNCTUATION = 5
    QUESTION = 6
    QUOTE = 7
    BRACKET = 8
    OPERATOR = 9
    CODE = 10
    TEX = 11
    CONTROL = 12
    LATIN = 13
    CYRILLIC = 14
    SEMITIC = 15
    INDIC = 16
    SOUTHEAST = 17
    SYMBOL = 18
    KANA = 19
    HAN = 20
    HANGUL = 21
    FULLWIDTH = 22
    ASTRAL = 23
    CONTINUATION = 24


# The classes that scripts written without spaces are in (besides rare ideographs).
UNSPACED_CLASSES = [ByteClass.INDIC, ByteClass.SOUTHEAST, ByteClass.KANA, ByteClass.HAN, ByteClass.HANGUL]

_CLASS_BYTES: dict[ByteClass, bytes] = {
    ByteClass.LOWER: bytes(range(0x61, 0x7B)),
    ByteClass.UPPER: bytes(range(0x41, 0x5B)),
    ByteClass.DIGIT: bytes(range(0x30, 0x3A)),
    ByteClass.SPACE: b" \t\r",
    ByteClass.NEWLINE: b"\n",
    ByteClass.PUNCTUATION: b".,;:!",
    ByteClass.QUESTION: b"?",
    ByteClass.QUOTE: b"'\"`",
    ByteClass.BRACKET: b"()[]{}",
    ByteClass.OPERATOR: b"+-*/=<>^%~|&",
    ByteClass.CODE: b"_#@",
    ByteClass.TEX: b"\\$",
    ByteClass.LATIN: bytes(range(0xC0, 0xD0)),  # Latin with diacritics, IPA, Greek
    ByteClass.CYRILLIC: bytes(range(0xD0, 0xD5)),
    ByteClass.SEMITIC: bytes(range(0xD5, 0xE0)),  # Armenian, Hebrew, Arabic, Syriac
    ByteClass.INDIC: b"\xe0",  # Devanagari to Thai and Lao
    ByteClass.SOUTHEAST: b"\xe1",  # Georgian, Ethiopic, Khmer, Myanmar, Vietnamese vowels
    ByteClass.SYMBOL: b"\xe2",  # general punctuation, arrows, mathematical signs
    ByteClass.KANA: b"\xe3",
    ByteClass.HAN: bytes(range(0xE4, 0xEA)),
    ByteClass.HANGUL: bytes(range(0xEA, 0xEE)),
    ByteClass.FULLWIDTH: b"\xee\xef",
    ByteClass.ASTRAL: bytes(range(0xF0, 0x100)),  # emoji, rare ideographs
    ByteClass.CONTINUATION: bytes(range(0x80, 0xC0)),
}


def _class_table() -> bytes:
    table = bytearray([ByteClass.CONTROL]) * 256
    for kind, members in _CLASS_BYTES.items():
        for byte in members:
            table[byte] = kind
    return bytes(table)


def _word_table() -> bytes:
    """Lower-case letters, digits, underscore and all bytes of non-ASCII characters stay; the rest becomes a space."""
    table = bytearray(b" ") * 256
    for byte in range(256):
        char = chr(byte)
        if byte >= 0x80 or char.isalnum() or char == "_":
            table[byte] = byte if byte >= 0x80 else ord(char.lower())
    return bytes(table)


# Tables by byte, which `classifier.compiled._scan` reads as well.
CLASS_OF_BYTE = _class_table()
WORD_BYTES = _word_table()
LOWER_BYTES = bytes(ord(chr(byte).lower()) if byte < 0x80 else byte for byte in range(256))

# Punctuation outside ASCII (U+2000-206F, U+3000-301F, U+FF00-FF0F and the like) parts words as ASCII's does.
_WIDE_PUNCTUATION = re.compile(
    rb"\xe2[\x80\x81].|\xe3\x80[\x80-\x84\x88-\x9f]|\xef\xbc[\x80-\x8f\x9a-\xa0]|\xef\xbd[\xa1-\xa5]"
    rb"|\xc2[\xa0-\xa9\xab-\xb1\xb4\xb6-\xb8\xbb-\xbf]|\xcd\xbe|\xd8[\x8c\x9b\x9f]|\xdb\x94|\xe0\xa5[\xa4\xa5]",
    re.DOTALL,
)
# Scripts written without spaces (kana, Han, Hangul syllables, Thai, Lao, Khmer, Myanmar, rare Han): each character is a
# word, so that word n-grams are character n-grams there.
_UNSPACED = (
    rb"[\xe3-\xed][\x80-\xbf]{2}|\xe0[\xb8-\xbb][\x80-\xbf]"
    rb"|\xe1[\x80-\x82\x9e\x9f][\x80-\xbf]|\xf0[\xa0-\xaf][\x80-\xbf]{2}"
)
_UNSPACED_WORDS = re.compile(rb"%b|(?:(?!%b)[0-9a-z_\x80-\xff])+" % (_UNSPACED, _UNSPACED))
_UNSPACED_CLASSES = [*UNSPACED_CLASSES, ByteClass.ASTRAL]


class Excerpt(NamedTuple):
    """What is read of a text.

    Attributes
    ----------
    window : the text itself, or its head and tail joined by a newline when it is longer than both together.
    chars : characters of the whole text.
    sample : pieces of what the window leaves out, joined.
    rest : characters that the window leaves out.
    """

    window: str
    chars: int
    sample: str = ""
    rest: int = 0


@dataclass(frozen=True, slots=True)
class TextScan:
    """What one pass over a text found.

    Attributes
    ----------
    excerpt : what was read of it.
    lowered : the window's lower-cased UTF-8 bytes.
    words : the window's lower-cased words as UTF-8 bytes, in order.
    classes : (len(ByteClass),) int64, the window's bytes by class.
    """

    excerpt: Excerpt
    lowered: bytes
    words: list[bytes]
    classes: NDArray[np.int64]

    @property
    def window(self) -> str:
        """What is read closely."""
        return self.excerpt.window

    @property
    def chars(self) -> int:
        """Characters of the whole text."""
        return self.excerpt.chars


def scan_text(text: str, unread_chars: int = 0) -> TextScan:
    """Scan ``text``; any string is welcome, lone surrogates included. ``unread_chars`` more belong to the whole."""
    excerpt = excerpt_of(text, unread_chars)
    return TextScan(excerpt, *read_window(excerpt.window))


def excerpt_of(text: str, unread_chars: int = 0) -> Excerpt:
    """What is read of a text by itself; ``unread_chars`` more belong to the whole."""
    chars = len(text)
    rest = chars - HEAD_CHARS - TAIL_CHARS
    if rest <= 0:
        return Excerpt(text, chars + unread_chars, "", unread_chars)
    if rest <= SAMPLES * SAMPLE_CHARS:
        sample = text[HEAD_CHARS:-TAIL_CHARS]
    else:
        sample = "".join([text[start : start + SAMPLE_CHARS] for start in _starts(HEAD_CHARS, rest)])
    window = f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"
    return Excerpt(window, chars + unread_chars, sample, rest + unread_chars)


def excerpt_of_many(texts: Sequence[str], head: int, tail: int, unread_chars: int = 0) -> Excerpt:
    """What is read of some texts, joined by newlines, through a window of so many characters at either end.

    ``unread_chars`` more belong to the whole. The texts are never joined where they are longer than the window.
    """
    chars = sum(map(len, texts)) + max(0, len(texts) - 1)
    rest = chars - head - tail
    if rest <= 0:
        return Excerpt("\n".join(texts), chars + unread_chars, "", unread_chars)
    ends = list(accumulate([len(text) + 1 for text in texts], initial=0))
    window = f"{_cut(texts, ends, 0, head)}\n{_cut(texts, ends, chars - tail, chars)}"
    if rest <= SAMPLES * SAMPLE_CHARS:
        sample = _cut(texts, ends, head, chars - tail)
    else:
        sample = "".join([_cut(texts, ends, start, start + SAMPLE_CHARS) for start in _starts(head, rest)])
    return Excerpt(window, chars + unread_chars, sample, rest + unread_chars)


def _starts(head: int, rest: int) -> range:
    """Where the pieces of a sample begin, evenly spread over so many characters after the head."""
    step = (rest - SAMPLE_CHARS) // (SAMPLES - 1)
    return range(head, head + step * SAMPLES, step)[:SAMPLES]


def _cut(texts: Sequence[str], ends: Sequence[int], start: int, end: int) -> str:
    """A part of the texts joined by newlines; ``ends``: where each begins there, and last, where one more would."""
    place = bisect_right(ends, start) - 1
    parts = []
    while place < len(texts) and ends[place] < end:
        parts.append(texts[place][max(0, start - ends[place]) : end - ends[place]])
        place += 1
    return "\n".join(parts)


def read_window(window: str) -> tuple[bytes, list[bytes], NDArray[np.int64]]:
    """A window's lower-cased bytes, its words and its bytes by class, as `TextScan` has them."""
    raw = window.encode("utf-8", "surrogatepass")
    classes = np.bincount(np.frombuffer(raw.translate(CLASS_OF_BYTE), np.uint8), minlength=len(ByteClass))
    if window.isascii():
        return raw.translate(LOWER_BYTES), raw.translate(WORD_BYTES).split(), classes
    lowered = window.lower().encode("utf-8", "surrogatepass")
    spaced = _WIDE_PUNCTUATION.sub(b" ", lowered).translate(WORD_BYTES)
    words = _UNSPACED_WORDS.findall(spaced) if classes[_UNSPACED_CLASSES].any() else spaced.split()
    return lowered, words, classes
