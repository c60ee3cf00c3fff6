"""Small drawing helpers: scales, shapes and labels that keep out of each other's way. Colours are the style sheet's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from training.report.markup import Html, tag

Point = tuple[float, float]
_LETTER_WIDTH = 0.58
_CAPITAL_WIDTH = 0.76
_GAPS = (9, 20, 34, 50, 70, 95)


@dataclass(frozen=True, slots=True)
class Scale:
    """From values low..high to pixels start..end."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def clamp(self, value: float) -> float:
        """The value, or the end of the scale that is nearest to it."""
        return min(max(value, self.low), self.high)

    def ticks(self, most: int) -> list[float]:
        """Round values inside the scale, at most about ``most``."""
        step = _round_step((self.high - self.low) / most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Area shared with another."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, wide) * max(0.0, high)

    def holds(self, point: Point) -> bool:
        """Whether the point lies inside."""
        return self.left <= point[0] <= self.right and self.top <= point[1] <= self.bottom


@dataclass(frozen=True, slots=True)
class Placed:
    """A label's place: its box, and the point that it names."""

    box: Box
    point: Point
    far: bool


def drawing(width: float, height: float, description: str, *shapes: Html, class_: str | None = None) -> Html:
    """An image of that size in pixels, which shrinks with the page; the description is read out in its stead."""
    return tag(
        "svg",
        *shapes,
        viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}",
        height=f"{height:g}",
        role="img",
        aria_label=description,
        class_=class_,
    )


def line(start: Point, end: Point, class_: str) -> Html:
    """A straight line."""
    return tag("line", x1=_px(start[0]), y1=_px(start[1]), x2=_px(end[0]), y2=_px(end[1]), class_=class_)


def polyline(points: Sequence[Point], class_: str) -> Html:
    """An open line through the points."""
    return tag("polyline", points=" ".join(f"{_px(x)},{_px(y)}" for x, y in points), class_=class_)


def dot(point: Point, radius: float, class_: str, title: str | None = None) -> Html:
    """A circle, with a title that shows when pointed at."""
    name = None if title is None else tag("title", title)
    return tag("circle", name, cx=_px(point[0]), cy=_px(point[1]), r=_px(radius), class_=class_)


def shape(corners: Sequence[Point], class_: str, title: str | None = None) -> Html:
    """A filled polygon."""
    name = None if title is None else tag("title", title)
    return tag("polygon", name, points=" ".join(f"{_px(x)},{_px(y)}" for x, y in corners), class_=class_)


def text(point: Point, words: str, anchor: str = "start", class_: str | None = None) -> Html:
    """A line of text; ``anchor`` is "start", "middle" or "end"."""
    return tag("text", words, x=_px(point[0]), y=_px(point[1]), text_anchor=anchor, class_=class_)


def place_labels(
    labels: Sequence[tuple[Point, str]], area: Box, size: float, busy: Sequence[Point] = ()
) -> list[Placed]:
    """A place for each label near its point, where it covers least of the others, of all points and of ``busy``.

    Parameters
    ----------
    size : of the letters, pixels.
    """
    marks = [Box(x - 6, y - 6, x + 6, y + 6) for (x, y), _ in labels]
    taken: list[Box] = []
    placed: list[Placed] = []
    for point, words in labels:
        wide, high = _width(words) * size, size * 1.25
        best = min(
            (_candidate(point, wide, high, gap, side) for gap in _GAPS for side in range(8)),
            key=lambda place: _crowding(place, area, taken, marks, busy),
        )
        taken.append(best.box)
        placed.append(best)
    return placed


def _candidate(point: Point, wide: float, high: float, gap: float, side: int) -> Placed:
    angle = side * math.pi / 4
    across, down = math.cos(angle), math.sin(angle)
    centre = (point[0] + across * (gap + wide / 2), point[1] + down * (gap + high / 2))
    if side % 4 == 2:
        centre = point[0], centre[1]
    elif side % 2:
        centre = point[0] + math.copysign(wide / 2, across), point[1] + math.copysign(gap + high / 2, down)
    box = Box(centre[0] - wide / 2, centre[1] - high / 2, centre[0] + wide / 2, centre[1] + high / 2)
    return Placed(box, point, gap > 9)


def _width(words: str) -> float:
    """About how wide a text is, in units of its letters' size."""
    capitals = sum(letter.isupper() for letter in words)
    return _LETTER_WIDTH * (len(words) - capitals) + _CAPITAL_WIDTH * capitals


def _crowding(place: Placed, area: Box, taken: Sequence[Box], marks: Sequence[Box], busy: Sequence[Point]) -> float:
    """How much a place is in the way: labels never cover each other where that can be, and other marks seldom."""
    box = place.box
    size = (box.right - box.left) * (box.bottom - box.top)
    outside = size - box.overlap(area)
    overprinted = sum(box.overlap(other) for other in taken)
    covered = sum(box.overlap(other) for other in marks)
    crossed = sum(box.holds(point) for point in busy)
    away = abs((box.top + box.bottom) / 2 - place.point[1]) + min(
        abs(box.left - place.point[0]),
        abs(box.right - place.point[0]),
        abs((box.left + box.right) / 2 - place.point[0]),
    )
    return (outside + overprinted) * 50 + covered * 5 + crossed * 40 + away


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
