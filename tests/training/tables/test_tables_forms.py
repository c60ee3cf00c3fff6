"""What each form means, and how files come together."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from classifier.request import make_request
from training.tables import Columns, Form, read_tables

NAN = float("nan")


def save(path: Path, rows: list[list[Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def save_lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_wide_scores_as_numbers_booleans_and_gaps(tmp_path: Path) -> None:
    cells = ["1", "0.25", "true", "FALSE", "", "nan", "N/A", " 0.5 "]
    path = save(tmp_path / "a.csv", [["prompt", "score__a", "score__b"], *(["x", cell, "1"] for cell in cells)])
    table = read_tables([path])
    np.testing.assert_array_equal(table.scores[:, 0], [1, 0.25, 1, 0, NAN, NAN, NAN, 0.5])
    assert table.problems == []


def test_native_booleans_and_numbers(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [{"prompt": "x", "score__a": cell} for cell in (True, False, 1, 0.5, "0.25")]
    table = read_tables([save_lines(tmp_path / "a.jsonl", records)])
    np.testing.assert_array_equal(table.scores[:, 0], [1, 0, 1, 0.5, 0.25])


def test_wide_measures_and_what_is_ignored(tmp_path: Path) -> None:
    header = ["id", "prompt", "score__a", "tokens_out__a", "response__a", "cost__b", "score_c", ""]
    path = save(tmp_path / "a.csv", [header, ["1", "x", "1", "12.0", "yes", "3", "1", ""]])
    table = read_tables([path])
    assert table.tiers == ("a",)
    assert table.tokens_out[0, 0] == 12
    assert table.responses == [{"a": "yes"}]
    (summary,) = table.files
    assert (summary.path, summary.format, summary.form) == (str(path), "csv", "wide")
    assert (summary.rows_read, summary.rows_kept, summary.repeats) == (1, 1, 0)
    assert summary.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert summary.ignored == ("id", "cost__b", "score_c")
    assert summary.hints == (
        'column "cost__b": there is no score__b beside it',
        'column "score_c": did you mean "score__c"?',
    )


def test_labelled(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", [["prompt", "tier", "cost__haiku"], ["x", "opus", "0.1"], ["y", " haiku", ""]])
    table = read_tables([path])
    assert table.labels == ["opus", "haiku"]
    assert set(table.tiers) == {"opus", "haiku"}
    assert np.isnan(table.scores).all()
    assert table.costs[0, table.tiers.index("haiku")] == 0.1
    assert table.files[0].form == "labelled"


def test_long_averages_repeats_and_keeps_requests_apart(tmp_path: Path) -> None:
    header = ["prompt", "model", "score", "cost", "tokens_out", "response", "max_tokens", "group"]
    rows = [
        ["x", "a", "1", "0.2", "10", "first", "", ""],
        ["x", "b", "0.5", "", "", "", "", ""],
        ["x", "a", "0", "0.4", "", "second", "", "g"],
        ["x", "a", "1", "", "", "", "300", ""],
    ]
    table = read_tables([save(tmp_path / "a.csv", [header, *rows])])
    assert [request.max_tokens for request in table.requests] == [None, 300]
    np.testing.assert_array_equal(table.scores, [[0.5, 0.5], [1, NAN]])
    np.testing.assert_allclose(table.costs, [[0.3, NAN], [NAN, NAN]])
    np.testing.assert_array_equal(table.tokens_out, [[10, NAN], [NAN, NAN]])
    assert table.responses == [{"a": "first"}, {}]
    assert table.groups == ["g", None]
    assert [source.row for source in table.sources] == [1, 4]
    assert (table.files[0].form, table.files[0].rows_kept, table.files[0].repeats) == ("long", 4, 1)
    assert table.problems == []


@pytest.mark.parametrize(
    ("winner", "scores"),
    [
        *((word, (1, 0)) for word in ("model_a", "a", "A", "Model_A", "gpt", " a ")),
        *((word, (0, 1)) for word in ("model_b", "b", "B", "claude")),
        *((word, (1, 1)) for word in ("tie", "Tie")),
        *((word, (0, 0)) for word in ("tie (bothbad)", "both_bad", "bothbad")),
    ],
)
def test_pairwise_winners(tmp_path: Path, winner: str, scores: tuple[int, int]) -> None:
    path = save(tmp_path / "a.csv", [["prompt", "model_a", "model_b", "winner"], ["x", "gpt", "claude", winner]])
    table = read_tables([path])
    assert table.tiers == ("gpt", "claude")
    np.testing.assert_array_equal(table.scores, [scores])


def test_pairwise_a_models_own_name_comes_before_a_side(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", [["prompt", "model_a", "model_b", "winner"], ["x", "b", "a", "a"]])
    np.testing.assert_array_equal(read_tables([path]).scores, [[0, 1]])


def test_pairwise_several_comparisons_are_averaged(tmp_path: Path) -> None:
    rows = [["x", "p", "q", "a"], ["x", "r", "p", "a"], ["x", "q", "p", "b"], ["y", "p", "q", "tie"]]
    table = read_tables([save(tmp_path / "a.csv", [["prompt", "model_a", "model_b", "winner"], *rows])])
    assert table.tiers == ("p", "q", "r")
    np.testing.assert_allclose(table.scores, [[2 / 3, 0, 1], [1, 1, NAN]])
    assert table.files[0].form == "pairwise"
    assert table.files[0].repeats == 3


def test_several_files_of_different_forms_and_tiers(tmp_path: Path) -> None:
    wide = save(tmp_path / "wide.csv", [["prompt", "score__a", "score__b"], ["x", "1", "0"]])
    labelled = save_lines(tmp_path / "labelled.ndjson", [{"prompt": "x", "tier": "c"}])
    long = tmp_path / "long.pq"
    pl.DataFrame({"prompt": ["x", "x"], "model": ["b", "d"], "score": [0.5, 1.0]}).write_parquet(long)
    table = read_tables([wide, str(labelled), long])
    assert table.tiers == ("a", "b", "c", "d")
    np.testing.assert_array_equal(table.scores, [[1, 0, NAN, NAN], [NAN, NAN, NAN, NAN], [NAN, 0.5, NAN, 1]])
    assert table.labels == [None, "c", None]
    assert [Path(source.file).name for source in table.sources] == ["wide.csv", "labelled.ndjson", "long.pq"]
    assert [(file.format, file.form, file.repeats) for file in table.files] == [
        ("csv", "wide", 0),
        ("jsonl", "labelled", 0),
        ("parquet", "long", 0),
    ]
    assert table.responses is None


def test_repeats_are_counted_where_they_stand(tmp_path: Path) -> None:
    first = save(tmp_path / "1.csv", [["prompt", "model", "score"], ["x", "a", "1"], ["y", "a", "1"]])
    second = save(tmp_path / "2.csv", [["prompt", "model", "score"], ["x", "a", "0"], ["y", "b", "1"]])
    table = read_tables([first, second])
    assert [file.repeats for file in table.files] == [0, 1]
    np.testing.assert_array_equal(table.scores, [[0.5, NAN], [1, 1]])


def test_a_prompt_and_its_message_are_the_same_request(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "x"}]
    rows = [
        {"prompt": "x", "model": "a", "score": 1},
        {"messages": chat, "model": "b", "score": 0},
        {"messages": json.dumps(chat), "model": "c", "score": 1},
        {"prompt": "a note", "messages": chat, "model": "d", "score": 1},
        {"prompt": "x", "messages": [], "model": "e", "score": 1},
    ]
    table = read_tables([save_lines(tmp_path / "a.jsonl", rows)])
    assert table.requests == [make_request("x")]
    assert table.tiers == ("a", "b", "c", "d", "e")


CHAT: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "什么?"}, {"type": "image_url", "image_url": {"url": "u"}}]},
]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
FORMAT = {"type": "json_schema", "json_schema": {"name": "s"}}
FULL = make_request(messages=CHAT, tools=TOOLS, response_format=FORMAT, max_tokens=7, task="vision")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "text.parquet"])
def test_messages_tools_and_response_format(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    native: dict[str, Any] = {"messages": CHAT, "tools": TOOLS, "response_format": FORMAT}
    text = {column: json.dumps(cell, ensure_ascii=False) for column, cell in native.items()}
    rest = {"max_tokens": 7, "task": "vision", "score__a": 1.0}
    if name == "a.csv":
        save(path, [[*text, *rest], [*text.values(), *rest.values()]])
    elif name == "a.jsonl":
        save_lines(path, [native | rest])
    elif name == "text.parquet":
        pl.DataFrame([text | rest]).write_parquet(path)
    else:
        parts = [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}, CHAT[1]]
        pl.DataFrame([native | {"messages": parts} | rest], infer_schema_length=None).write_parquet(path)
    assert read_tables([path]).requests == [FULL]


def test_keys_that_other_rows_bring_along_are_no_part_of_a_tool(tmp_path: Path) -> None:
    other = [{"type": "function", "function": {"name": "g", "strict": True}, "extra": "x"}]
    path = tmp_path / "a.parquet"
    frame = pl.DataFrame({"prompt": ["x", "y"], "score__a": [1, 1], "tools": [TOOLS, other]})
    frame.write_parquet(path)
    assert read_tables([path]).requests[0] == make_request("x", tools=TOOLS)


def test_messages_with_an_image_alone_are_kept(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]
    table = read_tables([save_lines(tmp_path / "a.jsonl", [{"messages": chat, "score__a": 1}])])
    assert (table.requests[0].text, table.requests[0].images) == ("", 1)


NOON = datetime(2025, 1, 31, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "cell",
    [
        "2025-01-31T12:00:00Z",
        "2025-01-31 12:00",
        "2025-01-31T13:00:00+01:00",
        str(int(NOON)),
        str(int(NOON * 1e3)),
        f"{NOON * 1e6:.0f}",
        f"{NOON * 1e9:.0f}",
        NOON,
        int(NOON * 1000),
    ],
)
def test_timestamps(tmp_path: Path, cell: Any) -> None:
    records = [{"prompt": "x", "score__a": 1, "timestamp": cell}, {"prompt": "y", "score__a": 1}]
    table = read_tables([save_lines(tmp_path / "a.jsonl", records)])
    np.testing.assert_array_equal(table.timestamps, [NOON, NAN])
    assert table.problems == []


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        (datetime(2025, 1, 31, 12), NOON),
        (datetime(2025, 1, 31, 12, tzinfo=UTC), NOON),
        (date(2025, 1, 31), NOON - 12 * 3600),
    ],
)
def test_parquet_times(tmp_path: Path, cell: date, seconds: float) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"prompt": ["x"], "score__a": [1], "timestamp": [cell]}).write_parquet(path)
    assert read_tables([path]).timestamps[0] == seconds


def test_a_date_without_dashes_is_a_date(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", [["prompt", "score__a", "timestamp"], ["x", "1", "20250131"]])
    assert read_tables([path]).timestamps[0] == NOON - 12 * 3600


def test_parquet_nan_decimals_categories_and_whole_floats(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    frame = pl.DataFrame(
        {"prompt": ["x", "y"], "score__a": [NAN, 1.0], "score__b": [True, None], "max_tokens": [300.0, NAN]}
    ).with_columns(
        pl.Series("task", ["code", "chat"], dtype=pl.Categorical),
        pl.Series("score__c", ["0.25", "0.5"]).cast(pl.Decimal(6, 2)),
        pl.Series("group", [7, 8]),
    )
    frame.write_parquet(path)
    table = read_tables([path])
    np.testing.assert_array_equal(table.scores, [[NAN, 1, 0.25], [1, NAN, 0.5]])
    assert [request.max_tokens for request in table.requests] == [300, None]
    assert [request.task for request in table.requests] == ["code", "chat"]
    assert table.groups == ["7", "8"]
    assert table.problems == []


def test_renamed_columns(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", [["question", "prompt", "llm", "points"], ["x", "ignored", "a", "1"]])
    table = read_tables([path], Columns(prompt="question", model="llm", score="points"))
    assert table.requests == [make_request("x")]
    assert table.tiers == ("a",)
    assert table.files[0].ignored == ("prompt",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, ending: str) -> None:
    path = tmp_path / "A.CSV"
    path.write_bytes(
        ending.join(["prompt, score__a", "", '"naïve, 日本\nx"', ""]).replace('x"', 'x",1').encode(encoding)
    )
    table = read_tables([path])
    assert table.requests == [make_request("naïve, 日本\nx")]
    assert table.sources[0].line == 3


def test_lines_and_rows_are_numbered_as_an_editor_shows_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('prompt,score__a\n"two\nlines",1\n\n,1\nlast,1\n')
    table = read_tables([path])
    assert [(source.row, source.line) for source in table.sources] == [(1, 2), (3, 6)]
    assert [(problem.row, problem.line) for problem in table.problems] == [(2, 5)]


def test_a_tier_first_seen_in_the_last_json_line(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [{"prompt": "x", "score__a": 1}] * 3000 + [{"prompt": "y", "score__b": 1}]
    assert read_tables([save_lines(tmp_path / "a.jsonl", records)]).tiers == ("a", "b")


def test_empty_answers_are_answers_where_the_format_can_say_so(tmp_path: Path) -> None:
    records = [{"prompt": "x", "score__a": 0, "response__a": ""}, {"prompt": "y", "score__a": 1, "response__a": None}]
    assert read_tables([save_lines(tmp_path / "a.jsonl", records)]).responses == [{"a": ""}, {}]


def test_file_names_are_taken_literally(tmp_path: Path) -> None:
    folder = tmp_path / "year=2025"
    folder.mkdir()
    path = folder / "a[1]*.parquet"
    pl.DataFrame({"prompt": ["x"], "score__a": [1]}).write_parquet(path)
    summary = read_tables([path]).files[0]
    assert (summary.path, summary.ignored) == (str(path), ())


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.parquet"])
def test_progress_grows_to_the_size_of_all_files(tmp_path: Path, name: str) -> None:
    rows = [{"prompt": f"x{number}", "score__a": 1} for number in range(3000)]
    text = "prompt,score__a\n" + "".join(f"{row['prompt']},1\n" for row in rows)
    path, last = tmp_path / name, save(tmp_path / "last.csv", [["prompt", "score__a"], ["y", "1"]])
    if name == "a.parquet":
        pl.DataFrame(rows).write_parquet(path)
    elif name == "a.jsonl":
        save_lines(path, rows)
    else:
        path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    calls: list[tuple[int, int]] = []
    read_tables([path, last], progress=lambda done, total: calls.append((done, total)))
    size = path.stat().st_size + last.stat().st_size
    assert {total for _, total in calls} == {size}
    done = [read for read, _ in calls]
    assert done == sorted(done)
    assert done[-1] == size
    assert len(done) >= 3


@pytest.mark.parametrize(
    ("header", "form"),
    [
        (["prompt", "score__a"], "wide"),
        (["messages", "tier"], "labelled"),
        (["prompt", "model", "score"], "long"),
        (["prompt", "messages", "model_a", "model_b", "winner"], "pairwise"),
    ],
)
def test_one_row_is_enough_for_every_form(tmp_path: Path, header: list[str], form: Form) -> None:
    cells = {"score__a": "1", "tier": "t", "model": "m", "score": "0", "model_a": "m", "model_b": "n", "winner": "tie"}
    cells |= {"prompt": "x", "messages": '[{"role": "user", "content": "x"}]'}
    table = read_tables([save(tmp_path / "a.csv", [header, [cells[name] for name in header]])])
    assert table.files[0].form == form
    assert len(table.requests) == 1
