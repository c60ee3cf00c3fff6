"""Request -> features: the one definition that training and runtime share.

A request becomes two things:

- *terms*: the distinct hash buckets of its word 1- and 2-grams and its byte 4-grams (feature hashing, Weinberger et
  al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009; CRC-32 as the hash). Scripts without spaces
  count each character as a word, so no language lacks terms.
- *dense*: `dense_names`, about a hundred numbers on size, structure, scripts, keyword groups and the request's form.

Long texts are read through the window of `classifier.text`; sizes and token counts are those of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import normalise_label
from classifier.compiled import COMPILED
from classifier.compiled.pool import Pool
from classifier.keywords import KeywordGroups
from classifier.request import Request
from classifier.text import ByteClass, TextScan, scan_text, text_window
from classifier.tokens import ExactCounter, TokenCounter, estimate_tokens

if TYPE_CHECKING:
    from classifier.compiled._scan import Scanner

FEATURE_VERSION = 1
TERM_BITS = 18
N_WORD_BUCKETS = 1 << TERM_BITS
N_BUCKETS = 2 * N_WORD_BUCKETS  # word n-grams in the lower half, byte n-grams in the upper

# Sizes of what surrounds the text, in tokens: chat templates, JSON definitions, a picture of about a megapixel.
TOKENS_PER_MESSAGE = 4
CHARS_PER_TOOL_TOKEN = 3.5
TOKENS_PER_IMAGE = 1000

# ``compiled/_scan.pyx`` writes out these, the sizes and `LONG_WORD` as well, and refuses to load where they differ.
WORD_MULTIPLIER = np.uint32(0x9E3779B1)
FIRST_MULTIPLIER = np.uint32(0x85EBCA77)
SECOND_MULTIPLIER = np.uint32(0xC2B2AE3D)
_SHIFT = np.uint32(32 - TERM_BITS)
_BYTE_OFFSET = np.uint32(N_WORD_BUCKETS)

# Marks of structure, counted in the lower-cased window: name -> what is looked for.
_MARKS: dict[str, bytes] = {
    "code fences": b"```",
    "indented lines": b"\n    ",
    "deeply indented lines": b"\n        ",
    "bullets": b"\n- ",
    "starred items": b"\n* ",
    "numbered items": b"\n1.",
    "lettered options": b"\na.",
    "questions in a list": b"\nq",
    "fractions": b"\\frac",
    "function definitions": b"def ",
    "arrows": b"->",
    "comparisons": b"==",
    "links": b"://",
    "closing tags": b"</",
    "JSON objects": b'{"',
    "blanks to fill": b"___",
    "ellipses": b"...",
    "dashes": b" - ",
    "decimals": b"0.",
    "slashes": b"/",
    "paragraphs": b"\n\n",
    "sentences": b". ",
    "inner questions": b"? ",
}
SIZES = (
    "characters",
    "tokens",
    "words",
    "distinct words",
    "long words",
    "letters of the longest word",
    "numbers",
    "distinct numbers",
    "digits of the longest number",
    "characters after the last line break",
)
_FORM = (
    "tokens allowed (max_tokens)",
    "turns",
    "system prompt characters",
    "tools",
    "tool definition characters",
    "tool calls",
    "images",
    "limits given (max_tokens)",
    "demands for JSON",
    "JSON schemas",
    "question marks at the very end",
)
_QUESTION_MARKS = tuple(mark.encode() for mark in ("?", "？", "؟", "\u037e", "՞"))
LONG_WORD = 8
_N_CLASSES = len(ByteClass)
_MARK_BYTES = tuple(_MARKS.values())


@dataclass(frozen=True, slots=True)
class Features:
    """What the model sees of a request.

    Attributes
    ----------
    terms : (k,) uint32, sorted distinct buckets below `N_BUCKETS`.
    word_terms : how many of them, from the first, are word n-grams; the rest are byte n-grams.
    dense : (len(dense_names(...)),) float64.
    task : normalised task label, or None.
    tokens : input tokens of the whole request: text, message frames, tools and images.
    """

    terms: NDArray[np.uint32]
    word_terms: int
    dense: NDArray[np.float64]
    task: str | None
    tokens: float


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """Features of n requests.

    Attributes
    ----------
    terms : (k,) uint32, those of the first request, then of the second, and so on.
    ends : (n + 1,) int64, where each request's terms begin; last, where the last's end.
    word_terms : (n,) int64, dense : (n, d) float64, tasks : n of them, tokens : (n,) float64; as in `Features`.
    """

    terms: NDArray[np.uint32]
    ends: NDArray[np.int64]
    word_terms: NDArray[np.int64]
    dense: NDArray[np.float64]
    tasks: tuple[str | None, ...]
    tokens: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[Features]:
        """The features of single requests, which share this one's memory."""
        starts, words, tokens = self.ends.tolist(), self.word_terms.tolist(), self.tokens.tolist()
        for row, task in enumerate(self.tasks):
            yield Features(self.terms[starts[row] : starts[row + 1]], words[row], self.dense[row], task, tokens[row])


def dense_names(keywords: KeywordGroups) -> tuple[str, ...]:
    """Names of the dense features, in order."""
    classes = [f"{kind.name.lower()} characters" for kind in ByteClass]
    hits = [f"words of the kind '{name}'" for name in keywords.names]
    return (
        *(f"share of {name}" for name in classes),
        *(f"number of {name}" for name in (*classes, *SIZES, *_MARKS, *_FORM, *hits)),
        *(f"share of {name}" for name in hits),
    )


class FeatureExtractor:
    """`extract` for many requests: compiled where that can be; threads may share it."""

    def __init__(self, keywords: KeywordGroups, count_tokens: TokenCounter, *, compiled: bool = COMPILED) -> None:
        """Prepare; ``compiled=False`` computes in Python all the same."""
        self._keywords, self._count_tokens = keywords, count_tokens
        self._exact = count_tokens if isinstance(count_tokens, ExactCounter) else None
        # Any other counter than these two needs the scan's words, which only Python makes.
        served = self._exact is not None or count_tokens is estimate_tokens
        self.compiled = compiled and served
        self._scanners = Pool(self.scanner)

    def __call__(self, request: Request) -> Features:
        """The features of one request; see `extract`."""
        if not self.compiled:
            return extract(request, self._keywords, self._count_tokens)
        scanner = self._scanners.take()
        count, words, tokens = self.scan(request, scanner)
        terms, dense = scanner.terms[:count].copy(), scanner.dense.copy()
        self._scanners.give(scanner)
        return Features(terms, words, dense, normalise_label(request.task), tokens)

    def tokens(self, request: Request) -> float:
        """The input tokens of one request, as its features have them."""
        if not self.compiled:
            return extract(request, self._keywords, self._count_tokens).tokens
        scanner = self._scanners.take()
        tokens = self.scan(request, scanner)[2]
        self._scanners.give(scanner)
        return tokens

    def scan(self, request: Request, scanner: Scanner) -> tuple[int, int, float]:
        """Leave one request's terms and dense features with a scanner of `scanner`, which is faster than new arrays.

        Returns
        -------
        How many terms there are, how many of them are word n-grams, and the request's tokens.
        """
        chars, window = request.chars, text_window(request.text)
        exact = None if self._exact is None else self._exact.count(chars, window)
        count, words, tokens = scanner.scan(window, chars, exact, _form(request))
        return count, words, tokens + _frame_tokens(request)

    def scanner(self) -> Scanner:
        """A scanner for `scan`; each is for one thread at a time."""
        from classifier.compiled._scan import Scanner

        keywords = self._keywords
        words = [(word, group) for word, groups in keywords.words.items() for group in groups]
        parts = [(text.encode("utf-8", "surrogatepass"), group) for text, group in keywords.substrings]
        return Scanner(_MARK_BYTES, _QUESTION_MARKS, words, parts, len(keywords.names), len(_FORM))

    def many(self, requests: Sequence[Request]) -> FeatureRows:
        """The features of many requests, for the most part without the interpreter's lock."""
        tasks = tuple(normalise_label(request.task) for request in requests)
        if not self.compiled:
            return _stacked([self(request) for request in requests], tasks, len(dense_names(self._keywords)))
        chars = np.array([request.chars for request in requests], np.float64)
        windows = [text_window(request.text) for request in requests]
        exact = None if self._exact is None else np.array(list(map(self._exact.count, chars.tolist(), windows)))
        forms = np.zeros((len(requests), len(_FORM)))
        numbers = chain.from_iterable(map(_form, requests))
        forms[:, :-1] = np.fromiter(numbers, np.float64).reshape(len(requests), len(_FORM) - 1)
        scanner = self._scanners.take()
        terms, ends, words, dense, tokens = scanner.read_many(windows, chars, exact, forms)
        self._scanners.give(scanner)
        tokens += list(map(_frame_tokens, requests))
        return FeatureRows(terms, ends, words, dense, tasks, tokens)


def _stacked(features: list[Features], tasks: tuple[str | None, ...], columns: int) -> FeatureRows:
    return FeatureRows(
        np.concatenate([np.empty(0, np.uint32), *(each.terms for each in features)]),
        np.cumsum([0, *(len(each.terms) for each in features)], dtype=np.int64),
        np.array([each.word_terms for each in features], np.int64),
        np.array([each.dense for each in features]).reshape(len(features), columns),
        tasks,
        np.array([each.tokens for each in features], np.float64),
    )


def extract(request: Request, keywords: KeywordGroups, count_tokens: TokenCounter) -> Features:
    """All features of one request, by definition; never raises, whatever the text."""
    scan = scan_text(request.text, request.unread_chars)
    text_tokens = count_tokens(scan)
    words, grams = np.unique(word_buckets(scan.words)), np.unique(_byte_buckets(scan.lowered))
    return Features(
        np.concatenate((words, grams)),
        len(words),
        _dense(request, scan, text_tokens, keywords),
        normalise_label(request.task),
        text_tokens + _frame_tokens(request),
    )


def word_buckets(words: list[bytes]) -> NDArray[np.uint32]:
    """Buckets of all words, then of all pairs of neighbours, in order and with repeats."""
    hashes = np.fromiter(map(crc32, words), np.uint32, len(words))
    pairs = hashes[:-1] * FIRST_MULTIPLIER + hashes[1:] * SECOND_MULTIPLIER
    pairs ^= pairs >> np.uint32(15)
    both = np.concatenate((hashes, pairs))
    both *= WORD_MULTIPLIER
    both >>= _SHIFT
    return both


def _byte_buckets(lowered: bytes) -> NDArray[np.uint32]:
    count = max(0, len(lowered) - 3)
    # Every run of four bytes is read as one little-endian integer, without copying.
    grams = np.ndarray((count,), "<u4", lowered, 0, (1,)) if count else np.empty(0, np.uint32)
    buckets = grams * WORD_MULTIPLIER
    buckets >>= _SHIFT
    buckets += _BYTE_OFFSET
    return buckets


def _dense(request: Request, scan: TextScan, tokens: float, keywords: KeywordGroups) -> NDArray[np.float64]:
    distinct = set(scan.words)
    hits = keywords.count(scan, distinct)
    counted = [
        *_sizes(scan, distinct, tokens),
        *map(scan.lowered.count, _MARK_BYTES),
        *_form(request),
        scan.lowered.rstrip().endswith(_QUESTION_MARKS),
        *hits,
    ]
    logs = np.log1p(np.concatenate((scan.classes, counted)))
    class_shares = scan.classes / max(1, int(scan.classes.sum()))
    keyword_shares = np.array(hits, np.float64) / max(1, len(scan.words))
    return np.concatenate((class_shares, logs, keyword_shares))


def _sizes(scan: TextScan, distinct: set[bytes], tokens: float) -> tuple[float, ...]:
    words, lowered = scan.words, scan.lowered
    lengths = list(map(len, words))
    numbers = [word for word in words if word.isdigit()]
    return (
        scan.chars,
        tokens,
        len(words),
        len(distinct),
        sum(length >= LONG_WORD for length in lengths),
        max(lengths, default=0),
        len(numbers),
        len(set(numbers)),
        max(map(len, numbers), default=0),
        len(lowered) - 1 - lowered.rfind(b"\n"),
    )


def _form(request: Request) -> tuple[float, ...]:
    """What `_FORM` names, but for the last."""
    return (
        request.max_tokens or 0,
        request.turns,
        request.system_chars,
        request.tools,
        request.tool_chars,
        request.tool_calls,
        request.images,
        request.max_tokens is not None,
        request.json_format,
        request.json_schema,
    )


def request_form(features: Features) -> Request:
    """A request with these features as far as its form goes: sizes, limits, tools, images. Its text is not known."""
    first = 2 * _N_CLASSES  # shares and numbers of the classes come before
    last = first + len(SIZES) + len(_MARKS) + len(_FORM)
    counts = np.rint(np.expm1(features.dense[first:last])).astype(np.int64).tolist()
    limit, turns, system, tools, tool_chars, calls, images, limited, json_format, schema, _ = counts[-len(_FORM) :]
    return Request(
        text="",
        max_tokens=limit if limited else None,
        task=features.task,
        turns=turns,
        system_chars=system,
        tools=tools,
        tool_chars=tool_chars,
        tool_calls=calls,
        images=images,
        json_format=bool(json_format),
        json_schema=bool(schema),
        unread_chars=counts[0],
    )


def _frame_tokens(request: Request) -> float:
    """Tokens of what surrounds the text, at the constants above."""
    return (
        TOKENS_PER_MESSAGE * request.turns
        + request.tool_chars / CHARS_PER_TOOL_TOKEN
        + TOKENS_PER_IMAGE * request.images
    )
