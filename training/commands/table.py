"""Tables in a terminal: as wide as they need, never so narrow that a figure or a name is cut.

A table that does not fit has the headings of its figures broken into lines, its columns of words wrapped, and then its
columns moved closer. Where all that is not enough, each row becomes a heading with its values under it::

    tier   chosen  answered  mean cost          haiku
    haiku     812       790    $0.0012    ->      chosen: 812  answered: 790
    opus      188       210    $0.0431            mean cost: $0.0012
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from classifier.escapes import lines_for_terminal

_MARKED = "bold green"
_FORMS = ((False, 2), (True, 2), (True, 1))  # headings broken, spaces between columns
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
    if title or any(column.name for column in columns):
        console.print()
    if title:
        console.print(escape(title), highlight=False)
    kept = [place for place, _ in enumerate(columns) if not place or any(row[place] for row in rows)]
    columns, rows = [columns[place] for place in kept], [[row[place] for place in kept] for row in rows]
    for broken, gap in _FORMS:
        shown = [_broken(column) for column in columns] if broken else columns
        if _least(shown, rows, gap) <= console.width:
            console.print(_table(shown, rows, marked, gap), highlight=False)
            return
    for number, row in enumerate(rows):
        _show_stacked(console, columns, row, _MARKED if number in marked else "bold")


def _broken(column: Column) -> Column:
    return replace(column, name=column.name.replace(" ", "\n")) if column.right else column


def _least(columns: Sequence[Column], rows: Sequence[Sequence[str]], gap: int) -> int:
    """Cells of the terminal that a table takes at the least."""
    cells = zip(*rows, strict=True) if rows else [()] * len(columns)
    return sum(map(_least_width, columns, cells)) + gap * (len(columns) - 1)


def _least_width(column: Column, cells: Sequence[str]) -> int:
    """The same of a column."""
    heading = max(map(_width, column.name.split("\n")))
    parts = (part for cell in cells for part in (cell.split() if column.wrapped else [cell]))
    longest = max(map(_width, parts), default=0)
    return max(heading, min(longest, _LONG_WORD) if column.wrapped else longest)


def _width(text: str) -> int:
    return cell_len(lines_for_terminal(text))


def _table(columns: Sequence[Column], rows: Sequence[Sequence[str]], marked: Collection[int], gap: int) -> Table:
    headed = any(column.name for column in columns)
    table = Table(box=SIMPLE_HEAD if headed else None, show_header=headed, show_edge=False, pad_edge=False)
    table.padding = (0, gap - headed, 0, 0)  # the box parts columns by one space of its own
    for place, column in enumerate(columns):
        table.add_column(
            escape(column.name),
            justify="right" if column.right else "left",
            no_wrap=not column.wrapped,
            overflow="fold",
            min_width=_least_width(column, [row[place] for row in rows]),
        )
    for number, row in enumerate(rows):
        table.add_row(*map(escape, row), style=_MARKED if number in marked else None)
    return table


def _show_stacked(console: Console, columns: Sequence[Column], row: Sequence[str], style: str) -> None:
    """A row as a heading and its values, short ones side by side, words on lines of their own."""
    console.print(escape(row[0]), style=style, highlight=False, soft_wrap=True)
    line = ""
    for column, text in zip(columns[1:], row[1:], strict=True):
        named = f"  {column.name}: {text}" if column.name else f"  {text}"
        if line and (column.wrapped or _width(line + named) > console.width):
            console.print(escape(line), highlight=False, soft_wrap=True)
            line = ""
        line += named if text else ""
    if line:
        console.print(escape(line), highlight=False, soft_wrap=True)
