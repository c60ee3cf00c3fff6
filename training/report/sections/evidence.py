"""The evidence: the cost-quality curve, every way of routing, the certificates."""

from __future__ import annotations

from training.report.charts import cost_quality, tier_key, value_bar
from training.report.data import CurveData, ReportData, RouteSummary
from training.report.figures import count, percent, plural, score, usd
from training.report.ladder import LadderStep
from training.report.markup import Html, HtmlColumn, join, note, prose, table, tag, user
from training.report.sections.cells import tier_shares, with_range


def curve(data: ReportData) -> Html:
    """Cost against quality of every way of routing."""
    recovered = data.curve.gap_recovered
    return join(
        prose(
            "Up and to the left is better. The solid line is the learned router at every setting of its price weight. "
            "The thin line is kNN: the most similar training rows decide. The dashed line is a random choice between "
            "tiers. The oracle knows every answer beforehand; no router reaches it. The cross on the mark of what is "
            "shipped is its 95% interval.",
            " The router\u2019s own mark stands beside the line where certifying it took a bonus for the reference."
            if data.reproduction.reference_bonus
            else None,
        ),
        tag("figure", cost_quality(data)),
        note("At best settings, in hindsight: ", ", ".join(_reached(*point) for point in data.curve.cost_at), "."),
        _average(data.curve),
        None if recovered is None else _gap_recovered(data, recovered),
    )


def comparison(data: ReportData) -> Html:
    """Every way of routing beside what is shipped."""
    columns = [
        HtmlColumn("Way of routing"),
        HtmlColumn("USD a month" if data.money.unit == "a month" else "USD per 1,000", "number"),
        HtmlColumn("Cost saved", "number"),
        *([] if data.today is None else [HtmlColumn(f"Saved against {data.today.tier}", "number")]),
        HtmlColumn("Quality kept", "number"),
        HtmlColumn("Requests per tier", "bar"),
    ]
    rows = [
        (
            _route_name(route),
            usd(data.money.before * (1 - route.saving.value)),
            with_range(route.saving),
            *([] if route.saving_today is None else [percent(route.saving_today)]),
            with_range(route.kept),
            tier_shares(route.shares, data.names),
        )
        for route in data.routes
    ]
    marked = {number for number, route in enumerate(data.routes) if route.shipped or route.offered}
    caption = f"Ways of routing on {plural(data.test_rows, 'test row')}"
    return join(
        prose(
            "Quality kept is the mean score as a share of that of always ",
            user(data.reference),
            ". A row that looks better than what is taken says why it was not taken.",
        ),
        tier_key(data.names),
        table(caption, columns, rows, marked=marked),
    )


def ladder(data: ReportData) -> Html:
    """What can be promised, from the strictest target to the loosest."""
    if not data.ladder:
        return Html()
    columns = [
        HtmlColumn("Quality lost, at most"),
        HtmlColumn("Certified"),
        HtmlColumn("Cost saved", "number"),
        HtmlColumn("", "bar"),
        HtmlColumn("Cost", "number"),
        HtmlColumn("Quality kept", "number"),
        HtmlColumn("Rows needed", "number"),
    ]
    promised = {number for number, step in enumerate(data.ladder) if step.target == data.target}
    return join(
        prose(
            "How much may be lost is chosen per deployment or per request. All certificates hold at once. Where a "
            "target could not be certified, requests go to the reference, and the last column says how many rows for "
            "choosing the rule would be needed. Savings and quality are those of the test rows."
        ),
        table("Certified targets", columns, map(_step, data.ladder), marked=promised),
    )


def _reached(target: float, cost: float | None) -> str:
    bought = "no setting" if cost is None else f"{percent(cost)} of the cost"
    return f"{percent(target, 0)} of the quality for {bought}"


def _average(curve: CurveData) -> Html | None:
    if curve.average is None or curve.mix_average is None:
        return None
    return note(
        f"Averaged over all costs from the cheapest tier\u2019s to the dearest\u2019s, the learned router keeps "
        f"{percent(curve.average)} of the quality (AIQ), tossing a coin {percent(curve.mix_average)}."
    )


def _gap_recovered(data: ReportData, recovered: float) -> Html:
    weak, strong = data.names
    calls = " and ".join(f"{percent(share, 0)} of it takes {percent(calls)}" for share, calls in data.curve.calls_for)
    return note(
        f"Of the gap in quality between {weak} and {strong}, {percent(recovered)} is recovered on average over all "
        f"shares of requests sent to the latter (APGR; a random order gives 50%); {calls} of the requests (CPT)."
    )


def _route_name(route: RouteSummary) -> Html:
    mark = " certified, saves most" if route.offered else " shipped" if route.shipped else None
    return join(
        user(route.name),
        None if mark is None else tag("span", mark, class_="mark"),
        None if route.why_not is None else tag("small", route.why_not, class_="why"),
    )


def _step(step: LadderStep) -> tuple[object, ...]:
    target = percent(step.target) if step.relative else f"{score(step.target)} points"
    if not step.certified:
        needed = "none would do" if step.rows_needed is None else f"about {count(step.rows_needed)}"
        return target, "no", "", "", "", "", needed
    bar = value_bar(step.saving)
    return target, "yes", percent(step.saving), bar, percent(step.cost_share), percent(step.kept), ""
