"""The opening: what is off, the verdict, the money, the promise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from training.report.data import RangedFigure, ReportData, RouteSummary
from training.report.figures import percent, plural, points, usd, usd_range
from training.report.markup import Html, join, note, tag, user
from training.report.sections.cells import capital, known_range

_COSTS_KNOWN = "the table's cost column"


def opening(data: ReportData) -> Html:
    """Everything that someone reads who reads no further."""
    judged = data.verdict
    title = judged.sentence
    before, after = _before_and_after(data)
    if data.money.unit == "a month" and after < before:
        title = f"{usd(before)} a month becomes {usd(after)}."
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


def _before_and_after(data: ReportData) -> tuple[float, float]:
    """USD spent today, and with what comes first."""
    if data.today is not None:
        return data.today.spend, data.today.spend * (1 - data.today.saving.value)
    return data.money.before, data.money.before * (1 - data.offer.saving.value)


@dataclass(frozen=True, slots=True)
class _Spending:
    """A bar of the picture of the money: its name, its class, and its USD with their interval."""

    name: object
    fill: str
    amount: float
    low: float
    high: float


def _money(data: ReportData) -> Html:
    """Before and after, as bars on one scale."""
    lines = list(_spendings(data))
    most = max(line.high for line in lines) or 1.0
    return tag("div", *(part for line in lines for part in _drawn(line, most, data.money.unit)), class_="money")


def _spendings(data: ReportData) -> Iterator[_Spending]:
    """Today's tier, the reference, what comes first; the learned router, where the reference stays."""
    before, today, route = data.money.before, data.today, data.offer
    if today is not None and today.tier != data.reference:
        yield _Spending(join("Today, always ", user(today.tier)), "before", today.spend, today.spend, today.spend)
    yield _Spending(join("Always ", user(data.reference)), "before", before, before, before)
    name, fill = capital(route.name), "after"
    if route.name == f"always {data.reference}":
        route = next(route for route in data.routes if route.kind == "learned")
        name, fill = f"{capital(route.name)}, not shipped", "after unproven"
    after = _spending(data, route, name, fill)
    if not after.low == after.high == before:
        yield after
    if data.offer is not data.route:
        yield _spending(data, data.route, f"{capital(data.route.name)} alone", "after")


def _spending(data: ReportData, route: RouteSummary, name: str, fill: str) -> _Spending:
    high, after, low = (
        data.money.before * (1 - saving) for saving in (route.saving.low, route.saving.value, route.saving.high)
    )
    return _Spending(user(name), fill, after, low, high)


def _drawn(line: _Spending, most: float, unit: str) -> Iterator[Html]:
    ranged = line.low < line.high
    bars = [_bar(line.fill, 0.0, line.amount / most)]
    bars += [_bar("range", line.low / most, line.high / most)] if ranged else []
    within = tag("span", usd_range(RangedFigure(line.amount, line.low, line.high)), class_="range-text")
    yield tag("span", line.name)
    yield _track(*bars)
    yield tag("span", tag("b", usd(line.amount)), f" {unit} ", within if ranged else None)


def _bar(class_: str, start: float, end: float) -> Html:
    return tag("i", class_=class_, style=f"left:{start * 100:.2f}%;width:{(end - start) * 100:.2f}%")


def _track(*bars: Html) -> Html:
    return tag("div", *bars, class_="track", aria_hidden="true")


def _figures(data: ReportData) -> Html:
    route, gain, today = data.offer, data.gain, data.today
    moved = 1 - route.shares[data.names.index(data.reference)]
    within = f"{points(gain.low)} to {points(gain.high)} in score, at equal cost"
    figures = [
        _figure(f"Cost saved against {data.reference}", percent(route.saving.value), known_range(route.saving)),
        _figure(f"{data.reference}\u2019s quality kept", percent(route.kept.value), known_range(route.kept)),
        _figure("Requests rerouted", percent(moved), f"to a tier other than {data.reference}"),
        _figure("Learned router against random mix", points(gain.value), within),
    ]
    if today is not None and today.tier != data.reference:
        figures[2:2] = [
            _figure(f"Cost saved against {today.tier}", percent(today.saving.value), known_range(today.saving)),
            _figure(f"{today.tier}\u2019s quality kept", percent(today.kept.value), known_range(today.kept)),
        ]
    return tag("dl", *figures, class_="figures")


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
