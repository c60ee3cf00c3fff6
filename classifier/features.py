"""Request -> features: the one definition that training and runtime share.

A request becomes two things:

- *terms*: the distinct hash buckets of word 1- and 2-grams and byte 4-grams of what is asked, and of the words of what
  stands around it, apart by where they stand (`classifier.request.CONTEXT`): feature hashing, Weinberger et al.,
  "Feature Hashing for Large Scale Multitask Learning", ICML 2009; CRC-32 as the hash. Scripts without spaces count
  each character as a word, so no language lacks terms.
- *dense*: `dense_names`, about a hundred numbers on size, structure, scripts and keyword groups of what is asked, and
  on
  the request's form.

Long texts are read through windows (`classifier.text`, `classifier.request`); sizes and token counts are those of the
whole.
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
from classifier.request import CONTEXT, Request
from classifier.text import ByteClass, Excerpt, TextScan, excerpt_of, read_window, scan_text
from classifier.tokens import ExactCounter, TokenCounter, estimate_tokens

if TYPE_CHECKING:
    from classifier.compiled._scan import Scanner

FEATURE_VERSION = 2
TERM_BITS = 18
CONTEXT_BITS = 16
N_WORD_BUCKETS = 1 << TERM_BITS
CONTEXT_FROM = 2 * N_WORD_BUCKETS  # word n-grams come first, then as many byte n-grams, then words of the context
N_BUCKETS = CONTEXT_FROM + (1 << CONTEXT_BITS)

# Sizes of what surrounds the texts, in tokens: chat templates, JSON definitions.
TOKENS_PER_MESSAGE = 4
CHARS_PER_JSON_TOKEN = 3.0

# ``compiled/_scan.pyx`` writes out these, the sizes and `LONG_WORD` as well, and refuses to load where they differ.
WORD_MULTIPLIER = np.uint32(0x9E3779B1)
FIRST_MULTIPLIER = np.uint32(0x85EBCA77)
SECOND_MULTIPLIER = np.uint32(0xC2B2AE3D)
_SHIFT = np.uint32(32 - TERM_BITS)
_CONTEXT_SHIFT = np.uint32(32 - CONTEXT_BITS)
_BYTE_OFFSET = np.uint32(N_WORD_BUCKETS)
_CONTEXT_OFFSET = np.uint32(CONTEXT_FROM)

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
_HISTORY, _MATERIAL = "earlier turns' characters", "characters beside and after the ask"
_AROUND = "tokens around the ask"
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
    _HISTORY,
    _MATERIAL,
    "JSON schema characters",
    "files and recordings",
    "wishes for reasoning",
    _AROUND,
    "question marks at the very end",
)
_GIVEN = len(_FORM) - 2  # that a request says; the last two are what its texts say
TEXTS = CONTEXT.index("definitions")  # parts of the context that are texts
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
    word_terms : how many of them, from the first, are word n-grams of what is asked; byte n-grams follow, and from the
        bucket `CONTEXT_FROM` on words of the context.
    dense : (len(dense_names(...)),) float64.
    task : normalised task label, or None.
    tokens : input tokens of the whole request: texts, message frames, tools, schemas, images and other media.
    """

    terms: NDArray[np.uint32]
    word_terms: int
    dense: NDArray[np.float64]
    task: str | None
    tokens: float

    @property
    def context_start(self) -> int:
        """Where the words of the context begin among the terms."""
        return int(np.searchsorted(self.terms, CONTEXT_FROM))


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


def around_column(keywords: KeywordGroups) -> int:
    """Which dense feature tells the tokens around what is asked."""
    return dense_names(keywords).index(f"number of {_AROUND}")


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
        ask = excerpt_of(request.text, request.unread_chars)
        count, words, tokens, around = scanner.scan(ask, self._counted(ask, request), _form(request), request.context)
        return count, words, tokens + around + _frame_tokens(request)

    def _counted(self, ask: Excerpt, request: Request) -> tuple[float, float] | None:
        """Tokens of what is asked and of the texts around it, where a vocabulary counts them."""
        return None if self._exact is None else _text_tokens(self._exact, ask, request)

    def tokens_around(self, request: Request) -> float:
        """Tokens of all that stands around what is asked: texts, message frames, tools, schemas and media."""
        return sum(map(self._count_tokens, request.context[:TEXTS]), 0.0) + _frame_tokens(request)

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
        asks = [excerpt_of(request.text, request.unread_chars) for request in requests]
        exact = None if self._exact is None else np.array(list(map(self._counted, asks, requests)))
        forms = np.zeros((len(requests), len(_FORM)))
        numbers = chain.from_iterable(map(_form, requests))
        forms[:, :_GIVEN] = np.fromiter(numbers, np.float64).reshape(len(requests), _GIVEN)
        scanner = self._scanners.take()
        contexts = [request.context for request in requests]
        terms, ends, words, dense, tokens = scanner.read_many(asks, exact, forms, contexts)
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
    tokens, around = _text_tokens(count_tokens, scan.excerpt, request)
    words, grams = np.unique(word_buckets(scan.words)), np.unique(_byte_buckets(scan.lowered))
    return Features(
        np.concatenate((words, grams, np.unique(_context_buckets(request.context)))),
        len(words),
        _dense(request, scan, tokens, around, keywords),
        normalise_label(request.task),
        tokens + around + _frame_tokens(request),
    )


def _text_tokens(count_tokens: TokenCounter, ask: Excerpt, request: Request) -> tuple[float, float]:
    """Tokens of what is asked, and of the texts around it; definitions are counted by their size."""
    return count_tokens(ask), sum(map(count_tokens, request.context[:TEXTS]), 0.0)


def word_buckets(words: list[bytes]) -> NDArray[np.uint32]:
    """Buckets of all words, then of all pairs of neighbours, in order and with repeats."""
    hashes = np.fromiter(map(crc32, words), np.uint32, len(words))
    pairs = hashes[:-1] * FIRST_MULTIPLIER + hashes[1:] * SECOND_MULTIPLIER
    pairs ^= pairs >> np.uint32(15)
    both = np.concatenate((hashes, pairs))
    both *= WORD_MULTIPLIER
    both >>= _SHIFT
    return both


def _context_buckets(context: Sequence[Excerpt]) -> NDArray[np.uint32]:
    """Buckets of the words of each part of the context; the same word in another part is another term."""
    found = [np.empty(0, np.uint32)]
    for part, excerpt in enumerate(context, 1):
        words = read_window(excerpt.window)[1]
        hashes = np.fromiter(map(crc32, words), np.uint32, len(words))
        hashes += np.uint32(part * int(FIRST_MULTIPLIER) % 2**32)
        hashes *= WORD_MULTIPLIER
        found.append((hashes >> _CONTEXT_SHIFT) + _CONTEXT_OFFSET)
    return np.concatenate(found)


def _byte_buckets(lowered: bytes) -> NDArray[np.uint32]:
    count = max(0, len(lowered) - 3)
    # Every run of four bytes is read as one little-endian integer, without copying.
    grams = np.ndarray((count,), "<u4", lowered, 0, (1,)) if count else np.empty(0, np.uint32)
    buckets = grams * WORD_MULTIPLIER
    buckets >>= _SHIFT
    buckets += _BYTE_OFFSET
    return buckets


def _dense(
    request: Request, scan: TextScan, tokens: float, around: float, keywords: KeywordGroups
) -> NDArray[np.float64]:
    distinct = set(scan.words)
    hits = keywords.count(scan, distinct)
    counted = [
        *_sizes(scan, distinct, tokens),
        *map(scan.lowered.count, _MARK_BYTES),
        *_form(request),
        around,
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
    """What `_FORM` names, but for the last two, which the texts are read for."""
    context = request.context
    system, history, material = (context[0].chars, context[1].chars, context[2].chars) if context else (0, 0, 0)
    return (
        request.max_tokens or 0,
        request.turns,
        system,
        request.tools,
        request.tool_chars,
        request.tool_calls,
        request.images,
        request.max_tokens is not None,
        request.json_format,
        request.json_schema,
        history,
        material,
        request.schema_chars,
        request.files + request.audio + request.video,
        request.reasoning,
    )


def request_form(features: Features) -> Request:
    """A request with these features as far as its form goes: sizes, limits, tools, images. Its text is not known."""
    first = 2 * _N_CLASSES  # shares and numbers of the classes come before
    last = first + len(SIZES) + len(_MARKS) + len(_FORM)
    counts = np.rint(np.expm1(features.dense[first:last])).astype(np.int64).tolist()
    form = dict(zip(_FORM, counts[-len(_FORM) :], strict=True))
    around = [form[name] for name in ("system prompt characters", _HISTORY, _MATERIAL)]
    return Request(
        text="",
        max_tokens=form["tokens allowed (max_tokens)"] if form["limits given (max_tokens)"] else None,
        task=features.task,
        turns=form["turns"],
        context=tuple([Excerpt("", chars, "", chars) for chars in around]) if any(around) else (),
        tools=form["tools"],
        tool_chars=form["tool definition characters"],
        tool_calls=form["tool calls"],
        images=form["images"],
        files=form["files and recordings"],
        json_format=bool(form["demands for JSON"]),
        json_schema=bool(form["JSON schemas"]),
        schema_chars=form["JSON schema characters"],
        reasoning=bool(form["wishes for reasoning"]),
        unread_chars=counts[0],
    )


def _frame_tokens(request: Request) -> float:
    """Tokens of what surrounds the texts: message frames, definitions and schemas, images and other media."""
    return (
        TOKENS_PER_MESSAGE * request.turns
        + (request.tool_chars + request.schema_chars) / CHARS_PER_JSON_TOKEN
        + request.media_tokens
    )
