"""The opening: what is off, the verdict, the money, the promise."""

from __future__ import annotations

from training.report.data import RangedFigure, ReportData
from training.report.figures import percent, plural, points, usd, usd_range
from training.report.markup import Html, note, tag, user
from training.report.sections.cells import capital, known_range

_COSTS_KNOWN = "the table's cost column"


def opening(data: ReportData) -> Html:
    """Everything that someone reads who reads no further."""
    judged = data.verdict
    title = judged.sentence
    if data.money.unit == "a month" and data.money.after.value < data.money.before:
        title = f"{usd(data.money.before)} a month becomes {usd(data.money.after.value)}."
    tables = ", ".join(file.name for file in data.notes.files)
    rows = plural(data.notes.rows, "row")
    return tag(
        "header",
        tag("p", "Routing report \u00b7 ", user(tables), f" \u00b7 {rows}", class_="eyebrow"),
        _warnings(judged.warnings),
        tag("p", judged.word, class_=f"verdict {judged.mood}"),
        tag("h1", title),
        tag("p", None if title == judged.sentence else f"{judged.sentence} ", judged.promise, class_="lead"),
        _assumptions(judged.assumptions),
        _money(data),
        _figures(data),
        _basis(data),
    )


def _warnings(said: tuple[str, ...]) -> Html | None:
    if not said:
        return None
    return tag("ul", *(tag("li", warning) for warning in said), class_="warnings", aria_label="Warnings")


def _assumptions(said: tuple[str, ...]) -> Html | None:
    """The box that a manager reads: a promise is as good as what it assumes."""
    if not said:
        return None
    return tag(
        "aside",
        tag("h2", "What this promise assumes"),
        tag("ul", *(tag("li", line) for line in said)),
        class_="assumptions",
    )


def _money(data: ReportData) -> Html:
    """Before and after, as bars on one scale; what the learned router would cost, where the reference stays."""
    money, route = data.money, data.route
    name, fill = capital(data.shipped), "after"
    if route.name == f"always {data.reference}":
        route = next(route for route in data.routes if route.kind == "learned")
        name, fill = f"{capital(route.name)}, not shipped", "after unproven"
    high, after, low = (
        money.before * (1 - saving) for saving in (route.saving.low, route.saving.value, route.saving.high)
    )
    most = max(money.before, high) or 1.0
    before = [
        tag("span", "Always ", user(data.reference)),
        _track(_bar("before", 0.0, money.before / most)),
        tag("span", tag("b", usd(money.before)), f" {money.unit}"),
    ]
    if low == high == money.before:
        return tag("div", *before, class_="money")
    within = tag("span", usd_range(RangedFigure(after, low, high)), class_="range-text")
    return tag(
        "div",
        *before,
        tag("span", user(name)),
        _track(_bar(fill, 0.0, after / most), _bar("range", low / most, high / most)),
        tag("span", tag("b", usd(after)), f" {money.unit} ", within),
        class_="money",
    )


def _bar(class_: str, start: float, end: float) -> Html:
    return tag("i", class_=class_, style=f"left:{start * 100:.2f}%;width:{(end - start) * 100:.2f}%")


def _track(*bars: Html) -> Html:
    return tag("div", *bars, class_="track", aria_hidden="true")


def _figures(data: ReportData) -> Html:
    route, gain = data.route, data.gain
    moved = 1 - route.shares[data.names.index(data.reference)]
    within = f"{points(gain.low)} to {points(gain.high)} in score, at equal cost"
    return tag(
        "dl",
        _figure("Cost saved", percent(route.saving.value), known_range(route.saving)),
        _figure("Quality kept", percent(route.kept.value), known_range(route.kept)),
        _figure("Requests rerouted", percent(moved), f"to a tier other than {data.reference}"),
        _figure("Learned against random mix", points(gain.value), within),
        class_="figures",
    )


def _figure(name: str, value: str, below: str | None) -> Html:
    return tag("div", tag("dt", name), tag("dd", tag("b", value), tag("span", below)))


def _basis(data: ReportData) -> Html:
    """What the figures rest on."""
    estimated = any(tier.cost_source != _COSTS_KNOWN for tier in data.tiers)
    return note(
        f"Figures are from {plural(data.test_rows, 'test row')} that nothing was learned from; ranges are 95% "
        "intervals. The reference, ",
        user(data.reference),
        ", is what would be used without routing.",
        " Costs are partly or wholly worked out from prices and estimated lengths; \u201cThe data\u201d says how."
        if estimated
        else None,
    )
