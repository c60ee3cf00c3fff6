"""Tables in the shapes that people have come out as the same table, or as one line with the way on."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from classifier.errors import TableError
from tests.helpers.workbooks import save_workbook
from training.tables import Columns, OutcomeTable, ReadOptions, UnsureError, read_tables
from training.tables.numbers import Mark

TIERS = ("haiku", "sonnet", "opus")
ROWS = 60


def base() -> list[dict[str, Any]]:
    """Rows whose texts have commas, semicolons, quotes, bars, line breaks and accents."""
    random = np.random.default_rng(3)
    rows = []
    for number in range(ROWS):
        text = f'Erkläre „Größe {number}"; dann, {number}: "überall" | à la carte\nund\tweiter'
        row: dict[str, Any] = {"prompt": text}
        row |= {f"score__{tier}": float(random.integers(0, 5)) / 4 for tier in TIERS}
        row |= {f"cost__{tier}": round(float(random.uniform(0.001, 2000)), 4) for tier in TIERS}
        rows.append(row)
    return rows


BASE = base()


def csv_text(rows: list[dict[str, Any]], delimiter: str = ",", **options: Any) -> str:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter, **options)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def assert_is_base(table: OutcomeTable, *, costs: bool = True) -> None:
    assert set(table.tiers) == set(TIERS)
    order = [table.tiers.index(tier) for tier in TIERS]
    assert [" ".join(request.text.split()) for request in table.requests] == [
        " ".join(row["prompt"].split()) for row in BASE
    ]
    np.testing.assert_allclose(table.scores[:, order], [[row[f"score__{tier}"] for tier in TIERS] for row in BASE])
    if costs:
        np.testing.assert_allclose(table.costs[:, order], [[row[f"cost__{tier}"] for tier in TIERS] for row in BASE])
    assert table.problems == []


def notes(table: OutcomeTable) -> str:
    return "; ".join(table.files[0].notes)


def german(value: float, places: int = 4) -> str:
    return f"{value:,.{places}f}".translate(str.maketrans(",.", ".,"))


# --- text


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found_whatever_the_name(tmp_path: Path, name: str, delimiter: str) -> None:
    path = tmp_path / name
    path.write_text(csv_text(BASE, delimiter), encoding="utf-8", newline="")
    assert_is_base(read_tables([path]))


ENCODINGS = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "json"])
def test_encodings_are_found(tmp_path: Path, encoding: str, kind: str) -> None:
    rows = [row | {"prompt": row["prompt"].replace("„", '"')} for row in BASE]
    texts = {
        "csv": csv_text(rows),
        "jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
        "json": json.dumps(rows, ensure_ascii=False),
    }
    path = tmp_path / f"a.{kind}"
    path.write_bytes(texts[kind].encode(encoding))
    table = read_tables([path])
    assert [request.text for request in table.requests] == [row["prompt"] for row in rows]
    assert ("text is read as" in notes(table)) == (encoding != "utf-8-sig")


TEXTS = {
    "shift_jis": "日本の首都はどこですか。簡単に説明してください。",
    "gb18030": "请解释什么是机器学习，并举例说明它的用途。",
    "cp1251": "Объясните, пожалуйста, что такое машинное обучение",
    "cp949": "기계 학습이 무엇인지 자세히 설명해 주세요.",
    "cp1250": "Příliš žluťoučký kůň úpěl ďábelské ódy",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_other_encodings_are_found(tmp_path: Path, encoding: str) -> None:
    rows = [{"prompt": f"{TEXTS[encoding]} {number}", "score__a": 1, "score__b": 0} for number in range(60)]
    path = tmp_path / "a.csv"
    path.write_bytes(csv_text(rows).encode(encoding))
    named = read_tables([path], options=ReadOptions(encoding=encoding))
    assert [request.text for request in named.requests] == [row["prompt"] for row in rows]
    found = read_tables([path])
    assert [request.text for request in found.requests] == [row["prompt"] for row in rows]
    assert "text is read as" in notes(found)


def test_excel_abroad_writes_semicolons_decimal_commas_and_thousands(tmp_path: Path) -> None:
    rows = [
        row | {name: german(row[name]) for name in row if name != "prompt"} | {"prompt": row["prompt"]} for row in BASE
    ]
    path = tmp_path / "a.csv"
    path.write_bytes(csv_text(rows, ";").encode("cp1252"))
    table = read_tables([path])
    assert_is_base(table)
    for said in ("text is read as cp1252", "parted by semicolons", "decimal commas"):
        assert said in notes(table)


def test_a_comma_that_may_be_either_is_asked_about(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"p{number}", "score__a": 1, "score__b": 0, "cost__a": f"{number + 1},234"} for number in range(9)
    ]
    path = tmp_path / "a.csv"
    path.write_text(csv_text(rows, ";"))
    with pytest.raises(UnsureError, match="whether a comma stands before") as caught:
        read_tables([path])
    assert (caught.value.option, caught.value.value) == ("decimal", ",")
    for mark, cost in ((Mark.COMMA, 1.234), (Mark.POINT, 1234.0)):
        assert read_tables([path], options=ReadOptions(decimal=mark)).costs[0, 0] == cost


@pytest.mark.parametrize("head", ["sep=;\n", "sep=;\r\n", "Evaluation of May 2026\n\n", "Report;;\n;;\nmade by us;;\n"])
def test_lines_above_the_header_are_no_header(tmp_path: Path, head: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(head + csv_text(BASE, ";"), encoding="utf-8", newline="")
    assert_is_base(read_tables([path]))


def test_quotes_with_backslashes_and_single_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(csv_text(BASE, doublequote=False, escapechar="\\"), encoding="utf-8", newline="")
    table = read_tables([path])
    assert_is_base(table)
    assert "\\ before quotes" in notes(table)
    path.write_text(csv_text(BASE, quotechar="'", quoting=csv.QUOTE_NONNUMERIC), encoding="utf-8", newline="")
    assert_is_base(read_tables([path]))


# --- containers


def packed_zip(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._a.csv", b"\0\0")
        archive.writestr("data/", b"")
        archive.writestr("data/a.csv", content)
        archive.writestr("README.md", "how this was made")
    return stream.getvalue()


def packed_tar(content: bytes, mode: str = "w:gz") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo("data/a.csv")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "a.csv.gz": gzip.compress,
    "a.csv.bz2": bz2.compress,
    "a.csv.xz": lzma.compress,
    "a.zip": packed_zip,
    "a.tar.gz": packed_tar,
    "a.tar": lambda content: packed_tar(content, "w"),
    "named.wrongly": gzip.compress,
}


@pytest.mark.parametrize("name", PACKERS)
def test_compressed_files_and_archives(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(PACKERS[name](csv_text(BASE).encode()))
    assert_is_base(read_tables([path]))


def test_an_archive_of_several_tables_is_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "runs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for tier in TIERS:
            rows = [
                {"prompt": row["prompt"], "model": tier, "score": row[f"score__{tier}"], "cost": row[f"cost__{tier}"]}
                for row in BASE
            ]
            archive.writestr(f"{tier}.csv", csv_text(rows))
        archive.writestr("notes.csv", "who,what\nme,this\n")
    table = read_tables([path])
    assert_is_base(table)
    assert [file.path for file in table.files] == [f"{path}/{tier}.csv" for tier in TIERS]
    assert "left out as no table" in notes(table)
    assert "notes.csv" in notes(table)


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.tables.stored._LEAST_LIMIT", 2**20)
    for name in PACKERS.keys() - {"a.tar"}:
        pack = PACKERS[name]
        path = tmp_path / name
        path.write_bytes(pack(b"prompt,score__a,score__b\n" + b"\n" * 2**24))
        with pytest.raises(TableError, match="unpacks to more than 100 times its size"):
            read_tables([path])


# --- folders, patterns, standard input


def test_folders_patterns_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / "notes.md").write_text("nothing")
    for tier in TIERS:
        rows = [
            {"prompt": row["prompt"], "model": tier, "score": row[f"score__{tier}"], "cost": row[f"cost__{tier}"]}
            for row in BASE
        ]
        (folder / f"{tier}.csv").write_text(csv_text(rows), encoding="utf-8")
    assert_is_base(read_tables([folder]))
    assert_is_base(read_tables([folder / "*.csv"]))
    with pytest.raises(TableError, match="found no file of this pattern"):
        read_tables([folder / "*.parquet"])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(csv_text(BASE).encode())))
    table = read_tables(["-"])
    assert_is_base(table)
    assert table.files[0].path == "standard input"


# --- JSON


def by_column(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


JSON_SHAPES: dict[str, Callable[[], str]] = {
    "an array": lambda: json.dumps(BASE),
    "an array over many lines": lambda: json.dumps(BASE, indent=2),
    "lines": lambda: "\n".join(map(json.dumps, BASE)),
    "an object with one array": lambda: json.dumps({"version": 3, "tags": ["x"], "data": BASE}),
    "an array further in": lambda: json.dumps({"run": {"id": 7, "results": BASE}, "stats": {"n": 60}}, indent=1),
    "objects over several lines": lambda: "\n".join(json.dumps(row, indent=2) for row in BASE),
    "a list a column": lambda: json.dumps(by_column(BASE)),
    "an object a column": lambda: json.dumps(
        {name: {str(place): cell for place, cell in enumerate(cells)} for name, cells in by_column(BASE).items()}
    ),
    "columns and data": lambda: json.dumps(
        {"columns": list(BASE[0]), "index": list(range(ROWS)), "data": [list(row.values()) for row in BASE]}
    ),
    "a header and rows": lambda: json.dumps([list(BASE[0]), *(list(row.values()) for row in BASE)]),
    "NaN for nothing": lambda: json.dumps([*({**row, "x": float("nan")} for row in BASE)]),
}


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.txt"])
@pytest.mark.parametrize("shape", JSON_SHAPES)
def test_json_in_any_shape_under_any_name(tmp_path: Path, shape: str, name: str) -> None:
    if name == "a.jsonl" and shape not in ("lines", "an array", "an array over many lines", "NaN for nothing"):
        pytest.skip("a file that is called JSON Lines is read as such")
    path = tmp_path / name
    path.write_text(JSON_SHAPES[shape]())
    assert_is_base(read_tables([path]))


def test_two_tables_in_one_object_are_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"may": BASE, "june": BASE}))
    with pytest.raises(UnsureError, match="found tables in may and june"):
        read_tables([path])


def test_long_arrays_are_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.tables.jsonfiles._WHOLE", 1000)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(BASE, ensure_ascii=False), encoding="utf-8")
    assert_is_base(read_tables([path]))


# --- Arrow, Parquet, Excel


def test_parquet_arrow_feather_and_streams_of_it(tmp_path: Path) -> None:
    frame = pl.DataFrame(BASE)
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ipc(tmp_path / "a.arrow", compression="zstd")
    frame.write_ipc(tmp_path / "b.feather")
    frame.write_ipc_stream(tmp_path / "c.arrow")
    (tmp_path / "no_name").write_bytes((tmp_path / "a.parquet").read_bytes())
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.write(tmp_path / "a.parquet", "inner.parquet")
    for name in ("a.parquet", "a.arrow", "b.feather", "c.arrow", "no_name", "d.zip"):
        assert_is_base(read_tables([tmp_path / name]))


def sheet(rows: list[dict[str, Any]]) -> list[list[Any]]:
    return [list(rows[0]), *(list(row.values()) for row in rows)]


def test_workbooks(tmp_path: Path) -> None:
    assert_is_base(read_tables([save_workbook(tmp_path / "a.xlsx", {"Sheet1": sheet(BASE)})]))
    titled = [["Evaluation of May"], [], *sheet(BASE)]
    book = save_workbook(tmp_path / "b.xlsx", {"About": [["made by us"]], "Data": titled})
    table = read_tables([book])
    assert_is_base(table)
    assert "rows are read from sheet 'Data'; the header is in row 3" in notes(table)
    assert table.sources[0].line == 4


def test_workbooks_with_two_tables_are_asked_about(tmp_path: Path) -> None:
    book = save_workbook(tmp_path / "a.xlsx", {"May": sheet(BASE), "June": sheet(BASE[:5])})
    with pytest.raises(UnsureError, match="found tables in the sheets May, June") as caught:
        read_tables([book])
    assert caught.value.option == "sheet"
    assert_is_base(read_tables([book], options=ReadOptions(sheet="May")))
    with pytest.raises(TableError, match="found no sheet 'July', expected one of: May, June"):
        read_tables([book], options=ReadOptions(sheet="July"))


def test_a_sheet_whose_cells_are_far_apart_is_refused(tmp_path: Path) -> None:
    book = save_workbook(tmp_path / "a.xlsx", {"S": sheet(BASE)})
    with zipfile.ZipFile(book) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"].replace(
        b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    )
    with zipfile.ZipFile(book, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(TableError, match="found a sheet of more than 30,000,000 cells"):
        read_tables([book])


# --- names of columns


def renamed(pattern: Callable[[str, str], str]) -> list[dict[str, Any]]:
    return [
        {"prompt": row["prompt"]}
        | {pattern(measure, tier): row[f"{measure}__{tier}"] for measure in ("score", "cost") for tier in TIERS}
        for row in BASE
    ]


PATTERNS: dict[str, Callable[[str, str], str]] = {
    "suffix": lambda measure, tier: f"{tier}_{measure}",
    "double suffix": lambda measure, tier: f"{tier}__{measure}",
    "prefix": lambda measure, tier: f"{measure}_{tier}",
    "camel": lambda measure, tier: f"{tier}{measure.title()}",
    "words": lambda measure, tier: f"{measure.title()} {tier}",
    "brackets": lambda measure, tier: f"{measure} ({tier})",
    "path": lambda measure, tier: f"{measure}s.{tier}",
    "path by tier": lambda measure, tier: f"{tier}.{measure}",
    "hyphen": lambda measure, tier: f"{tier}-{measure}",
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_scores_under_other_names(tmp_path: Path, pattern: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(csv_text(renamed(PATTERNS[pattern])), encoding="utf-8")
    table = read_tables([path])
    assert_is_base(table)
    assert "scores: haiku from" in notes(table)


def test_columns_that_the_user_names(tmp_path: Path) -> None:
    rows = renamed(lambda measure, tier: f"{measure}__{tier}" if measure == "cost" else f"points for {tier}")
    path = tmp_path / "a.csv"
    path.write_text(csv_text(rows), encoding="utf-8")
    with pytest.raises(TableError, match="expected one form"):
        read_tables([path])
    assert_is_base(read_tables([path], options=ReadOptions(scores={tier: f"points for {tier}" for tier in TIERS})))
    with pytest.raises(TableError, match='found no column "nowhere", expected it for the score of haiku'):
        read_tables([path], options=ReadOptions(scores={"haiku": "nowhere", "opus": "points for opus"}))


@pytest.mark.parametrize("names", [["bleu_mean_score", "mean_score"], ["overall_score", "haiku_score"]])
def test_figures_of_all_are_no_tiers(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text(csv_text([{"prompt": "x", "mean_score": 1, "haiku_score": 1} | dict.fromkeys(names, 1)] * 9))
    with pytest.raises(TableError, match="expected one form"):
        read_tables([path])


@pytest.mark.parametrize("name", ["Prompt", " PROMPT ", "question", "instruction", "user_message"])
def test_other_names_of_the_prompt(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(csv_text([{name: row["prompt"]} | {key: row[key] for key in list(row)[1:]} for row in BASE]))
    table = read_tables([path])
    assert_is_base(table)
    assert f'prompt is read from column "{name.strip()}"' in notes(table)


def test_two_columns_that_may_be_the_prompt_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(csv_text([{"instruction": "x", "input": "y", "score__a": 1, "score__b": 0}]))
    with pytest.raises(TableError, match="expected one form"):
        read_tables([path])


def test_a_repeated_header_that_nobody_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = csv_text([{**row, "notes": "a", "again": "b"} for row in BASE])
    path.write_text(lines.replace("notes,again", "notes,notes", 1), encoding="utf-8", newline="")
    assert_is_base(read_tables([path]))


# --- what lies inside columns


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "csv"])
def test_dotted_paths(tmp_path: Path, suffix: str) -> None:
    rows = [
        {
            "request": {"messages": [{"role": "user", "content": row["prompt"]}], "id": 7},
            "scores": {tier: row[f"score__{tier}"] for tier in TIERS},
            "costs": {tier: row[f"cost__{tier}"] for tier in TIERS},
        }
        for row in BASE
    ]
    path = tmp_path / f"a.{suffix}"
    columns = Columns(messages="request.messages")
    options = ReadOptions()
    if suffix == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif suffix == "parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        path.write_text(csv_text([{name: json.dumps(cell) for name, cell in row.items()} for row in rows]))
        options = ReadOptions(scores={tier: f"scores.{tier}" for tier in TIERS})
    assert_is_base(read_tables([path], columns, options=options), costs=suffix != "csv")
    if suffix != "csv":
        assert_is_base(read_tables([path]))
    by_place = Columns(prompt="request.messages.0.content")
    assert_is_base(read_tables([path], by_place, options=options), costs=suffix != "csv")
