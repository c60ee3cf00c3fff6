"""Scores are judged by their column: what is certain is scaled and said, what is not stops the reading."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.errors import InputError, TableError
from training.tables import OutcomeTable, ReadOptions, ScoreScale, UnsureError, parse_scale, read_tables
from training.tables.numbers import Mark, decimal_mark, written
from training.tables.scales import UnsureScale, judge_scale
from training.tables.words import folded_word, word_scores


def save(path: Path, cells: Sequence[tuple[Any, Any]], names: tuple[str, str] = ("score__a", "score__b")) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["prompt", *names])
        writer.writerows([f"prompt {number}", *row] for number, row in enumerate(cells))
    return path


def table_of(tmp_path: Path, cells: Sequence[tuple[Any, Any]], **options: Any) -> OutcomeTable:
    return read_tables([save(tmp_path / "a.csv", cells)], options=ReadOptions(**options))


def unsure(tmp_path: Path, cells: Sequence[tuple[Any, Any]]) -> UnsureError:
    with pytest.raises(UnsureError) as caught:
        table_of(tmp_path, cells)
    assert "\n" not in str(caught.value)
    return caught.value


def spread(values: Sequence[Any], count: int = 60) -> list[tuple[Any, Any]]:
    """Rows of two scores, all of the values in each column."""
    return [(values[row % len(values)], values[(row * 7 + 1) % len(values)]) for row in range(count)]


CERTAIN: dict[str, tuple[list[Any], list[float], str]] = {
    "stars": ([1, 2, 3, 4, 5], [0, 0.25, 0.5, 0.75, 1], "1..5"),
    "stars with halves": ([1, 2.5, 5], [0, 0.375, 1], "1..5"),
    "0 to 5": ([0, 2, 5], [0, 0.4, 1], "0..5"),
    "0 to 10": ([0, 3, 7.5, 10], [0, 0.3, 0.75, 1], "0..10"),
    "1 to 10": ([1, 4, 10], [0, 1 / 3, 1], "1..10"),
    "0 to 100": ([0, 40, 73.5, 95], [0, 0.4, 0.735, 0.95], "0..100"),
    "-1 to 1": ([-1, -0.5, 0.5, 1], [0, 0.25, 0.75, 1], "-1..1"),
    "thumbs": ([-1, 1], [0, 1], "-1..1"),
}


@pytest.mark.parametrize("kind", CERTAIN)
def test_scales_that_are_certain_are_scaled_and_said(tmp_path: Path, kind: str) -> None:
    found, wanted, scale = CERTAIN[kind]
    table = table_of(tmp_path, spread(found))
    np.testing.assert_allclose(table.scores, np.array(spread(wanted), float))
    assert table.files[0].notes == (f"scores are on {scale} and scaled to 0..1",)
    assert not table.problems


UNCERTAIN: dict[str, tuple[list[Any], str]] = {
    "stars from 3": ([3, 4, 5], "1..5"),
    "stars to 4": ([1, 2, 3, 4], "1..5"),
    "three grades": ([0, 1, 2], "0..2"),
    "half of ten": ([0, 3, 7], "0..10"),
    "one to nine": ([1, 5, 9], "1..10"),
    "few above one": ([0] * 20 + [1] * 20 + [85], "0..100"),
    "fractions and percentages": ([0.5, 0.85, 85, 90, 100], "0..100"),
    "low percentages": ([5, 20, 41], "0..100"),
    "minus one for nothing": ([-1, 0, 1], "-1..1"),
    "right and wrong beside percentages": ([0, 1, 1, 0, 40, 75, 100, 90], "0..100"),
    "right and wrong beside 0 to 10": ([0, 1, 1, 1, 0, 10], "0..10"),
    "thousands": ([900, 1200, 1500], "0..1500"),
    "losses": ([-3.2, -1.5, -0.2], "-4..1"),
}


@pytest.mark.parametrize("kind", UNCERTAIN)
def test_scales_that_are_not_certain_stop_the_reading_with_the_option(tmp_path: Path, kind: str) -> None:
    found, likely = UNCERTAIN[kind]
    error = unsure(tmp_path, spread(found, 200))
    assert (error.option, error.value) == ("scale", likely)
    assert "columns score__a, score__b: found" in str(error)
    low, high = map(float, likely.split(".."))
    table = table_of(tmp_path, spread(found, 200), scale=ScoreScale(low, high))
    np.testing.assert_allclose(table.scores, (np.array(spread(found, 200), float) - low) / (high - low))


def test_a_tier_whose_scores_never_reach_the_ends_shares_the_scale_of_the_others(tmp_path: Path) -> None:
    cells = [(1 + row % 5, 3 + row % 3) for row in range(60)]
    np.testing.assert_allclose(table_of(tmp_path, cells).scores, (np.array(cells) - 1) / 4)


@pytest.mark.parametrize(
    ("one", "other"), [([0, 1], [20, 60, 100]), ([1, 2, 3, 4, 5], [0, 50, 100]), ([0.2, 0.9], [1, 3, 5])]
)
def test_tiers_on_different_scales_are_asked_about(tmp_path: Path, one: list[Any], other: list[Any]) -> None:
    cells = [(one[row % len(one)], other[row % len(other)]) for row in range(60)]
    assert unsure(tmp_path, cells).option == "scale"


def test_a_tier_that_always_fails_is_on_any_scale(tmp_path: Path) -> None:
    table = table_of(tmp_path, [(0, 10 * (row % 11)) for row in range(66)])
    np.testing.assert_allclose(table.scores, [(0, (row % 11) / 10) for row in range(66)])


def test_a_few_numbers_beside_the_scale_are_bad_cells(tmp_path: Path) -> None:
    cells: list[tuple[Any, Any]] = [(row % 2, 1) for row in range(100)]
    cells[7], cells[9] = (85, 1), (1, 1.5)
    table = table_of(tmp_path, cells)
    assert [(problem.row, problem.column, problem.found) for problem in table.problems] == [
        (8, "score__a", "'85'"),
        (10, "score__b", "'1.5'"),
    ]
    assert np.isnan(table.scores).sum() == 2


WORDS = {
    "pass and fail": (["pass", "FAIL", "Passed", "failed"], [1, 0, 1, 0]),
    "promptfoo": (["[PASS]", "[FAIL]", "[ERROR]", "[PASS]"], [1, 0, np.nan, 1]),
    "inspect": (["C", "I", "P", "N"], [1, 0, 0.5, 0]),
    "letters of pass": (["P", "F", "P", "F"], [1, 0, 1, 0]),
    "yes": (["yes", "No", "Y", "N"], [1, 0, 1, 0]),
    "truth": (["TRUE", "false", "T", "F"], [1, 0, 1, 0]),
    "correct": (["correct", "Incorrect", "partially correct", "wrong"], [1, 0, 0.5, 0]),
    "Excel in German": (["WAHR", "FALSCH", "WAHR", "FALSCH"], [1, 0, 1, 0]),
    "thumbs": (["👍", "👎", "👍", "👎"], [1, 0, 1, 0]),
    "ticks": (["✓", "✗", "✅", "❌"], [1, 0, 1, 0]),
    "percentages": (["85%", "100 %", "0%", "12.5%"], [0.85, 1, 0, 0.125]),
    "percentages with commas": (["85,5%", "100%", "0 %", "12,5 %"], [0.855, 1, 0, 0.125]),
    "parts of a whole": (["4/5", "10/10", "0 / 10", "3 out of 4"], [0.8, 1, 0, 0.75]),
    "decimal commas": (["0,85", "1", "0", "0,125"], [0.85, 1, 0, 0.125]),
    "decimal places": (["0.850", "1.000", "0.000", "0.125"], [0.85, 1, 0, 0.125]),
    "nothing": (["1", "N/A", "-", "#N/A"], [1, np.nan, np.nan, np.nan]),
    "words and numbers": (["true", "0.5", "0", "no"], [1, 0.5, 0, 0]),
}


@pytest.mark.parametrize("kind", WORDS)
def test_words_and_ways_of_writing_numbers(tmp_path: Path, kind: str) -> None:
    found, wanted = WORDS[kind]
    table = table_of(tmp_path, spread(found))
    np.testing.assert_allclose(table.scores, np.array(spread(wanted), float))
    assert not table.problems
    plain = kind in ("decimal places", "nothing")
    assert bool(table.files[0].notes) != plain


def test_native_booleans_and_nulls(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"prompt": f"p{row}", "score__a": row % 2 == 0, "score__b": None if row % 3 else 1} for row in range(9)]
    path.write_text("\n".join(map(json.dumps, rows)))
    table = read_tables([path])
    np.testing.assert_array_equal(table.scores[:3], [[1, 1], [0, np.nan], [1, np.nan]])
    assert table.files[0].notes == ("scores: true = 1, false = 0",)


MIXED = {
    "letter grades": ["A", "B", "C", "D", "F"],
    "words of one's own": ["great", "meh", "terrible"],
    "words beside stars": ["pass", "3", "5"],
    "percentages beside numbers": ["85%", "0.7", "1"],
    "truth beside stars": ["true", "5", "1"],
    "a letter that means two things": ["P", "P", "N"],
    "clocks": ["12:30", "01:15"],
}


@pytest.mark.parametrize("kind", MIXED)
def test_what_may_mean_several_things_stops_the_reading(tmp_path: Path, kind: str) -> None:
    assert unsure(tmp_path, spread(MIXED[kind])).option == "scale"


def test_words_that_the_user_explains(tmp_path: Path) -> None:
    table = table_of(tmp_path, spread(["A", "B", "F"]), scale=parse_scale("A=1, b=0.5, F=0"))
    np.testing.assert_allclose(table.scores, np.array(spread([1, 0.5, 0])))
    assert table.files[0].notes == ("scores: a = 1, b = 0.5, f = 0",)


@pytest.mark.parametrize("text", ["5..1", "1..1", "1", "good", "A=2", "=1", "a=x", "nan..1", "1..inf"])
def test_scales_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="scale: found"):
        parse_scale(text)


@pytest.mark.parametrize(
    ("text", "ends"), [("0..10", (0, 10)), ("-1..1", (-1, 1)), ("0.5..2.5", (0.5, 2.5)), ("1:5", (1, 5))]
)
def test_scales_as_text(text: str, ends: tuple[float, float]) -> None:
    found = parse_scale(text)
    assert (found.low, found.high) == ends


def test_files_on_different_scales_are_asked_about(tmp_path: Path) -> None:
    header = ["prompt", "model", "score"]
    for name, scores in (("a", [0, 1]), ("b", [1, 2, 3, 4, 5])):
        with (tmp_path / f"{name}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([header, *([f"p{row}", name, scores[row % len(scores)]] for row in range(60))])
    with pytest.raises(UnsureError, match=r"found scores on 0\.\.1, and on 1\.\.5 in") as caught:
        read_tables([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert caught.value.option == "scale"


def test_more_than_a_few_bad_rows_stop_the_reading(tmp_path: Path) -> None:
    cells: list[tuple[Any, Any]] = [(row % 2, 1) for row in range(100)]
    path = save(tmp_path / "a.csv", cells)
    lines = path.read_text().splitlines()
    for bad in range(10, 16):
        lines[bad] = ",1,1"
    path.write_text("\n".join(lines))
    with pytest.raises(UnsureError, match=r"6 of its 100 rows cannot be used, 6 like this one: .*row 10") as caught:
        read_tables([path])
    assert (caught.value.option, caught.value.value) == ("skip_bad", True)
    table = read_tables([path], options=ReadOptions(skip_bad=True))
    assert len(table.requests) == 94
    assert len(table.problems) == 6
    lines[10] = "back,1,1"
    path.write_text("\n".join(lines))
    assert len(read_tables([path]).requests) == 95


def test_more_than_a_few_bad_cells_of_a_column_stop_the_reading(tmp_path: Path) -> None:
    cells = [(row % 2, "cheap" if row < 6 else 1) for row in range(100)]
    path = save(tmp_path / "a.csv", cells, ("score__a", "cost__a"))
    with pytest.raises(UnsureError, match="6 of its 100 cells of column cost__a cannot be used"):
        read_tables([path])


def test_scores_that_are_not_there_are_no_bad_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [["prompt", "model", "score"], *([f"p{row}", "a", "" if row % 2 else 1] for row in range(100))]
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    assert len(read_tables([path]).requests) == 50


@given(st.lists(st.floats(0, 1), min_size=1))
def test_scores_from_0_to_1_are_never_scaled(values: list[float]) -> None:
    assert judge_scale(np.array(values)) == ScoreScale()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_a_scale_holds_all_scores_but_a_few(values: list[float]) -> None:
    found = judge_scale(np.array(values))
    scale = found.likely if isinstance(found, UnsureScale) else found
    assert np.isnan(scale.unit(np.array(values))).sum() <= max(2, 0.002 * len(values))


@given(st.floats(0, 1e9), st.sampled_from(["en", "de"]))
def test_numbers_come_back_as_they_were_written(value: float, language: str) -> None:
    plain = f"{value:,.2f}"
    text = plain if language == "en" else plain.translate(str.maketrans(",.", ".,"))
    number = written(text)
    assert number is not None
    mark = decimal_mark([number], points=False)
    if mark is None:  # nothing else in the file settles it
        assert len(number.marks) == 2
    else:
        assert number.value(mark) == pytest.approx(round(value, 2))


def test_marks_that_only_others_settle() -> None:
    ambiguous, comma, point = written("1,234"), written("0,5"), written("0.5")
    assert ambiguous is not None
    assert comma is not None
    assert point is not None
    assert decimal_mark([ambiguous], points=False) is None
    assert decimal_mark([ambiguous, comma], points=False) is Mark.COMMA
    assert decimal_mark([ambiguous], points=True) is Mark.POINT
    assert decimal_mark([ambiguous, comma, point], points=False) is None
    assert decimal_mark([comma, point], points=False) is Mark.POINT
    assert (ambiguous.value(Mark.COMMA), ambiguous.value(Mark.POINT)) == (1.234, 1234.0)


@given(st.sets(st.text(max_size=6), max_size=5))
def test_words_are_worth_0_to_1_or_nothing(words: set[str]) -> None:
    folded = {folded_word(word) for word in words}
    found = word_scores(folded)
    assert set(found) <= folded
    assert all(score != score or 0 <= score <= 1 for score in found.values())


def test_the_prompt_never_stands_in_a_message(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", [("my secret answer that is long and private", 1)] * 60)
    with pytest.raises(TableError) as caught:
        read_tables([path])
    assert "private" not in str(caught.value)
