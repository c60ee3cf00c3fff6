"""The page: sound, self-contained, readable at any width, and without prompts; the section by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drift_world import changing_log

from tests.helpers.browser import lay_out, needs_browser
from tests.helpers.page import Page
from training.drift import monitor
from training.drift.data import DriftReport, FeatureShift, PriceChange
from training.drift.gather import drift_report
from training.drift.page import drift_json, drift_page
from training.drift.section import drift_section
from training.report.markup import Html

WIDTHS = (390, 768, 1280)
NASTY = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def drifted() -> DriftReport:
    log = changing_log(2600, 1, at=2000, later_mix=(0.8, 0.2), drop=0.25, dearer=1.5, audit=0.05)
    prices = (PriceChange("large", (30.0, 150.0), (15.0, 75.0)), PriceChange("small", (None, None), (1.0, 5.0)))
    return drift_report(log, monitor(log), prices=prices, notes=["some rows were left out"])


@pytest.fixture(scope="module")
def calm() -> DriftReport:
    log = changing_log(1500, 1)
    return drift_report(log, monitor(log))


@pytest.fixture(scope="module")
def early() -> DriftReport:
    log = changing_log(3, 1)
    unknown = np.full((3, 3), np.nan)
    log = replace(log, verdict=unknown, expected=unknown, expected_cost=unknown, cost=unknown, audit=unknown)
    return drift_report(log, monitor(log))


def test_the_page_tells_what_changed_and_what_to_do(drifted: DriftReport) -> None:
    page = Page(drift_page(drifted))
    assert not page.misnested
    assert "Changed: what calls cost, what is asked, how good answers are, prices." in page.text
    assert "put today's prices into router.toml; look whether the provider has changed the model" in page.text
    assert "the mix of tasks has changed: code from 50% to" in page.text
    assert "$30.00 / $150" in page.text
    assert "alarm at request" in " ".join(str(each["aria-label"]) for each in page.all("svg"))
    assert len(page.all("svg")) == 2 + 3 * len(drifted.tiers)


def test_without_a_change_the_page_says_so(calm: DriftReport, early: DriftReport) -> None:
    assert "Nothing has changed, as far as the outcomes tell." in Page(drift_page(calm)).text
    page = Page(drift_page(early))
    assert "Too early to tell" in page.text
    assert not page.all("svg")


def test_nothing_is_fetched_and_nothing_runs(drifted: DriftReport) -> None:
    page = Page(drift_page(drifted))
    assert not page.all("script")
    assert not [each for name in ("link", "img", "iframe") for each in page.all(name)]
    assert "http" not in "".join(str(value) for _, each in page.elements for value in each.values() if value)


def test_names_of_users_are_escaped(drifted: DriftReport) -> None:
    tiers = tuple(replace(each, name=NASTY) for each in drifted.tiers)
    series = tuple(replace(each, tier=NASTY) for each in drifted.series)
    findings = tuple(replace(each, sentence=NASTY) for each in drifted.findings)
    moved = (FeatureShift(NASTY, "share", 0.1, 0.2, 0.3, 0.01),)
    page = Page(drift_page(replace(drifted, tiers=tiers, series=series, findings=findings, moved=moved)))
    assert not page.all("script")
    assert not page.misnested


def test_the_section_is_markup_that_another_report_can_hold(drifted: DriftReport, early: DriftReport) -> None:
    for report in (drifted, early):
        section = drift_section(report)
        assert isinstance(section, Html)
        page = Page(section)
        assert not page.misnested
        assert not page.all("h1") + page.all("h2") + page.all("section")


def test_json_holds_no_number_that_is_none(drifted: DriftReport, early: DriftReport) -> None:
    for report in (drifted, early):
        found = json.loads(json.dumps(drift_json(report), allow_nan=False))
        assert found["drifted"] == report.drifted
        assert len(found["findings"]) == len(report.findings)


@pytest.mark.browser
@pytest.mark.slow
@needs_browser
def test_no_page_is_wider_than_its_window_and_no_label_overprints_another(
    drifted: DriftReport, early: DriftReport, tmp_path: Path
) -> None:
    long = replace(drifted, tiers=tuple(replace(each, name="a-very-long-name/" * 8) for each in drifted.tiers))
    pages = [drift_page(report) for report in (drifted, long, early)]
    found = lay_out(pages, WIDTHS, tmp_path)
    assert [(each.width, each.page_width) for each in found] == [(width, width) for _ in pages for width in WIDTHS]
    assert [each.out for each in found] == [[] for _ in found]
    assert [each.overprints for each in found] == [[] for _ in found]
    assert all(each.texts for each in found[: 2 * len(WIDTHS)])
