"""What is told of a change: directions, sizes, features that moved, prices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drift_world import changing_log
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.cascade.route import GateRates
from classifier.catalog import LengthRule, Menu, Tier
from training.drift import DriftOptions, monitor
from training.drift.data import DriftReport, Finding
from training.drift.estimates import difference, mean_ratio, mean_share
from training.drift.gather import drift_report
from training.drift.movement import stability_index
from training.drift.prices import price_changes
from training.drift.words import headline, moved_far, odds

AT = 2000


def found(**change: object) -> DriftReport:
    log = changing_log(3000, 1, at=AT, **change)  # type: ignore[arg-type]
    return drift_report(log, monitor(log))


def first(report: DriftReport, kind: str) -> Finding:
    return next(finding for finding in report.findings if finding.kind == kind)


def test_a_mix_of_tasks_is_told_with_its_shares() -> None:
    report = found(later_mix=(0.8, 0.2))
    finding = report.findings[0]
    assert finding.kind == "requests"
    assert finding.sentence == "the mix of tasks has changed: code from 50% to 20%, chat from 50% to 80%"
    assert finding.since_row is not None
    assert abs(finding.since_row - AT) < 100
    assert report.split == finding.since_row
    assert moved_far(report)[0].what == "task"
    assert finding.remedy == ("retrain: tierwise train --store URL",)


@pytest.mark.parametrize(("drop", "words", "low", "high"), [(0.25, "fewer", 0.55, 0.72), (-0.2, "more", 0.85, 1.0)])
def test_better_and_worse_answers_are_told_by_pass_rates(drop: float, words: str, low: float, high: float) -> None:
    report = found(drop=drop)
    finding = first(report, "quality")
    assert finding.tier == "small"
    assert f"passes {words} of small's answers" in finding.sentence
    small = report.tiers[0]
    assert small.passes is not None
    assert small.adequate is not None
    assert small.usual == pytest.approx(0.80, abs=0.03)
    assert low < small.passes.value < high
    assert (small.adequate.value - (small.expected or 0) < 0) == (drop > 0)


def test_the_tasks_of_a_worse_tier_are_listed_with_what_was_expected() -> None:
    report = found(drop=0.25)
    small = [view for view in report.tasks if view.tier == "small"]
    assert {view.task for view in small} == {"chat", "code"}
    assert all(view.adequate.value < view.expected for view in small)
    assert small[0].adequate.high < small[0].expected  # of the task with most answers


def test_dearer_calls_are_told_as_a_multiple() -> None:
    report = found(dearer=1.3, tier=1)
    finding = first(report, "cost")
    assert finding.tier == "medium"
    assert "costs 1.3" in finding.sentence
    cost = report.tiers[1].cost
    assert cost is not None
    assert cost.low < 1.3 < cost.high
    assert "router.toml" in finding.remedy[0]


def test_requests_that_are_other_than_before_are_told_by_what_is_expected_of_them() -> None:
    log, later = changing_log(3000, 1), (np.arange(3000) >= AT)[:, None]
    log = replace(
        log,
        expected=log.expected - 0.1 * later,
        expected_cost=log.expected_cost * np.where(later, 2.0, 1.0),
        cost=log.cost * np.where(later, 2.0, 1.0),
    )
    random = np.random.default_rng(0).random(3000)
    novelty = np.where(later[:, 0], np.sqrt(random), random)
    report = drift_report(log, monitor(log, novelty=novelty), novelty=novelty)
    sentences = {finding.what: finding.sentence for finding in report.findings}
    assert sentences["expected adequacy"].startswith("requests are harder: expected adequacy 82")
    assert sentences["expected cost"].startswith("requests are dearer: expected to cost $0.01")
    assert sentences["novelty"].startswith("requests are less like those of the training: 1.")
    assert {moved.what for moved in moved_far(report)} >= {"novelty", "expected cost", "expected adequacy of small"}


def test_a_gate_that_passes_what_is_bad_is_told_by_audits() -> None:
    later = GateRates(pass_adequate=0.95, pass_inadequate=0.95)
    finding = first(found(later_rates=later, audit=0.3), "gate")
    assert finding.sentence.startswith("answers that the gate passes, as audits judge them, are worse than before: -")
    assert finding.remedy[0] == "audit more answers"


def test_without_a_change_nothing_is_found() -> None:
    report = found()
    assert not report.drifted
    assert not moved_far(report)
    assert headline(report).startswith("Nothing has changed")
    assert report.split == 2500


def test_too_few_requests_are_too_early_to_tell() -> None:
    log = changing_log(300, 2)
    report = drift_report(log, monitor(log))
    assert headline(report) == "Too early to tell."
    assert "300 requests are there" in report.notes[0]


def test_a_log_without_a_gate_says_so() -> None:
    log = changing_log(900, 3)
    blind = replace(log, verdict=np.full(log.verdict.shape, np.nan))
    assert any("no gate judged answers" in note for note in drift_report(blind, monitor(blind)).notes)


@settings(max_examples=25)
@given(st.integers(1, 60), st.integers(1, 40), st.integers(0, 5), st.booleans())
def test_any_short_log_can_be_reported(rows: int, baseline: int, seed: int, blind: bool) -> None:
    log = changing_log(rows, seed, at=rows // 2, drop=0.5, audit=0.5)
    if blind:
        unknown = np.full(log.verdict.shape, np.nan)
        log = replace(log, expected=unknown, expected_cost=unknown, verdict=unknown, cost=unknown, audit=unknown)
    report = drift_report(log, monitor(log, DriftOptions(baseline=baseline)))
    assert report.rows == rows
    assert 0 <= report.split <= rows


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 2), st.booleans()), min_size=1, max_size=30))
def test_a_difference_is_that_of_groups_that_have_both(rows: list[tuple[float, int, bool]]) -> None:
    values, groups, later = (np.array(column) for column in zip(*rows, strict=True))
    result = difference(values, groups, later)
    both = [group for group in range(3) if {True, False} <= set(later[groups == group].tolist())]
    if not both:
        assert result is None
        return
    weights = np.array([(later & (groups == group)).sum() for group in both])
    gaps = [values[(groups == g) & later].mean() - values[(groups == g) & ~later].mean() for g in both]
    assert result is not None
    assert result.value == pytest.approx(float(np.average(gaps, weights=weights)), abs=1e-9)
    assert result.low <= result.value <= result.high


def test_intervals_cover_what_they_are_of() -> None:
    random = np.random.default_rng(0)
    shares = [mean_share((random.random(80) < 0.9).astype(np.float64)) for _ in range(400)]
    assert np.mean([each is not None and each.low <= 0.9 <= each.high for each in shares]) > 0.92
    ratios = [mean_ratio(random.normal(0.3, 0.5, 80)) for _ in range(400)]
    assert np.mean([each is not None and each.low <= np.exp(0.3) <= each.high for each in ratios]) > 0.9
    assert mean_share(np.empty(0)) is None
    assert mean_ratio(np.empty(0)) is None


@given(st.lists(st.integers(0, 50), min_size=1, max_size=10), st.randoms(use_true_random=False))
def test_the_stability_index_is_zero_for_equals_and_never_negative(counts: list[int], random: object) -> None:
    assert stability_index(counts, counts) == pytest.approx(0.0, abs=1e-12)
    assert stability_index(counts, list(reversed(counts))) >= 0


def test_the_stability_index_is_as_defined() -> None:
    expected = (0.8 - 0.5) * np.log(0.8 / 0.5) + (0.2 - 0.5) * np.log(0.2 / 0.5)
    assert stability_index([500_000, 500_000], [800_000, 200_000]) == pytest.approx(expected, abs=1e-4)


def menu(**prices: tuple[float, float] | None) -> Menu:
    tiers = tuple(Tier(name, f"vendor/{name}", *(pair or (None, None))) for name, pair in prices.items())
    return Menu(tiers, {}, {}, LengthRule(tiers[0].name, tiers[0].name, tiers[-1].name))


def test_prices_that_differ_are_named() -> None:
    trained = menu(small=(1.0, 5.0), medium=(5.0, 25.0), large=None, gone=(1.0, 1.0))
    today = menu(small=(1.0, 5.0), medium=(5.0, 20.0), large=(30.0, 150.0), new=(2.0, 2.0))
    changes = price_changes(trained, today)
    assert [(each.tier, each.before, each.now) for each in changes] == [
        ("medium", (5.0, 25.0), (5.0, 20.0)),
        ("large", (None, None), (30.0, 150.0)),
    ]
    log = changing_log(600, 4)
    findings = drift_report(log, monitor(log), prices=changes).findings
    assert [finding.kind for finding in findings] == ["price", "price"]
    assert "are $5 in, $20 out; the artifact was trained with $5 in, $25 out" in findings[0].sentence


def test_odds_in_words() -> None:
    assert odds(1e-3) == "by chance at most once in 1,000 logs like this"
    assert odds(1e-12) == "by chance less than once in a billion logs like this"
    assert odds(1.0) == "it may well be chance"
