"""README's picture: cost against quality, as a drawing that is legible on light and on dark pages."""

from __future__ import annotations

from math import floor
from typing import Any

from training.report.svg import Point, Scale, line, polyline, text

WIDTH, HEIGHT = 760, 360
COLOURS = {
    "oracle": "#8b949e",
    "tierwise": "#1a7f37",
    "length rule, tuned in hindsight": "#9a6700",
    "random mix": "#8250df",
}
STYLE = """
 text { font: 14px system-ui, sans-serif; fill: #57606a } line { stroke: #8b949e; stroke-opacity: .35 }
 polyline { fill: none; stroke-width: 2; stroke-linejoin: round } .tierwise { stroke-width: 4 }
 text.tierwise { font-weight: 600 }
"""
DARK = {"#57606a": "#9198a1", "#1a7f37": "#3fb950", "#9a6700": "#d29922", "#8250df": "#bc8cff"}


def headline(figures: dict[str, Any]) -> str:
    """The figures at the targets, as a Markdown table."""
    shown = [f"{target:.0%}" for target in figures["targets"]]
    what = f"{figures['rows']:,} questions: cost for a share of {figures['tiers'][-1]}'s quality"
    lines = [f"| {what} | {' | '.join(shown)} |", "|---|" + "---:|" * len(shown)]
    for name, costs in figures["costs"].items():
        cells = [f"{cost:.0%}" for cost in costs]
        if name == "tierwise":
            spread = [f"{low:.0%} to {high:.0%}" for low, high in figures["intervals"]]
            cells = [f"**{cell}** ({within})" for cell, within in zip(cells, spread, strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(figures: dict[str, Any]) -> str:
    """The picture, as a file that stands by itself."""
    cheap, best = figures["right"]
    cost = Scale(0.0, 1.0, 64, WIDTH - 250)
    quality = Scale(floor(cheap / best * 20) / 20, 1.0, HEIGHT - 56, 40)
    shapes = [*_axes(cost, quality)]
    for name, curve in figures["curves"].items():
        shapes.append(str(polyline([(cost(spent), quality(reached)) for spent, reached in curve], _kind(name))))
    shapes += _names(list(figures["curves"]))
    what = f"Cost against quality on {figures['rows']:,} questions: {_said(figures)}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{what}">\n<style>{_style()}</style>\n' + "\n".join(shapes) + "\n</svg>\n"
    )


def _axes(cost: Scale, quality: Scale) -> list[str]:
    shapes = []
    for share in quality.ticks(6):
        y = quality(share)
        shapes += [line((cost.start, y), (cost.end, y), "grid"), text((cost.start - 8, y + 5), f"{share:.0%}", "end")]
    for share in cost.ticks(5):
        shapes.append(text((cost(share), quality.start + 22), f"{share:.0%}", "middle"))
    middle = (cost.start + cost.end) / 2
    shapes.append(text((middle, HEIGHT - 8), "cost (100%: always the dearer model)", "middle"))
    shapes.append(text((8, 18), "quality (100%: that of the dearer model)"))
    return [str(shape) for shape in shapes]


def _names(names: list[str]) -> list[str]:
    """A key at the right, in the order in which the curves lie from the best down."""
    shapes = []
    for place, name in enumerate(names):
        kind, y = _kind(name), 70 + 46 * place
        start: Point = (WIDTH - 232, y)
        shapes.append(str(polyline([start, (start[0] + 26, y)], kind)))
        for number, part in enumerate(name.split(", ")):
            shapes.append(str(text((start[0] + 34, y + 5 + 17 * number), part, "start", kind)))
    return shapes


def _said(figures: dict[str, Any]) -> str:
    at = f"{figures['targets'][0]:.0%} of the dearer model's quality"
    return f"{at} costs " + ", ".join(f"{costs[0]:.0%} with {name}" for name, costs in figures["costs"].items())


def _style() -> str:
    """One for light pages, with what differs on dark ones."""
    dark = {name: DARK.get(colour, colour) for name, colour in COLOURS.items()}
    on_dark = f"text {{ fill: {DARK['#57606a']} }} {_strokes(dark)}"
    return f"{STYLE} {_strokes(COLOURS)}\n @media (prefers-color-scheme: dark) {{ {on_dark} }}\n"


def _strokes(colours: dict[str, str]) -> str:
    return " ".join(f"polyline.{_kind(name)} {{ stroke: {colour} }}" for name, colour in colours.items())


def _kind(name: str) -> str:
    """The class of a curve."""
    return name.split(",")[0].replace(" ", "-")
