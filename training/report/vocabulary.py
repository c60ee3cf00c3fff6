"""The words behind hash buckets, found again in the prompts that were hashed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.features import word_buckets
from classifier.text import scan_text


@dataclass(frozen=True, slots=True)
class Term:
    """A word or pair of neighbours, and the number of texts that hold it."""

    words: str
    texts: int


def find_terms(buckets: NDArray[np.uint32], texts: Iterable[str]) -> dict[int, tuple[Term, ...]]:
    """What was hashed into each of a few buckets, the most frequent first; buckets that no text fills are left out.

    Parameters
    ----------
    buckets : of word n-grams, as `classifier.features.word_buckets` numbers them.
    """
    found: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for text in texts:
        words = scan_text(text).words
        hashed = word_buckets(words)
        hits = np.flatnonzero(np.isin(hashed, buckets))
        terms = {(int(hashed[place]), _term(words, int(place))) for place in hits}
        for bucket, term in terms:
            found[bucket][term] += 1
    return {
        bucket: tuple(Term(words, texts) for words, texts in counts.most_common()) for bucket, counts in found.items()
    }


def _term(words: list[bytes], place: int) -> str:
    """The term at a place of `word_buckets`: all words come first, then all pairs."""
    if place < len(words):
        return words[place].decode("utf-8", "replace")
    return " ".join(word.decode("utf-8", "replace") for word in words[place - len(words) :][:2])
