"""The report as one self-contained file, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from classifier.files import atomic_write
from training.report.data import ReportData
from training.report.markup import Html, printable, tag
from training.report.sections import SECTIONS, Heading, opening


def report_html(data: ReportData, first: Sequence[tuple[Heading, Html]] = ()) -> str:
    """The page: no scripts, nothing fetched from anywhere.

    Parameters
    ----------
    first : sections that are not of the run itself, before the others.
    """
    sections = [(section.heading, section.body(data)) for section in SECTIONS]
    shown = [(heading, body) for heading, body in (*first, *sections) if body]
    tables = ", ".join(file.name for file in data.notes.files)
    contents = _contents([heading for heading, _ in shown])
    return whole_page(f"Routing report: {tables}", opening(data), contents, *(_framed(*each) for each in shown))


def whole_page(title: str, *parts: object) -> str:
    """A page in the report's style."""
    style = files("training.report").joinpath("report.css").read_text(encoding="utf-8")
    head = [
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark">'),
        Html("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"),
        tag("title", title),
        tag("style", Html(style)),
    ]
    return f'<!doctype html>\n<html lang="en">{tag("head", *head)}{tag("body", tag("main", *parts))}</html>\n'


def report_json(data: ReportData) -> dict[str, Any]:
    """The same figures as plain data that any JSON writer takes: tuples as lists, numbers that are none as None."""
    figures: dict[str, Any] = plain(asdict(data))
    return figures


def write_report(data: ReportData, path: Path, first: Sequence[tuple[Heading, Html]] = ()) -> None:
    """Write the page; see `report_html` and `write_page`."""
    write_page(report_html(data, first), path)


def write_page(page: str, path: Path) -> None:
    """Write a page in one piece: whoever reads the file sees the old one or the new one."""
    with atomic_write(path) as draft:
        draft.write_text(page, encoding="utf-8")


def _contents(headings: list[Heading]) -> Html:
    links = [tag("li", tag("a", heading.title, href=f"#{heading.anchor}")) for heading in headings]
    return tag("nav", tag("ul", *links), aria_label="Contents")


def _framed(heading: Heading, body: Html) -> Html:
    named = f"{heading.anchor}-title"
    return tag("section", tag("h2", heading.title, id=named), body, id=heading.anchor, aria_labelledby=named)


def plain(value: Any) -> Any:
    """A value as data that any JSON writer takes: tuples as lists, times as text, numbers that are none as None."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    return printable(value) if isinstance(value, str) else value
