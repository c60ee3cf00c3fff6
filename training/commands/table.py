"""Tables in a terminal: as wide as they need, never so narrow that a figure or a name is cut.

A table that does not fit has its headings broken into lines and its columns of words wrapped; where that is not enough,
each row becomes a heading with a line a value under it::

    tier   chosen  answered  mean cost          haiku
    haiku     812       790    $0.0012    ->      chosen: 812
    opus      188       210    $0.0431            answered: 790
                                                  mean cost: $0.0012
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from classifier.escapes import lines_for_terminal

_MARKED = "bold green"
_GAP = 2
_LONG_WORD = 24  # a longer word in a column of words is folded


@dataclass(frozen=True, slots=True)
class Column:
    """A column: figures stand on the right, words may be wrapped, names are neither."""

    name: str
    right: bool = False
    wrapped: bool = False


def names(heading: str) -> Column:
    """A column of names, which are not broken."""
    return Column(heading)


def figures(heading: str) -> Column:
    """A column of figures, which are not broken and stand on the right."""
    return Column(heading, right=True)


def words(heading: str) -> Column:
    """A column of text, which is wrapped where there is no room."""
    return Column(heading, wrapped=True)


def show_table(
    console: Console,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    marked: Collection[int] = (),
) -> None:
    """Print a table in the form that fits the console.

    Parameters
    ----------
    rows : a text a column each; square brackets are no markup. The first column is what a row is called.
    marked : numbers of the rows that stand out.
    """
    if title:
        console.print(escape(title), highlight=False)
    kept = [place for place, column in enumerate(columns) if column.name or any(row[place] for row in rows)]
    columns, rows = [columns[place] for place in kept], [[row[place] for place in kept] for row in rows]
    room = console.width - _GAP * (len(columns) - 1)
    for headings in ([column.name for column in columns], [_broken(column.name) for column in columns]):
        if sum(map(_least_width, columns, headings, zip(*rows, strict=True))) <= room:
            console.print(_table(columns, headings, rows, marked), highlight=False)
            return
    _show_stacked(console, columns, rows, marked)


def _broken(heading: str) -> str:
    return heading.replace(" ", "\n")


def _least_width(column: Column, heading: str, cells: Sequence[str]) -> int:
    """Cells of the terminal that a column takes at the least."""
    shown = [heading.split("\n"), *([cell.split() if column.wrapped else [cell] for cell in cells])]
    longest = max((_width(part) for parts in shown for part in parts), default=0)
    return min(longest, max(_LONG_WORD, _width(heading))) if column.wrapped else longest


def _width(text: str) -> int:
    return cell_len(lines_for_terminal(text))


def _table(
    columns: Sequence[Column], headings: Sequence[str], rows: Sequence[Sequence[str]], marked: Collection[int]
) -> Table:
    headed = any(headings)
    table = Table(box=SIMPLE_HEAD if headed else None, show_header=headed, show_edge=False, pad_edge=False)
    table.padding = (0, _GAP, 0, 0)
    for column, heading, cells in zip(columns, headings, zip(*rows, strict=True), strict=True):
        table.add_column(
            escape(heading),
            justify="right" if column.right else "left",
            no_wrap=not column.wrapped,
            overflow="fold",
            min_width=_least_width(column, heading, cells),
            vertical="top",
        )
    for number, row in enumerate(rows):
        table.add_row(*map(escape, row), style=_MARKED if number in marked else None)
    return table


def _show_stacked(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]], marked: Collection[int]
) -> None:
    for number, (first, *others) in enumerate(rows):
        style = _MARKED if number in marked else "bold"
        console.print(escape(first), style=style, highlight=False, soft_wrap=True)
        for column, text in zip(columns[1:], others, strict=True):
            if text:
                named = f"{column.name}: {text}" if column.name else text
                console.print(f"  {escape(named)}", highlight=False, soft_wrap=True)
