"""The page in a real browser, where one is installed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from classifier import Router
from tests.helpers.browser import lay_out, needs_browser
from tests.helpers.challenges import always, log_of, minutes, observed_of, variant
from tests.helpers.runs import Run
from training.challenge.challenge import Challenge, challenge
from training.report import ReportData, report_html
from training.report.changes_page import changes_html
from training.report.data import RangedFigure
from training.report.svg import drawing, text

WIDTHS = (390, 768, 1280)
SCHEMES = ("light", "dark")


def _challenges(trained: Path, folder: Path) -> list[tuple[str, Challenge]]:
    """One that may take over, on a log too thin to tell, with a task and a prompt that hardly break."""
    old = Router.load(always(trained, folder / "opus.safetensors", "opus"))
    new = Router.load(variant(trained, folder / "learned.safetensors"))
    observed = observed_of(old, log_of(old, 400, explore=0.01))
    found = challenge(observed, old.menu, old, new, minutes(-1), prompts=True)
    moves = tuple(replace(move, task="task" * 60, prompts=("prompt" * 60,)) for move in found.moves)
    return [("20260101T000000Z-0123456789ab" * 3, replace(found, moves=moves))]


def _crowded(data: ReportData) -> ReportData:
    """Many tiers, some of which cost and answer nearly alike, and one far out."""
    route = data.routes[0]
    near = [(0.97, 0.6), (0.972, 0.61), (0.975, 0.62), (0.965, 0.595), (0.96, 0.63), (0.955, 0.62), (0.5, 0.97)]
    near += [(0.49, 0.972), (0.48, 0.968), (0.03, 0.995), (0.02, 0.99), (0.01, 0.998), (-8.0, 0.9), (0.9, 0.1)]
    more = [
        replace(
            route,
            name=f"always a-model-of-tier-{number}",
            shipped=False,
            saving=RangedFigure(saving, saving, saving),
            kept=RangedFigure(kept, kept, kept),
        )
        for number, (saving, kept) in enumerate(near)
    ]
    return replace(data, routes=(*data.routes, *more))


@pytest.mark.browser
@needs_browser
def test_no_page_is_wider_than_its_window_and_no_label_overprints_another(
    learned_run: Run, floor_run: Run, hostile_run: Run, trained: Path, tmp_path: Path
) -> None:
    command = "train-router " + "data.csv " * 40
    pages = [
        report_html(learned_run.report(monthly_spend=10_000.0, command=command, today="sonnet")),
        report_html(floor_run.report()),
        report_html(hostile_run.report(command=command, digest="0f" * 32)),
        report_html(_crowded(learned_run.report())),
        changes_html("the champion's name " * 9, _challenges(trained, tmp_path), "said " * 40, date=datetime.now(UTC)),
    ]
    found = lay_out(pages, WIDTHS, tmp_path, SCHEMES)
    widths = [(width, width) for _ in pages for width in WIDTHS for _ in SCHEMES]
    assert [(each.width, each.page_width) for each in found] == widths
    assert [each.out for each in found] == [[] for _ in found]
    assert [each.overprints for each in found] == [[] for _ in found]
    assert all(each.texts for each in found)
    assert all(light.ground != dark.ground for light, dark in zip(found[::2], found[1::2], strict=True))


@pytest.mark.browser
@needs_browser
def test_a_label_over_another_is_noticed(tmp_path: Path) -> None:
    boxes = [text((20, 40), "one"), text((24, 42), "other"), text((190, 40), "over the edge"), text((20, 90), "alone")]
    (found,) = lay_out([drawing(200, 100, "a chart", *boxes)], [400], tmp_path)
    assert found.overprints == [["one", "other"], ["over the edge", "the chart's edge"]]
