"""Exports that a spreadsheet opens."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.outcomes import Outcome
from tests.helpers.outcomes import attempt, decision
from training.log.export import write_table
from training.tables import read_tables
from training.tables.formulas import guarded, unguarded

FORMULAS = ["=1+1", "+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1", "'=1", "''=cmd|'/c calc'!A1", "-2.5"]
PLAIN = ["'quoted' text", "'", "a=1", " =1", "it's", "0", "日本"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("cell", [*PLAIN, -2.5, -1, None, True])
def test_numbers_and_other_text_stay(cell: object) -> None:
    assert guarded(cell) is cell


@given(st.text() | st.text(alphabet="'=+-@\t\r\n1a"))
def test_reading_is_the_inverse_of_writing(text: str) -> None:
    assert unguarded(str(guarded(text))) == text
    assert str(guarded(text))[:1] not in {*"=+-@\t\r\n"}


@given(st.lists(st.sampled_from(FORMULAS + PLAIN), min_size=1, max_size=5, unique=True))
def test_an_export_holds_no_formulas_and_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("export") / "export.csv"
    given_texts = [f"{text} prompt" for text in texts]
    outcomes = [
        Outcome(
            decision(prompt=text, messages=None, task="=task", attempts=(attempt(0, passed=True, response=text),)), ()
        )
        for text in given_texts
    ]
    tier = outcomes[0].decision.attempts[0].tier
    write_table(path, outcomes, [tier], responses=True)
    with path.open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in {*"=+-@\t\r\n"}]
    assert sorted(request.text for request in read_tables([path]).requests) == sorted(given_texts)


def test_an_apostrophe_in_another_table_is_its_own(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("prompt,score__a,score__b\n'-5 degrees' is cold,1,0\n", encoding="utf-8")
    assert [request.text for request in read_tables([path]).requests] == ["'-5 degrees' is cold"]
