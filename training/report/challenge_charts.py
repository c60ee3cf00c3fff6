"""Charts of a challenge: both sides' figures with their intervals, and the evidence as rows came in."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from training.challenge.challenge import Challenge, Look
from training.challenge.estimators import Estimate
from training.report.figures import count, fixed, points, score
from training.report.markup import Html, tag
from training.report.svg import Scale, dot, drawing, line, polyline, text

_WIDTH, _ROW, _LEFT = 440.0, 34.0, 84.0
_LEAST_SPAN = 1e-9


def interval_chart(
    title: str,
    sides: Sequence[tuple[str, Estimate]],
    form: Callable[[float], str],
    *,
    limit: tuple[float, str] | None = None,
) -> Html:
    """A dot with its interval a side, on one scale.

    Parameters
    ----------
    limit : a value that is marked, and its name.
    """
    ends = [end for _, each in sides for end in (each.low, each.value, each.high) if math.isfinite(end)]
    ends += [] if limit is None else [limit[0]]
    low, high = min(ends), max(ends)
    room = max((high - low) * 0.08, abs(high) * 0.01, _LEAST_SPAN)
    across = Scale(low - room, high + room, _LEFT, _WIDTH - 28)
    top, bottom = 22.0, 22.0 + _ROW * len(sides)
    shapes = []
    for tick in across.ticks(4):
        shapes += [
            line((across(tick), top), (across(tick), bottom), "grid"),
            text((across(tick), bottom + 16), form(tick), "middle"),
        ]
    if limit is not None:
        at = across(limit[0])
        side = "start" if at < (_LEFT + _WIDTH) / 2 else "end"
        shapes += [line((at, top - 4), (at, bottom), "ideal"), text((at, top - 9), limit[1], side, "axis")]
    for place, (name, each) in enumerate(sides):
        y = top + _ROW * (place + 0.5)
        kind = "shipped" if place else "baseline"
        start, end = (across(across.clamp(value)) for value in (each.low, each.high))
        shapes += [
            text((0, y + 4), name, class_="label" if place else None),
            line((start, y), (end, y), "whisker"),
            dot((across(each.value), y), 6.0 if place else 4.5, f"mark {kind}", f"{name}: {form(each.value)}"),
        ]
    spoken = "; ".join(
        f"{name} {form(each.value)}, from {form(each.low)} to {form(each.high)}"
        for name, each in sides
        if math.isfinite(each.low + each.high)
    )
    return drawing(_WIDTH, bottom + 24, f"{title}: {spoken}", *shapes)


def evidence_chart(found: Challenge) -> Html:
    """The least difference in quality that was shown, as rows came in; for wide pages and narrow ones."""
    wide, narrow = (_evidence(found, *size) for size in ((920, 250), (360, 230)))
    return tag("div", tag("div", wide, class_="wide"), tag("div", narrow, class_="narrow"), class_="chart")


def _evidence(found: Challenge, width: float, height: float) -> Html:
    margin, looks = found.rule.margin, found.looks
    lowest = min(-6 * margin, -0.06, 1.3 * looks[-1].quality_low)
    up = Scale(lowest, max(looks[-1].quality_low, 0.0) + max(margin, 0.01), height - 40, 22)
    across = Scale(0, max(looks[-1].rows, 2), 56, width - 24)
    shapes = []
    for tick in up.ticks(5):
        y = up(tick)
        shapes += [
            line((across.start, y), (across.end, y), "base" if abs(tick) < _LEAST_SPAN else "grid"),
            text((across.start - 7, y + 4), fixed(tick), "end"),
        ]
    for tick in across.ticks(round(width / 120)):
        shapes.append(text((across(tick), height - 22), count(round(tick)), "middle"))
    y = up(-margin)
    shapes += [
        line((across.start, y), (across.end, y), "ideal"),
        text((across.start + 6, y - 6), f"allowed: {points(-margin)}", class_="axis"),
        polyline(_steps(looks, across, up), "learned"),
        dot((across(looks[-1].rows), up(up.clamp(looks[-1].quality_low))), 5.5, "mark shipped"),
        text((across.end, height - 4), "requests judged \u2192", "end", "axis"),
        text((0, 12), "\u2191 quality shown, against the champion\u2019s", class_="axis"),
    ]
    description = (
        f"Quality shown at least, after {count(looks[-1].rows)} requests: {points(looks[-1].quality_low)}; "
        f"allowed is {points(-margin)}"
    )
    return drawing(width, height, description, *shapes, class_="curve")


def _steps(looks: Sequence[Look], across: Scale, up: Scale) -> list[tuple[float, float]]:
    """What is shown stays shown until the next look."""
    corners: list[tuple[float, float]] = []
    for look in looks:
        x, y = across(look.rows), up(up.clamp(look.quality_low))
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    return corners


def figure(caption: str, chart: Html) -> Html:
    """A chart under its name."""
    return tag("figure", tag("h4", caption), chart)


def quality_and_money(
    found: Challenge,
    quality: tuple[Estimate, Estimate],
    money: tuple[Estimate, Estimate],
    unit: str,
    usd: Callable[[float], str],
) -> Html:
    """Both figures of both sides, side by side."""
    names = "champion", "challenger"
    limit = quality[0].value - found.rule.margin, f"lowest allowed: {score(quality[0].value - found.rule.margin)}"
    return tag(
        "div",
        figure(
            "Quality of the answers given",
            interval_chart("Quality", [*zip(names, quality, strict=True)], score, limit=limit),
        ),
        figure(f"USD {unit}", interval_chart(f"USD {unit}", [*zip(names, money, strict=True)], usd)),
        class_="sides",
    )
