"""Fit the coefficients of ``classifier.tokens`` again, and show the error of the shipped and the fitted ones.

    python benchmarks/token_estimate.py [--catalogs /usr/share/locale] [--tables FILE ...] [--json FILE]

The exact count is cl100k_base's, from a vocabulary in ``$TIKTOKEN_CACHE_DIR`` (see ``vocabulary.py``). The
coefficients are a non-negative least-squares fit of it on the numbers of characters by class and of words. A text is
weighted by the inverse of its count, so that relative errors matter; sources of text weigh alike, and so do kinds of
text from one source.

Sources of text:

- the prompts of ``data/sample.csv``, by script;
- the Python standard library;
- with ``--tables``: the prompts of outcome tables (CSV, Parquet, JSON Lines with a column ``prompt``);
- with ``--catalogs``: translated messages of the programs on this machine (gettext), by language. Without them the
  scripts that the sample lacks are too few to fit.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import sys
import sysconfig
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import nnls

from classifier import tokens
from classifier.errors import InputError
from classifier.text import ByteClass, scan_text

ENCODING = "cl100k_base"
SAMPLE = Path(__file__).parent.parent / "data" / "sample.csv"
CHARS = 3000  # of each text; within the window that is read closely
TEXTS = 300  # of each kind, at most
FEWEST_TEXTS = 20  # of a kind worth a line
MESSAGES = 8  # of a catalog, joined to one text
LEAST_TOKENS = 20  # shorter texts weigh no more than texts of this length
LEAST_SEEN = 500  # characters of a class that are enough to fit it
LANGUAGES = (  # of catalogs
    *("ar", "bn", "cs", "de", "el", "es", "fa", "fi", "fr", "he", "hi", "hu", "hy", "id", "it", "ja", "ka", "km", "ko"),
    *("my", "nl", "pl", "pt_BR", "ro", "ru", "sv", "ta", "th", "tr", "uk", "vi", "zh_CN", "zh_TW"),
)
COLUMNS = (*tokens._HUNDREDTHS_PER_CHAR, "words")


@dataclass(frozen=True)
class Sample:
    """Texts of one kind: characters and words (n, columns), exact tokens (n,), and the shipped estimate (n,)."""

    counts: NDArray[np.float64]
    exact: NDArray[np.float64]
    shipped: NDArray[np.float64]


def sample_prompts(path: Path) -> Iterator[tuple[str, str]]:
    for prompt in read_prompts(path):
        yield f"sample, {script(prompt)}", prompt


def read_prompts(path: Path) -> list[str]:
    read = {".csv": pl.read_csv, ".parquet": pl.read_parquet, ".jsonl": pl.read_ndjson}[path.suffix]
    return read(path)["prompt"].drop_nulls().to_list()


def script(text: str) -> str:
    """The class that most of its characters outside ASCII are of, where these are more than a tenth."""
    classes = scan_text(text).classes
    families = {kind: classes[kind] for kind in range(ByteClass.LATIN, ByteClass.CONTINUATION)}
    family = max(families, key=lambda kind: families[kind])
    return ByteClass(family).name.lower() if families[family] > 0.1 * len(text) else "ascii"


def library_sources() -> Iterator[tuple[str, str]]:
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("[a-z]*.py")):
        yield "Python sources", path.read_text(encoding="utf-8", errors="replace")


def catalog_texts(folder: Path) -> Iterator[tuple[str, str]]:
    for language in LANGUAGES:
        for path in sorted(folder.glob(f"{language}/LC_MESSAGES/*.mo")):
            messages = catalog_messages(path.read_bytes())
            for start in range(0, len(messages) - MESSAGES, MESSAGES):
                yield f"messages, {language}", "\n".join(messages[start : start + MESSAGES])


def catalog_messages(data: bytes) -> list[str]:
    """Translations longer than a label in a gettext catalog; none of one that is not in UTF-8."""
    order = "<" if data[:4] == b"\xde\x12\x04\x95" else ">"
    count, _, table = struct.unpack_from(f"{order}3I", data, 8)
    places = struct.iter_unpack(f"{order}2I", data[table : table + 8 * count])
    try:
        texts = [data[start : start + length].decode("utf-8") for length, start in places]
    except UnicodeDecodeError:
        return []
    return [text for text in texts[1:] if len(text) > 20 and "\0" not in text]


def measure(texts: Sequence[str], count: tokens.TokenCounter) -> Sample:
    scans = [scan_text(text[:CHARS]) for text in texts]
    kinds = list(tokens._HUNDREDTHS_PER_CHAR)
    return Sample(
        np.array([[*scan.classes[kinds], tokens._spaced_words(scan)] for scan in scans], np.float64),
        np.array([count(scan) for scan in scans]),
        np.array([tokens.estimate_tokens(scan) for scan in scans]),
    )


def fit(samples: Mapping[str, Sample]) -> NDArray[np.float64]:
    """(columns,) tokens per character of each class and per word; NaN where too few were seen."""
    counts = np.concatenate([sample.counts for sample in samples.values()])
    exact = np.concatenate([sample.exact for sample in samples.values()])
    kinds = Counter(map(source, samples))
    shares = [np.full(len(each.exact), 1 / len(each.exact) / kinds[source(kind)]) for kind, each in samples.items()]
    weights = np.sqrt(np.concatenate(shares)) / np.maximum(exact, LEAST_TOKENS)
    fitted, _ = nnls(counts * weights[:, None], exact * weights)
    return np.where(counts.sum(axis=0) >= LEAST_SEEN, fitted, np.nan)


def source(kind: str) -> str:
    """Kinds are named "source, kind"."""
    return kind.partition(", ")[0]


def errors(estimate: NDArray[np.float64], exact: NDArray[np.float64]) -> tuple[float, float]:
    """Mean relative error, signed and absolute, of texts that have a token at all."""
    relative = estimate[exact > 0] / exact[exact > 0] - 1
    return float(relative.mean()), float(np.abs(relative).mean())


def collect(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """Texts by kind, at most `TEXTS` of each, drawn alike in every run."""
    found: dict[str, list[str]] = defaultdict(list)
    for kind, text in (
        *sample_prompts(arguments.sample),
        *library_sources(),
        *((f"tables, {path.stem}", prompt) for path in arguments.tables for prompt in read_prompts(path)),
        *(() if arguments.catalogs is None else catalog_texts(arguments.catalogs)),
    ):
        if text:
            found[kind].append(text)
    draw = random.Random(0)
    return {
        kind: draw.sample(texts, min(TEXTS, len(texts))) for kind, texts in found.items() if len(texts) >= FEWEST_TEXTS
    }


def show(console: Console, coefficients: list[dict[str, object]], kinds: list[dict[str, object]]) -> None:
    table = Table(title="Tokens per character and per word", title_justify="left")
    for column in ("class", "seen", "shipped", "fitted"):
        table.add_column(column, justify="left" if column == "class" else "right")
    for row in coefficients:
        fitted = "too few" if row["fitted"] is None else f"{row['fitted']:.2f}"
        table.add_row(str(row["class"]), f"{row['seen']:,.0f}", f"{row['shipped']:.2f}", fitted)
    console.print(table)
    table = Table(title=f"Error against {ENCODING}: mean, and mean of its size", title_justify="left")
    for column in ("kind of text", "texts", "shipped", "", "fitted", ""):
        table.add_column(column, justify="left" if column == "kind of text" else "right")
    for row in kinds:
        figures = [f"{row[name]:{'+' if 'bias' in name else ''}.1%}" for name in list(row)[2:]]
        table.add_row(str(row["kind"]), str(row["texts"]), *figures)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=Path, default=SAMPLE, help="table of multilingual prompts (data/sample.csv)")
    parser.add_argument("--tables", type=Path, nargs="+", default=[], help="further outcome tables")
    parser.add_argument("--catalogs", type=Path, help="folder of gettext catalogs, such as /usr/share/locale")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    try:
        count = tokens.token_counter(ENCODING)
    except InputError as error:
        sys.exit(f"token_estimate.py: {error}")
    samples = {kind: measure(texts, count) for kind, texts in collect(arguments).items()}
    fitted = fit(samples)
    shipped = [value / 100 for value in (*tokens._HUNDREDTHS_PER_CHAR.values(), tokens.HUNDREDTHS_PER_WORD)]
    seen = sum(sample.counts.sum(axis=0) for sample in samples.values())
    coefficients = [
        {
            "class": "words" if column == "words" else column.name.lower(),
            "seen": float(seen[place]),
            "shipped": shipped[place],
            "fitted": None if np.isnan(fitted[place]) else float(fitted[place]),
        }
        for place, column in enumerate(COLUMNS)
    ]
    usable = np.where(np.isnan(fitted), shipped, fitted)
    kinds = []
    for kind, sample in samples.items():
        bias, error = errors(sample.shipped, sample.exact)
        fitted_bias, fitted_error = errors(sample.counts @ usable, sample.exact)
        kinds.append(
            {
                "kind": kind,
                "texts": len(sample.exact),
                "shipped bias": bias,
                "shipped error": error,
                "fitted bias": fitted_bias,
                "fitted error": fitted_error,
            }
        )
    show(Console(), coefficients, kinds)
    if arguments.json:
        arguments.json.write_text(json.dumps({"coefficients": coefficients, "kinds": kinds}, indent=2) + "\n")


if __name__ == "__main__":
    main()
