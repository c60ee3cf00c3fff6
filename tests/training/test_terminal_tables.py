"""Tables in a terminal: whatever the width, no figure and no name is cut."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from training.commands.table import Column, figures, names, show_table, words
from training.commands.terminal import Terminal

COLUMNS = (names("tier"), figures("chosen"), figures("mean cost"), words("why"))
ROWS = [
    ("haiku", "812", "$0.0012", "cheap and good enough for most of what is asked"),
    ("opus", "188", "$0.0431", ""),
]
TEXT = st.text(st.characters(categories=("L", "N", "P", "S"), exclude_characters="\u202e"), max_size=12)
NAME = TEXT.filter(bool)


def printed(columns: tuple[Column, ...], rows: list[tuple[str, ...]], width: int, **options: object) -> str:
    console = Terminal()
    console.file, console.width = io.StringIO(), width
    show_table(console, columns, rows, **options)  # type: ignore[arg-type]
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_a_table_that_fits_has_a_line_a_row() -> None:
    lines = [line.split() for line in printed(COLUMNS, ROWS, 200).splitlines()]
    assert lines[1] == ["tier", "chosen", "mean", "cost", "why"]
    assert lines[3] == ["haiku", "812", "$0.0012", *ROWS[0][3].split()]
    assert lines[4] == ["opus", "188", "$0.0431"]


def test_words_are_wrapped_before_anything_else() -> None:
    lines = printed(COLUMNS, ROWS, 50).splitlines()
    assert all(cell_len(line) <= 50 for line in lines)
    assert lines[3].split()[:3] == ["haiku", "812", "$0.0012"]
    assert len(lines) > 6


def test_a_row_that_fits_nowhere_is_a_heading_with_its_values() -> None:
    assert printed(COLUMNS, ROWS, 24).splitlines() == [
        "",
        "haiku",
        "  chosen: 812",
        "  mean cost: $0.0012",
        f"  why: {ROWS[0][3]}",
        "opus",
        "  chosen: 188",
        "  mean cost: $0.0431",
    ]


def test_a_column_without_a_value_is_left_out() -> None:
    assert "why" not in printed(COLUMNS, [ROWS[1]], 80)


def test_square_brackets_are_no_markup() -> None:
    assert "[bold]x[/]" in printed((names("[red]"), figures("n")), [("[bold]x[/]", "1")], 80, title="[/]")


def test_a_table_without_headings_has_no_rule() -> None:
    assert printed((names(""), words("")), [("rule", "learned")], 80).split() == ["rule", "learned"]


@pytest.mark.parametrize("width", [1, 20, 80, 200])
@given(
    headings=st.lists(NAME, min_size=3, max_size=3),
    rows=st.lists(st.tuples(NAME, TEXT, TEXT), min_size=1, max_size=4),
)
def test_no_character_is_lost_at_any_width(width: int, headings: list[str], rows: list[tuple[str, str, str]]) -> None:
    columns = (names(headings[0]), figures(headings[1]), words(headings[2]))
    shown = squeezed(printed(columns, rows, width)).replace("─", "")
    for row in rows:
        for column, cell in zip(columns, row, strict=True):
            if not column.wrapped or width == 200:
                assert squeezed(cell).replace("─", "") in shown


@pytest.mark.parametrize("width", [40, 80, 200])
@given(rows=st.lists(st.tuples(NAME, TEXT), min_size=1, max_size=4))
def test_no_line_of_a_table_is_wider_than_the_terminal(width: int, rows: list[tuple[str, str]]) -> None:
    shown = printed((names("name"), figures("figure")), rows, width)
    assert all(cell_len(line) <= width for line in shown.splitlines())
