"""Whatever is written in one form and format comes back the same, and the same as from any other."""

from __future__ import annotations

import csv
import gzip
import json
import math
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.errors import TableError
from training.tables import OutcomeTable, read_tables

Record = dict[str, Any]

TIERS = ("haiku", "sonnet-4.6", "大")
unicode_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
prompts = st.one_of(
    unicode_text, st.sampled_from(["1", "true", "null", 'say "hi"', "a,b\n\nc", "\r\n;\tend\r", "=1+1"])
)
prompts = prompts.filter(lambda text: not text.isspace())
observed = st.one_of(st.none(), st.floats(0, 1), st.sampled_from([0.0, 1.0]))
amounts = st.one_of(st.none(), st.floats(0, 1e6))


@st.composite
def wide_records(draw: st.DrawFn) -> list[Record]:
    """Rows with distinct prompts, each with at least one score, and every tier with at least one score."""
    texts = draw(st.lists(prompts, min_size=1, max_size=6, unique_by=lambda text: " ".join(text.split())))
    records = []
    for number, text in enumerate(texts):
        record: Record = {"prompt": text, "task": draw(st.sampled_from([None, "code", "résumé"]))}
        record |= {"max_tokens": draw(st.sampled_from([None, 1, 300])), "group": draw(st.sampled_from([None, "g"]))}
        for tier in TIERS:
            score = draw(observed)
            if score is None and (number == 0 or tier == TIERS[-1]):
                score = 0.5
            record[f"score__{tier}"] = score
            known = score is not None
            record[f"cost__{tier}"] = draw(amounts) if known else None
            record[f"response__{tier}"] = draw(st.one_of(st.none(), unicode_text)) if known else None
        records.append(record)
    return records


def as_long(records: Iterable[Record]) -> list[Record]:
    shared = ("prompt", "task", "max_tokens", "group")
    return [
        {name: record[name] for name in shared}
        | {"model": tier}
        | {name: record[f"{name}__{tier}"] for name in ("score", "cost", "response")}
        for record in records
        for tier in TIERS
        if record[f"score__{tier}"] is not None
    ]


def write_csv(path: Path, records: list[Record]) -> Path:
    path = path.with_suffix(".csv")
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    return path


def write_tsv_gz(path: Path, records: list[Record]) -> Path:
    path = path.with_suffix(".tsv.gz")
    with gzip.open(path, "wt", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, list(records[0]), delimiter="\t", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(records)
    return path


def write_jsonl(path: Path, records: list[Record]) -> Path:
    path = path.with_suffix(".jsonl")
    lines = (
        json.dumps({name: cell for name, cell in record.items() if cell is not None}, ensure_ascii=bool(number % 2))
        for number, record in enumerate(records)
    )
    path.write_text("\n".join(lines), encoding="utf-8", newline="")
    return path


def write_parquet(path: Path, records: list[Record]) -> Path:
    path = path.with_suffix(".parquet")
    numbers = dict.fromkeys((name for name in records[0] if name.startswith(("score", "cost"))), pl.Float64)
    pl.DataFrame(records, schema_overrides=numbers, infer_schema_length=None).write_parquet(path)
    return path


WRITERS = [write_csv, write_tsv_gz, write_jsonl, write_parquet]


def expected(records: list[Record], name: str) -> np.ndarray:
    cells = [[record[f"{name}__{tier}"] for tier in TIERS] for record in records]
    return np.array([[math.nan if cell is None else cell for cell in row] for row in cells])


def assert_holds(table: OutcomeTable, records: list[Record]) -> None:
    order = [table.tiers.index(tier) for tier in TIERS]
    assert set(table.tiers) == set(TIERS)
    assert [request.text for request in table.requests] == [record["prompt"] for record in records]
    assert [request.task for request in table.requests] == [record["task"] for record in records]
    assert [request.max_tokens for request in table.requests] == [record["max_tokens"] for record in records]
    assert table.groups == [record["group"] for record in records]
    np.testing.assert_array_equal(table.scores[:, order], expected(records, "score"))
    np.testing.assert_array_equal(table.costs[:, order], expected(records, "cost"))
    answers = [
        {tier: answer for tier in TIERS if (answer := record[f"response__{tier}"]) is not None} for record in records
    ]
    assert table.responses == (answers if any(answers) else None)
    assert np.isnan(table.tokens_out).all()
    assert table.labels == [None] * len(records)
    assert table.problems == []


@pytest.mark.slow
@pytest.mark.parametrize("write", WRITERS)
@given(records=wide_records())
@settings(max_examples=60, deadline=None)
def test_wide_comes_back_from_every_format(write: Callable[[Path, list[Record]], Path], records: list[Record]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = read_tables([write(Path(folder, "wide"), records)])
    assert_holds(table, records)
    assert [source.row for source in table.sources] == list(range(1, len(records) + 1))


@pytest.mark.slow
@pytest.mark.parametrize("write", WRITERS)
@given(records=wide_records(), shuffle=st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_long_is_the_same_table_as_wide(
    write: Callable[[Path, list[Record]], Path], records: list[Record], shuffle: Any
) -> None:
    rows = as_long(records)
    first: dict[str, int] = {}
    shuffle.shuffle(rows)
    for row in rows:
        first.setdefault(row["prompt"], len(first))
    with tempfile.TemporaryDirectory() as folder:
        table = read_tables([write(Path(folder, "long"), rows)])
    assert_holds(table, sorted(records, key=lambda record: first[record["prompt"]]))
    assert table.files[0].repeats == 0


@given(records=wide_records())
@settings(max_examples=30, deadline=None)
def test_one_file_a_model_is_the_same_table_as_one_file(records: list[Record]) -> None:
    rows = as_long(records)
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            write_jsonl(Path(folder, str(number)), [row for row in rows if row["model"] == tier])
            for number, tier in enumerate(TIERS)
        ]
        split, whole = read_tables(paths), read_tables([write_jsonl(Path(folder, "all"), rows)])
    place = {request: row for row, request in enumerate(split.requests)}
    order = [place[request] for request in whole.requests]
    tiers = [split.tiers.index(tier) for tier in whole.tiers]
    np.testing.assert_array_equal(split.scores[np.ix_(order, tiers)], whole.scores)


@given(text=st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet", ".csv.gz"])
def test_any_bytes_give_a_table_or_one_clear_line(text: bytes, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data" + suffix)
        path.write_bytes(text)
        with pytest.raises(TableError) as caught:
            read_tables([path])
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


scores_or_not = st.one_of(st.text(max_size=8), st.sampled_from(["0.5", "true", "nan", "-1", "1e400"]))
anything = st.text(max_size=8)


@pytest.mark.slow
@given(rows=st.lists(st.tuples(anything, scores_or_not, anything), max_size=2))
@settings(max_examples=200, deadline=None)
def test_every_row_is_used_or_listed_once(rows: list[tuple[str, str, str]]) -> None:
    rows = [*rows, *[("fine", "1", "2025-01-01")] * 20]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data.jsonl")
        names = ("prompt", "score__a", "timestamp")
        path.write_text("\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows))
        table = read_tables([path])
    used = {source.row for source in table.sources}
    skipped = [problem.row for problem in table.problems if problem.skipped]
    assert len(skipped) == len(set(skipped))
    assert used.isdisjoint(skipped)
    assert used.union(skipped) == set(range(1, len(rows) + 1))
