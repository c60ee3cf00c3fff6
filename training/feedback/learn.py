"""A model from what a cascade observed: outcomes by request from verdicts, seen or not, then fitted as ever.

1. The simplest learner, cross-fitted on verdicts, says how likely each tier's answer to a request is to pass, and by
   the gate's rates how likely it is to be adequate (`training.feedback.verdicts`).
2. From there, what was seen of a request says how easy it is, and so how adequate each tier's answer to it is, seen or
   not (`training.feedback.completion`).
3. What step 1 expects, it learned of the dearer tiers where cheaper ones had failed. So the same learner, cross-fitted
   on what step 2 found, says it anew, and step 2 is taken once more. Audits and feedback stand above what comes of it.
4. The learners are fitted on these outcomes, all tiers of a request at once, as on a table with every outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from classifier.cascade.route import GateRates
from classifier.model import Expectations
from training.feedback.completion import complete_outcomes
from training.feedback.gate_truth import gate_truth
from training.feedback.labels import FILLED, UNKNOWN, LabelOptions, Labels, faded, make_labels
from training.feedback.verdicts import passing_rates
from training.learners.calibrate import cross_fit, fit_calibration
from training.learners.fit import FitRows, FittedModel, calibrated, fit_model
from training.learners.learner import Learner
from training.log.observed import Observed, gate_rows
from training.progress import Progress

_GATE_ROWS = 200
_GATE_GROUPS = 20

_Float = NDArray[np.float64]


def learn(
    learners: Mapping[str, Learner],
    observed: Observed,
    rows: FitRows,
    *,
    pass_adequate: float = GateRates().pass_adequate,
    options: LabelOptions | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> tuple[FittedModel, Expectations, Labels]:
    """Fit on a log; the model, its cross-fitted expectations of the log's rows, and the completed labels behind them.

    The last are also what a rule can be chosen on: every tier has a value in every row. Those filled in are
    expectations, and know no surprises: a promise must rest on seen outcomes.

    Parameters
    ----------
    learners : candidates by name, the simplest first; it makes the expectations that labels start from.
    rows : the log's rows, in their order.
    pass_adequate : how often the gate is assumed to pass adequate answers, above 0 and below 1.
    options : ``half_life`` counts; ``clip`` does not, as unseen outcomes are filled in instead of weighted for.

    Raises
    ------
    ValueError : there are fewer than two groups, or ``pass_adequate`` is out of range.
    """
    labels = completed_labels(
        next(iter(learners.values())), observed, rows, pass_adequate=pass_adequate, options=options, jobs=jobs
    )
    weights = None if options is None or options.half_life is None else labels.weights
    fitted, expected = fit_model(
        learners, rows, labels.values, labels.values, weights=weights, jobs=jobs, progress=progress
    )
    return fitted, expected, labels


def completed_labels(
    learner: Learner,
    observed: Observed,
    rows: FitRows,
    *,
    pass_adequate: float = GateRates().pass_adequate,
    options: LabelOptions | None = None,
    jobs: int = 1,
) -> Labels:
    """Steps 1 to 3 of the module's first lines; parameters and errors as `learn`.

    Values are all known; the weights are those of age alone.
    """
    options = options or LabelOptions()
    shape = observed.verdict.shape
    ages = np.repeat(faded(observed.time, options.half_life)[:, None], shape[1], axis=1)
    likelihood, expected = np.empty((*shape, 2)), np.empty(shape)
    known, source = np.empty(shape), np.empty(shape, np.int64)
    for own in _gates_apart(observed, rows.groups):
        part = observed.rows(own)
        passing = passing_rates(part, pass_adequate)
        labels = make_labels(part, gate_truth(part, pass_adequate), replace(options, clip=1.0, by_request=False))
        judged = ~np.isnan(part.verdict).all(axis=0)
        seen = np.where(judged, part.verdict, labels.values)
        chances = _expected(learner, rows.rows(own), seen, ages[own], jobs)
        expected[own] = np.where(judged, passing.expected(chances), chances)
        known[own], source[own] = labels.certain, labels.source
        certain = ~np.isnan(labels.certain)[:, :, None]
        outcome = np.stack([1.0 - labels.certain, labels.certain], axis=-1)
        likelihood[own] = np.where(certain, outcome, passing.likelihood(part.verdict))
    values = _completed(known, likelihood, expected, rows.reference, ages)
    expected = _expected(learner, rows, values, ages, jobs)
    return Labels(
        values=_completed(known, likelihood, expected, rows.reference, ages),
        weights=ages,
        source=np.where(source == UNKNOWN, FILLED, source),
        clipped=0.0,
    )


def _expected(learner: Learner, rows: FitRows, outcomes: _Float, ages: _Float, jobs: int) -> _Float:
    """(n, t) outcomes expected of rows by fits that did not see them."""
    weights = None if (ages == 1.0).all() else ages
    outputs = cross_fit(learner, rows.matrix, outcomes, rows.costs, rows.groups, weights=weights, jobs=jobs)
    calibration = fit_calibration(outputs, outcomes, outcomes, rows.reference, weights)
    return calibrated(outputs, calibration, rows.reference).quality


def _completed(known: _Float, likelihood: _Float, expected: _Float, reference: int, ages: _Float) -> _Float:
    """(n, t): what is known as it is, the rest by what was seen of the request."""
    filled = complete_outcomes(likelihood, expected, reference, ages[:, 0])
    return np.where(np.isnan(known), filled, known)


def _gates_apart(observed: Observed, groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Rows of each gate that judged enough of them, and all others together: gates differ in what they let pass."""
    large: list[NDArray[np.int64]] = []
    others: list[NDArray[np.int64]] = []
    for rows in gate_rows(observed).values():
        (large if len(rows) >= _GATE_ROWS else others).append(rows)
    rest = np.sort(np.concatenate(others)) if others else np.empty(0, np.int64)
    if large and len(np.unique(groups[rest])) < _GATE_GROUPS:
        large[0], rest = np.sort(np.concatenate([large[0], rest])), rest[:0]
    return [*large, *([rest] if len(rest) else [])]
