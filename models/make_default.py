"""Make `default.safetensors`, the artifact that `predict_model()` uses before anyone has trained.

    python models/make_default.py TABLES_DIR [--out models/default.safetensors]

The tables are three published sets of outcomes (see README.md beside this file). Their models are mapped by strength to
the default menu's haiku, sonnet and opus; costs come from the menu's prices. The result is reproducible to the byte.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console

from classifier.catalog import default_menu
from classifier.locate import shipped_artifact
from training.commands.show_training import progress_bars, show_data, show_result
from training.run import Inputs, TrainOptions, learn_from, read_inputs

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


def sources(inputs: Inputs) -> list[dict[str, Any]]:
    """Where the tables come from, for the artifact."""
    return [
        {
            "table": table.file,
            "source": table.source,
            "licence": table.licence,
            "rows": summary.rows_kept,
            "models": table.models,
        }
        for table, summary in zip(TABLES, inputs.data.table.files, strict=True)
    ]


def main() -> None:
    """Map, train, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, help="folder that holds the published tables")
    parser.add_argument("--out", type=Path, default=shipped_artifact())
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as scratch:
        files = []
        for table in TABLES:
            files.append(Path(scratch) / f"{Path(table.file).stem}.parquet")
            mapped(arguments.tables, table).write_parquet(files[-1])
        options = TrainOptions(
            menu=default_menu(),
            tokens="estimate",
            min_rows=MIN_TERM_ROWS,
            seed=0,
            counted=False,  # made once, and nobody picks among several
            out=arguments.out,
        )
        with progress_bars(console) as progress:
            inputs = read_inputs(files, None, options, progress=progress)
    show_data(console, inputs.data)
    options = replace(options, provenance={"sources": sources(inputs), "tables": []})
    with progress_bars(console) as progress:
        run = learn_from(inputs, options, progress=progress)
    show_result(console, run.training, None)
    console.print(f"Wrote {run.artifact} ({os.path.getsize(run.artifact) / 2**20:.1f} MiB, {run.digest[:12]})")


if __name__ == "__main__":
    main()
