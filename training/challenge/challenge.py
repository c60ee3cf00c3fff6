"""Champion against challenger: both valued on what a cascade logged after the challenger's training.

Rows are used from the first after what the challenger learned from, in order of time. For each, where either would have
begun a cascade is worked out (`training.challenge.starts`), and what came of the one that was begun tells what
the two are worth (`training.challenge.values`). Whole cascades are valued, under the gate that the log was
made with.

Whether the challenger may take over is `training.challenge.sequential.judge_promotion`'s to say. Its values of a row
rest on earlier rows alone, so that what a later look adds does not change what was there before, with two exceptions:
how far the gate can be believed is worked out anew from all audits up to then, and so is the chance of starts whose
probability was not logged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import Menu
from classifier.loaded import rules_feature_kind
from classifier.router import Router
from training.challenge.estimators import Log, cascade_values, log_of_starts, picks
from training.challenge.moves import Moved, Side, find_moves
from training.challenge.overlap import Gap, Remedy, find_gaps, remedies
from training.challenge.sequential import (
    Promotion,
    PromotionRule,
    judge_promotion,
    largest_weight,
    lower_bound_path,
    pessimistic_difference,
)
from training.challenge.starts import feature_kind, find_starts, tell_problems
from training.challenge.values import SHOWN, Compared, Evidence, Values, evidence, value
from training.feedback.gate_truth import GateTruth, gate_truth
from training.feedback.labels import make_labels
from training.log.observed import Observed

NO_ROWS = "there are no outcomes to judge it by since it was trained"

_LOOKS = 60
_LEAST_WIDTH = 0.005

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Look:
    """What had been shown after so many rows: quality lost at most is ``-quality_low``, in points of 0..1."""

    rows: int
    quality_low: float


@dataclass(frozen=True, slots=True)
class Challenge:
    """What came of it; plain data without prompts, unless they were asked for.

    Attributes
    ----------
    champion, challenger : digests of the artifacts; None: the champion is the menu's rules.
    learned_until : rows after this time are used.
    since, until : times of the first and the last row; None: there are none.
    rows : that were compared. left_out : sentences on others.
    rule, promotion : what was asked for, and what came of it.
    values : of both, with intervals; None: there are no rows.
    moves : which requests begin elsewhere.
    looks : the evidence as rows came in.
    gaps, remedies : where the log is too thin to tell, and how much exploration would mend it.
    notes : how far the gate can be believed, and what else limits the figures.
    """

    champion: str | None
    challenger: str
    learned_until: datetime
    since: datetime | None
    until: datetime | None
    rows: int
    left_out: tuple[str, ...]
    rule: PromotionRule
    promotion: Promotion
    values: Values | None
    moves: tuple[Moved, ...]
    looks: tuple[Look, ...]
    gaps: tuple[Gap, ...]
    remedies: tuple[Remedy, ...]
    notes: tuple[str, ...]

    @property
    def moved(self) -> int:
        """Requests that begin elsewhere."""
        return self.promotion.differing

    def of(self, measure: str) -> Compared | None:
        """The figures shown first of "quality", "cost" or "start_quality"; None: there are no rows."""
        if self.values is None:
            return None
        found: tuple[Compared, ...] = getattr(self.values, measure)
        return next(each for each in found if each.estimator == SHOWN[0])


def challenge(
    observed: Observed,
    menu: Menu,
    champion: Router,
    challenger: Router,
    learned_until: datetime,
    *,
    rule: PromotionRule | None = None,
    truth: GateTruth | None = None,
    prompts: bool = False,
) -> Challenge:
    """Value both on the rows after the challenger's training, and say whether it may take over.

    Parameters
    ----------
    observed : a log, read with ``menu``; rows up to ``learned_until`` only tell of the gate.
    menu : today's.
    champion : the router that runs; with ``strategy="length"`` the length rule.
    learned_until : aware time of the last outcome that the challenger learned from.
    truth : None: `gate_truth` of the whole log.
    prompts : show how some requests begin, where the store keeps that.

    Raises
    ------
    ArtifactError : an artifact's gate cannot be read.
    """
    rule = rule or PromotionRule()
    believed = truth or gate_truth(observed)
    pair = _paired(observed, menu, champion, challenger, learned_until)
    rows, before, after = pair.rows, pair.policy(pair.champion), pair.policy(pair.challenger)
    shown = evidence(rows, believed, after, before, pair.challenger.starts.cost)
    promotion = judge_promotion(shown.quality, shown.cost, after, before, rule)
    quality, cost = cascade_values(rows, make_labels(rows, believed).values)
    gaps, mends = _overlap(rows, log_of_starts(rows, quality), after, before, rule)
    return Challenge(
        champion=champion.digest,
        challenger=challenger.artifact.digest,
        learned_until=learned_until.astimezone(UTC),
        since=_moment(rows.time[:1]),
        until=_moment(rows.time[-1:]),
        rows=len(rows),
        left_out=pair.left_out,
        rule=rule,
        promotion=promotion if len(rows) else replace(promotion, reasons=(NO_ROWS,)),
        values=value(rows, believed, after, before) if len(rows) else None,
        moves=find_moves(rows, menu, pair.champion, pair.challenger, quality, cost, prompts=prompts),
        looks=_looks(shown, after, before, rule, promotion),
        gaps=gaps,
        remedies=mends,
        notes=(*believed.notes, *_limits(champion, challenger, rows)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Rows of which both starts are known, in order of time; sentences on the others."""

    rows: Observed
    champion: Side
    challenger: Side
    left_out: tuple[str, ...]

    def policy(self, side: Side) -> _Float:
        """(n, t) with which probability a side begins at each tier."""
        return picks(side.starts.place, len(self.rows.tiers))


def _paired(observed: Observed, menu: Menu, champion: Router, challenger: Router, learned_until: datetime) -> _Pair:
    later = np.flatnonzero(observed.time > learned_until.timestamp())
    recent = observed.rows(later[np.argsort(observed.time[later], kind="stable")])
    kinds = {"": rules_feature_kind()}
    kinds |= {router.digest or "": feature_kind(router) for router in (champion, challenger)}
    old, new = (find_starts(router, recent, menu, kinds) for router in (champion, challenger))
    problems = [one or other for one, other in zip(new.problems, old.problems, strict=True)]
    used = np.flatnonzero([not problem for problem in problems])
    return _Pair(
        rows=recent.rows(used),
        champion=Side(champion, old.rows(used)),
        challenger=Side(challenger, new.rows(used)),
        left_out=tell_problems(len(recent), problems),
    )


def _overlap(
    rows: Observed, log: Log, challenger: _Float, champion: _Float, rule: PromotionRule
) -> tuple[tuple[Gap, ...], tuple[Remedy, ...]]:
    """Where the log is too thin among the rows on which the two differ, and what would mend it."""
    differs = (champion != challenger).any(axis=1, keepdims=True)
    gaps = tuple(
        gap
        for policy in (challenger, champion)
        for gap in find_gaps(log, policy * differs, rows.tiers, rows.asked.tasks)
    )
    return gaps, remedies(log, challenger * differs, max(rule.margin, _LEAST_WIDTH)) if differs.any() else ()


def _moment(times: _Float) -> datetime | None:
    return datetime.fromtimestamp(float(times[0]), UTC) if len(times) else None


def _looks(
    shown: Evidence, challenger: _Float, champion: _Float, rule: PromotionRule, promotion: Promotion
) -> tuple[Look, ...]:
    """The lower bound of the test as rows came in; the last is the test's own."""
    if not promotion.rows:
        return ()
    ends = np.unique(np.linspace(1, promotion.rows, _LOOKS).round().astype(int))
    clips = min(rule.clip, largest_weight(shown.quality)), 1.0
    terms, bounds = zip(
        *(pessimistic_difference(shown.quality, challenger, champion, clip) for clip in clips), strict=True
    )
    path = lower_bound_path(np.array(terms), np.array(bounds), rule.level, ends.tolist())
    path[-1] = promotion.quality_low
    return tuple(Look(int(end), float(low)) for end, low in zip(ends, path, strict=True))


def _limits(champion: Router, challenger: Router, observed: Observed) -> Iterator[str]:
    """What the figures leave out of account."""
    before = None if champion.digest is None else champion.artifact.header.get("gate")
    if before != challenger.artifact.header.get("gate"):
        yield "the two have different learned gates; both are valued under the gate that the log was made with"
    if observed.left_out.without_propensity:
        yield (
            f"{observed.left_out.without_propensity:,} decisions do not say how likely they were; "
            "they are taken for certain"
        )
