"""A large CSV file that is read a column at a time comes out as if it had been read row by row."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.errors import TableError
from training.tables import OutcomeTable, bulk, read_tables
from training.tables.rows import RequestColumns
from training.tables.structure import record_lines

HEADER = ["prompt", "task", "max_tokens", "group", "score__a", "score__b", "cost__a", "notes"]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
prompts = st.one_of(
    texts, st.sampled_from(["a,b\n\nc", 'say "hi"', "\r\nx", "[1]", '[{"role": "user", "content": "x"}]'])
)
numbers = st.sampled_from(["1", "0", "0.5", "", " 1 ", "1.000", "true", "0,5", "85%", "n/a", "x", "1e-3", "-1", "inf"])
amounts = st.sampled_from(["", "0.01", "1.234", "1,234", "12", "free"])
limits = st.sampled_from(["", "300", "300.0", "many", "0", "7"])
rows = st.tuples(prompts, texts, limits, texts, numbers, numbers, amounts, texts).map(list)


def read(path: Path, least: int) -> OutcomeTable | str:
    """The table, or why it is refused."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bulk, "LEAST_BYTES", least)
        try:
            return read_tables([path])
        except TableError as error:
            return str(error)


def assert_same(path: Path) -> None:
    one, all_at_once = read(path, 2**40), read(path, 0)
    if isinstance(one, str) or isinstance(all_at_once, str):
        assert one == all_at_once
        return
    assert list(one.requests) == list(all_at_once.requests)
    assert list(one.sources) == list(all_at_once.sources)
    assert [one.groups, one.labels, one.tiers] == [all_at_once.groups, all_at_once.labels, all_at_once.tiers]
    for name in ("scores", "costs", "tokens_out", "timestamps"):
        np.testing.assert_array_equal(getattr(one, name), getattr(all_at_once, name))
    assert sorted(map(str, one.problems)) == sorted(map(str, all_at_once.problems))
    assert one.files == all_at_once.files


@given(st.lists(rows, min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["utf-8", "utf-8-sig"]))
@settings(max_examples=150, deadline=None)
def test_both_ways_of_reading_agree(cells: list[list[str]], ending: str, encoding: str) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator=ending).writerows([HEADER, ["fine", "", "", "", "1", "0", "", ""], *cells])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_bytes(stream.getvalue().encode(encoding))
        assert_same(path)


@given(st.text(st.sampled_from('ab,,"\n\n\r'), max_size=40))
@settings(max_examples=300, deadline=None)
def test_both_ways_agree_on_what_is_no_table(tail: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_bytes(("prompt,score__a,score__b\nx,1,0\n" + tail).encode())
        assert_same(path)


@given(st.text(st.sampled_from('ab,,"\n\n'), max_size=40))
@settings(max_examples=300, deadline=None)
def test_records_are_found_as_the_row_by_row_reader_finds_them(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_text(text, newline="")
        found = record_lines(path, ",", 3)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        starts, begin = [], 1
        for record in reader:
            assert found is None or len(record) == 3
            starts.append(begin)
            begin = reader.line_num + 1
    except csv.Error:
        assert found is None
    else:
        assert found is None or found.tolist() == starts


def test_large_files_are_read_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "LEAST_BYTES", 0)
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [["prompt", "score__a", "score__b"], *([f"p\n{row}", 1, 0] for row in range(2000))]
        )
    table = read_tables([path])
    assert isinstance(table.requests, RequestColumns)
    assert table.requests[1999].text == "p\n1999"
    assert table.sources[1999].line == 2 + 2 * 1999
    assert [request.text for request in table.requests[:2]] == ["p\n0", "p\n1"]
