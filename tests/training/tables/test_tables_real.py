"""The published outcome tables that the project is developed against, where they are at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from training.tables import read_tables

DATA = Path(__file__).parents[4] / "shared" / "data"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rows", "tiers", "answers", "costs"),
    [
        ("claude_tiers.csv", 2840, 3, False, True),
        ("routellm_gsm8k.csv", 1319, 2, False, False),
        ("routellm_mmlu.csv", 14042, 2, False, False),
        ("open_weights.parquet", 6108, 9, False, False),
        ("zeroeval.parquet", 2840, 5, True, True),
    ],
)
def test_real_tables_are_read_as_polars_reads_them(
    name: str, rows: int, tiers: int, answers: bool, costs: bool
) -> None:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"the table {name} is not at hand; it is not part of the repository")
    table = read_tables([path])
    frame = pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)
    assert table.scores.shape == (rows, tiers)
    assert [request.text for request in table.requests] == frame["prompt"].to_list()
    for number, tier in enumerate(table.tiers):
        known = frame[f"score__{tier}"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        np.testing.assert_array_equal(table.scores[:, number], known)
    assert (table.responses is not None) == answers
    assert np.isfinite(table.costs).any() == costs
    assert table.problems == []
    assert (table.files[0].form, table.files[0].rows_kept) == ("wide", rows)
