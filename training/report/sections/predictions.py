"""Whether predictions mean what they say, and whether the right tier was chosen."""

from __future__ import annotations

from training.report.charts import reliability_chart
from training.report.data import Confusion, Reliability, ReportData
from training.report.figures import count, percent, percent_range, plural
from training.report.markup import Html, HtmlColumn, join, note, prose, table, tag, user
from training.report.sections.cells import FEW_TIERS


def calibration(data: ReportData) -> Html:
    """Predicted against observed, tier by tier."""
    if not data.reliability:
        return Html()
    drawn = [found for found in data.reliability if found.measure == "score" or len(data.names) <= FEW_TIERS]
    return join(
        prose(
            "Predicted against observed on the test rows. Each dot is a tenth of the rows, with its 95% interval; on "
            "the diagonal, predictions mean what they say. The error is the mean distance from it, weighted by rows "
            "(ECE); beside it, what perfect predictions would show on so few rows. ",
            _measures(data),
        ),
        tag("div", *map(_chart, drawn or data.reliability), class_="grid"),
        tag("details", tag("summary", "The same in figures"), *map(_bins, data.reliability)),
    )


def confusion(data: ReportData) -> Html:
    """The cheapest adequate tier against the chosen one."""
    found = data.confusion
    if found is None:
        return Html()
    columns = [HtmlColumn("Cheapest adequate tier"), *(HtmlColumn(f"chose {name}", "number") for name in data.names)]
    rows = [
        (user(name), *(_cell(found.counts[needed], needed, chosen) for chosen in range(len(data.names))))
        for needed, name in enumerate(data.names)
    ]
    left_out = note(f"{plural(found.left_out, 'row')} with an unobserved score left out.") if found.left_out else None
    return join(
        _summary(found, data.reference),
        table("Cheapest adequate tier against chosen tier, test rows", columns, rows),
        left_out,
    )


def _measures(data: ReportData) -> str | None:
    if {found.measure for found in data.reliability} != {"score", "adequacy"}:
        return None
    return f"Score is what the rule weighs; adequacy, that an answer is no worse than that of {data.reference}."


def _chart(found: Reliability) -> Html:
    figures = f"error {percent(found.error)} ({percent(found.chance)} by chance) \u00b7 {plural(found.rows, 'row')}"
    caption = tag("figcaption", tag("b", user(found.tier), f", {found.measure}"), tag("span", figures))
    return tag("figure", reliability_chart(found), caption)


def _bins(found: Reliability) -> Html:
    columns = [
        HtmlColumn("Predicted"),
        HtmlColumn("Observed", "number"),
        HtmlColumn("95% interval", "number"),
        HtmlColumn("Rows", "number"),
    ]
    rows = (
        (percent(each.predicted), percent(each.observed.value), percent_range(each.observed), count(each.rows))
        for each in found.bins
    )
    return table(f"{found.tier}, {found.measure}", columns, rows)


def _summary(found: Confusion, reference: str) -> Html:
    total = sum(map(sum, found.counts))
    right = sum(row[place] for place, row in enumerate(found.counts))
    dearer = sum(sum(row[place + 1 :]) for place, row in enumerate(found.counts))
    return prose(
        f"Of {plural(total, 'test row')}, {percent(right / total)} went to the cheapest tier that was no worse than ",
        user(reference),
        f"; {percent(dearer / total)} went to a dearer one, {percent((total - right - dearer) / total)} to one that "
        "was too cheap. A router that promises to keep quality errs on the dear side: in the table, to the right of "
        "the diagonal.",
    )


def _cell(counts: tuple[int, ...], needed: int, chosen: int) -> Html:
    """A count, tinted by its share of the rows that needed the tier, and by which way it errs."""
    side = "right" if needed == chosen else "dear" if chosen > needed else "cheap"
    share = counts[chosen] / max(1, sum(counts))
    return tag("span", count(counts[chosen]), class_=f"heat {side}", style=f"--share:{share * 100:.0f}%")
