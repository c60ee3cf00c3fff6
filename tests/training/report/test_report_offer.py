"""What a report recommends, what it does not, and against what."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from classifier.errors import InputError
from classifier.gates.stored import CascadePromise, CascadeSetting
from tests.helpers.page import Page
from tests.helpers.runs import Run
from training.certify.certify import Rung
from training.commands.show_training import show_result
from training.gate.train import CASCADE
from training.measure.evaluate import evaluate, fixed_weights
from training.report import report_html, report_json
from training.report.offer import offer_by_row, offered
from training.report.untaken import why_not_taken
from training.report.verdict import verdict
from training.training import TrainedGate


def shown(run: Run, *, today: str | None = None, monthly_spend: float | None = 10_000.0) -> str:
    console = Console(width=200, record=True, file=StringIO())
    show_result(console, run.training, monthly_spend, today=today)
    return console.export_text()


def with_cascade(run: Run, *, certified: bool) -> Run:
    """The run with a gate, whose cascade does on the test rows what the cheapest tier does for half the price."""
    training = run.training
    rung: Rung = training.rule.rung
    rung = replace(rung, rule=0 if certified else None, upper_bound=rung.target if certified else 0.081)
    setting = CascadeSetting(0.5, 0.5, 0.5, 0.9, 0.1, {})
    promise = CascadePromise(setting, rung.target, rung.relative, rung.confidence, certified)
    best = evaluate(CASCADE, fixed_weights(training.chosen, len(training.data.names)), training.test, seed=0)
    cascade = replace(best, saving=best.saving + 0.1, cost=best.cost * 0.8)
    gate = TrainedGate(training.model, (0,), training.data.scores, promise, rung, cascade)
    results = (*training.results[:-1], cascade, training.results[-1])
    return replace(run, training=replace(training, results=results, gate=gate))


@pytest.mark.slow
def test_every_row_that_looks_better_says_why_it_was_not_taken(learned_run: Run, floor_run: Run) -> None:
    for run in (learned_run, floor_run):
        data = run.report()
        for route in data.routes:
            saves_more = route.saving.value > data.offer.saving.value + 1e-9
            assert bool(route.why_not) >= saves_more
        assert data.route.why_not is None
        page, terminal = Page(report_html(data)).text, " ".join(shown(run).split())
        for name, clause in why_not_taken(run.training).items():
            assert clause in page
            assert f"{name}: {clause}" in terminal


def test_a_cheap_tier_that_loses_too_much_breaks_the_promise(learned_run: Run) -> None:
    reasons = why_not_taken(learned_run.training)
    cheapest = next(result for result in learned_run.training.results if result.name == "always haiku")
    assert reasons["always haiku"] == f"breaks the promise on these rows: {1 - cheapest.kept:.1%} lost"
    assert reasons["oracle"].startswith("not a router")


def test_what_is_not_certified_says_how_much_may_be_lost(floor_run: Run) -> None:
    training = floor_run.training
    bound = training.rule.asked.upper_bound
    assert bound > training.target.loss
    learned = next(result for result in training.results if result.name == "learned router")
    looks_fine = replace(learned, saving=0.9, kept=1.0)
    results = tuple(looks_fine if result is learned else result for result in training.results)
    found = why_not_taken(replace(training, results=results))
    assert found["learned router"] == f"not certified at 0.1%: {bound:.1%} possible"


def test_a_fixed_rule_is_held_to_the_share_of_the_error_that_fixed_rules_have(floor_run: Run) -> None:
    training = floor_run.training
    fixed = next(result for result in training.results if result.name == "always haiku")
    results = tuple(replace(result, kept=1.0) if result is fixed else result for result in training.results)
    assert why_not_taken(replace(training, results=results))["always haiku"].startswith("not certified at 0.1%: ")


def test_the_certified_cascade_comes_first_where_it_saves_more(learned_run: Run) -> None:
    run = with_cascade(learned_run, certified=True)
    assert offered(run.training).name == CASCADE
    data = run.report(monthly_spend=10_000.0)
    assert [route.name for route in data.routes[:2]] == [CASCADE, "learned router"]
    assert (data.offer.name, data.route.name) == (CASCADE, "learned router")
    assert data.verdict.sentence.startswith("The cascade with its learned gate saves")
    assert "the cascade loses at most" in data.verdict.promise
    assert CASCADE not in why_not_taken(run.training)
    page, terminal = Page(report_html(data)).text, shown(run)
    assert page.index("Cascade, learned gate") < page.index("Learned router alone")
    assert terminal.lstrip().startswith("Certified cascade, learned gate, saves")


def test_a_cascade_that_is_not_certified_does_not_come_first(learned_run: Run) -> None:
    run = with_cascade(learned_run, certified=False)
    assert offered(run.training) is run.training.result
    data = run.report()
    assert [route.name for route in data.routes] == [result.name for result in run.training.results]
    cascade = next(route for route in data.routes if route.name == CASCADE)
    assert cascade.why_not == "not certified at 5.0%: 8.1% possible"
    assert data.verdict == verdict(learned_run.training)


def test_savings_against_the_tier_used_today_stand_beside_those_against_the_reference(learned_run: Run) -> None:
    training = learned_run.training
    place = training.data.names.index("sonnet")
    data = learned_run.report(monthly_spend=10_000.0, today="sonnet")
    _, cost, quality = offer_by_row(training)
    means = training.test.costs.mean(axis=0)
    assert data.today is not None
    assert data.today.saving.value == pytest.approx(1 - cost.mean() / means[place])
    assert data.today.kept.value == pytest.approx(quality.mean() / training.test.quality[:, place].mean())
    assert data.today.saving.low <= data.today.saving.value <= data.today.saving.high
    assert data.money.before == pytest.approx(10_000 * means[training.test.reference] / means[place])
    assert {route.name: route.saving_today for route in data.routes}["always sonnet"] == pytest.approx(0.0)
    written = report_json(data)
    assert written["today"]["tier"] == "sonnet"
    assert written["today"]["spend"] == 10_000.0
    page, terminal = Page(report_html(data)).text, " ".join(shown(learned_run, today="sonnet").split())
    assert "Saved against sonnet" in page
    assert "Today, always sonnet" in page
    assert "Against always sonnet, which you use today, it" in terminal
    assert "saved today" in terminal


def test_without_a_tier_of_today_nothing_is_said_of_it(learned_run: Run) -> None:
    data = learned_run.report(monthly_spend=10_000.0)
    assert data.today is None
    assert {route.saving_today for route in data.routes} == {None}
    assert "today" not in shown(learned_run)


def test_where_the_reference_is_used_today_both_savings_are_the_same(learned_run: Run) -> None:
    data = learned_run.report(monthly_spend=10_000.0, today="opus")
    assert data.reference == "opus"
    assert data.today is not None
    assert data.today.saving == data.route.saving
    assert data.money == learned_run.report(monthly_spend=10_000.0).money


@pytest.mark.parametrize(("today", "hint"), [("opsu", " (did you mean opus?)"), ("gpt-4", "")])
def test_an_unknown_tier_of_today_is_refused_in_one_line(learned_run: Run, today: str, hint: str) -> None:
    with pytest.raises(InputError) as refused:
        learned_run.report(today=today)
    assert str(refused.value) == f"the tier used today is '{today}', expected one of haiku, sonnet, opus{hint}"


def test_whoever_decides_learns_what_to_do_and_what_is_not_said(learned_run: Run, floor_run: Run) -> None:
    learned, floor = learned_run.report(), floor_run.report()
    assert learned.next_steps[0].startswith("Switch the router on for a small share")
    assert not floor.next_steps[0].startswith("Switch the router on")
    for data in (learned, floor):
        page = Page(report_html(data)).text
        for sentence in (*data.next_steps, *data.limits):
            assert sentence in page
            assert sentence.endswith(".")


def test_a_run_that_certifies_nothing_says_how_many_rows_would(floor_run: Run) -> None:
    rule = floor_run.training.rule
    needed = tuple(replace(rung, rows_needed=12_345) for rung in rule.ladder)
    run = replace(floor_run, training=replace(floor_run.training, rule=replace(rule, ladder=needed)))
    assert any("About 12,345 rows" in step for step in run.report().next_steps)


def test_no_word_is_a_reason_where_scores_are_noise(floor_run: Run) -> None:
    assert "Words and pairs of neighbouring words" not in {group.name for group in floor_run.report().learned.groups}
