"""What a look for drift found, as one self-contained page, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from training.drift.data import DriftReport
from training.drift.section import drift_section
from training.drift.words import advice, headline, moment
from training.report.figures import plural
from training.report.markup import Html, tag
from training.report.page import plain, whole_page

_TIMES = ("first", "last")


def drift_page(report: DriftReport) -> str:
    """The page: no scripts, nothing fetched from anywhere."""
    return whole_page(
        "Drift report", _opening(report), tag("section", tag("h2", "What was found"), drift_section(report))
    )


def drift_json(report: DriftReport) -> dict[str, Any]:
    """The report as plain data, `DriftReport` field by field; times are ISO 8601."""
    figures = asdict(report)
    for name in _TIMES:
        figures[name] = _iso(figures[name])
    for finding in figures["findings"]:
        for name in ("since", "alarm"):
            finding[name] = None if finding[name] is None else _iso(finding[name])
    told: dict[str, Any] = plain({"drifted": report.drifted, **figures})
    return told


def _opening(report: DriftReport) -> Html:
    word, mood = ("Drift", "stop") if report.findings else ("No drift", "good")
    if report.rows <= report.baseline and not report.findings:
        word, mood = "Too early", "caution"
    named = "" if report.artifact is None else f" \u00b7 artifact {report.artifact[:12]}"
    span = f"{moment(report.first)} to {moment(report.last)}"
    return tag(
        "header",
        tag("p", f"Drift report \u00b7 {plural(report.rows, 'request')}, {span}{named}", class_="eyebrow"),
        tag("p", word, class_=f"verdict {mood}"),
        tag("h1", headline(report)),
        tag("p", advice(report), class_="lead"),
    )


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
