"""What a look for drift found, as HTML that any report can hold."""

from __future__ import annotations

from training.drift.charts import evidence_chart, series_chart
from training.drift.data import DriftReport, Finding, GateView, PriceChange, TierView
from training.drift.findings import NO_TASK
from training.drift.words import amount, headline, moved_far, promise, when
from training.report.charts import value_bar
from training.report.data import RangedFigure
from training.report.figures import count, fixed, percent, percent_range, points, usd
from training.report.markup import Html, HtmlColumn, join, note, prose, table, tag, user
from training.report.sections.cells import capital, with_range

_MOVED = 12
_FULL_BAR = 0.5  # of PSI


def drift_section(report: DriftReport) -> Html:
    """The body of a section: findings, then evidence, answers, costs, requests and the gate. No prompts are in it."""
    return join(
        *([findings_list(report)] if report.findings else [prose(headline(report))]),
        *(_part(title, body) for title, body in _parts(report)),
        *(note(capital(each), ".") for each in report.notes),
    )


def findings_list(report: DriftReport) -> Html:
    """What changed, since when, how sure that is, and what to do."""
    return tag("ul", *map(_finding, report.findings), class_="cases")


def _parts(report: DriftReport) -> list[tuple[str, Html | None]]:
    return [
        ("Evidence over time", _evidence(report)),
        ("What the gate passes", _over_time(report, "passed", _PASSED)),
        ("Are answers as adequate as expected?", _adequacy(report)),
        ("What calls cost", _costs(report)),
        ("What is asked", _requests(report)),
        ("What the gate lets pass", _gate(report)),
    ]


def _part(title: str, body: Html | None) -> Html | None:
    return None if not body else join(tag("h3", title), body)


def _finding(finding: Finding) -> Html:
    known = when(finding)
    return tag(
        "li",
        tag("p", tag("b", f"{capital(finding.kind)}: "), user(finding.sentence), "."),
        None if known is None else tag("p", capital(known), ".", class_="where"),
        tag("p", f"What to do: {'; '.join(finding.remedy)}."),
    )


def _evidence(report: DriftReport) -> Html | None:
    if not report.evidence:
        return None
    return join(
        prose(
            "For each thing that is watched, how far the evidence that it has changed is from what an alarm takes. It "
            "falls back by itself where nothing changes. ",
            promise(report),
        ),
        tag("figure", evidence_chart(report)),
    )


_PASSED = (
    "Share of each tier's answers that the gate passes; dots with their 95% intervals are some neighbouring requests "
    "each, the dashed line is how often it passed answers to like requests before. Right of the thin line counts as "
    "lately."
)
_ADEQUATE = (
    "Adequacy by feedback, audits, and verdicts at what they were worth before (dots), and as the artifact expects it "
    "(dashed)."
)
_COST = "Cost of a call as a multiple of the expected one (geometric mean); dashed, what it was before."


def _over_time(report: DriftReport, measure: str, words: str) -> Html | None:
    found = [each for each in report.series if each.measure == measure]
    if not found:
        return None
    charts = [tag("figure", series_chart(each, report), tag("figcaption", tag("b", user(each.tier)))) for each in found]
    return join(prose(words), tag("div", *charts, class_="grid"))


def _adequacy(report: DriftReport) -> Html | None:
    charts = _over_time(report, "adequate", _ADEQUATE)
    if charts is None:
        return None
    columns = [
        HtmlColumn("Tier"),
        HtmlColumn("Answers", "number"),
        HtmlColumn("Passed before", "number"),
        HtmlColumn("Lately", "number"),
    ]
    columns += [HtmlColumn("Usual", "number"), HtmlColumn("Expected adequacy", "number"), HtmlColumn("Seen", "number")]
    columns.append(HtmlColumn("Off before", "number"))
    tasks = table(
        "Each tier's answers to each task lately",
        [
            HtmlColumn("Tier"),
            HtmlColumn("Task"),
            HtmlColumn("Answers", "number"),
            HtmlColumn("Expected", "number"),
            HtmlColumn("Seen", "number"),
        ],
        [
            (
                user(each.tier),
                NO_TASK if each.task is None else user(each.task),
                count(each.answers),
                percent(each.expected),
                with_range(each.adequate),
            )
            for each in report.tasks
        ],
    )
    return join(
        charts,
        table("Each tier before and lately", columns, [_tier(each) for each in report.tiers if each.answers]),
        tag("details", tag("summary", "Task by task"), tasks) if report.tasks else None,
    )


def _tier(tier: TierView) -> tuple[object, ...]:
    return (
        user(tier.name),
        count(tier.answers),
        _shares(tier.passes_before),
        _shares(tier.passes),
        "" if tier.usual is None else percent(tier.usual),
        "" if tier.expected is None else percent(tier.expected),
        _shares(tier.adequate),
        "" if tier.gap_before is None else points(tier.gap_before),
    )


def _shares(found: RangedFigure | None) -> object:
    return "" if found is None else with_range(found)


def _costs(report: DriftReport) -> Html | None:
    charts = _over_time(report, "cost", _COST)
    if not report.prices:
        return charts
    columns = [HtmlColumn("Tier"), HtmlColumn("Trained with", "number"), HtmlColumn("Today", "number")]
    rows = [(user(each.tier), *_prices(each)) for each in report.prices]
    return join(charts, table("USD per 1M tokens, input and output", columns, rows))


def _prices(change: PriceChange) -> tuple[str, str]:
    before, now = (
        "unknown" if pair[0] is None or pair[1] is None else f"{usd(pair[0])} / {usd(pair[1])}"
        for pair in (change.before, change.now)
    )
    return before, now


def _requests(report: DriftReport) -> Html | None:
    if not report.moved:
        return None
    far = len(moved_far(report))
    listed = report.moved[: max(min(far, _MOVED), 5)]
    columns = [
        HtmlColumn("Feature"),
        HtmlColumn("Before", "number"),
        HtmlColumn("Lately", "number"),
        HtmlColumn("PSI", "bar"),
    ]
    rows = [
        (
            each.what,
            amount(each, each.before),
            amount(each, each.after),
            join(fixed(each.psi), value_bar(each.psi / _FULL_BAR, "for")),
        )
        for each in listed
    ]
    noise = max(each.noise for each in listed)
    return join(
        prose(
            f"{count(far) if far else 'None'} of {count(len(report.moved))} features moved more than a little. PSI "
            "measures how far: below 0.1 little, above 0.25 much; without any change it would be about "
            f"{fixed(noise)} on so few requests. It describes, and gives no alarm."
        ),
        table("Features that moved most", columns, rows),
    )


def _gate(report: DriftReport) -> Html | None:
    if not report.gate:
        return None
    columns = [HtmlColumn("Tier"), HtmlColumn("False passes before", "number"), HtmlColumn("Lately", "number")]
    columns += [
        HtmlColumn("False fails before", "number"),
        HtmlColumn("Lately", "number"),
        HtmlColumn("Audits", "number"),
    ]
    return join(
        prose(
            "What audits say of verdicts: false passes are passed answers that are inadequate, false fails are answers "
            "that did not pass although they are adequate. Few audits make wide intervals."
        ),
        table("The gate's mistakes by audits", columns, [_mistakes(each) for each in report.gate]),
    )


def _mistakes(view: GateView) -> tuple[object, ...]:
    rates = (*view.false_pass, *view.false_fail)
    cells = [join(tag("span", percent(each.value)), tag("small", percent_range(each))) for each in rates]
    return (user(view.tier), *cells, " / ".join(count(sum(each)) for each in view.audits))
