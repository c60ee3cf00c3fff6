"""Train one router on several tables of outcomes whose models are called differently.

    python examples/several_tables.py [--out models/several.safetensors]

Each table says which of its models stands for which tier of the menu; a table need not have all. The artifact's header
keeps where every table comes from. As an example, the synthetic sample is dealt to two tables: one of questions, with
the scores of two models, and one of everything else, with those of three.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from training.run import Run, TrainOptions, learn_from, read_inputs

SAMPLE = Path(__file__).parent.parent / "data" / "sample.csv"
QUESTIONS = ("math", "question answering", "chat")


@dataclass(frozen=True)
class SourceTable:
    """A table, where it comes from, and which of its models stands for which tier."""

    file: Path
    source: str
    licence: str
    models: dict[str, str]


def main() -> None:
    """Make the tables, map them to the menu, train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("models/several.safetensors"))
    parser.add_argument("--rows", type=int, help="of the sample, from its beginning (default: all)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tables = list(dealt(pl.read_csv(SAMPLE, infer_schema=False).head(given.rows), Path(folder)))
        run = train_on(tables, Path(folder), TrainOptions(seed=0, tokens="estimate", out=given.out))
    print(f"{run.artifact}: {run.training.shipped.name}, learned from {len(tables)} tables")


def train_on(tables: Sequence[SourceTable], scratch: Path, options: TrainOptions) -> Run:
    """A router of all tables together, which says where they come from."""
    files = [mapped(table, scratch / f"{number}.parquet") for number, table in enumerate(tables)]
    inputs = read_inputs(files, None, options)
    rows = [summary.rows_kept for summary in inputs.data.table.files]
    return learn_from(inputs, replace(options, provenance={"sources": sources(tables, rows), "tables": []}))


def mapped(table: SourceTable, out: Path) -> Path:
    """The table with the menu's tiers in place of its models."""
    frame = pl.read_csv(table.file, infer_schema=False)
    columns = {
        f"{kind}__{model}": f"{kind}__{tier}" for model, tier in table.models.items() for kind in ("score", "cost")
    }
    frame.select("prompt", "task", *(pl.col(old).cast(float).alias(new) for old, new in columns.items())).write_parquet(
        out
    )
    return out


def sources(tables: Sequence[SourceTable], rows: Sequence[int]) -> list[dict[str, Any]]:
    """Where the tables come from, for the artifact's header."""
    return [
        {**asdict(table), "file": table.file.name, "rows": count} for table, count in zip(tables, rows, strict=True)
    ]


def dealt(sample: pl.DataFrame, folder: Path) -> Iterator[SourceTable]:
    """The sample as two tables that different people might have made."""
    asked = pl.col("task").is_in(QUESTIONS).fill_null(False)
    parts = (
        ("questions", sample.filter(asked), {"small-v1": "haiku", "large-v1": "opus"}),
        ("work", sample.filter(~asked), {"mini": "haiku", "medium": "sonnet", "maxi": "opus"}),
    )
    for name, rows, models in parts:
        names = {f"{kind}__{tier}": f"{kind}__{model}" for model, tier in models.items() for kind in ("score", "cost")}
        file = folder / f"{name}.csv"
        rows.select("prompt", "task", *names).rename(names).write_csv(file)
        yield SourceTable(file, f"data/sample.csv, {name}", "Apache-2.0", models)


if __name__ == "__main__":
    main()
