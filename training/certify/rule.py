"""Choosing the decision rule: which settings there are, and which keeps what promise, on rows that no weight saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from classifier.errors import InputError
from classifier.policy import choose_many
from classifier.rule import Promise, Setting
from training.certify.certify import LADDER, Rung, certify_ladder, certify_tasks
from training.measure.evaluate import Outcomes

_WEIGHTS = 400
_LEAST_WEIGHT = 1e-3
_BONUSES = (0.5, 0.35, 0.25, 0.18, 0.13, 0.09, 0.06, 0.04, 0.02, 0.01, 0.0)
_COST_STEP = 0.02
_SAME_COST = 1e-3
FLOORS_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Target:
    """The promise asked for: quality lost against the reference is at most ``loss``, with this confidence.

    Attributes
    ----------
    loss : relative to the reference's mean quality, or in points of quality where ``relative`` is false.
    per_task : promise it for each task by itself; a task that cannot be certified goes to the reference.
    share : of the error allowed, what this run may use: others certify on the same rows (`training.certify.ledger`).
    attempt : which try on these rows it is; None: nobody counts.
    """

    loss: float = 0.02
    confidence: float = 0.95
    relative: bool = True
    per_task: bool = False
    share: float = 1.0
    attempt: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises
        ------
        InputError : the loss or the confidence is out of range.
        """
        if not 0 <= self.loss < 1:
            raise InputError(f"the quality that may be lost is {self.loss:g}, expected a share from 0 to below 1")
        if not 0.5 <= self.confidence < 1:
            raise InputError(f"the confidence is {self.confidence:g}, expected a share from 0.5 to below 1")

    @property
    def level(self) -> float:
        """The confidence that this run may use in all, so that the certificates of all runs on the rows hold."""
        return 1 - (1 - self.confidence) * self.share

    @property
    def rule_level(self) -> float:
        """The confidence that the learned rule is tested at; what is left is for the rules without learning."""
        return 1 - (1 - self.level) * (1 - FLOORS_SHARE)

    @property
    def ladder(self) -> tuple[float, ...]:
        """All losses that are certified together, this one among them, ascending."""
        return tuple(sorted({*LADDER, self.loss}))


@dataclass(frozen=True, slots=True)
class RuleView:
    """What the rule decides by, for n requests that the model did not see.

    Attributes
    ----------
    quality : (n, t) expected.
    cost : (n, t) expected, as shares of the reference's mean cost.
    novel : (n,) requests unlike all training requests; they go to the reference.
    reference : position of the reference tier.
    unsupported : (n, t) tiers that were not observed on requests like this one; none of them is picked. The reference
        is never among them. None: every tier was.
    """

    quality: NDArray[np.float64]
    cost: NDArray[np.float64]
    novel: NDArray[np.bool_]
    reference: int
    unsupported: NDArray[np.bool_] | None = None

    def choose(self, price_weight: float, reference_bonus: float) -> NDArray[np.int64]:
        """(n,): the tier that the rule picks at a setting."""
        quality = self.quality.copy()
        quality[:, self.reference] += reference_bonus
        if self.unsupported is not None:
            quality[self.unsupported] = -np.inf
        return np.where(self.novel, self.reference, choose_many(quality, self.cost, price_weight))

    def part(self, rows: NDArray[np.int64]) -> RuleView:
        """Some of the requests."""
        unsupported = None if self.unsupported is None else self.unsupported[rows]
        return RuleView(self.quality[rows], self.cost[rows], self.novel[rows], self.reference, unsupported)

    def joined(self, other: RuleView) -> RuleView:
        """These requests, then the other ones."""
        masks = [mask for mask in (self.unsupported, other.unsupported) if mask is not None]
        return RuleView(
            np.concatenate([self.quality, other.quality]),
            np.concatenate([self.cost, other.cost]),
            np.concatenate([self.novel, other.novel]),
            self.reference,
            np.concatenate(masks) if len(masks) == 2 else None,
        )


@dataclass(frozen=True, slots=True)
class CertifyingRows:
    """n rows that a certificate is tested on.

    What is not known of them counts against the rule: a tier that was picked and has no score is lost, and a reference
    that has none was right, unless it was picked itself.

    Attributes
    ----------
    expected : what a model that was not fitted on their scores expects.
    quality : (n, t), NaN where not observed.
    tasks : (n,) labels.
    groups : (n,) group numbers.
    sizes : (n,) characters plus max_tokens, for the length rule.
    """

    expected: RuleView
    quality: NDArray[np.float64]
    tasks: Sequence[str | None]
    groups: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.groups)

    def part(self, rows: NDArray[np.bool_]) -> CertifyingRows:
        """Some of the rows."""
        places = np.flatnonzero(rows)
        return CertifyingRows(
            self.expected.part(places),
            self.quality[places],
            [self.tasks[place] for place in places.tolist()],
            self.groups[places],
            self.sizes[places],
        )

    def scores(self, chosen: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n, m) scores of the reference and of the tiers picked, (n, m), in each of m ways."""
        pairs = [against(self.quality, picked, self.expected.reference) for picked in chosen.T]
        references, reached = (np.stack(columns, axis=1) for columns in zip(*pairs, strict=True))
        known = not np.isnan(self.quality[:, self.expected.reference]).any()
        return references[:, 0] if known else references, reached


def against(
    quality: NDArray[np.float64], chosen: NDArray[np.int64], reference: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) scores of the reference and of the tiers picked, (n,); what is not known counts against what was picked.

    Parameters
    ----------
    quality : (n, t), NaN where not observed.
    """
    base, picked = quality[:, reference], np.take_along_axis(quality, chosen[:, None], axis=1)[:, 0]
    assumed = np.where(chosen == reference, 0.0, 1.0)
    return np.where(np.isnan(base), assumed, base), np.nan_to_num(picked)


@dataclass(frozen=True, slots=True)
class ChosenRule:
    """The path of settings, and what is promised of which.

    Attributes
    ----------
    path : (k,) settings, safest first.
    target : the promise asked for.
    ladder : certificates for `Target.ladder`, which hold all at once.
    tasks : certificates for each task by itself at the target's loss, which hold all at once.
    estimated : where nothing is certified and rows come from a router in use, the place in the path of the cheapest
        setting that is estimated to keep the promise; None: none is. See `estimate_rule`.
    """

    path: tuple[Setting, ...]
    target: Target
    ladder: tuple[Rung, ...]
    tasks: dict[str, Rung]
    estimated: int | None = None

    @property
    def rung(self) -> Rung:
        """The certificate for the loss asked for, on all requests."""
        return next(rung for rung in self.ladder if rung.target == self.target.loss)

    @property
    def asked(self) -> Rung:
        """What the promise asked for rests on: the rung, or by task the largest certified task's, or the largest's."""
        if not self.target.per_task or not self.tasks:
            return self.rung
        return max(self.tasks.values(), key=lambda rung: (rung.rule is not None, rung.rows))

    @property
    def certified(self) -> bool:
        """The promise holds, for some task where it was asked for by task; else the safest setting is in use."""
        return self.asked.rule is not None and (not self.target.per_task or bool(self.tasks))

    @property
    def setting(self) -> Setting:
        """The setting in use where tasks have none of their own."""
        return self.path[self.place]

    @property
    def place(self) -> int:
        """Its place in the path: certified, else estimated, else the safest."""
        return self.rung.rule or self.estimated or 0

    @property
    def promises(self) -> tuple[Promise, ...]:
        """The ladder in the runtime's form."""
        return tuple(Promise(rung.target, rung.rule, rung.rows_needed) for rung in self.ladder)

    def task_keeps(self, task: str) -> bool | None:
        """Whether what is in use is certified for a task by itself; None: it has too few rows to tell."""
        rung = self.tasks.get(task)
        if rung is None or (rung.rule is None and rung.p_value >= 1.0):
            return None
        return rung.rule is not None and (self.target.per_task or (self.rung.rule or 0) <= rung.rule)

    def choose(self, expected: RuleView, tasks: Sequence[str | None]) -> NDArray[np.int64]:
        """(n,): the tier of each request; ``tasks`` are their labels."""
        if not self.target.per_task:
            return expected.choose(self.setting.price_weight, self.setting.reference_bonus)
        chosen = np.full(len(tasks), expected.reference)
        for task, rung in self.tasks.items():
            if rung.rule is not None:
                own = np.array([label == task for label in tasks])
                setting = self.path[rung.rule]
                chosen[own] = expected.choose(setting.price_weight, setting.reference_bonus)[own]
        return chosen


def price_weights(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Price weights to try, (w,), from quality at any price to the cheapest tier for nearly everything.

    Parameters
    ----------
    costs : (n, t) expected costs as shares of the reference's mean cost, of rows that the model was fitted on.
    """
    gaps = np.diff(np.sort(costs.mean(axis=0)))
    # Tiers that cost the same need no weight to be told apart.
    most = 2.0 / float(gaps[gaps > _SAME_COST].min()) if (gaps > _SAME_COST).any() else 1.0
    return np.concatenate([[0.0], np.geomspace(_LEAST_WEIGHT, max(most, 2 * _LEAST_WEIGHT), _WEIGHTS)])


def order_rules(weights: NDArray[np.float64], expected: RuleView, rows: Outcomes) -> NDArray[np.float64]:
    """The settings to test, (k, 2), safest first, by rows that the test itself does not use.

    They are one path of pairs (price weight, reference bonus) along which requests leave the reference one after
    another: from a large bonus down to none at the price weight that is best for quality, then up the price weights.
    The sequence of tests is thereby fixed before the rows that it runs on are seen, as Learn then Test asks, its first
    rules pass easily, and neighbours hardly differ, so that the test that ends it is seldom a fluke.

    Parameters
    ----------
    weights : from `price_weights`.
    expected : cross-fitted expectations of the rows that the model was fitted on.
    rows : what happened on these rows.
    """
    reached = [_reached((weight, 0.0), expected, rows) for weight in weights]
    cost = np.array([row_costs.mean() for row_costs, _ in reached])
    quality = np.array([row_quality.mean() for _, row_quality in reached])
    reference_cost = rows.costs[:, rows.reference].mean()
    # A rule dearer than the reference is none; the dearest tier may be neither the best nor the reference.
    affordable = cost <= reference_cost
    best = int(np.argmax(np.where(affordable, quality, -np.inf))) if affordable.any() else len(weights) - 1
    path = [(weights[best], bonus) for bonus in _BONUSES]
    last = cost[best]
    for place in range(best + 1, len(weights)):
        if cost[place] <= last - _COST_STEP * reference_cost:
            path.append((weights[place], 0.0))
            last = cost[place]
    return np.array(path)


def choose_rule(
    rules: NDArray[np.float64], expected: RuleView, rows: Outcomes, target: Target, proof: CertifyingRows
) -> ChosenRule:
    """Certify the path: for every loss of the ladder, and for every task.

    Parameters
    ----------
    rules : (k, 2) from `order_rules`, safest first.
    expected : what the model expects of ``rows``, which it was not fitted on; they say what each setting costs.
    proof : what the certificates rest on.
    """
    spent = np.stack([_reached((weight, bonus), expected, rows)[0] for weight, bonus in rules], axis=1)
    shares = spent.mean(axis=0) / rows.costs[:, rows.reference].mean()
    path = tuple(Setting(*map(float, (*rule, share))) for rule, share in zip(rules, shares, strict=True))
    if not len(proof):
        return ChosenRule(path, target, tuple(_nothing_observed(target, loss) for loss in target.ladder), {})
    chosen = np.stack([proof.expected.choose(weight, bonus) for weight, bonus in rules], axis=1)
    ladder = certify_ladder(
        *proof.scores(chosen),
        targets=target.ladder,
        confidence=target.rule_level,
        relative=target.relative,
        groups=proof.groups,
        left=chosen != proof.expected.reference,
        headline=target.loss,
    )
    labelled = np.array([task is not None for task in proof.tasks])
    tasks = {}
    if labelled.any():
        known = proof.part(labelled)
        tasks = certify_tasks(
            *known.scores(chosen[labelled]),
            [str(task) for task in known.tasks],
            target=target.loss,
            confidence=target.rule_level,
            relative=target.relative,
            groups=known.groups,
            left=chosen[labelled] != proof.expected.reference,
        )
    return ChosenRule(path, target, ladder, tasks)


def estimate_rule(rule: ChosenRule, expected: RuleView, rows: Outcomes) -> ChosenRule:
    """The rule with the cheapest setting that is estimated to keep the promise, where none is certified to.

    A log of what a router chose shows every tier of no request, so nothing can be certified on it. Mean qualities can
    be estimated all the same; whether the router may take another's place is tested on what comes after
    (`training.challenge.sequential`).

    Parameters
    ----------
    expected : what models that did not see the rows expect of them.
    rows : with qualities that are right on average.
    """
    if rule.certified or rule.target.per_task:
        return rule
    reached = [_reached((setting.price_weight, setting.reference_bonus), expected, rows) for setting in rule.path]
    whole = float(rows.quality[:, rows.reference].mean())
    allowed = rule.target.loss * (whole if rule.target.relative else 1.0)
    # The path goes from safe to cheap: what lies beyond the first place that fails may pass by luck.
    kept = [whole - float(quality.mean()) <= allowed for _, quality in reached]
    fitting = kept.index(False) if False in kept else len(kept)
    return replace(rule, estimated=fitting - 1 if fitting else None)


def never_chosen(weights: NDArray[np.float64], expected: RuleView) -> tuple[int, ...]:
    """Positions of tiers that no price weight picks for any row: they are never worth their price."""
    used: set[int] = {expected.reference}
    for weight in weights:
        used.update(np.unique(expected.choose(weight, 0.0)).tolist())
    return tuple(tier for tier in range(expected.quality.shape[1]) if tier not in used)


def _nothing_observed(target: Target, loss: float) -> Rung:
    return Rung(
        target=loss,
        relative=target.relative,
        confidence=target.confidence,
        rule=None,
        p_value=1.0,
        loss=0.0,
        upper_bound=1.0,
        requests=0,
        rows=0,
        effective_rows=0,
        rows_needed=None,
        method="exact",
    )


def _reached(
    setting: tuple[float, float], expected: RuleView, rows: Outcomes
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cost and quality (n,) of what a setting picks."""
    chosen = expected.choose(*setting)[:, None]
    return np.take_along_axis(rows.costs, chosen, axis=1)[:, 0], np.take_along_axis(rows.quality, chosen, axis=1)[:, 0]
