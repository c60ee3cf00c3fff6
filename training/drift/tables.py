"""What is expected and what is seen, before and lately: by tier, by task, by the gate's verdict, and over time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from training.drift.data import GateView, Series, TaskView, TierView, Window
from training.drift.estimates import mean_ratio, mean_share
from training.drift.streams import alike, cost_ratio, task_codes
from training.feedback.gate_truth import GateTruth, Rates, gate_truth
from training.feedback.labels import make_labels
from training.log.observed import Observed
from training.report.data import Estimate

_LEAST_ANSWERS = 20  # of a task, to be shown by itself
_WINDOWS = 16
_WINDOW_ROWS = 60
_LEAST_SEEN = 5  # answers in a window, to be drawn

_Float = NDArray[np.float64]
_Rows = NDArray[np.bool_]


def tier_views(observed: Observed, split: int) -> tuple[TierView, ...]:
    """Each tier before a row and from it on."""
    lately = np.arange(len(observed)) >= split
    labels = seen_adequacy(observed, split)
    return tuple(_tier_view(observed, tier, lately, labels[:, tier]) for tier in range(len(observed.tiers)))


def task_views(observed: Observed, split: int) -> tuple[TaskView, ...]:
    """Each tier's answers to each task from a row on, where they are not too few; by tier, the commonest task first."""
    lately = np.arange(len(observed)) >= split
    labels, (tasks, codes) = seen_adequacy(observed, split), task_codes(observed)
    return tuple(
        view
        for tier in range(len(observed.tiers))
        for code in np.argsort(-np.bincount(codes[lately], minlength=len(tasks)), kind="stable")
        if (view := _task_view(observed, tier, tasks[code], lately & (codes == code), labels[:, tier])) is not None
    )


def gate_views(observed: Observed, split: int) -> tuple[GateView, ...]:
    """What audits say of verdicts before a row and from it on; tiers without any audit are left out."""
    rows = np.arange(len(observed))
    before, lately = gate_truth(observed.rows(rows[:split])), gate_truth(observed.rows(rows[split:]))
    return tuple(
        GateView(
            name,
            false_pass=(_missing(before.passed, tier), _missing(lately.passed, tier)),
            false_fail=(_rate(before.failed, tier), _rate(lately.failed, tier)),
            audits=(_audits(before, tier), _audits(lately, tier)),
        )
        for tier, name in enumerate(observed.tiers)
        if sum(_audits(before, tier)) + sum(_audits(lately, tier))
    )


def series(observed: Observed, split: int) -> tuple[Series, ...]:
    """Each tier's pass rate, adequacy and cost over time, against what is usual before a row, or expected."""
    labels = seen_adequacy(observed, split)
    lately = np.arange(len(observed)) >= split
    found = []
    for tier, name in enumerate(observed.tiers):
        expected = np.where(np.isnan(labels[:, tier]), np.nan, observed.expected[:, tier])
        ratios = known_ratios(observed, tier)
        before = mean_ratio(_known(ratios[~lately]))
        usual_cost = np.full(len(observed), np.nan if before is None else before.value)
        found += [
            Series(name, "passed", tuple(_windows(observed.verdict[:, tier], usual_passes(observed, tier, lately)))),
            Series(name, "adequate", tuple(_windows(labels[:, tier], expected))),
            Series(name, "cost", tuple(_windows(ratios, usual_cost, mean_ratio))),
        ]
    return tuple(each for each in found if each.windows)


def seen_adequacy(observed: Observed, split: int) -> _Float:
    """(n, t) adequacy by feedback, audits, and verdicts at what they were worth before a row; NaN: nothing is known.

    What verdicts are worth now is not known without many audits. At what they were worth before, answers that are
    passed less often count as worse.
    """
    before = observed.rows(np.arange(split))
    return make_labels(observed, gate_truth(before)).values


def usual_passes(observed: Observed, tier: int, lately: _Rows) -> _Float:
    """(n,) how often the gate passed a tier's answers to like requests before; NaN where there were none."""
    verdict, groups = observed.verdict[:, tier], alike(observed, tier)
    before = ~lately & ~np.isnan(verdict)
    size = int(groups.max(initial=-1)) + 1
    counts = np.bincount(groups[before], minlength=size)
    sums = np.bincount(groups[before], verdict[before], size)
    rates = np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0)
    usual: _Float = np.where(np.isnan(verdict), np.nan, rates[groups])
    return usual


def known_ratios(observed: Observed, tier: int) -> _Float:
    """(n,) logarithms of cost over expected cost; NaN where one of them is unknown."""
    return np.where(observed.expected_cost[:, tier] > 0, cost_ratio(observed, tier), np.nan)


def _tier_view(observed: Observed, tier: int, lately: _Rows, labels: _Float) -> TierView:
    verdict, score, ratios = observed.verdict[:, tier], observed.score[:, tier], known_ratios(observed, tier)
    judged = np.where(np.isnan(verdict), np.nan, score)
    known = lately & ~np.isnan(labels)
    return TierView(
        name=observed.tiers[tier],
        answers_before=len(_known(verdict[~lately])),
        answers=len(_known(verdict[lately])),
        passes_before=mean_share(_known(verdict[~lately])),
        passes=mean_share(_known(verdict[lately])),
        usual=_mean(usual_passes(observed, tier, lately)[lately]),
        score_before=_mean(judged[~lately]),
        score=_mean(judged[lately]),
        expected=_mean(observed.expected[known, tier]),
        gap_before=_mean((labels - observed.expected[:, tier])[~lately]),
        adequate=mean_share(labels[known]),
        cost_before=mean_ratio(_known(ratios[~lately])),
        cost=mean_ratio(_known(ratios[lately])),
    )


def _task_view(observed: Observed, tier: int, task: str | None, rows: _Rows, labels: _Float) -> TaskView | None:
    known = rows & ~np.isnan(labels) & ~np.isnan(observed.expected[:, tier])
    seen = mean_share(labels[known])
    if seen is None or known.sum() < _LEAST_ANSWERS:
        return None
    return TaskView(observed.tiers[tier], task, int(known.sum()), float(observed.expected[known, tier].mean()), seen)


def _windows(
    values: _Float, usual: _Float, summary: Callable[[_Float], Estimate | None] = mean_share
) -> Iterator[Window]:
    """Neighbouring rows together, where they are not too few."""
    for part in np.array_split(np.arange(len(values)), min(max(len(values) // _WINDOW_ROWS, 1), _WINDOWS)):
        known = _known(values[part])
        seen = summary(known)
        if seen is not None and len(known) >= _LEAST_SEEN:
            yield Window(int(part[len(part) // 2]), len(known), seen, _mean(usual[part]))


def _known(values: _Float) -> _Float:
    return values[~np.isnan(values)]


def _mean(values: _Float) -> float | None:
    known = _known(values)
    return float(known.mean()) if len(known) else None


def _rate(rates: Rates, tier: int) -> Estimate:
    return Estimate(float(rates.value[tier]), float(rates.low[tier]), float(rates.high[tier]))


def _missing(rates: Rates, tier: int) -> Estimate:
    """One minus the rate."""
    return Estimate(1 - float(rates.value[tier]), 1 - float(rates.high[tier]), 1 - float(rates.low[tier]))


def _audits(truth: GateTruth, tier: int) -> tuple[int, int]:
    return int(truth.passed.audits[tier]), int(truth.failed.audits[tier])
