"""What each rung buys, and what happens on tasks that were left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from tests.helpers.runs import Run
from training.learners.presets import Effort, learners_for
from training.report.ladder import ladder_steps
from training.report.unseen import MOST_PARTS, leave_tasks_out
from training.training import Training

LINEAR = learners_for(Effort.FASTEST)["linear"]


def with_tasks(training: Training, tasks: tuple[str | None, ...]) -> Training:
    matrix = replace(training.data.matrix, tasks=tasks)
    return replace(training, data=replace(training.data, matrix=matrix))


@pytest.mark.slow
def test_steps_are_the_certificates_with_the_test_rows_savings(learned_run: Run) -> None:
    training = learned_run.training
    steps = list(ladder_steps(training))
    assert [step.certified for step in steps] == [rung.rule is not None for rung in training.rule.ladder]
    savings = [step.saving for step in steps]
    assert savings == sorted(savings)
    asked = next(step for step in steps if step.target == training.target.loss)
    assert (asked.saving, asked.kept) == pytest.approx((training.result.saving, training.result.kept))
    for step in steps:
        assert step.cost_share == pytest.approx(1 - step.saving)
        assert step.certified or (step.saving, step.kept) == (0.0, 1.0)


@pytest.mark.slow
def test_a_floor_and_settings_by_task_have_no_ladder(learned_run: Run, floor_run: Run) -> None:
    training = learned_run.training
    by_task = replace(training.rule, target=replace(training.target, per_task=True))
    assert not list(ladder_steps(replace(training, rule=by_task)))
    assert not list(ladder_steps(floor_run.training))


def test_every_task_is_left_out_once(learned_run: Run) -> None:
    training = learned_run.training
    steps: list[tuple[int, int]] = []
    found = leave_tasks_out(training, LINEAR, progress=lambda done, total: steps.append((done, total)))
    rows = {task: training.data.matrix.tasks.count(task) for task in ("chat", "reasoning")}
    assert {task.name: task.rows for task in found} == rows
    assert steps == [(1, 2), (2, 2)]
    for task in found:
        assert 0 <= task.novel <= 1
        assert 0 < task.kept <= 1.5


def test_what_looks_like_any_other_task_is_routed_as_if_it_had_been_seen(learned_run: Run) -> None:
    """Labels that say nothing: missing one of them hardly matters."""
    training, random = learned_run.training, np.random.default_rng(0)
    labels = tuple(f"lot {lot}" for lot in random.integers(3, size=len(training.data)))
    for task in leave_tasks_out(with_tasks(training, labels), LINEAR):
        assert task.saving == pytest.approx(training.result.saving, abs=0.2)
        assert task.kept == pytest.approx(training.result.kept, abs=0.15)
        assert task.novel < 0.1


def test_a_task_in_a_language_of_its_own_is_novel_and_goes_to_the_reference(learned_run: Run) -> None:
    training = learned_run.training
    rows = np.arange(len(training.data))
    foreign = rows % 4 == 0
    tasks = tuple("foreign" if row else "home" for row in foreign)
    matrix = training.data.matrix
    # Shifting every hash makes all words of these rows unknown to the others.
    terms = matrix.terms.tocoo()
    columns = np.where(foreign[terms.row], (terms.col + 12_345) % terms.shape[1], terms.col)
    shifted = sparse.csr_matrix((terms.data, (terms.row, columns)), shape=terms.shape)
    moved = with_tasks(replace(training, data=replace(training.data, matrix=replace(matrix, terms=shifted))), tasks)
    found = {task.name: task for task in leave_tasks_out(moved, LINEAR)}
    assert found["foreign"].novel > 0.9
    assert found["foreign"].saving < 0.1
    assert found["foreign"].kept > 0.95


@pytest.mark.slow
def test_many_tasks_are_left_out_in_lots_and_rare_ones_not_at_all(learned_run: Run) -> None:
    training = learned_run.training
    labels = tuple(f"task {row % 20}" if row % 100 else f"rare {row}" for row in range(len(training.data)))
    steps: list[int] = []
    found = leave_tasks_out(with_tasks(training, labels), LINEAR, progress=lambda done, total: steps.append(total))
    assert len(found) == 20
    assert steps == [MOST_PARTS] * MOST_PARTS


@pytest.mark.slow
def test_without_tasks_or_a_learned_router_there_is_nothing_to_leave_out(
    learned_run: Run, floor_run: Run, bare_run: Run
) -> None:
    assert leave_tasks_out(floor_run.training, LINEAR) == ()
    assert leave_tasks_out(bare_run.training, LINEAR) == ()
    alone = with_tasks(learned_run.training, ("chat",) * len(learned_run.training.data))
    assert leave_tasks_out(alone, LINEAR) == ()
