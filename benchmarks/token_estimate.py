"""Fit the rates of ``classifier.token_estimate`` again, and show the error of the shipped and the fitted ones.

    python benchmarks/token_estimate.py [--catalogs /usr/share/locale] [--tables FILE ...] [--json FILE]

The exact count is cl100k_base's, from a vocabulary in ``$TIKTOKEN_CACHE_DIR`` (see ``vocabulary.py``). The rates are
those of the least mean relative error such that no text is estimated at less than 84% of its tokens: a linear program,
solved by scipy. Kinds of text weigh alike, natural ones ten times as much as made ones. How rare pairs of letters are
is not fitted here.

Sources of text:

- the prompts of ``data/sample.csv``, by script;
- the Python standard library;
- with ``--tables``: the prompts of outcome tables (CSV, Parquet, JSON Lines with a column ``prompt``);
- with ``--catalogs``: translated messages of the programs on this machine (gettext), by language. Without them the
  scripts that the sample lacks are too few to fit;
- made: base64, hexadecimal, numbers, letters and characters of every script drawn at random, and mixes of all these.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import struct
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import sparse
from scipy.optimize import linprog

from classifier import token_estimate, tokens
from classifier.errors import InputError
from classifier.text import ByteClass, excerpt_of, scan_text

ENCODING = "cl100k_base"
SAMPLE = Path(__file__).parent.parent / "data" / "sample.csv"
CHARS = 3000  # of each text; within the window that is read closely
TEXTS = 300  # of each kind, at most
FEWEST_TEXTS = 20  # of a kind worth a line
MESSAGES = 8  # of a catalog, joined to one text
LEAST_TOKENS = 20  # shorter texts weigh no more than texts of this length
FLOOR = 0.84  # of the exact count, that no text may be estimated below
MADE_TEXTS = 30  # of each kind
MIXES = 300
MADE_WEIGHT = 0.1
MOST_RATE = 3.0
LANGUAGES = (  # of catalogs
    *("ar", "bn", "cs", "de", "el", "es", "fa", "fi", "fr", "he", "hi", "hu", "hy", "id", "it", "ja", "ka", "km", "ko"),
    *("my", "nl", "pl", "pt_BR", "ro", "ru", "sv", "ta", "th", "tr", "uk", "vi", "zh_CN", "zh_TW"),
)
PAIRS = np.unique(token_estimate.PAIRS)[1:]  # costs of pairs of letters that cost anything
COLUMNS = (
    *(f"{before} > {after}" for before in token_estimate.GROUPS for after in token_estimate.GROUPS),
    *(name for name, _, _ in token_estimate.KINDS),
    *(f"pairs at {cost / 100:.2f}" for cost in PAIRS),
)
SHIPPED = np.concatenate((token_estimate.AFTER.ravel(), token_estimate.RATES, PAIRS)) / 100
MADE = {
    "letters": (0x61, 0x7B), "capitals": (0x41, 0x5B), "ASCII": (0x20, 0x7F), "Latin": (0xC0, 0x250),
    "Greek": (0x391, 0x3CA), "Cyrillic": (0x410, 0x450), "Armenian": (0x531, 0x587), "Hebrew": (0x5D0, 0x5EB),
    "Arabic": (0x621, 0x64B),
    "Devanagari": (0x904, 0x940), "Thai": (0xE01, 0xE3B), "Georgian": (0x10D0, 0x10FB), "Ethiopic": (0x1200, 0x1380),
    "kana": (0x3041, 0x30FF), "Han": (0x4E00, 0x9FFF), "Hangul": (0xAC00, 0xD7A4), "pictures": (0x1F300, 0x1F650),
    "symbols": (0x2190, 0x2300), "rare Han": (0x20000, 0x2A000),
}  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """Texts of one kind: what their characters are, (n, `COLUMNS`), exact tokens and the shipped estimate, (n,)."""

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


def made_texts() -> dict[str, list[str]]:
    """Texts that no language has, by kind, drawn alike in every run."""
    draw = random.Random(0)
    found = {f"made, {name}": [_drawn(draw, *ends) for _ in range(MADE_TEXTS)] for name, ends in MADE.items()}
    found["made, base64"] = [base64.b64encode(draw.randbytes(CHARS // 2)).decode() for _ in range(MADE_TEXTS)]
    found["made, hexadecimal"] = [draw.randbytes(CHARS // 4).hex() for _ in range(MADE_TEXTS)]
    for separator in "\n ,;\t":
        found[f"made, numbers by {separator!r}"] = [_numbers(draw, separator) for _ in range(MADE_TEXTS)]
    return found


def _drawn(draw: random.Random, first: int, after: int) -> str:
    words = [
        "".join(chr(draw.randrange(first, after)) for _ in range(draw.randrange(1, 9))) for _ in range(CHARS // 16)
    ]
    return draw.choice(["", " "]).join(words)


def _numbers(draw: random.Random, separator: str) -> str:
    digits = draw.randrange(1, 9)
    return separator.join(str(draw.randrange(10**digits)) for _ in range(CHARS // 8))


def mixes(texts: Sequence[str]) -> list[str]:
    """Pieces of any of the texts, one after the other."""
    draw = random.Random(1)

    def piece() -> str:
        text = draw.choice(texts)
        start = draw.randrange(max(1, len(text)))
        return text[start : start + draw.randrange(20, 400)]

    return ["".join(piece() for _ in range(10)) for _ in range(MIXES)]


def measure(texts: Sequence[str], count: tokens.TokenCounter) -> Sample:
    cut = [text[:CHARS] for text in texts]
    return Sample(
        np.array([_counts(text) for text in cut], np.float64),
        np.array([count(excerpt_of(text)) for text in cut]),
        np.array([token_estimate.hundredths(text) / 100 for text in cut]),
    )


def _counts(text: str) -> NDArray[np.int64]:
    """How often a text has what each of `COLUMNS` names."""
    kinds = token_estimate.kinds_of(token_estimate.code_points(text))
    groups = token_estimate.GROUP_OF_KIND[kinds].astype(np.int64)
    before = np.concatenate(([token_estimate.GROUPS.index("space")], groups[:-1]))
    size = len(token_estimate.GROUPS)
    letters = token_estimate.letters_of(token_estimate.code_points(text))
    costs = token_estimate.PAIRS[letters[:-1], letters[1:]]
    return np.concatenate(
        (
            np.bincount(before * size + groups, minlength=size * size),
            np.bincount(kinds, minlength=len(token_estimate.KINDS)),
            [(costs == cost).sum() for cost in PAIRS],
        )
    )


def fit(samples: Mapping[str, Sample]) -> NDArray[np.float64]:
    """(columns,): the rates of the least mean relative error that estimate no text too low."""
    counts = np.concatenate([sample.counts for sample in samples.values()])
    exact = np.concatenate([sample.exact for sample in samples.values()])
    shares = [
        np.full(len(each.exact), (MADE_WEIGHT if kind.startswith("made") else 1.0) / len(each.exact))
        for kind, each in samples.items()
    ]
    weights, scale, rows = np.concatenate(shares), np.maximum(exact, LEAST_TOKENS), len(exact)
    eye = sparse.eye(rows)
    found = linprog(  # rates, then what each text is estimated too high and too low
        np.concatenate((np.full(counts.shape[1], 1e-6), weights, weights)),
        A_eq=sparse.hstack([sparse.csr_matrix(counts / scale[:, None]), -eye, eye]),
        b_eq=exact / scale,
        A_ub=sparse.hstack([sparse.csr_matrix(-counts / exact[:, None]), sparse.csr_matrix((rows, 2 * rows))]),
        b_ub=np.full(rows, -FLOOR),
        bounds=(0.0, MOST_RATE),
    )
    if not found.success:
        sys.exit(f"token_estimate.py: no rates fit: {found.message}")
    rates: NDArray[np.float64] = found.x[: counts.shape[1]]
    return rates


def errors(estimate: NDArray[np.float64], exact: NDArray[np.float64]) -> dict[str, float]:
    """Relative errors of texts: their mean, the mean of their sizes, and the lowest."""
    relative = estimate / exact - 1
    return {"mean": float(relative.mean()), "size": float(np.abs(relative).mean()), "lowest": float(relative.min())}


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
    natural = {
        kind: draw.sample(texts, min(TEXTS, len(texts))) for kind, texts in found.items() if len(texts) >= FEWEST_TEXTS
    }
    every = natural | made_texts()
    return every | {"made, mixes": mixes([text for texts in every.values() for text in texts])}


def show(console: Console, rates: list[dict[str, object]], kinds: list[dict[str, object]]) -> None:
    table = Table(title="Tokens for each character, change of kind and pair of letters", title_justify="left")
    for column in ("of", "shipped", "fitted"):
        table.add_column(column, justify="left" if column == "of" else "right")
    for row in rates:
        table.add_row(str(row["of"]), f"{row['shipped']:.2f}", f"{row['fitted']:.2f}")
    console.print(table)
    table = Table(title=f"Error against {ENCODING}", title_justify="left")
    for column in ("kind of text", "texts", "shipped: mean", "size", "lowest", "fitted: mean", "size", "lowest"):
        table.add_column(column, justify="left" if column == "kind of text" else "right")
    for row in kinds:
        figures = [f"{row[name]:+.0%}" for name in list(row)[2:]]
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
    rates = [
        {"of": column, "shipped": float(SHIPPED[place]), "fitted": float(fitted[place])}
        for place, column in enumerate(COLUMNS)
    ]
    kinds = []
    for kind, sample in samples.items():
        shown: dict[str, object] = {"kind": kind, "texts": len(sample.exact)}
        for name, estimate in (("shipped", sample.shipped), ("fitted", sample.counts @ fitted)):
            shown |= {f"{name} {figure}": value for figure, value in errors(estimate, sample.exact).items()}
        kinds.append(shown)
    show(Console(), rates, kinds)
    if arguments.json:
        arguments.json.write_text(json.dumps({"rates": rates, "kinds": kinds}, indent=2) + "\n")


if __name__ == "__main__":
    main()
