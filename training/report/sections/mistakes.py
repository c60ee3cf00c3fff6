"""The rows that went worst."""

from __future__ import annotations

from training.report.data import MistakeCase, ReportData
from training.report.figures import percent, plural, score, usd
from training.report.markup import Html, join, note, prose, tag, user


def mistakes(data: ReportData) -> Html:
    """Where most quality was lost, and where most money was spent for nothing."""
    found = data.mistakes
    if found is None:
        return Html()
    return join(
        prose(
            f"Of {plural(found.rows, 'test row')} with every score known, {plural(found.lost_rows, 'row')} lost "
            "quality against ",
            user(data.reference),
            f"; on {plural(found.overpaid_rows, 'row')} a cheaper tier would have been as good, and "
            f"{percent(found.overpaid_share)} of the money spent would have been saved.",
        ),
        _cases("Lost most quality", found.lost, f"No row did worse than {data.reference}."),
        _cases("Overpaid most for a right answer", found.overpaid, "No right answer was to be had for less."),
    )


def _cases(title: str, cases: tuple[MistakeCase, ...], none: str) -> Html:
    listed = tag("ol", *map(_case, cases), class_="cases") if cases else note(none)
    return tag("section", tag("h3", title), listed)


def _case(case: MistakeCase) -> Html:
    task = None if case.task is None else join(" \u00b7 ", user(case.task))
    return tag(
        "li",
        None if case.prompt is None else tag("blockquote", case.prompt, dir="auto"),
        tag("p", user(case.file), f" row {case.row}", task, class_="where"),
        prose(
            "chose ",
            tag("b", user(case.chosen)),
            f" ({usd(case.chosen_cost)}): scored {score(case.chosen_score)}, {score(case.expected)} was expected; ",
            tag("b", user(case.better)),
            f" ({usd(case.better_cost)}) scored {score(case.better_score)}",
        ),
    )
