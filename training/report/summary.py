"""A run in a few lines of HTML, as notebooks show it."""

from __future__ import annotations

from training.measure.evaluate import Result
from training.report.figures import percent, usd
from training.report.markup import Html, tag, user
from training.report.verdict import verdict
from training.training import Training


def summary_html(training: Training) -> Html:
    """The verdict, what is promised, and every way of routing on the test rows."""
    judged = verdict(training)
    header = tag("tr", *(tag("th", name) for name in ("way of routing", "cost a request", "saved", "quality kept")))
    rows = [_row(result, result is training.result) for result in training.results]
    return tag(
        "div",
        tag("p", tag("strong", f"{judged.word}. "), f"{judged.sentence} {judged.promise}"),
        tag("table", tag("thead", header), tag("tbody", *rows)),
    )


def _row(result: Result, shipped: bool) -> Html:
    name = user(result.name)
    figures = (usd(result.cost), percent(result.saving), percent(result.kept))
    return tag(
        "tr", tag("td", tag("strong", name, " (shipped)") if shipped else name), *(tag("td", text) for text in figures)
    )
