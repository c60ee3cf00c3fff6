"""The report's charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot
from string import ascii_uppercase

from training.report.data import CurveData, Reliability, ReportData, RouteSummary
from training.report.figures import count, percent, score, shortened
from training.report.markup import Html, tag, user
from training.report.svg import Box, Placed, Point, Scale, dot, drawing, line, place_labels, polyline, shape, text

# Points farther out than this are drawn at the edge, so that one dear tier does not squeeze all others together.
_FARTHEST_COST = 1.5
_LOWEST_QUALITY = 0.7
_SAME_PLACE = 3.0
_SAME_PLACE_CROWDED = 9.0
_SAMPLE_STEP = 6.0
_MOST_NAMES = 12
_MARKER = {"shipped": 6.5, "learned": 5.5, "oracle": 5.5, "baseline": 4.0}
_RELIABILITY_SIZE = 250.0


@dataclass(frozen=True, slots=True)
class _Mark:
    """A way of routing on the chart: where it is drawn, and whether its true place is beyond the edge."""

    route: RouteSummary
    point: Point
    label: str
    beyond_cost: bool
    beyond_quality: bool

    @property
    def kind(self) -> str:
        return "shipped" if self.route.shipped else self.route.kind


@dataclass(frozen=True, slots=True)
class _CurveFrame:
    """The chart's area: its scales, and the size of its letters."""

    width: float
    height: float
    cost: Scale
    quality: Scale
    letters: float

    @property
    def area(self) -> Box:
        return Box(self.cost.start, self.quality.end, self.cost.end, self.quality.start)

    def point(self, cost: float, quality: float) -> Point:
        return self.cost(self.cost.clamp(cost)), self.quality(self.quality.clamp(quality))


def cost_quality(data: ReportData) -> Html:
    """Cost against quality, drawn for wide pages and for narrow ones; letters and a key where names are too many."""
    crowded = len(data.routes) > _MOST_NAMES
    wide = _cost_quality(data, _frame(data, 920, 470, 12.5), short=crowded)
    narrow = _cost_quality(data, _frame(data, 360, 350, 12.5), short=True)
    key = _key(data)
    return tag(
        "div",
        tag("div", wide, key if crowded else None, class_="wide"),
        tag("div", narrow, key, class_="narrow"),
        class_="chart",
    )


def reliability_chart(found: Reliability) -> Html:
    """Predicted against observed, a dot a bin."""
    size = _RELIABILITY_SIZE
    across, up = Scale(0, 1, 42, size - 20), Scale(0, 1, size - 36, 12)
    shapes = [line((across(0), up(0)), (across(1), up(1)), "ideal")]
    for tick in (0.0, 0.5, 1.0):
        shapes += [
            line((across(0), up(tick)), (across(1), up(tick)), "grid"),
            text((across(0) - 6, up(tick) + 4), percent(tick, 0), "end"),
            text((across(tick), size - 18), percent(tick, 0), "middle"),
        ]
    shapes.append(text((across(0.5), size - 3), "predicted", "middle", "axis"))
    for each in found.bins:
        at = across(each.predicted)
        title = f"predicted {score(each.predicted)}, observed {score(each.observed.value)}, {count(each.rows)} rows"
        shapes += [
            line((at, up(each.observed.low)), (at, up(each.observed.high)), "whisker"),
            dot((at, up(each.observed.value)), 3.5, "observed", title),
        ]
    spoken = "; ".join(
        f"predicted {percent(each.predicted, 0)}, observed {percent(each.observed.value, 0)}" for each in found.bins
    )
    return drawing(size, size, f"Reliability of {found.tier}, {found.measure}: {spoken}", *shapes, class_="reliability")


def _frame(data: ReportData, width: float, height: float, letters: float) -> _CurveFrame:
    costs = [1 - route.saving.value for route in data.routes]
    quality = [route.kept.value for route in data.routes]
    dearest = max([1.0, *(cost for cost in costs if cost <= _FARTHEST_COST)])
    quality += [reached for cost, reached in data.curve.learned if cost <= dearest]
    lowest = min([value for value in quality if value >= _LOWEST_QUALITY], default=_LOWEST_QUALITY)
    highest = max(quality)
    room = max(highest - lowest, 0.02) * 0.07
    left, bottom = 4.2 * letters, 3.6 * letters
    return _CurveFrame(
        width=width,
        height=height,
        cost=Scale(0, dearest * 1.06, left, width - 10),
        quality=Scale(lowest - room, highest + room, height - bottom, 1.9 * letters),
        letters=letters,
    )


def _cost_quality(data: ReportData, frame: _CurveFrame, *, short: bool) -> Html:
    marks = _marks(data, frame, short=short)
    learned = [frame.point(*point) for point in data.curve.learned if point[0] <= frame.cost.high]
    mix = _mix_line(data.curve, frame)
    peers = [
        [frame.point(*point) for point in points if point[0] <= frame.cost.high and point[1] >= frame.quality.low]
        for _, points in data.curve.peers
    ]
    busy = [*_sampled(learned), *_sampled(mix)]
    places = place_labels([(mark.point, mark.label) for mark in marks], frame.area, frame.letters, busy)
    shapes = [
        *_axes(data.reference, frame, most_ticks=round(frame.width / 90)),
        polyline(mix, "mix"),
        *(polyline(peer, "peer") for peer in peers),
        polyline(learned, "learned"),
        *_whiskers(data.route, frame),
        *(_leader(place) for place in places if place.far),
        *map(_marker, reversed(marks)),
        *(_label(mark, place, frame.letters) for mark, place in zip(marks, places, strict=True)),
    ]
    spoken = "; ".join(
        f"{route.name}: cost {percent(1 - route.saving.value)}, quality {percent(route.kept.value)}"
        for route in data.routes
    )
    description = f"Cost against quality, both as shares of always {data.reference}. {spoken}"
    return drawing(frame.width, frame.height, description, *shapes, class_="curve")


def _marks(data: ReportData, frame: _CurveFrame, *, short: bool) -> list[_Mark]:
    """One mark a place: what is drawn on the same spot shares a label."""
    marks: list[_Mark] = []
    for number, route in enumerate(data.routes):
        cost, quality = 1 - route.saving.value, route.kept.value
        point = frame.point(cost, quality)
        beyond = cost > frame.cost.high, quality < frame.quality.low
        label = _letter(number) if short else _name(route, *beyond)
        apart = _SAME_PLACE_CROWDED if short else _SAME_PLACE
        twin = next((place for place, mark in enumerate(marks) if _near(mark.point, point, apart)), None)
        if twin is None:
            marks.append(_Mark(route, point, label, *beyond))
            continue
        first = marks[twin]
        both = ("" if short else " \u00b7 ").join([first.label, label])
        marks[twin] = _Mark(route if route.shipped else first.route, first.point, both, *beyond)
    # Labels are placed in order: what is shipped gets the best place.
    return sorted(marks, key=lambda mark: not mark.route.shipped)


def _near(one: Point, other: Point, apart: float) -> bool:
    return abs(one[0] - other[0]) < apart and abs(one[1] - other[1]) < apart


def _letter(number: int) -> str:
    return ascii_uppercase[number] if number < len(ascii_uppercase) else str(number + 1)


def _name(route: RouteSummary, beyond_cost: bool, beyond_quality: bool) -> str:
    name = route.name.removeprefix("always ")
    if beyond_cost:
        return f"{name} ({percent(1 - route.saving.value, 0)} of the cost)"
    return f"{name} ({percent(route.kept.value, 0)} of the quality)" if beyond_quality else name


def _key(data: ReportData) -> Html:
    entries = [
        tag("li", tag("b", _letter(number)), " ", user(route.name), class_="shipped" if route.shipped else None)
        for number, route in enumerate(data.routes)
    ]
    return tag("ul", *entries, class_="key", aria_hidden="true")


def _axes(reference: str, frame: _CurveFrame, most_ticks: int) -> list[Html]:
    area, shapes = frame.area, []
    named = shortened(reference, round(frame.width / frame.letters) - 4)
    for tick in frame.quality.ticks(6):
        y = frame.quality(tick)
        shapes += [
            line((area.left, y), (area.right, y), "base" if abs(tick - 1) < 1e-9 else "grid"),
            text((area.left - 7, y + 4), percent(tick, 0), "end"),
        ]
    for tick in frame.cost.ticks(most_ticks):
        shapes.append(text((frame.cost(tick), area.bottom + 1.5 * frame.letters), percent(tick, 0), "middle"))
    return [
        *shapes,
        line((area.left, area.bottom), (area.right, area.bottom), "ground"),
        text((area.right, frame.height - 4), f"cost, of always {named} \u2192", "end", "axis"),
        text((0, frame.letters), f"\u2191 quality, of {named}\u2019s", "start", "axis"),
    ]


def _mix_line(curve: CurveData, frame: _CurveFrame) -> list[Point]:
    """The mix's corners up to the frame's edge, where it is cut off."""
    points: list[Point] = []
    for before, corner in zip((None, *curve.mix), curve.mix, strict=False):
        if corner[0] <= frame.cost.high:
            points.append(frame.point(*corner))
        elif before is not None and before[0] < frame.cost.high:
            share = (frame.cost.high - before[0]) / (corner[0] - before[0])
            points.append(frame.point(frame.cost.high, before[1] + share * (corner[1] - before[1])))
    return points


def _sampled(points: Sequence[Point]) -> list[Point]:
    """Points along a line, close enough together that no label fits between them."""
    sampled: list[Point] = []
    for (x1, y1), (x2, y2) in pairwise(points):
        steps = max(1, round(hypot(x2 - x1, y2 - y1) / _SAMPLE_STEP))
        sampled += [(x1 + (x2 - x1) * step / steps, y1 + (y2 - y1) * step / steps) for step in range(steps)]
    return sampled


def _whiskers(route: RouteSummary, frame: _CurveFrame) -> list[Html]:
    point = frame.point(1 - route.saving.value, route.kept.value)
    left, right = (frame.cost(frame.cost.clamp(1 - saving)) for saving in (route.saving.high, route.saving.low))
    low, high = (frame.quality(frame.quality.clamp(kept)) for kept in (route.kept.low, route.kept.high))
    return [line((left, point[1]), (right, point[1]), "whisker"), line((point[0], low), (point[0], high), "whisker")]


def _marker(mark: _Mark) -> Html:
    (x, y), size = mark.point, _MARKER[mark.kind]
    cost, quality = percent(1 - mark.route.saving.value), percent(mark.route.kept.value)
    title = f"{mark.route.name}: {cost} of the cost, {quality} of the quality"
    if mark.beyond_cost:
        return shape([(x + 4, y), (x - 5, y - 5), (x - 5, y + 5)], f"mark {mark.kind}", title)
    if mark.beyond_quality:
        return shape([(x, y + 4), (x - 5, y - 5), (x + 5, y - 5)], f"mark {mark.kind}", title)
    if mark.route.kind == "oracle":
        return shape([(x, y - size), (x + size, y), (x, y + size), (x - size, y)], f"mark {mark.kind}", title)
    return dot(mark.point, size, f"mark {mark.kind}", title)


def _leader(place: Placed) -> Html:
    box, (x, y) = place.box, place.point
    end = min(max(x, box.left), box.right), min(max(y, box.top + 2), box.bottom - 2)
    return line((x, y), end, "leader")


def _label(mark: _Mark, place: Placed, letters: float) -> Html:
    box, x = place.box, place.point[0]
    # Anchored on the side of its point, so that a font wider than estimated grows away from it.
    anchor, at = ("start", box.left) if box.left >= x else ("end", box.right) if box.right <= x else ("middle", x)
    if anchor == "middle":
        at = (box.left + box.right) / 2
    return text((at, box.bottom - 0.28 * letters), mark.label, anchor, f"label {mark.kind}")


def share_bar(shares: Sequence[float], names: Sequence[str]) -> Html:
    """Shares of the requests per tier as one bar, with its figures as text for whoever cannot see or tell colours."""
    said = ", ".join(
        f"{name} {percent(share, 0)}" for name, share in zip(names, shares, strict=True) if round(share, 2) > 0
    )
    parts = [
        tag("i", class_="part", style=f"width:{share * 100:.2f}%;--rank:{_rank(place, len(names))}%")
        for place, share in enumerate(shares)
        if share > 0
    ]
    return tag("div", tag("div", *parts, class_="shares", role="img", aria_label=said, title=said), class_="shared")


def tier_key(names: Sequence[str]) -> Html:
    """Which colour is which tier."""
    entries = [
        tag("li", tag("i", class_="swatch", style=f"--rank:{_rank(place, len(names))}%"), user(name))
        for place, name in enumerate(names)
    ]
    return tag("ul", *entries, class_="tiers", aria_label="Tiers, cheapest first")


def value_bar(share: float, class_: str | None = None) -> Html:
    """A bar of a share of the full width; its figure stands beside it as text."""
    width = f"width:{min(max(share, 0.0), 1.0) * 100:.1f}%"
    return tag("div", tag("i", style=width, class_=class_), class_="value", aria_hidden="true")


def _rank(place: int, count: int) -> int:
    return round(100 * place / max(1, count - 1))
