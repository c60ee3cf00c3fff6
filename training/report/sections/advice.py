"""For the person who decides: what to do next, and what the report does not say."""

from __future__ import annotations

from training.report.data import ReportData
from training.report.markup import Html, tag


def next_steps(data: ReportData) -> Html:
    """What to do, the first thing first."""
    return tag("ol", *(tag("li", step) for step in data.next_steps), class_="steps") if data.next_steps else Html()


def limits(data: ReportData) -> Html:
    """What the figures do not cover."""
    return tag("ul", *(tag("li", limit) for limit in data.limits), class_="facts") if data.limits else Html()
