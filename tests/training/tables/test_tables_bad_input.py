"""Every kind of bad input is one line that says where, what was found, what is expected and how to mend it."""

from __future__ import annotations

import csv
import gzip
import json
import os
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from mutated_tables import damaged, kinds, outcome

from classifier.errors import InputError, TableError
from training.tables import Columns, OutcomeTable, ReadOptions, RowProblem, UnsureError, read_tables

SECRET = "the prompt nobody may see in a log"
HEADER = ["prompt", "score__a", "score__b", "cost__a", "max_tokens", "timestamp"]
GOOD = ["fine", "1", "0.5", "0.01", "300", "2025-01-31"]


def save(path: Path, rows: list[list[Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def refused(*paths: Path, columns: Columns | None = None, strict: bool = False) -> str:
    with pytest.raises(TableError) as caught:
        read_tables(paths, columns or Columns(), strict=strict)
    message = str(caught.value)
    assert isinstance(caught.value, InputError)
    assert "\n" not in message
    assert "found" in message
    assert "expected" in message
    assert SECRET not in message
    return message


def contains(message: str, *parts: str) -> None:
    for part in parts:
        assert part in message


# --- whole files


def test_missing_file(tmp_path: Path) -> None:
    contains(refused(tmp_path / "no.csv"), "no.csv", "found no such file", "check the path")


def test_a_file_taken_for_a_folder(tmp_path: Path) -> None:
    save(tmp_path / "a.csv", [HEADER, GOOD])
    contains(refused(tmp_path / "a.csv" / "b.csv"), "found no such file")


def test_directory(tmp_path: Path) -> None:
    folder = tmp_path / "tables.csv"
    folder.mkdir()
    contains(refused(folder), "tables.csv: found a directory", "name the files in it", "*.csv")


def test_no_paths() -> None:
    contains(refused(), "found no files", "name a file")


def test_a_name_the_system_refuses(tmp_path: Path) -> None:
    contains(refused(tmp_path / ("x" * 300 + ".csv")), "found File name too long")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read every file")
def test_unreadable_file(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", [HEADER, GOOD])
    path.chmod(0)
    contains(refused(path), "a.csv", "Permission denied", "check its permissions")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_named_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    contains(refused(tmp_path / "pipe.csv"), "not a regular file", "copy it to one")


@pytest.mark.parametrize("name", ["data", "data.db", "data.txt", "data.csv"])
def test_what_a_file_is_its_content_says(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("x")
    contains(refused(path), f"{name}: found columns x", "expected one form")


@pytest.mark.parametrize(
    ("content", "found", "advice"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook", "save it as .xlsx"),
        (b"SQLite format 3\0", "an SQLite database", "name an outcome store as one"),
        (b"%PDF-1.7", "a PDF file", "export the table"),
        (b"\x28\xb5\x2f\xfd\x04", "zstd data", "unpack it: zstd -d"),
        (b"<!doctype html><html>", "a web page", "download the table itself"),
        (b"PK\x03\x04 not an archive", "a damaged archive", "copy it again"),
    ],
)
def test_foreign_files_are_refused_with_the_way_on(tmp_path: Path, content: bytes, found: str, advice: str) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(content * 3)
    contains(refused(path), f"found {found}", advice)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    contains(refused(tmp_path / name), f"{name}: found an empty file", "write it again")


@pytest.mark.parametrize(("name", "what"), [("a.csv", "found no header"), ("a.jsonl", "found no rows")])
def test_only_blank_lines(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / name).write_text("\n\n \n" if name == "a.jsonl" else "\n\n\n")
    contains(refused(tmp_path / name), what)


def test_header_only(tmp_path: Path) -> None:
    contains(refused(save(tmp_path / "a.csv", [HEADER])), "a.csv: found columns but no rows", "add rows")


def test_parquet_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"prompt": [], "score__a": []}, schema={"prompt": pl.String, "score__a": pl.Float64}).write_parquet(
        path
    )
    contains(refused(path), "a.parquet: found columns but no rows")


def test_wrong_encoding_says_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    head = b"prompt,score__a\n" + "déjà vu à la carte: café garçon très été près âgé,1\n".encode()
    path.write_bytes(head + "déjà vu,1\n".encode("latin-1")[:2] + b",1\n")
    contains(refused(path), "a.csv: line 3", f"byte {len(head) + 1} of the file", "0xe9", "not UTF-8 as the rest is")


def test_an_encoding_that_is_not_certain_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("prompt,score__a\n日本の首都はどこですか,1\n".encode("euc_jp"))
    with pytest.raises(UnsureError) as caught:
        read_tables([path])
    assert caught.value.option == "encoding"
    contains(str(caught.value), "a.csv: line 2", "is not UTF-8", "name its encoding")


def test_wrong_encoding_far_into_a_zipped_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    line = json.dumps({"prompt": "x" * 1000, "score__a": 1}).encode() + b"\n"
    path.write_bytes(gzip.compress(line * 100 + b'{"prompt": "\xff"}\n'))
    contains(refused(path), "line 101", f"byte {len(line) * 100 + 12} of the file")


def test_damaged_utf16(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("prompt,score__a\nfine,1\n".encode("utf-16") + b"\x00")
    contains(refused(path), "a.csv: found damaged UTF-16", "save it again as UTF-8")


@pytest.mark.parametrize("cut", [slice(0, 60), slice(4, None)])
def test_damaged_gzip(tmp_path: Path, cut: slice) -> None:
    path = tmp_path / "a.csv.gz"
    rows = "".join(f"prompt {number},0.{number}\n" for number in range(1, 200))
    path.write_bytes(gzip.compress(("prompt,score__a\n" + rows).encode())[cut])
    contains(refused(path), "a.csv.gz: found damaged gzip data", "copy it again")


def test_unclosed_quote_says_where_its_row_begins(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f'prompt,score__a\n"two\nlines",1\n"{SECRET},1\nnext,0\n')
    contains(refused(path), "a.csv: row that begins on line 4", "a quote that is never closed", "close it")


def test_text_after_a_closing_quote(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f'prompt,score__a\nfine,1\n"say "{SECRET}" twice",1\nfine,1\n')
    contains(refused(path), "row that begins on line 3", "text after a closing quote", 'as in "say ""hi"""')


def test_duplicate_columns(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", [["prompt", "score__a", " score__a"], ["x", 1, 1]])
    contains(refused(path), "a.csv: found column score__a twice", "drop or rename one")


def damaged_parquet(path: Path, damage: str) -> Path:
    pl.DataFrame({"prompt": [f"p{n} " * 50 for n in range(500)], "score__a": [1.0] * 500}).write_parquet(path)
    whole = path.read_bytes()
    half = len(whole) // 2
    damaged = {"cut": whole[:half], "foreign": b"not parquet", "flipped": whole[:8] + b"\0" * 400 + whole[408:]}
    path.write_bytes(damaged[damage])
    return path


@pytest.mark.parametrize("damage", ["cut", "foreign", "flipped"])
def test_corrupt_parquet(tmp_path: Path, damage: str) -> None:
    path = damaged_parquet(tmp_path / "a.parquet", damage)
    contains(refused(path), "a.parquet: found a damaged or foreign file", "expected Parquet", "copy it again")


@pytest.mark.parametrize(("name", "cut"), [("a.json", 40), ("a.jsonl", 60)])
def test_a_broken_json_array(tmp_path: Path, name: str, cut: int) -> None:
    path = tmp_path / name
    path.write_text(json.dumps([{"prompt": SECRET, "score__a": 1}] * 3, indent=1)[:cut])
    contains(refused(path), f"{name}: line", "found text that is not JSON", "or an array of objects")


# --- columns


def test_no_score_columns_lists_columns_and_forms(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", [["prompt", "quality"], [SECRET, 1]])
    message = refused(path)
    contains(message, "found columns prompt, quality", "score__<tier>", "(wide)", "tier (labelled)")
    contains(message, "model, score (long)", "model_a, model_b, winner (pairwise)")


@pytest.mark.parametrize(
    ("columns", "hint"),
    [
        (["promt", "score__a"], 'column "promt": did you mean "prompt"?'),
        (["prompt", "score_haiku"], 'column "score_haiku": did you mean "score__haiku"?'),
        (["prompt", "scroe__haiku"], 'column "scroe__haiku": did you mean "score__haiku"?'),
        (["prompt", "scores__haiku"], 'column "scores__haiku": did you mean "score__haiku"?'),
        (["prompt", "Score: gpt-4"], 'column "Score: gpt-4": did you mean "score__gpt-4"?'),
        (["prompt", "cost__haiku"], 'column "cost__haiku": there is no score__haiku beside it'),
        (["prompt", "model_a", "model_b", "winer"], 'column "winer": did you mean "winner"?'),
    ],
)
def test_close_names(tmp_path: Path, columns: list[str], hint: str) -> None:
    assert hint in refused(save(tmp_path / "a.csv", [columns, ["x"] * len(columns)]))


def test_a_table_without_header_keeps_its_prompt_to_itself(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", [[SECRET, "1"], [SECRET, "0"]])
    contains(refused(path), f"a name of {len(SECRET)} characters; is the header missing?")


def test_many_columns_are_not_all_listed(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", [[f"c{number}" for number in range(100)], ["x"] * 100])
    contains(refused(path), "c29 and 70 more")


@pytest.mark.parametrize(
    ("columns", "forms"),
    [
        (["prompt", "score__a", "tier"], "wide and labelled"),
        (["prompt", "model", "score", "tier"], "labelled and long"),
        (["prompt", "score__a", "model_a", "model_b", "winner"], "wide and pairwise"),
    ],
)
def test_ambiguous_columns(tmp_path: Path, columns: list[str], forms: str) -> None:
    path = save(tmp_path / "a.csv", [columns, ["x"] * len(columns)])
    contains(refused(path), f"2 forms ({forms})", "drop or rename")


def test_a_renamed_column_that_no_file_has(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", [HEADER, GOOD])
    contains(
        refused(path, columns=Columns(task="topic")), 'found no column "topic"', "expected it for task", "spelling"
    )


def test_one_column_for_two_roles() -> None:
    message = refused(Path("a.csv"), columns=Columns(task="prompt"))
    contains(message, 'found "prompt" for both prompt and task')


# --- rows and cells of a CSV file: row 2 begins on line 3


def bad_second_row(path: Path, row: list[str]) -> tuple[OutcomeTable, RowProblem]:
    """A table with a good, the bad and a good row; strict mode must refuse it with the problem's own line."""
    save(path, [HEADER, GOOD, row, ["also fine", *GOOD[1:]]])
    table = read_tables([path])
    (problem,) = table.problems
    assert (problem.file, problem.row, problem.line) == (str(path), 2, 3)
    assert refused(path, strict=True) == str(problem)
    assert SECRET not in str(problem)
    kept = [source.row for source in table.sources]
    assert kept == ([1, 3] if problem.skipped else [1, 2, 3])
    assert (table.files[0].rows_read, table.files[0].rows_kept) == (3, len(kept))
    return table, problem


@pytest.mark.parametrize(("prompt", "found"), [("", "empty or null"), (" \n\t", "only whitespace")])
def test_prompts_without_text(tmp_path: Path, prompt: str, found: str) -> None:
    _, problem = bad_second_row(tmp_path / "a.csv", [prompt, *GOOD[1:]])
    assert problem.skipped
    contains(str(problem), "a.csv: row 2 (line 3), column prompt: found", found, "expected the text of a prompt")


@pytest.mark.parametrize("cells", [2, 7])
def test_ragged_rows(tmp_path: Path, cells: int) -> None:
    _, problem = bad_second_row(tmp_path / "a.csv", [SECRET, *GOOD[1:], "more"][:cells])
    assert problem.skipped
    contains(str(problem), "row 2 (line 3)", f"found {cells} cells", "expected 6 as the header has", "quote cells")


def test_embedded_nul(tmp_path: Path) -> None:
    _, problem = bad_second_row(tmp_path / "a.csv", [f"{SECRET}\0", *GOOD[1:]])
    assert problem.skipped
    contains(str(problem), "column prompt: found a NUL character", "write it again")


@pytest.mark.parametrize("cell", ["1.5", "-0.1", "85", "soso", "inf", "-inf", "1,5", "0x1"])
def test_bad_scores_are_ignored_cells(tmp_path: Path, cell: str) -> None:
    table, problem = bad_second_row(tmp_path / "a.csv", ["x", cell, *GOOD[2:]])
    assert not problem.skipped
    contains(str(problem), f"column score__a: found {cell!r}", "expected a number from 0 to 1", "divide percentages")
    assert table.scores[1, 1] == 0.5
    assert table.scores[1, 0] != table.scores[1, 0]


def test_long_cells_are_shortened(tmp_path: Path) -> None:
    _, problem = bad_second_row(tmp_path / "a.csv", ["x", "y" * 1000, *GOOD[2:]])
    assert problem.found == "'" + "y" * 36 + "..."
    assert len(problem.found) == 40


def test_a_request_without_any_score_is_one_all_the_same(tmp_path: Path) -> None:
    rows = [["p0", "1", "0"], ["p1", "", "nan"], ["p2", "0", "1"]]
    path = tmp_path / "a.csv"
    path.write_text("prompt,score__a,score__b\n" + "".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    table = read_tables([path])
    assert len(table.requests) == 3
    assert not [score for score in table.scores[1] if score == score]
    assert not table.problems


def test_a_row_whose_scores_are_all_bad_has_one_problem(tmp_path: Path) -> None:
    _, problem = bad_second_row(tmp_path / "a.csv", [SECRET, "2", "3", *GOOD[3:]])
    assert problem.skipped
    contains(str(problem), "column score__a: found '2'")


@pytest.mark.parametrize("cell", ["-0.01", "inf", "cheap", "$1"])
def test_bad_costs(tmp_path: Path, cell: str) -> None:
    table, problem = bad_second_row(tmp_path / "a.csv", ["x", "1", "1", cell, "", ""])
    contains(str(problem), f"column cost__a: found {cell!r}", "expected a number of at least 0")
    assert table.costs[1, 0] != table.costs[1, 0]


@pytest.mark.parametrize("cell", ["0", "-3", "1.5", "many", "inf"])
def test_bad_max_tokens(tmp_path: Path, cell: str) -> None:
    table, problem = bad_second_row(tmp_path / "a.csv", ["x", "1", "1", "", cell, ""])
    contains(str(problem), f"column max_tokens: found {cell!r}", "a whole number above 0")
    assert table.requests[1].max_tokens is None


@pytest.mark.parametrize("cell", ["yesterday", "inf", "2025", "12:30"])
def test_bad_timestamps(tmp_path: Path, cell: str) -> None:
    _, problem = bad_second_row(tmp_path / "a.csv", ["x", "1", "1", "", "", cell])
    contains(str(problem), f"column timestamp: found {cell!r}", "ISO 8601")


def test_every_row_skipped_says_the_most_frequent_reason(tmp_path: Path) -> None:
    rows = [["", "1", ""], ["", "0", ""], ["y", "1"], ["", "1", ""]]
    path = save(tmp_path / "a.csv", [HEADER[:3], *rows])
    message = refused(path)
    contains(message, "none of its 4 rows can be used; 3 like this one", "row 1 (line 2), column prompt: found")


def test_one_unusable_file_among_good_ones(tmp_path: Path) -> None:
    good = save(tmp_path / "good.csv", [HEADER, GOOD])
    bad = save(tmp_path / "bad.csv", [HEADER, ["", *GOOD[1:]]])
    contains(refused(good, bad), "bad.csv: none of its 1 rows can be used")


def test_a_tier_without_scores_is_left_out(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", [HEADER, ["x", "", "1", "0.1", "", ""], ["y", "nan", "0", "0.2", "", ""]])
    table = read_tables([path])
    assert table.tiers == ("b",)
    assert table.scores.shape == table.costs.shape == table.tokens_out.shape == (2, 1)
    (problem,) = table.problems
    assert (problem.row, problem.column, problem.skipped) == (0, "score__a", False)
    contains(str(problem), "a.csv: column score__a: found no score in any row", "tier a is left out")
    assert refused(path, strict=True) == str(problem)


def test_a_prompt_of_5_mb_is_kept(tmp_path: Path) -> None:
    prompt = '长 prompt, "quoted"\n' * 250_000
    table = read_tables([save(tmp_path / "a.csv", [HEADER, [prompt, *GOOD[1:]]])])
    assert table.requests[0].text == prompt
    assert table.problems == []


# --- rows of JSON Lines and Parquet


def bad_line(path: Path, line: str) -> RowProblem:
    good = json.dumps({"prompt": "fine", "score__a": 1})
    path.write_text(f"{good}\n\n{line}\n{good}\n", encoding="utf-8")
    table = read_tables([path])
    (problem,) = table.problems
    assert (problem.row, problem.line) == (2, 3)
    assert refused(path, strict=True) == str(problem)
    assert SECRET not in str(problem)
    return problem


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f'{{"prompt": "{SECRET}"', "text that is not JSON (Expecting ',' delimiter at character"),
        (f'["{SECRET}"]', "found a list"),
        ("null", "found nothing"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 5000, "too long a number"),
    ],
)
def test_bad_json_lines(tmp_path: Path, line: str, found: str) -> None:
    problem = bad_line(tmp_path / "a.jsonl", line)
    assert problem.skipped
    contains(str(problem), "a.jsonl: row 2 (line 3): found", found, "one JSON object on each line")


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        (None, "nothing (empty or null)"),
        ("", "empty text"),
        (7, "a number"),
        (True, "a boolean"),
        ([SECRET], "a list"),
        ({"text": SECRET}, "an object"),
        (f"{SECRET} \ud83d", "half of a surrogate pair"),
    ],
)
def test_prompts_that_are_not_text(tmp_path: Path, cell: Any, found: str) -> None:
    problem = bad_line(tmp_path / "a.jsonl", json.dumps({"prompt": cell, "score__a": 1}))
    assert problem.skipped
    contains(str(problem), f"column prompt: found {found}", "expected the text of a prompt")


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ([], "an empty list"),
        ({"role": "user", "content": SECRET}, "an object"),
        ([SECRET], "a list with text in it"),
        (f"not json {SECRET}", "text that is not JSON"),
        (3, "a number"),
        ([{"role": "user", "content": " "}], "no text and no image"),
        ([{"role": "user", "content": f"{SECRET}\udc00"}], "half of a surrogate pair"),
    ],
)
def test_messages_that_are_none(tmp_path: Path, cell: Any, found: str) -> None:
    path = tmp_path / "a.jsonl"
    good = json.dumps({"messages": [{"role": "user", "content": "hi"}], "score__a": 1})
    path.write_text(f"{good}\n{json.dumps({'messages': cell, 'score__a': 1})}\n")
    (problem,) = read_tables([path]).problems
    assert problem.skipped
    assert SECRET not in str(problem)
    contains(str(problem), f"row 2 (line 2), column messages: found {found}")


@pytest.mark.parametrize(
    ("column", "cell", "found"),
    [
        ("score__a", [SECRET], "a list"),
        ("score__a", 10**400, "1000"),
        ("task", [SECRET], "a list"),
        ("tools", {"type": "function"}, "an object"),
        ("tools", "{", "text that is not JSON"),
        ("tools", "[" * 100_000, "JSON nested too deeply"),
        ("response_format", "json_object", "text that is not JSON"),
        ("response_format", ["json"], "a list"),
        ("response__a", {"text": "x"}, "an object"),
        ("tokens_out__a", -1, "-1"),
        ("cost__a", True, "True"),
        ("group", {}, "an object"),
        ("tools", "[" + "1" * 5000 + "]", "text that is not JSON (a number with too many digits)"),
        ("task", "cut \ud83d", "half of a surrogate pair at character 5"),
    ],
)
def test_bad_cells_are_ignored(tmp_path: Path, column: str, cell: Any, found: str) -> None:
    path = tmp_path / "a.jsonl"
    records = [
        {"prompt": "x", "score__a": 1, "score__b": 1},
        {"prompt": "y", "score__a": 1, "score__b": 1, column: cell},
    ]
    path.write_text("\n".join(map(json.dumps, records)))
    (problem,) = read_tables([path]).problems
    assert not problem.skipped
    assert SECRET not in str(problem)
    contains(str(problem), f"row 2 (line 2), column {column}: found {found}", "expected")


def test_parquet_rows_have_numbers_but_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"prompt": ["x", None, "z"], "score__a": [1.0, 1.0, 7.0], "score__b": [0, 0, 1]}).write_parquet(path)
    empty, outside = read_tables([path]).problems
    contains(str(empty), "a.parquet: row 2, column prompt: found nothing")
    contains(str(outside), "a.parquet: row 3, column score__a: found 7.0")


@pytest.mark.parametrize(("cell", "found"), [(b"x", "bytes"), (date(2025, 1, 31), "a date")])
def test_parquet_prompts_of_other_types(tmp_path: Path, cell: Any, found: str) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"prompt": [cell], "score__a": [1.0]}).write_parquet(path)
    contains(refused(path), f"column prompt: found {found}")


# --- rows of the other forms


@pytest.mark.parametrize(
    ("header", "row", "parts"),
    [
        (["prompt", "tier"], [SECRET, ""], ["column tier: found nothing", "the name of a model or tier"]),
        (["prompt", "model", "score"], [SECRET, "", "1"], ["column model: found nothing"]),
        (["prompt", "model", "score"], [SECRET, "a", ""], ["column score: found nothing", "a number from 0 to 1"]),
        (["prompt", "model", "score"], [SECRET, "a", "nan"], ["column score: found 'nan'"]),
        (["prompt", "model", "score"], [SECRET, "a", "7"], ["column score: found '7'"]),
        (["prompt", "model_a", "model_b", "winner"], [SECRET, "", "b", "a"], ["column model_a: found nothing"]),
        (
            ["prompt", "model_a", "model_b", "winner"],
            [SECRET, "a", " ", "a"],
            ["column model_b: found only whitespace"],
        ),
        (["prompt", "model_a", "model_b", "winner"], [SECRET, "a", "a", "a"], ["column model_b: found 'a' again"]),
        (["prompt", "model_a", "model_b", "winner"], [SECRET, "a", "b", ""], ["column winner: found nothing"]),
        (["prompt", "model_a", "model_b", "winner"], [SECRET, "a", "b", "c"], ["winner: found 'c'", "tie, both_bad"]),
    ],
)
def test_rows_that_other_forms_cannot_use(tmp_path: Path, header: list[str], row: list[str], parts: list[str]) -> None:
    good = {"tier": "a", "model": "a", "score": "1", "model_a": "a", "model_b": "b", "winner": "tie", "prompt": "x"}
    path = save(tmp_path / "a.csv", [header, [good[name] for name in header], row])
    (problem,) = read_tables([path]).problems
    assert problem.skipped
    assert SECRET not in str(problem)
    contains(str(problem), "row 2 (line 3)", *parts)


def test_a_model_name_that_is_no_name(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"prompt": SECRET, "model": ["a"], "score": 1}))
    contains(refused(path), "column model: found a list", "the name of a model or tier")


def test_whoever_needs_only_the_requests_is_not_asked_about_scores(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", [HEADER[:3], *([f"p{row}", row % 7, "odd"] for row in range(60))])
    table = read_tables([path], options=ReadOptions(requests_only=True))
    assert (len(table.requests), table.tiers, table.scores.shape) == (60, (), (60, 0))


@pytest.mark.slow
def test_damaged_tables_of_every_kind_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    whole, draw = kinds(), Random(5)
    for name, content in whole.items():
        for _ in range(6):
            path = tmp_path / name
            path.write_bytes(damaged(content, whole["a.csv"], draw))
            assert outcome(path) in ("read", "refused")
