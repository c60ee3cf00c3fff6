"""Ways to get a text's terms and features, timed side by side on texts of one length.

    python benchmarks/approaches.py [--chars 3000] [--rounds 300]

Only the first and the last give all features; the others give the terms alone (words, pairs of words, runs of four
characters), and not the same ones, so their times are what their libraries can do at best:

- Python and numpy: the definition in `classifier.features`, with numpy's sort.
- scikit-learn's HashingVectorizer: hashing in Cython, splitting in Python.
- stringzilla (``pip install stringzilla``; left out where it is missing): splitting and hashing in C, a call a word.
- Cython: the compiled modules.

Below, for comparison: one pass over the same bytes by compiled code that does next to nothing (``bytes.translate``),
one that does a little (``zlib.crc32``), and tiktoken.
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from latency import make_texts
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.pipeline import make_union

from classifier.compiled import COMPILED
from classifier.features import FeatureExtractor
from classifier.keywords import load_keywords
from classifier.request import make_request
from classifier.text import LOWER_BYTES
from classifier.tokens import _load_encoding, estimate_tokens

_SPACES = " \t\r\n.,;:!?'\"`()[]{}+-*/=<>^%~|&#@\\$"


def hashed_by_stringzilla(text: str) -> object:
    import stringzilla

    lowered = text.lower()
    words = [stringzilla.hash(word) for word in stringzilla.Str(lowered).split_byteset(_SPACES) if len(word)]
    runs = [stringzilla.hash(lowered[start : start + 4]) for start in range(len(lowered) - 3)]
    return np.unique(np.array(words + runs, np.uint64))


def approaches() -> dict[str, Callable[[str], object]]:
    """What is timed, by name; each takes a text."""
    keywords = load_keywords()
    plain = FeatureExtractor(keywords, estimate_tokens, compiled=False)
    hashing = make_union(
        HashingVectorizer(ngram_range=(1, 2), norm=None), HashingVectorizer(analyzer="char", ngram_range=(4, 4))
    )
    found: dict[str, Callable[[str], object]] = {
        "Python and numpy": lambda text: plain(make_request(text)),
        "HashingVectorizer (terms only)": lambda text: hashing.transform([text]),
    }
    if find_spec("stringzilla"):
        found["stringzilla (terms only)"] = hashed_by_stringzilla
    if COMPILED:
        compiled = FeatureExtractor(keywords, estimate_tokens)
        found["Cython"] = lambda text: compiled(make_request(text))
    return found | {
        "bytes.translate": lambda text: text.encode().translate(LOWER_BYTES),
        "zlib.crc32": lambda text: zlib.crc32(text.encode()),
        "tiktoken": _load_encoding("cl100k_base").encode_ordinary,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chars", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=300)
    arguments = parser.parse_args()
    table = Table("", *(kind for kind in ("English", "code", "Chinese")), title="Median microseconds")
    found = approaches()
    times: dict[str, list[float]] = {name: [] for name in found}
    for kind in ("English", "code", "Chinese"):
        texts = make_texts(kind, arguments.chars)
        spent: dict[str, list[int]] = {name: [] for name in found}
        for turn in range(arguments.rounds):
            for name, call in found.items():
                start = time.perf_counter_ns()
                call(texts[turn % len(texts)])
                spent[name].append(time.perf_counter_ns() - start)
        for name in found:
            times[name].append(float(np.median(spent[name])) / 1000)
    for name, medians in times.items():
        table.add_row(name, *(f"{median:,.1f}" for median in medians))
    Console().print(table)


if __name__ == "__main__":
    main()
