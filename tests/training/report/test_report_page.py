"""The page: whole, escaped, self-contained."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from tests.helpers.page import Page
from tests.helpers.runs import ATTACK, HOSTILE_TIERS, Run
from training.report import ReportData, report_html, write_report
from training.report.data import Learned, RangedFigure
from training.report.ladder import LadderStep
from training.report.markup import printable
from training.report.unseen import UnseenTask

LADDER = (
    LadderStep(0.0, True, False, 0.0, 1.0, 1.0, 12_345),
    LadderStep(0.0, False, False, 0.0, 1.0, 1.0, None),
    LadderStep(0.05, True, True, 0.31, 0.69, 0.987, None),
)


def full(run: Run) -> ReportData:
    """A report with every section."""
    report = run.report(
        monthly_spend=10_000.0,
        command=f"train-router '{ATTACK}'",
        artifact=Path("models/<b>router.safetensors"),
        digest="0f" * 32,
        date="2026-01-31",
        unseen_tasks=[UnseenTask(ATTACK, 40, 0.98, 0.2, 0.1)],
    )
    return replace(report, ladder=LADDER)


@pytest.mark.parametrize("name", ["learned_run", "floor_run", "bare_run", "hostile_run"])
def test_nothing_runs_and_nothing_is_fetched(name: str, request: pytest.FixtureRequest) -> None:
    page = Page(report_html(full(request.getfixturevalue(name))))
    assert not page.misnested
    assert not page.open
    kinds = {kind for kind, _ in page.elements}
    assert not kinds & {"script", "img", "iframe", "object", "embed", "link", "base", "form", "u"}
    for _, attributes in page.elements:
        assert not [key for key in attributes if key.startswith("on")]
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
        assert "url(" not in (attributes.get("style") or "")
    style = files("training.report").joinpath("report.css").read_text(encoding="utf-8")
    assert "url(" not in style
    assert "@import" not in style
    policy = next(meta for meta in page.all("meta") if "http-equiv" in meta)
    assert (policy["content"] or "").startswith("default-src 'none'")


def test_hostile_text_is_shown_as_text(hostile_run: Run) -> None:
    page = Page(report_html(full(hostile_run)))
    for text in (*HOSTILE_TIERS, printable(ATTACK), "<u>hostile&.csv", "<i>useless</i>", "<b>router.safetensors"):
        assert text in page.text


def test_links_lead_to_sections_in_order(learned_run: Run) -> None:
    page = Page(report_html(full(learned_run)))
    anchors = [link["href"] for link in page.all("a")]
    assert anchors == [f"#{section['id']}" for section in page.all("section") if "id" in section]
    assert len(anchors) == 13


def test_sections_without_data_are_left_out(learned_run: Run) -> None:
    data = replace(
        learned_run.report(),
        ladder=(),
        tasks=(),
        reliability=(),
        confusion=None,
        mistakes=None,
        learned=Learned("linear", "haiku", False, True, (), ()),
    )
    anchors = [link["href"] for link in Page(report_html(data)).all("a")]
    assert anchors == ["#next", "#limits", "#curve", "#comparison", "#data", "#method"]


@pytest.mark.slow
def test_the_money_comes_first(learned_run: Run) -> None:
    data = learned_run.report(monthly_spend=10_000.0)
    text = Page(report_html(data)).text
    assert text.index("$10,000 a month becomes") < text.index("Cost and quality")
    assert data.verdict.promise in text
    assert "per 1,000 requests" in Page(report_html(learned_run.report())).text


def test_warnings_stand_before_the_verdict(floor_run: Run) -> None:
    data = floor_run.report()
    text = Page(report_html(data)).text
    assert text.index(data.verdict.warnings[0]) < text.index(data.verdict.word)


def test_the_ladder_says_what_is_missing(learned_run: Run) -> None:
    text = Page(report_html(full(learned_run))).text
    assert "about 12,345" in text
    assert "31.0%" in text


def test_charts_speak_and_tables_have_headers(learned_run: Run) -> None:
    page = Page(report_html(full(learned_run)))
    drawings = page.all("svg")
    assert drawings
    assert all(drawing["role"] == "img" and drawing["aria-label"] for drawing in drawings)
    assert all(cell["scope"] in ("row", "col") for cell in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert len(page.all("h1")) == 1


def test_figures_of_the_best_known_routes_are_in_the_table(learned_run: Run) -> None:
    data = learned_run.report()
    text = Page(report_html(data)).text
    for route in data.routes:
        assert route.name in text


def test_many_tiers_get_letters_and_a_key(learned_run: Run) -> None:
    data = learned_run.report()
    more = tuple(replace(data.routes[0], name=f"always tier {number}", shipped=False) for number in range(8))
    page = Page(report_html(replace(data, routes=(*data.routes, *more))))
    assert len([entry for entry in page.all("ul") if entry.get("class") == "key"]) == 2


def test_what_lies_far_out_is_drawn_at_the_edge(learned_run: Run) -> None:
    data = learned_run.report()
    dear = replace(data.routes[0], name="dear", saving=RangedFigure(-9.0, -9.1, -8.9), shipped=False)
    poor = replace(data.routes[0], name="poor", kept=RangedFigure(0.1, 0.0, 0.2), shipped=False)
    text = Page(report_html(replace(data, routes=(*data.routes, dear, poor)))).text
    assert "dear (1000% of the cost)" in text
    assert "poor (10% of the quality)" in text


def test_many_tiers_are_named_by_the_busiest(learned_run: Run) -> None:
    data = learned_run.report()
    tiers = data.tiers + tuple(replace(data.tiers[0], name=f"tier {number}") for number in range(3))
    shares = (0.1, 0.5, 0.2, 0.1, 0.1, 0.0)
    routes = tuple(replace(route, shares=shares) for route in data.routes)
    text = Page(report_html(replace(data, tiers=tiers, routes=routes, tasks=(), confusion=None))).text
    assert f"{data.names[1]} 50%, {data.names[2]} 20%, 3 more" in text


def test_a_report_is_replaced_in_one_piece(learned_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")
    write_report(learned_run.report(), path)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_a_report_that_cannot_be_written_leaves_nothing_behind(learned_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.mkdir()
    with pytest.raises(OSError, match=r"report\.html"):
        write_report(learned_run.report(), path)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_of_text_have_contrast(scheme: str) -> None:
    style = files("training.report").joinpath("report.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks[scheme == "dark"]))
    pairs = [(ink, ground) for ink in ("ink", "soft", "accent") for ground in ("page", "card", "accent-faint")]
    pairs += [("warn", "warn-faint"), ("stop", "stop-faint"), ("ink", "warn-faint")]
    for ink, ground in pairs:
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def contrast(one: str, other: str) -> float:
    """Contrast ratio by the Web Content Accessibility Guidelines 2.2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
