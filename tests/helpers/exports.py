"""Exports of tools as tests read them, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from training.imports import open_exports
from training.tables import Columns, OutcomeTable, read_tables

EXPORTS = Path(__file__).parent.parent / "data" / "exports"


def read_exports(*paths: Path | str, **columns: str) -> OutcomeTable:
    """The table of files, which are taken from the folder of exports where only their name is given."""
    files = [path if isinstance(path, Path) else EXPORTS / path for path in paths]
    return read_tables(files, Columns(**columns), exports=open_exports)


def outcomes(table: OutcomeTable, values: str = "scores") -> dict[str, dict[str, float]]:
    """Text -> tier -> score, or another value of the table."""
    rows = getattr(table, values)
    return {
        request.whole: {tier: float(row[place]) for place, tier in enumerate(table.tiers) if np.isfinite(row[place])}
        for request, row in zip(table.requests, rows, strict=True)
    }


def write_json(path: Path, value: Any) -> Path:
    """A JSON document."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), "utf-8")
    return path


def write_lines(path: Path, values: Iterable[Any]) -> Path:
    """JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in values), "utf-8")
    return path
