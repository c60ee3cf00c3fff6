"""From a training run to figures."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.runs import HOSTILE_TIERS, Run
from training.learners.calibrate import calibration_error
from training.report import report_json
from training.report.mistakes import EXCERPT_CHARS, TemplateStarts, excerpt
from training.report.reliability import reliability
from training.report.verdict import verdict


@pytest.mark.slow
@pytest.mark.parametrize("name", ["learned_run", "floor_run", "bare_run", "hostile_run"])
def test_choices_are_those_that_the_result_was_made_of(name: str, request: pytest.FixtureRequest) -> None:
    training = request.getfixturevalue(name).training
    tiers = len(training.data.names)
    shares = np.bincount(training.chosen, minlength=tiers) / len(training.test)
    assert shares == pytest.approx(training.result.shares)


@pytest.mark.slow
def test_money_follows_from_the_saving(learned_run: Run) -> None:
    saving = learned_run.training.result
    money = learned_run.report(monthly_spend=10_000.0).money
    assert (money.unit, money.before) == ("a month", 10_000.0)
    assert money.after.value == pytest.approx(10_000 * (1 - saving.saving))
    assert money.after.low <= money.after.value <= money.after.high
    alone = learned_run.report().money
    assert alone.unit == "per 1,000 requests"
    assert alone.after.value == pytest.approx(1000 * saving.cost)


def test_a_run_worth_shipping_has_no_warnings(learned_run: Run) -> None:
    found = verdict(learned_run.training)
    assert found.mood == "good"
    assert not found.warnings
    assert "95% confidence" in found.promise


def test_a_run_without_signal_says_so_first(floor_run: Run) -> None:
    found = verdict(floor_run.training)
    assert found.mood != "good"
    assert any("certified" in warning or "random mix" in warning for warning in found.warnings)
    assert any(floor_run.training.shipped.name in warning for warning in found.warnings)


def test_a_forced_router_is_shipped_with_warnings(floor_run: Run) -> None:
    training = floor_run.training
    learned = next(result for result in training.results if result.name == "learned router")
    shipped = replace(training.shipped, strategy="learned", name=learned.name, always=None, thresholds=None)
    found = verdict(replace(training, shipped=shipped, result=learned))
    assert found.mood == "stop"
    assert any("--force" in warning for warning in found.warnings)


def test_curves_are_shares_of_the_reference(learned_run: Run) -> None:
    data = learned_run.report()
    reference = next(route for route in data.routes if route.name == f"always {data.reference}")
    assert (reference.saving.value, reference.kept.value) == (0.0, 1.0)
    assert any(cost == pytest.approx(1.0) for cost, _ in data.curve.mix)
    qualities = [quality for _, quality in data.curve.mix]
    assert qualities == sorted(qualities)
    assert 2 <= len(data.curve.learned) <= 240


def test_tasks_add_up(learned_run: Run) -> None:
    data, rule = learned_run.report(), learned_run.training.rule
    assert sum(task.rows for task in data.tasks) == data.test_rows
    assert {task.name: task.certified for task in data.tasks} == {
        name: rule.task_keeps(name) for name in ("chat", "reasoning")
    }
    for task in data.tasks:
        assert sum(task.shares) == pytest.approx(1.0)


def test_the_tasks_with_most_rows_are_listed_and_the_rest_summed_up(learned_run: Run) -> None:
    training = learned_run.training
    count = len(training.test)
    some = tuple(None if row < 50 else f"task {row % 40}" if row % 2 else "largest" for row in range(count))
    many = replace(learned_run, training=replace(training, test=replace(training.test, tasks=some))).report()
    assert sum(task.rows for task in many.tasks) == count
    assert [task.name for task in many.tasks[:2]] == ["largest", "(no task)"]
    assert many.tasks[-1].name == "10 other tasks"


def test_a_table_without_tasks_has_no_task_section(bare_run: Run) -> None:
    assert bare_run.report().tasks == ()


def test_where_the_cheapest_tier_is_the_reference_its_own_quality_is_explained(bare_run: Run) -> None:
    data = bare_run.report()
    assert data.reference == data.learned.cheaper == "thrifty"
    assert {found.measure for found in data.reliability} == {"adequacy"}
    assert data.curve.gap_recovered is None
    assert data.verdict.mood != "good"


def test_an_absolute_target_is_promised_in_points(bare_run: Run, learned_run: Run) -> None:
    training = learned_run.training
    absolute = replace(training, rule=replace(training.rule, target=replace(training.target, relative=False)))
    assert "0.05 points of quality" in verdict(absolute).promise


def test_what_looks_wrong_is_warned_of(learned_run: Run) -> None:
    training = learned_run.training
    poor = replace(training.result, kept=0.5, saving_interval=replace(training.result.saving_interval, low=-0.1))
    found = verdict(replace(training, result=poor, filled=training.test.quality.size // 2))
    assert (found.mood, len(found.warnings)) == ("caution", 3)
    crowded = replace(training.result, shares=(0.97, 0.02, 0.01))
    assert any("97% of the requests" in warning for warning in verdict(replace(training, result=crowded)).warnings)


def test_the_words_that_make_a_prompt_hard_are_found(learned_run: Run) -> None:
    learned = learned_run.report().learned
    words = next(group for group in learned.groups if group.name.startswith("Words"))
    easy = {feature.name for feature in words.for_cheaper}
    hard = {feature.name for feature in words.for_reference}
    assert easy & {f"\u201c{word}\u201d" for word in ("translate", "greet", "list", "repeat", "name", "spell")}
    assert hard & {f"\u201c{word}\u201d" for word in ("prove", "derive", "optimise", "refute", "integrate", "schedule")}
    tasks = next(group for group in learned.groups if group.name == "Tasks")
    assert [feature.name for feature in tasks.for_cheaper] == ["chat"]
    assert [feature.name for feature in tasks.for_reference] == ["reasoning"]


def test_mistakes_are_mistakes(learned_run: Run) -> None:
    data = learned_run.report()
    assert data.mistakes is not None
    for case in data.mistakes.lost:
        assert case.chosen_score < case.better_score
        assert case.better == data.reference
    for case in data.mistakes.overpaid:
        assert case.better_score >= case.chosen_score
        assert case.better_cost < case.chosen_cost
    paid = [case.chosen_cost - case.better_cost for case in data.mistakes.overpaid]
    assert paid == sorted(paid, reverse=True)
    rows = [request.text for request in learned_run.training.data.table.requests]
    for case in (*data.mistakes.lost, *data.mistakes.overpaid):
        assert case.prompt is not None
        assert rows[case.row - 1].startswith(case.prompt.rstrip("\u2026"))


def test_without_prompts_no_prompt_and_no_word_is_shown(learned_run: Run) -> None:
    data = learned_run.report(prompts=False)
    text = json.dumps(report_json(data))
    assert not re.search(r"thing\d", text)
    assert "refute" not in text
    assert data.mistakes is not None
    assert all(case.row > 0 and case.file for case in data.mistakes.overpaid)


@pytest.mark.slow
def test_confusion_counts_complete_rows(hostile_run: Run, learned_run: Run) -> None:
    full = learned_run.report()
    assert full.confusion is not None
    assert (sum(map(sum, full.confusion.counts)), full.confusion.left_out) == (full.test_rows, 0)
    gaps = hostile_run.report()
    assert gaps.confusion is not None
    assert sum(map(sum, gaps.confusion.counts)) + gaps.confusion.left_out == gaps.test_rows


def test_problems_are_counted_by_kind(hostile_run: Run) -> None:
    notes = hostile_run.report().notes
    kinds = {(kind.column, kind.skipped): kind for kind in notes.problems}
    assert kinds["prompt", True].rows == (6,)
    assert notes.files[0].ignored == ("<i>useless</i>",)
    assert notes.missing_scores > 0
    assert any(kind.column == f"score__{HOSTILE_TIERS[0]}" for kind in notes.problems)


@pytest.mark.parametrize("name", ["learned_run", "floor_run", "bare_run", "hostile_run"])
def test_json_is_plain(name: str, request: pytest.FixtureRequest) -> None:
    data = request.getfixturevalue(name).report(monthly_spend=100.0, command="train-router data.csv")
    plain = report_json(data)
    text = json.dumps(plain, allow_nan=False, ensure_ascii=False)
    text.encode("utf-8")
    assert json.loads(text) == plain
    assert plain["reference"] == data.reference
    assert plain["routes"][0]["saving"]["value"] == data.routes[0].saving.value


def test_json_has_no_number_that_is_none(learned_run: Run) -> None:
    data = replace(learned_run.report(), target=float("nan"))
    assert report_json(data)["target"] is None


def test_reliability_agrees_with_the_calibration_error() -> None:
    random = np.random.default_rng(0)
    predicted = random.random(500)
    observed = (random.random(500) < predicted).astype(float)
    observed[::7] = np.nan
    found = reliability("small", "score", predicted, observed)
    assert found is not None
    assert found.rows == sum(each.rows for each in found.bins) == int((~np.isnan(observed)).sum())
    weighted = sum(each.rows * abs(each.predicted - each.observed.value) for each in found.bins) / found.rows
    assert found.error == pytest.approx(weighted) == pytest.approx(calibration_error(predicted, observed))
    assert all(0 <= each.observed.low <= each.observed.value <= each.observed.high <= 1 for each in found.bins)
    assert reliability("small", "score", predicted, np.full(500, np.nan)) is None


def test_excerpts_are_short_and_on_one_line() -> None:
    assert excerpt("one\n two\t three ") == "one two three"
    long = excerpt("word " * 2_000_000)
    assert len(long) <= EXCERPT_CHARS
    assert long.endswith("\u2026")
    assert excerpt("abc def", 4) == "\u2026def"
    assert excerpt("x\x00y") == "x\ufffdy"


def test_what_many_prompts_begin_with_is_skipped() -> None:
    template = "Answer the following question in one word, please, and give no reasons: "
    prompts = [f"{template}question {number}" for number in range(20)]
    starts = TemplateStarts([*prompts, "Something else entirely"])
    assert prompts[7][starts.of(prompts[7]) :] == "7"
    assert starts.of("Something else entirely") == 0
    assert TemplateStarts(["same"] * 20).of("same") == 0
