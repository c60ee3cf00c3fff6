"""Figures as benchmarks print them: read from their output, kept as JSON, written as Markdown.

A file of figures holds ``command`` (what prints them) and either ``printed``, a list of sentences and of tables with a
``title`` (or none), ``columns`` and ``rows`` of strings, or ``console``, the lines of its output as they are. Beside
the latter, ``after`` names a command that has to run before.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """A table of strings."""

    title: str | None
    columns: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        """As a Markdown table; columns of figures align right."""
        rule = f"|{'|'.join(map(_alignment, zip(*self.rows, strict=True)))}|"
        lines = [_row(self.columns), rule, *map(_row, self.rows)]
        return "\n".join([f"**{self.title}**", "", *lines] if self.title else lines)


Printed = PrintedTable | str


def read_output(output: str) -> list[Printed]:
    """What a benchmark printed: its boxed tables, each with the line above it as title, and the other lines."""
    found: list[Printed] = []
    for line in filter(None, map(str.rstrip, output.splitlines())):
        if line.startswith("┃"):
            title = found.pop() if found and isinstance(found[-1], str) else None
            found.append(PrintedTable(title, _cells(line, "┃"), []))
        elif line.startswith("│"):
            assert isinstance(found[-1], PrintedTable), f"a row without a heading: {line!r}"
            found[-1].rows.append(_cells(line, "│"))
        elif line[0] not in "┏┡└├":
            found.append(line)
    return found


def as_json(command: str, printed: list[Printed]) -> dict[str, Any]:
    """What a file of figures holds."""
    return {"command": command, "printed": [each if isinstance(each, str) else asdict(each) for each in printed]}


def as_markdown(figures: dict[str, Any]) -> str:
    """Tables and sentences with the command that prints them, or a console block."""
    if "console" in figures:
        return console(figures["command"], figures["console"])
    printed = [each if isinstance(each, str) else PrintedTable(**each).markdown() for each in figures["printed"]]
    return "\n\n".join([*printed, f"<sub>`{figures['command']}`</sub>"])


def console(command: str, lines: list[str]) -> str:
    """A block that shows a command and its output."""
    return "\n".join(["```console", f"$ {command}", *lines, "```"])


def _alignment(cells: tuple[str, ...]) -> str:
    """A column's, by its first cell that is not empty."""
    first = next(filter(None, cells), "")
    return "---:" if first.lstrip("+-$*")[:1].isdigit() else "---"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(line: str, bar: str) -> list[str]:
    return [cell.strip() for cell in line.strip(bar).split(bar)]
