"""Leaving tasks out: what a router does on a task that it never saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from training.certify.scorer import RowScorer
from training.learners.calibrate import fit_calibration
from training.learners.fit import FittedModel
from training.learners.learner import Learner
from training.measure.evaluate import Outcomes, evaluate, fixed_weights
from training.prepare.data import RoutingData
from training.progress import Progress
from training.training import Training

MOST_PARTS = 8
_LEAST_ROWS = 30


@dataclass(frozen=True, slots=True)
class UnseenTask:
    """What a router trained without a task does on it.

    Attributes
    ----------
    rows : the task's rows, all of them.
    kept, saving : share of the reference's quality kept, and of its cost saved.
    novel : share of the rows that it told to be unlike its training rows, and left to the reference.
    """

    name: str
    rows: int
    kept: float
    saving: float
    novel: float


def leave_tasks_out(
    training: Training, learner: Learner, *, jobs: int = 1, progress: Progress | None = None
) -> tuple[UnseenTask, ...]:
    """Train without each task, at the chosen setting, and route it; the largest tasks first.

    With more than eight tasks, they are left out in eight lots, so that a router misses several at once. Rows alike
    those of a missing task go with it. Model, calibration and novelty are learned anew; the rule's setting stays, so
    nothing is promised here. Empty where there are not two tasks, or the learned router is not shipped.

    Parameters
    ----------
    learner : the one that won.
    """
    labels = training.data.matrix.tasks
    counts = Counter(task for task in labels if task is not None)
    names = [task for task, count in counts.most_common() if count >= _LEAST_ROWS]
    if training.shipped.strategy != "learned" or len(set(labels)) < 2 or not names:
        return ()
    lots = [names[start::MOST_PARTS] for start in range(min(MOST_PARTS, len(names)))]
    found: list[UnseenTask] = []
    results = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(_route_unseen)(training, learner, frozenset(lot)) for lot in lots
    )
    for done, tasks in enumerate(results, start=1):
        found += tasks
        if progress is not None:
            progress(done, len(lots))
    return tuple(sorted(found, key=lambda task: (-task.rows, task.name)))


def _route_unseen(training: Training, learner: Learner, missing: frozenset[str]) -> list[UnseenTask]:
    data, split = training.data, training.split
    gone = np.array([task in missing for task in data.matrix.tasks])
    alike = np.isin(data.groups, data.groups[gone])
    fit, choose = split.fit[~alike[split.fit]], split.choose[~alike[split.choose]]
    if min(len(fit), len(choose)) < _LEAST_ROWS:
        return []
    scorer = RowScorer.of(data, _fitted(data, learner, fit, choose), fit, training.reference_cost, training.support)
    expected, rows = scorer.view_with_outcomes(np.flatnonzero(gone))
    setting = training.rule.setting
    chosen = expected.choose(setting.price_weight, setting.reference_bonus)
    return list(_by_task(rows, chosen, expected.novel, training.seed))


def _fitted(data: RoutingData, learner: Learner, fit: NDArray[np.int64], choose: NDArray[np.int64]) -> FittedModel:
    weights = data.weights
    counts = [None if weights is None else weights[rows] for rows in (fit, choose)]
    learned = learner.fit(data.matrix.rows(fit), data.quality[fit], data.costs[fit], weights=counts[0])
    outputs = learned.outputs(data.matrix.rows(choose))
    calibration = fit_calibration(outputs, data.quality[choose], data.adequate[choose], data.reference, counts[1])
    return FittedModel("", learned, calibration, data.reference)


def _by_task(rows: Outcomes, chosen: NDArray[np.int64], novel: NDArray[np.bool_], seed: int) -> Iterator[UnseenTask]:
    labels = np.array([str(task) for task in rows.tasks])
    for task in np.unique(labels).tolist():
        own = np.flatnonzero(labels == task)
        weights = fixed_weights(chosen[own], rows.quality.shape[1])
        result = evaluate(task, weights, rows.part(own), seed=seed)
        yield UnseenTask(task, len(own), result.kept, result.saving, float(novel[own].mean()))
