"""What is watched: for each kind of change a stream of values, and the groups within which they are compared.

- Requests: the task label, what the artifact expects of adequacy and of cost (which are there whatever the store keeps
  of a request), and novelty.
- Answers of each tier: the gate's verdict less the expected adequacy, among answers to requests of the same task, about
  the same expectation, and the same way to the tier. A change in what is asked leaves this as it was.
- Judged answers: what audits, else users, found of the answer that was given, less what was expected of it.
- The gate: what audits found of answers that it passed, and of those that it did not.
- Costs of each tier: the logarithm of cost over expected cost, within a task.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from classifier.cascade.route import GateRates
from training.log.observed import Observed

TASKS, ADEQUACY, SIZE, NOVELTY = "tasks", "expected adequacy", "expected cost", "novelty"
ANSWERS, JUDGED, PASSED, FAILED, COST = "answers", "judged answers", "passed answers", "failed answers", "cost"
KINDS = {
    TASKS: "requests",
    ADEQUACY: "requests",
    SIZE: "requests",
    NOVELTY: "requests",
    ANSWERS: "quality",
    JUDGED: "quality",
    PASSED: "gate",
    FAILED: "gate",
    COST: "cost",
}

_EXPECTATIONS = np.array([0.4, 0.6, 0.75, 0.85, 0.93])  # where groups of about the same expectation end
_TYPICAL = np.array([0.3, 0.5, 0.68, 0.8, 0.89, 0.965])  # of each group
_USUAL = GateRates(pass_adequate=0.95, pass_inadequate=0.35)
_AROUND = np.array([0.7, 1.0, 1.4])  # times the share of failures that a group should have
_UNEXPECTED = np.array([0.1, 0.25, 0.5])  # shares of failures where nothing is expected

_Float = NDArray[np.float64]
_Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """One stream of m values, at most one for each row.

    Attributes
    ----------
    what : one of this module's names.
    tier : whose, by place; None: of no tier in particular.
    rows : (m,) places in the log, rising.
    values : (m,) numbers; for `TASKS` numbers of labels.
    groups : (m,) values are compared within a group only.
    edges : (m, b) for `training.drift.evidence`; None: its own.
    """

    what: str
    tier: int | None
    rows: _Places
    values: _Float
    groups: _Places
    edges: _Float | None = None

    @property
    def name(self) -> str:
        """Unlike that of any other stream."""
        return self.what if self.tier is None else f"{self.what} {self.tier}"


def watch(observed: Observed, novelty: _Float | None = None) -> tuple[Stream, ...]:
    """All streams of a log; which there are depends on the tiers alone, and on whether novelty is given.

    Parameters
    ----------
    observed : rows of one artifact, in order of time.
    novelty : (n,) as logged, NaN where unknown.
    """
    return (*_requests(observed, novelty), *_answers(observed), *_given(observed), *_costs(observed))


def task_codes(observed: Observed) -> tuple[tuple[str | None, ...], _Places]:
    """The labels in order of their first row, None among them where there is none, and (n,) each row's number."""
    codes = {task: code for code, task in enumerate(dict.fromkeys(observed.asked.tasks))}
    return tuple(codes), np.array([codes[task] for task in observed.asked.tasks], np.int64)


def alike(observed: Observed, tier: int) -> _Places:
    """(n,) groups of rows that had the same task, about the same expectation of a tier, and the same way to it."""
    began = observed.start == tier
    return _crossed(task_codes(observed)[1], _about(observed.expected[:, tier]), began)


def row_means(values: _Float) -> _Float:
    """(n,) means over the known tiers; NaN where none is known."""
    known = ~np.isnan(values)
    counts = known.sum(axis=1)
    sums = np.where(known, values, 0.0).sum(axis=1)
    means: _Float = np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)
    return means


def judged(observed: Observed) -> _Float:
    """(n,) what audits, else users, found of the answer that was given; NaN where nobody looked."""
    return _of_answered(observed, np.where(np.isnan(observed.audit), observed.feedback, observed.audit))


def cost_ratio(observed: Observed, tier: int) -> _Float:
    """(n,) logarithm of a tier's cost over the expected one, or over 1 USD where none is expected; NaN: unknown."""
    cost, expected = observed.cost[:, tier], observed.expected_cost[:, tier]
    base = np.where(expected > 0, expected, 1.0)
    ratio: _Float = np.log(np.divide(cost, base, out=np.full(len(cost), np.nan), where=cost > 0))
    return ratio


def _requests(observed: Observed, novelty: _Float | None) -> Iterator[Stream]:
    yield _stream(TASKS, None, task_codes(observed)[1].astype(np.float64))
    yield _stream(ADEQUACY, None, row_means(observed.expected))
    yield _stream(SIZE, None, row_means(observed.expected_cost))
    if novelty is not None:
        yield _stream(NOVELTY, None, novelty)


def _answers(observed: Observed) -> Iterator[Stream]:
    for tier in range(len(observed.tiers)):
        left = observed.verdict[:, tier] - np.nan_to_num(observed.expected[:, tier])
        stream = _stream(ANSWERS, tier, left, alike(observed, tier))
        yield replace(stream, edges=_failures(observed.expected[stream.rows, tier]))


def _about(expected: _Float) -> _Places:
    """(n,) numbers of groups of about the same expectation; the last is for what is not expected at all."""
    groups = np.searchsorted(_EXPECTATIONS, expected, side="right")
    return np.where(np.isnan(expected), len(_TYPICAL), groups).astype(np.int64)


def _failures(expected: _Float) -> _Float:
    """(m, 3) shares of failures that a gate may show. How soon a change is found depends on them, no false alarm does.

    They are those of the group, not of the row: within a group, p-values are uniform only while nothing tells rows
    apart.
    """
    passes = _TYPICAL * _USUAL.pass_adequate + (1.0 - _TYPICAL) * _USUAL.pass_inadequate
    shares = np.vstack((np.outer(1.0 - passes, _AROUND), _UNEXPECTED))
    edges: _Float = shares[_about(expected)]
    return edges


def _given(observed: Observed) -> Iterator[Stream]:
    audit, verdict = (_of_answered(observed, values) for values in (observed.audit, observed.verdict))
    expected = np.nan_to_num(_of_answered(observed, observed.expected))
    yield _stream(JUDGED, None, judged(observed) - expected, _crossed(observed.answered, np.isnan(audit)))
    for what, value in ((PASSED, 1.0), (FAILED, 0.0)):
        yield _stream(what, None, np.where(verdict == value, audit, np.nan), observed.answered)


def _costs(observed: Observed) -> Iterator[Stream]:
    tasks = task_codes(observed)[1]
    for tier in range(len(observed.tiers)):
        unexpected = ~(observed.expected_cost[:, tier] > 0)
        yield _stream(COST, tier, cost_ratio(observed, tier), _crossed(tasks, unexpected))


def _stream(what: str, tier: int | None, values: _Float, groups: _Places | None = None) -> Stream:
    rows = np.flatnonzero(np.isfinite(values))
    kept = np.zeros(len(rows), np.int64) if groups is None else groups[rows]
    return Stream(what, tier, rows, values[rows], kept)


def _of_answered(observed: Observed, values: _Float) -> _Float:
    """(n,) the values (n, t) of the tiers whose answers were given."""
    given = observed.answered >= 0
    return np.where(given, values[np.arange(len(observed)), np.maximum(observed.answered, 0)], np.nan)


def _crossed(*keys: Sequence[int] | NDArray[np.integer | np.bool_]) -> _Places:
    """(n,) numbers that are equal where all keys are."""
    _, numbers = np.unique(np.stack([np.asarray(key, np.int64) for key in keys]), axis=1, return_inverse=True)
    return numbers.reshape(-1).astype(np.int64)
