"""Make `default.safetensors`, the artifact that `predict_model()` uses before anyone has trained.

    python models/make_default.py TABLES_DIR [--out models/default.safetensors]

The tables are three published sets of outcomes (see README.md beside this file). Their models are mapped by strength to
the default menu's haiku, sonnet and opus; costs come from the menu's prices. The result is reproducible to the byte.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
from rich.console import Console

from classifier.catalog import default_menu
from classifier.keywords import load_keywords
from classifier.locate import shipped_artifact
from training.compile import compile_artifact
from training.console import progress_bars, show_data, show_result
from training.data import DataOptions, prepare
from training.effort import Effort, learners_for
from training.pipeline import train
from training.rule import Target
from training.tables import read_tables

CHARS_PER_TOKEN = 4
MIN_TERM_ROWS = 10  # rare terms are left out: the file ships with the package


@dataclass(frozen=True)
class PublishedTable:
    """A table, and which of its models stands for which tier of the default menu."""

    file: str
    source: str
    licence: str
    models: dict[str, str]


TABLES = (
    PublishedTable(
        "zeroeval.parquet",
        "WildEval/ZeroEval",
        "Apache-2.0",
        {"claude-3-haiku": "haiku", "gpt-4o-mini": "sonnet", "gpt-4o": "opus"},
    ),
    PublishedTable(
        "routellm_mmlu.csv", "lm-sys/RouteLLM", "Apache-2.0", {"mixtral-8x7b": "sonnet", "gpt-4-1106": "opus"}
    ),
    PublishedTable(
        "open_weights.parquet",
        "ulab-uiuc/LLMRouter",
        "MIT",
        {
            "mistral-7b-instruct-v0.3": "haiku",
            "gemma-2-9b-it": "sonnet",
            "llama-3.1-nemotron-51b-instruct": "opus",
        },
    ),
)


def mapped(folder: Path, table: PublishedTable) -> pl.DataFrame:
    """The table in the wide form with the menu's tiers, and output lengths where it has the answers."""
    path = folder / table.file
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    columns = [pl.col("prompt")]
    for model, tier in table.models.items():
        columns.append(pl.col(f"score__{model}").alias(f"score__{tier}"))
        if f"response__{model}" in frame.columns:
            tokens = pl.col(f"response__{model}").str.len_chars() // CHARS_PER_TOKEN + 1
            columns.append(tokens.alias(f"tokens_out__{tier}"))
    return frame.select(columns)


def main() -> None:
    """Map, train, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, help="folder that holds the published tables")
    parser.add_argument("--out", type=Path, default=shipped_artifact())
    arguments = parser.parse_args()
    console = Console()
    keywords = load_keywords()
    with tempfile.TemporaryDirectory() as scratch, progress_bars(console) as progress:
        files = []
        for table in TABLES:
            files.append(Path(scratch) / f"{Path(table.file).stem}.parquet")
            mapped(arguments.tables, table).write_parquet(files[-1])
        outcomes = read_tables(files)
        data = prepare(outcomes, default_menu(), keywords, DataOptions(), progress=partial(progress, "features"))
    show_data(console, data)
    with progress_bars(console) as progress:
        training = train(
            data,
            default_menu(),
            learners_for(Effort.BALANCED, min_rows=MIN_TERM_ROWS),
            Target(),
            seed=0,
            jobs=-1,
            force=False,
            progress=progress,
        )
    show_result(console, training, None)
    rows = {summary.path: summary.rows_kept for summary in outcomes.files}
    sources = [
        {
            "table": table.file,
            "source": table.source,
            "licence": table.licence,
            "rows": rows[str(file)],
            "models": table.models,
        }
        for table, file in zip(TABLES, files, strict=True)
    ]
    digest = compile_artifact(
        training, keywords, "estimate", arguments.out, dated=False, provenance={"sources": sources, "tables": []}
    )
    console.print(f"Wrote {arguments.out} ({os.path.getsize(arguments.out) / 2**20:.1f} MiB, {digest[:12]})")


if __name__ == "__main__":
    main()
