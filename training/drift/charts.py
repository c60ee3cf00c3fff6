"""Evidence, and what is seen of each tier, over time."""

from __future__ import annotations

from dataclasses import dataclass

from training.drift.data import DriftReport, EvidenceLine, Series, Window
from training.drift.words import stream_name
from training.report.figures import count, percent
from training.report.markup import Html, tag
from training.report.svg import Box, Point, Scale, dot, drawing, line, place_labels, polyline, text

_LETTERS = 12.5
_LOWEST, _HIGHEST = -4.0, 2.0  # decimal logarithms of the share of what an alarm takes
_TICKS = ((0.0, "alarm"), (-1.0, "1/10"), (-2.0, "1/100"), (-3.0, "1/1,000"), (-4.0, "1/10,000"))
_WIDTH, _HEIGHT = 280.0, 190.0


@dataclass(frozen=True, slots=True)
class _RequestsFrame:
    """A chart's area over the requests."""

    width: float
    height: float
    across: Scale
    up: Scale

    @property
    def area(self) -> Box:
        return Box(self.across.start, self.up.end, self.across.end, self.up.start)

    def point(self, row: float, value: float) -> Point:
        return self.across(row), self.up(self.up.clamp(value))


def evidence_chart(report: DriftReport) -> Html:
    """Evidence for each change, for wide pages and for narrow ones."""
    wide, narrow = (_evidence(report, width, height) for width, height in ((920.0, 330.0), (360.0, 300.0)))
    return tag("div", tag("div", wide, class_="wide"), tag("div", narrow, class_="narrow"), class_="chart")


def series_chart(found: Series, report: DriftReport) -> Html:
    """One tier's measure: a dot with its interval for some requests each, and as a dashed line what is usual."""
    frame = _series_frame(found, report.rows)
    ratio = found.measure == "cost"
    usual = [frame.point(each.row, each.usual) for each in found.windows if each.usual is not None]
    begun = frame.across(report.split)
    shapes = [
        *_value_axis(frame, ratio),
        *_request_axis(frame, report.rows, 3),
        line((begun, frame.area.top), (begun, frame.area.bottom), "leader"),
        polyline(usual, "mix"),
    ]
    for each in found.windows:
        low, high = frame.point(each.row, each.seen.low), frame.point(each.row, each.seen.high)
        shapes += [
            line(low, high, "whisker"),
            dot(frame.point(each.row, each.seen.value), 3, "observed", _title(each, ratio)),
        ]
    spoken = "; ".join(f"request {count(each.row + 1)}: {_said(each.seen.value, ratio)}" for each in found.windows)
    return drawing(_WIDTH, _HEIGHT, f"{found.tier}, {found.measure}: {spoken}", *shapes, class_="reliability")


def _evidence(report: DriftReport, width: float, height: float) -> Html:
    frame = _RequestsFrame(
        width, height, Scale(0, max(report.rows, 1), 62, width - 10), Scale(_LOWEST, _HIGHEST, height - 30, 10)
    )
    area = frame.area
    shapes = []
    for power, words in _TICKS:
        y = frame.up(power)
        shapes += [
            line((area.left, y), (area.right, y), "ideal" if power == 0 else "grid"),
            text((area.left - 6, y + 4), words, "end"),
        ]
    learned = frame.across(min(report.baseline, report.rows))
    shapes += [
        *_request_axis(frame, report.rows, round(width / 130)),
        line((learned, area.top), (learned, area.bottom), "leader"),
        text((learned - 5, area.bottom - 8), "baseline", "end") if learned - area.left > 60 else Html(),
    ]
    calm, alarmed = (
        [each for each in report.evidence if (each.alarm_row is not None) == alarm] for alarm in (False, True)
    )
    shapes += [polyline([frame.point(*point) for point in each.points], "peer") for each in calm]
    shapes += [polyline([frame.point(*point) for point in each.points], "learned") for each in alarmed]
    shapes += _alarms(alarmed, frame)
    return drawing(width, height, _spoken(report.evidence), *shapes, class_="curve")


def _alarms(alarmed: list[EvidenceLine], frame: _RequestsFrame) -> list[Html]:
    """A dot and a name where each line crosses."""
    marks = [(frame.point(each.alarm_row or 0, 0.0), stream_name(each.what, each.tier)) for each in alarmed]
    shapes = [dot(point, 4.5, "mark shipped", name) for point, name in marks]
    for place, (_, name) in zip(place_labels(marks, frame.area, _LETTERS), marks, strict=True):
        box = place.box
        if place.far:
            end = min(max(place.point[0], box.left), box.right), min(max(place.point[1], box.top), box.bottom)
            shapes.append(line(place.point, end, "leader"))
        shapes.append(text(((box.left + box.right) / 2, box.bottom - 0.28 * _LETTERS), name, "middle", "label"))
    return shapes


def _spoken(lines: tuple[EvidenceLine, ...]) -> str:
    parts = [
        f"{stream_name(each.what, each.tier)}: "
        + ("no alarm" if each.alarm_row is None else f"alarm at request {count(each.alarm_row + 1)}")
        for each in lines
    ]
    return f"Evidence over the requests, against what an alarm takes. {'; '.join(parts)}"


def _series_frame(found: Series, rows: int) -> _RequestsFrame:
    values = [
        value for each in found.windows for value in (each.seen.low, each.seen.high, each.usual) if value is not None
    ]
    room = max(max(values) - min(values), 0.05) * 0.08
    up = Scale(min(values) - room, max(values) + room, _HEIGHT - 28, 8)
    return _RequestsFrame(_WIDTH, _HEIGHT, Scale(0, max(rows, 1), 42, _WIDTH - 12), up)


def _value_axis(frame: _RequestsFrame, ratio: bool) -> list[Html]:
    shapes = []
    for tick in frame.up.ticks(4):
        y = frame.up(tick)
        shapes += [
            line((frame.area.left, y), (frame.area.right, y), "grid"),
            text((frame.area.left - 6, y + 4), f"{tick:.3g}\u00d7" if ratio else percent(tick, 0), "end"),
        ]
    return shapes


def _request_axis(frame: _RequestsFrame, rows: int, most: int) -> list[Html]:
    area = frame.area
    ticks = [tick for tick in frame.across.ticks(max(most, 2)) if tick == int(tick) and tick > 0]
    shapes = [text((frame.across(tick), area.bottom + 17), count(int(tick)), "middle") for tick in ticks[:-1]]
    last = [
        text((min(frame.across(tick), area.right - 12), area.bottom + 17), count(int(tick)), "middle")
        for tick in ticks[-1:]
    ]
    return [*shapes, *last, line((area.left, area.bottom), (area.right, area.bottom), "ground")]


def _title(window: Window, ratio: bool) -> str:
    usual = "" if window.usual is None else f", usual {_said(window.usual, ratio)}"
    seen = _said(window.seen.value, ratio)
    return f"around request {count(window.row + 1)}: {seen}{usual}; {count(window.rows)} answers"


def _said(value: float, ratio: bool) -> str:
    return f"{value:.2f}\u00d7" if ratio else percent(value)
