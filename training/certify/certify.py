"""Certificates of kept quality: which rules lose no more than a target against the reference, with what confidence.

For one target, rules are tested (`training.certify.bounds`) in an order fixed before these rows were seen, safest
first, each at the full level, until the first that fails: fixed-sequence testing in Angelopoulos et al., "Learn then
Test: Calibrating Predictive Algorithms to Achieve Risk Control", Annals of Applied Statistics 19 (2025). A wrong
certificate implies that the *first* unacceptable rule passed, and that is one test.

A ladder of targets, or a list of tasks, is a sequence each, with its share of the error. A sequence certified to its
end leaves its share to the others (Holm, 1979; a graph in the sense of Bretz et al., Statistics in Medicine 28,
2009), and a rule certified for a target is certified for every larger one. All certificates then hold at once:

    Let I be the sequences with an unacceptable rule, c(k) the first such rule of sequence k, w(k) its weight. Until
    some c(k) passes, no sequence of I has ended, so each k in I is tested at a level of at most level(k) = error *
    w(k) / (sum of w over I). An unacceptable rule is inherited only from a smaller target, for which it is
    unacceptable too and must have passed before. Hence P(any wrong) <= sum over I of P(p-value of c(k) <= level(k))
    <= sum over I of level(k) = error.

The shares are unequal: four fifths of the error go to the headline target. One target alone pays nothing for others.

What is certified is the loss on tomorrow's requests, so each group of like rows weighs as much as it is asked, and is
one draw all the same (`training.certify.bounds.design_effect`).

MAPIE's ``risk_control`` (1.6) has Learn then Test with fixed sequences, for losses in [0, 1], one level a risk, and
Hoeffding-Bentkus p-values. It has no ladders, relative targets or groups, and, moved to [0, 1], paired losses in [-1,
1] look as spread out as any: hardly a rule is certified (``benchmarks/bounds.py``). So it is not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from training.certify.bounds import betting_p_values, design_effect, exact_p_value, largest_provable, paired_values

Method = Literal["exact", "betting"]
LADDER = (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.10)
HEADLINE = 0.02

_HEADLINE_SHARE = 0.8
# Rounding up to this share of the scores to pass/fail costs less than betting does.
_FRACTIONAL_SHARE = 0.1
_BOUND_ROUNDS, _BOUND_POINTS = 3, 9
_MOST_ROWS = 10_000_000


@dataclass(frozen=True, slots=True)
class Rung:
    """What could be certified for one target.

    Attributes
    ----------
    target : quality that may be lost: a share of the reference's mean quality if ``relative``, else points of quality.
    confidence : with which this certificate and those made with it hold, all at once.
    rule : index of the cheapest certified rule; None where not even the first is, so that only the reference will do.
    p_value : of the hypothesis that this rule, or the first where none is certified, loses more than the target.
    loss : its observed loss, in the target's unit.
    upper_bound : the least target for which it passes its own test at this rung's share of the error, in the target's
        unit; at most the target where certified. It is about that rule alone: what is promised is the target.
    requests : rows that the test ran on. rows : the groups of like rows that they form.
    effective_rows : how many independent rows of equal weight say as much; at most ``rows``.
    rows_needed : about how many requests would certify the cheapest rule up to which none loses more than half of the
        target on these rows, if their means and variances persist; None where it is certified, or the first loses more
        already.
    method : the test that was used, "exact" or "betting".
    """

    target: float
    relative: bool
    confidence: float
    rule: int | None
    p_value: float
    loss: float
    upper_bound: float
    requests: int
    rows: int
    effective_rows: int
    rows_needed: int | None
    method: Method


@dataclass(frozen=True, slots=True)
class _Rows:
    """Scores of independent units and how to test them.

    Attributes
    ----------
    reference, router : (n, m) scores of the reference and of the rules, side by side.
    left : (n, m) whether a rule picks another tier than the reference anywhere in the unit.
    sizes : (n,) how many requests each unit stands for; None: one each.
    """

    reference: NDArray[np.float64]
    router: NDArray[np.float64]
    left: NDArray[np.bool_]
    sizes: NDArray[np.intp] | None
    relative: bool
    method: Method

    def __len__(self) -> int:
        return len(self.router)

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """(n,) of mean 1; None: all the same."""
        return None if self.sizes is None else self.sizes / self.sizes.mean()

    def p_values(self, rules: Sequence[int], targets: NDArray[np.float64], level: float) -> NDArray[np.float64]:
        """(k,): of each of k rules for the target beside it."""
        reference, router = self.reference[:, rules], self.router[:, rules]
        if self.sizes is not None:
            # Groups that could hide the loss allowed count as lost, so that chance cannot keep it out of sight.
            limits = [largest_provable(target, int(self.sizes.sum()), level) for target in targets.tolist()]
            lost = (self.sizes[:, None] > np.array(limits)) & self.left[:, rules]
            reference, router = np.where(lost, 1.0, reference), np.where(lost, 0.0, router)
        if self.method == "betting":
            values = paired_values(reference, router, targets, relative=self.relative)
            return betting_p_values(values, 1 - targets, level, self.weights)
        return np.array(
            [
                exact_p_value(base, rule, target, relative=self.relative, weights=self.weights)
                for base, rule, target in zip(reference.T, router.T, targets.tolist(), strict=True)
            ]
        )

    def loss(self, rule: int) -> float:
        """Mean loss of a rule, in the target's unit."""
        reference = self.reference[:, rule]
        lost = float(np.average(reference - self.router[:, rule], weights=self.weights))
        if not self.relative:
            return lost
        mean = float(np.average(reference, weights=self.weights))
        return lost / mean if mean > 0 else 0.0

    def effective(self, rule: int, target: float) -> float:
        """How many independent rows the units are worth for a rule."""
        if self.weights is None:
            return float(len(self))
        reference, router = self.reference[:, [rule]], self.router[:, [rule]]
        values = paired_values(reference, router, target, relative=self.relative)
        return len(self) / float(design_effect(self.weights, values)[0])

    @property
    def requests(self) -> int:
        """How many requests all units stand for."""
        return len(self) if self.sizes is None else int(self.sizes.sum())


@dataclass(frozen=True, slots=True)
class _Verdict:
    """How many rules of a sequence are certified, and which sequence's tests, at which level, decided it."""

    certified: int
    sequence: int
    level: float

    @property
    def shown(self) -> int:
        """The last certified rule, or the first rule where none is."""
        return max(self.certified - 1, 0)


_Test = Callable[[int, int], float]


# Ten parameters: the scores, who belongs together, and six options of one test, each with a default.
def certify_ladder(
    reference: NDArray[np.float64],
    router: NDArray[np.float64],
    *,
    targets: Sequence[float] = LADDER,
    confidence: float = 0.95,
    relative: bool = True,
    groups: NDArray[np.int64] | None = None,
    left: NDArray[np.bool_] | None = None,
    headline: float = HEADLINE,
    method: Method | None = None,
    bounds: bool = True,
) -> tuple[Rung, ...]:
    """Certify rules for several targets; with ``confidence``, all the returned certificates hold at once.

    Parameters
    ----------
    reference : (n,) scores of the reference in 0..1, on rows that no rule was fitted or ordered on; (n, m) where what
        stands for an unknown one depends on what the rule picks.
    router : (n, m) scores of what each rule picks, safest rule first. The reference needs no test: leave it out.
    targets : losses allowed, from 0 to below 1.
    relative : whether targets are shares of the reference's mean score, or points of score.
    groups : (n,) group numbers. Rows of a group are alike, not independent: each group is one unit, with its mean
        scores, that weighs as much as its rows. One that is too large for a target (`largest_provable`) counts as lost.
    left : (n, m) whether a rule picks another tier than the reference; what stays with it is not lost. None: it does.
    headline : the target that four fifths of the error are spent on, where it is one of several; else all share it
        equally.
    method : None: "exact" where at least 90% of the scores are 0 or 1, else "betting". This looks at how rows are
        scored, not at who wins.
    bounds : work out `Rung.upper_bound`, which takes most of the time; else it is the target where certified, or 1.

    Returns
    -------
    One rung a target, in the order of ``targets``. A larger target never gets an earlier rule.

    Raises
    ------
    ValueError : no rows, no rules, or a score, target or confidence out of its range.
    """
    _check(reference, router, targets, confidence)
    rows = _independent(reference, router, groups, left, relative, method)
    error = 1 - confidence
    order = sorted(range(len(targets)), key=lambda place: targets[place])
    shares = _shares([targets[place] for place in order], headline)
    test = _tests([rows] * len(order), [targets[place] for place in order], error * shares)
    verdicts = _run(test, shares, router.shape[1], error, nested=True)
    rungs = {
        place: _rung(rows, targets[place], confidence, verdict, test(verdict.sequence, verdict.shown), bounds=bounds)
        for place, verdict in zip(order, verdicts, strict=True)
    }
    return tuple(rungs[place] for place in range(len(targets)))


# As many parameters as `certify_ladder` has, for the same reasons.
def certify_tasks(
    reference: NDArray[np.float64],
    router: NDArray[np.float64],
    tasks: Sequence[str],
    *,
    target: float = HEADLINE,
    confidence: float = 0.95,
    relative: bool = True,
    groups: NDArray[np.int64] | None = None,
    left: NDArray[np.bool_] | None = None,
    method: Method | None = None,
) -> dict[str, Rung]:
    """Certify rules for each task by itself; with ``confidence``, all the returned certificates hold at once.

    When each task follows its own certified rule (or the reference), the whole is within the target too. A rule chosen
    otherwise, by `certify_ladder` say, is certified for a task when it comes no later than the task's own.
    The error is shared equally among the tasks that have rows enough to certify a rule without any loss; the others are
    not tested, and so cost nothing.

    Parameters
    ----------
    tasks : (n,) labels of the rows.
    reference, router, confidence, relative, groups, left, method : as in `certify_ladder`.

    Returns
    -------
    One rung a task, in order of first appearance; ``p_value`` is 1 where the task was not tested.

    Raises
    ------
    ValueError : as `certify_ladder`.
    """
    _check(reference, router, (target,), confidence)
    parts = {}
    for task in dict.fromkeys(tasks):
        own = np.array([label == task for label in tasks])
        parts[task] = _independent(
            reference[own],
            router[own],
            None if groups is None else groups[own],
            None if left is None else left[own],
            relative,
            method,
        )
    error = 1 - confidence
    tested = _large_enough({task: rows.effective(0, target) for task, rows in parts.items()}, target, error)
    shares = np.full(len(tested), 1 / max(len(tested), 1))
    test = _tests([parts[task] for task in tested], [target] * len(tested), error * shares)
    verdicts = dict(zip(tested, _run(test, shares, router.shape[1], error, nested=False), strict=True))
    untested = _Verdict(0, 0, error / (len(tested) + 1))
    rungs = {}
    for task, rows in parts.items():
        verdict = verdicts.get(task, untested)
        value = test(verdict.sequence, verdict.shown) if task in verdicts else 1.0
        rungs[task] = _rung(rows, target, confidence, verdict, value)
    return rungs


def p_value(
    reference: NDArray[np.float64],
    router: NDArray[np.float64],
    target: float,
    *,
    relative: bool = True,
    level: float = 0.05,
    method: Method | None = None,
) -> float:
    """P-value of the hypothesis that one rule loses more than ``target`` against the reference.

    Parameters
    ----------
    reference, router : (n,) scores in 0..1 of independent rows.
    level : the level it will be compared with, which bets are sized for; the p-value is valid whatever it is.
    relative, method : as in `certify_ladder`.

    Raises
    ------
    ValueError : as `certify_ladder`.
    """
    _check(reference, router[:, None], (target,), 1 - level)
    rows = _independent(reference, router[:, None], None, None, relative, method)
    return float(rows.p_values([0], np.array([target]), level)[0])


def upper_bound(
    reference: NDArray[np.float64],
    router: NDArray[np.float64],
    *,
    relative: bool = True,
    confidence: float = 0.95,
    groups: NDArray[np.int64] | None = None,
    method: Method | None = None,
) -> float:
    """Upper confidence bound of one rule's loss, as a share of the reference's mean or in points of score; at most 1.

    It is the target above which all pass their test, found on a grid that is refined.

    Parameters
    ----------
    reference, router : (n,) scores in 0..1.
    relative, groups, method : as in `certify_ladder`.

    Raises
    ------
    ValueError : as `certify_ladder`.
    """
    _check(reference, router[:, None], (), confidence)
    rows = _independent(reference, router[:, None], groups, None, relative, method)
    return _bound(rows, 0, 1 - confidence, top=1.0)


def _check(
    reference: NDArray[np.float64], router: NDArray[np.float64], targets: Sequence[float], confidence: float
) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence:g}; expected a number between 0 and 1")
    for target in targets:
        if not 0 <= target < 1:
            raise ValueError(f"the quality that may be lost is {target:g}; expected a number from 0 to below 1")
    if router.ndim != 2 or reference.shape not in (router.shape[:1], router.shape) or 0 in router.shape:
        raise ValueError(f"scores are {reference.shape} and {router.shape}; expected (n,) and (n, m), neither empty")
    if not all(((scores >= 0) & (scores <= 1)).all() for scores in (reference, router)):
        raise ValueError("a score is missing or not in 0..1; give only rows where every tier involved has one")


def _independent(
    reference: NDArray[np.float64],
    router: NDArray[np.float64],
    groups: NDArray[np.int64] | None,
    left: NDArray[np.bool_] | None,
    relative: bool,
    method: Method | None,
) -> _Rows:
    """One unit a group, and the method that suits what comes out."""
    base = reference if reference.ndim == 2 else reference[:, None]
    away = np.ones(router.shape, bool) if left is None else left
    sizes: NDArray[np.intp] | None = None
    if groups is not None:
        numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)[1:]
        base, router = (_group_means(scores, numbers, sizes) for scores in (base, router))
        away = _group_means(away.astype(np.float64), numbers, sizes) > 0
        sizes = sizes if np.ptp(sizes) else None
    base = np.broadcast_to(base, router.shape)
    return _Rows(base, router, away, sizes, relative, method or _suitable(base[:, :1], router))


def _group_means(
    scores: NDArray[np.float64], numbers: NDArray[np.intp], sizes: NDArray[np.intp]
) -> NDArray[np.float64]:
    """(g, m): means of the rows of each group."""
    sums = np.zeros((len(sizes), scores.shape[1]))
    np.add.at(sums, numbers, scores)
    return sums / sizes[:, None]


def _suitable(reference: NDArray[np.float64], router: NDArray[np.float64]) -> Method:
    """By how rows are scored."""
    scores = np.column_stack([reference, router])
    fractional = float(((scores > 0) & (scores < 1)).mean())
    return "exact" if fractional <= _FRACTIONAL_SHARE else "betting"


def _shares(targets: Sequence[float], headline: float) -> NDArray[np.float64]:
    """Each target's share of the error."""
    if headline not in targets or len(targets) == 1:
        return np.full(len(targets), 1 / max(len(targets), 1))
    rest = (1 - _HEADLINE_SHARE) / (len(targets) - 1)
    return np.array([_HEADLINE_SHARE if target == headline else rest for target in targets])


def _large_enough(sizes: dict[str, float], target: float, error: float) -> list[str]:
    """The largest tasks, as many as could be certified with equal shares of the error if no row lost anything."""
    ranked = sorted(sizes, key=lambda task: -sizes[task])
    for count in range(len(ranked), 0, -1):
        if sizes[ranked[count - 1]] >= _least_rows(target, error / count):
            return ranked[:count]
    return []


def _least_rows(target: float, level: float) -> float:
    """Rows that certify a rule without any loss; for target 0, one that is better on every row."""
    return math.log(level) / math.log(1 - target if target > 0 else 0.5)


def _tests(parts: Sequence[_Rows], targets: Sequence[float], levels: NDArray[np.float64]) -> _Test:
    """The p-value of a sequence's rule, computed when asked for.

    It stays the same when the sequence's level rises later on, as the proof needs: bets are sized for the first level.
    """

    def found(sequence: int, rules: Sequence[int]) -> NDArray[np.float64]:
        targeted = np.full(len(rules), targets[sequence])
        return parts[sequence].p_values(rules, targeted, float(levels[sequence]))

    @cache
    def bet(sequence: int) -> NDArray[np.float64]:
        return found(sequence, range(parts[sequence].router.shape[1]))

    @cache
    def test(sequence: int, rule: int) -> float:
        # Bets are placed row by row, so all rules at once take about as long as one.
        return float(bet(sequence)[rule] if parts[sequence].method == "betting" else found(sequence, [rule])[0])

    return test


def _run(test: _Test, weights: NDArray[np.float64], rules: int, error: float, *, nested: bool) -> list[_Verdict]:
    """Run all sequences; those certified to their end hand their share of the error to the others."""
    levels = error * weights
    ended = np.zeros(len(weights), dtype=bool)
    while True:
        verdicts = _sweep(test, levels, rules, nested=nested)
        now = np.array([verdict.certified == rules for verdict in verdicts], dtype=bool)
        if now.all() or (now == ended).all():
            return verdicts
        ended = now
        levels = np.where(ended, levels, error * weights / weights[~ended].sum())


def _sweep(test: _Test, levels: NDArray[np.float64], rules: int, *, nested: bool) -> list[_Verdict]:
    """Test each sequence at its level; where ``nested``, what one certifies is certified for the next."""
    verdicts: list[_Verdict] = []
    for sequence, level in enumerate(levels.tolist()):
        inherited = verdicts[-1] if nested and verdicts else _Verdict(0, sequence, level)
        count = inherited.certified
        while count < rules and test(sequence, count) <= level:
            count += 1
        keeps = 0 < count == inherited.certified
        verdicts.append(inherited if keeps else _Verdict(count, sequence, level))
    return verdicts


def _rung(
    rows: _Rows, target: float, confidence: float, verdict: _Verdict, value: float, *, bounds: bool = True
) -> Rung:
    certified = verdict.certified > 0
    top = target if certified else 1.0
    return Rung(
        target=target,
        relative=rows.relative,
        confidence=confidence,
        rule=verdict.shown if certified else None,
        p_value=value,
        loss=rows.loss(verdict.shown),
        upper_bound=_bound(rows, verdict.shown, verdict.level, top=top) if bounds else top,
        requests=rows.requests,
        rows=len(rows),
        effective_rows=math.floor(rows.effective(verdict.shown, target)),
        rows_needed=_rows_needed(rows, target, verdict),
        method=rows.method,
    )


def _bound(rows: _Rows, rule: int, level: float, *, top: float) -> float:
    """The least target that passes at ``level``, among those below ``top``, which is taken to pass."""
    low, high = max(rows.loss(rule), -1.0), top
    if low >= high:
        return high
    for _ in range(_BOUND_ROUNDS):
        targets = np.linspace(low, high, _BOUND_POINTS + 2)
        passes = np.ones(len(targets), dtype=bool)
        passes[1:-1] = rows.p_values([rule] * _BOUND_POINTS, targets[1:-1], level) <= level
        passes[0] = False
        last_failed = int(np.flatnonzero(~passes)[-1])
        low, high = float(targets[last_failed]), float(targets[last_failed + 1])
    return high


def _rows_needed(rows: _Rows, target: float, verdict: _Verdict) -> int | None:
    """By formula: (quantile * deviation / mean of the paired values) squared, the largest of the rules on the way.

    The quantile is the normal one for the exact test, whose power is close to that of Student's test; for betting it is
    sqrt(2 log(1 / level)), and half as many rows again go into learning how to bet. No test does with fewer rows than a
    rule without any loss needs, or, as these were not enough, with fewer than a tenth more.
    """
    losses = np.array([rows.loss(rule) for rule in range(rows.router.shape[1])])
    scored = float((rows.reference[:, 0] > 0).mean()) if rows.relative else 1.0
    way = int(np.logical_and.accumulate((losses < target) & (losses <= target / 2)).sum())
    if way <= verdict.certified or scored == 0:
        return None
    paired = paired_values(rows.reference[:, :way], rows.router[:, :way], target, relative=rows.relative)
    level = verdict.level
    squared_quantile = stats.norm.isf(level) ** 2 if rows.method == "exact" else 1.5 * 2 * math.log(1 / level)
    mean = np.average(paired, axis=0, weights=rows.weights)
    variance = np.average((paired - mean) ** 2, axis=0, weights=rows.weights)
    needed = squared_quantile * float((variance / mean**2).max())
    thinning = len(rows) / rows.effective(verdict.shown, target)
    needed = thinning * max(needed, _least_rows(target, level) / scored)
    return math.ceil(min(max(needed, 1.1 * len(paired)) * rows.requests / len(rows), _MOST_ROWS))
