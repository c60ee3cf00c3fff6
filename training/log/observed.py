"""Outcomes -> arrays: what was seen of every request and tier of today's menu, and how likely that was to be seen.

A tier of a record is the tier of today's menu that has its model, whatever the two are called. What today's menu does
not have is left out and counted. Rows of different artifacts stand side by side, each with its artifact's number, and
how likely a tier was tried is worked out for each artifact by itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import Menu, Tier, normalise_label
from classifier.errors import InputError
from classifier.features import Features
from classifier.outcomes.records import ANSWERING, AUDIT, ESTIMATED, AttemptRecord, DecisionRecord, Outcome
from classifier.request import Request, make_request
from classifier.tasks import canonical_task
from training.log.chances import start_chances, tried_chances
from training.log.export import feedback_scores

_MEASURES = ("verdict", "score", "cost", "feedback", "audit", "expected", "expected_quality", "expected_cost")

_ROUNDING = 1e-6

_KEPT = ("id", "task", "checks", "request", "features", "hash")


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What is known of n requests; which of the last three there are depends on what the store keeps.

    Attributes
    ----------
    ids : of the decisions.
    tasks : normalised labels.
    checks : name of the whole gate in use; of rows that older releases recorded, names of the gates that looked at
        the row's answers, joined by " & ", and None where none did.
    requests : where prompts are kept. features : where features are; bytes where they cannot be read, for want of the
        store's key or of the version that made them. hashes : equal for equal requests of one store.
    """

    ids: tuple[str, ...]
    tasks: tuple[str | None, ...]
    checks: tuple[str | None, ...]
    requests: tuple[Request | None, ...] = field(repr=False)
    features: tuple[Features | bytes | None, ...] = field(repr=False)
    hashes: tuple[str | None, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, places: NDArray[np.int64]) -> Asked:
        """Some rows, in the order given."""
        return Asked(*(tuple(getattr(self, part.name)[place] for place in places) for part in fields(self)))


@dataclass(frozen=True, slots=True)
class Exclusions:
    """What could not be used.

    Attributes
    ----------
    rows : decisions of which no tier of today's menu has answered.
    models : attempts at models that today's menu does not have, by model.
    without_propensity : decisions that are used, but do not say how likely they were; they count as certain.
    """

    rows: int = 0
    models: Mapping[str, int] = field(default_factory=dict)
    without_propensity: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """n decisions over t tiers. Every (n, t) array of numbers is NaN where nothing is known.

    Attributes
    ----------
    tiers : names, in the menu's order.
    reference : place of the tier that audits ask; None: unknown.
    asked : the requests.
    time : (n,) seconds since 1970-01-01 UTC.
    artifact : (n,) numbers of ``artifacts``, the digests of the artifacts in use.
    start : (n,) place of the tier where the route began; -1: today's menu does not have it.
    planned : (n,) place where it would have begun, had it not explored; -1: today's menu does not have it, or nobody
        recorded it.
    answered : (n,) place of the tier whose answer was given; -1: none of today's menu.
    propensity : (n,) probability with which that start was chosen. explored : (n,) it was drawn.
    tried : (n, t) the tier answered, audits included.
    by_audit : (n, t) it answered for an audit only.
    verdict, score : (n, t) of the gate: 1 passed, 0 not; and 0..1.
    feedback : (n, t) scores of users and others, 0..1: the latest of each source, averaged.
    audit : (n, t) scores of audits, 0..1. Where an audit only compares, the reference's own is 1.
    cost : (n, t) USD of the tier's answers. spent : (n,) USD of all of a row's attempts whose cost is known, but for
        audits, which are made to learn.
    expected, expected_quality, expected_cost : (n, t) P(adequate), 0..1 and USD, as the artifact in use saw them.
    audit_share : (n,) probability that the answer, if by another tier than the reference, was audited.
    novelty : (n,) how unlike its training requests the artifact in use found the request, 0..1; NaN where unknown.
    start_chance : (n, t) probability that the route begins there, see `training.log.chances.start_chances`.
    chance : (n, t) probability that the tier is tried, see `training.log.chances.tried_chances`.
    """

    tiers: tuple[str, ...]
    reference: int | None
    artifacts: tuple[str | None, ...]
    left_out: Exclusions
    asked: Asked
    time: NDArray[np.float64]
    artifact: NDArray[np.int64]
    start: NDArray[np.int64]
    planned: NDArray[np.int64]
    answered: NDArray[np.int64]
    propensity: NDArray[np.float64]
    explored: NDArray[np.bool_]
    tried: NDArray[np.bool_]
    by_audit: NDArray[np.bool_]
    verdict: NDArray[np.float64]
    score: NDArray[np.float64]
    feedback: NDArray[np.float64]
    audit: NDArray[np.float64]
    cost: NDArray[np.float64]
    spent: NDArray[np.float64]
    expected: NDArray[np.float64]
    expected_quality: NDArray[np.float64]
    expected_cost: NDArray[np.float64]
    audit_share: NDArray[np.float64]
    novelty: NDArray[np.float64]
    start_chance: NDArray[np.float64]
    chance: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.time)

    def rows(self, places: NDArray[np.int64]) -> Observed:
        """Some rows, in the order given; their chances stay those of the whole log."""
        arrays: dict[str, Any] = {
            part.name: getattr(self, part.name)[places]
            for part in fields(self)
            if isinstance(getattr(self, part.name), np.ndarray)
        }
        return replace(self, asked=self.asked.rows(places), **arrays)

    def columns(self, places: Sequence[int], names: Sequence[str]) -> Observed:
        """Some tiers under other names, in the order given; -1 stands for one that was never tried."""
        chosen = np.array(places, np.int64)
        moved = {place: new for new, place in enumerate(places) if place >= 0}
        arrays: dict[str, Any] = {}
        for part in fields(self):
            value = getattr(self, part.name)
            if isinstance(value, np.ndarray) and value.ndim == 2:
                column = value[:, chosen]
                column[:, chosen < 0] = np.nan if part.name in _MEASURES else 0
                arrays[part.name] = column
        for name in ("start", "planned", "answered"):
            arrays[name] = np.array([moved.get(place, -1) for place in getattr(self, name).tolist()], np.int64)
        reference = None if self.reference is None else moved.get(self.reference)
        return replace(self, tiers=tuple(names), reference=reference, **arrays)

    @property
    def started(self) -> NDArray[np.bool_]:
        """(n, t): whether the route began there and an answer came."""
        started: NDArray[np.bool_] = (self.start[:, None] == np.arange(len(self.tiers))) & self.tried & ~self.by_audit
        return started


def observe(
    outcomes: Iterable[Outcome], menu: Menu, *, reference: str | None = None, audit_share: float | None = None
) -> Observed:
    """Arrays of what a store's outcomes show.

    Parameters
    ----------
    outcomes : of `classifier.outcomes.OutcomeStore.outcomes`; read once, as a stream.
    menu : today's; its tiers are the columns.
    reference : the tier that audits ask, by name; None: the one that most of them asked.
    audit_share : share of the answers that are audited, for records that do not say it; None: the share that was.

    Raises
    ------
    InputError : there is no outcome of this menu, or ``reference`` is not of it.
    StoreError : the store cannot be read.
    """
    reader = _Reader(menu)
    for outcome in outcomes:
        reader.add(outcome)
    return reader.finish(reference, audit_share)


def gate_rows(observed: Observed) -> dict[str, NDArray[np.int64]]:
    """Rows by the gate that looked at their answers; "": none did."""
    names = np.array([name or "" for name in observed.asked.checks])
    return {str(name): np.flatnonzero(names == name) for name in np.unique(names)}


def latest_gate(observed: Observed) -> Observed:
    """The rows that the gate of the latest answer looked at: what is known of one gate says nothing of another."""
    gates = {name: rows for name, rows in gate_rows(observed).items() if name}
    if not gates:
        return observed
    return observed.rows(max(gates.values(), key=lambda rows: float(observed.time[rows].max())))


def _reference(menu: Menu, wanted: str | None, asked: Counter[int]) -> int | None:
    if wanted is None:
        return asked.most_common(1)[0][0] if asked else None
    tier = menu.find(wanted)
    if tier is None:
        names = ", ".join(tier.name for tier in menu.tiers)
        raise InputError(f"reference '{wanted}': no such tier in the menu; expected one of: {names}")
    return menu.tiers.index(tier)


def _called(menu: Menu, model: str, name: str) -> Tier | None:
    """The tier that was called, by its model; of a model that is called in several ways, the one of that name."""
    same = menu.sharing(model)
    if len(same) == 1 and not same[0].arguments.values:
        return same[0]
    label = normalise_label(name)
    named = [tier for tier in same if label in map(normalise_label, (tier.name, *tier.aliases))]
    return named[0] if len(named) == 1 else None


class _Reader:
    """Gathers rows while a store is read."""

    def __init__(self, menu: Menu) -> None:
        self._menu = menu
        self._places: dict[tuple[str, str], int] = {}
        self._named: dict[tuple[str | None, str], int] = {}
        self._rows: list[_Row] = []
        self._audits: Counter[int] = Counter()
        self._models: Counter[str] = Counter()
        self._artifacts: dict[str | None, int] = {}
        self._empty = self._without_propensity = 0

    def add(self, outcome: Outcome) -> None:
        decision = outcome.decision
        row = _Row(decision, len(self._menu.tiers))
        judged = feedback_scores(outcome, audit=True)
        for attempt in decision.attempts:
            self._attempt(row, attempt, judged)
        if not row.tried:
            self._empty += 1
            return
        for measure, scores in (("feedback", feedback_scores(outcome, audit=False)), ("audit", judged)):
            for name, score in scores.items():
                row.put(measure, self._named_place(decision, name), score)
        listed = {
            "expected": decision.probabilities,
            "expected_quality": decision.expected_quality,
            "expected_cost": decision.expected_cost,
        }
        for measure, values in listed.items():
            for name, value in zip(decision.menu, values, strict=False):
                row.put(measure, self._named_place(decision, name), value)
        row.start = self._named_place(decision, decision.chosen)
        if decision.planned is not None:
            row.planned = self._named_place(decision, decision.planned)
        elif not decision.explored:
            row.planned = row.start
        row.starts = self._starts(decision)
        row.answered = -1 if decision.answered is None else self._named_place(decision, decision.answered)
        row.artifact = self._artifacts.setdefault(decision.artifact, len(self._artifacts))
        row.task = canonical_task(decision.task, self._menu) or normalise_label(decision.task)
        if isinstance(row.features, Features):
            row.features = replace(row.features, task=row.task)
        row.request = _request(decision)
        if math.isnan(row.propensity):
            row.propensity = 1.0
            self._without_propensity += 1
        self._rows.append(row)

    def finish(self, reference: str | None, audit_share: float | None) -> Observed:
        rows, names = self._rows, tuple(tier.name for tier in self._menu.tiers)
        place = _reference(self._menu, reference, self._audits)
        if not rows:
            raise InputError(
                f"outcomes: found none that a tier of the menu ({', '.join(names)}) answered"
                f"{f', {self._empty:,} of others' if self._empty else ''}; expected some; check the store, the menu "
                "and the period"
            )
        table = {name: np.array([row.cells[name] for row in rows]) for name in _MEASURES}
        tried, by_audit = _flags(rows, len(names))
        start, answered = np.array([row.start for row in rows]), np.array([row.answered for row in rows])
        artifact = np.array([row.artifact for row in rows])
        propensity, explored = (np.array([getattr(row, name) for row in rows]) for name in ("propensity", "explored"))
        share = _audit_shares(rows, (answered >= 0) & (answered != place), audit_share)
        recorded = np.array([row.starts or [math.nan] * len(names) for row in rows])
        begins = start_chances(start, propensity, explored, artifact, len(names), recorded)
        return Observed(
            tiers=names,
            reference=place,
            artifacts=tuple(self._artifacts),
            left_out=Exclusions(self._empty, dict(self._models), self._without_propensity),
            asked=Asked(*(tuple(getattr(row, part) for row in rows) for part in _KEPT)),
            time=np.array([row.time for row in rows]),
            novelty=np.array([row.novelty for row in rows]),
            artifact=artifact,
            start=start,
            planned=np.array([row.planned for row in rows]),
            answered=answered,
            propensity=propensity,
            explored=explored,
            tried=tried,
            by_audit=by_audit,
            spent=np.array([row.spent for row in rows]),
            audit_share=share,
            start_chance=begins,
            chance=tried_chances(tried, by_audit, start, begins, artifact, place, share),
            **table,
        )

    def _attempt(self, row: _Row, attempt: AttemptRecord, judged: Mapping[str, float]) -> None:
        if attempt.purpose != AUDIT:
            row.spent += attempt.cost or 0.0
        if attempt.purpose not in ANSWERING or attempt.error is not None:
            return
        place = self._place(attempt.model, attempt.tier)
        self._named[row.artifact_digest, attempt.tier] = place
        if place < 0:
            self._models[attempt.model] += 1
            return
        if attempt.cost_source != ESTIMATED:  # which would teach what was expected before
            row.add("cost", place, attempt.cost)
        if attempt.purpose == AUDIT:
            self._audits[place] += 1
            row.audits.add(place)
            if judged:
                row.put("audit", place, 1.0 if attempt.score is None else attempt.score)
        else:
            row.tried.add(place)
            row.put("verdict", place, None if attempt.passed is None else float(attempt.passed))
            row.put("score", place, attempt.score)
            row.note_checks(attempt.gates)

    def _starts(self, decision: DecisionRecord) -> list[float] | None:
        """Probabilities of starting at each tier of today's menu; None where the record does not say them."""
        recorded = decision.start_probabilities
        if not recorded or not recorded.get(decision.chosen, 0.0) > 0 or min(recorded.values()) < 0:
            return None
        if abs(math.fsum(recorded.values()) - 1.0) > _ROUNDING:
            return None
        starts = [0.0] * len(self._menu.tiers)
        for name, chance in recorded.items():
            place = self._named_place(decision, name)
            if place >= 0:
                starts[place] += chance
        return starts

    def _place(self, model: str, name: str) -> int:
        """Where a model is that was called as a tier of that name; -1: nowhere, or it cannot be said."""
        if (model, name) not in self._places:
            tier = _called(self._menu, model, name)
            self._places[model, name] = -1 if tier is None else self._menu.tiers.index(tier)
        return self._places[model, name]

    def _named_place(self, decision: DecisionRecord, name: str) -> int:
        """Where a tier of a record is: by the model that it had under the same artifact, else by its name."""
        known = self._named.get((decision.artifact, name))
        return self._place(name, name) if known is None else known


class _Row:
    """One decision, on its way to the arrays."""

    __slots__ = (
        "answered",
        "artifact",
        "artifact_digest",
        "audit_share",
        "audited",
        "audits",
        "cells",
        "checks",
        "explored",
        "features",
        "gate",
        "hash",
        "id",
        "novelty",
        "planned",
        "propensity",
        "request",
        "spent",
        "start",
        "starts",
        "task",
        "time",
        "tried",
    )

    def __init__(self, decision: DecisionRecord, tiers: int) -> None:
        self.id, self.artifact_digest, self.time = decision.id, decision.artifact, decision.time.timestamp()
        self.explored, self.audited = decision.explored, decision.audited
        self.features, self.hash = decision.features, decision.prompt_hash
        given = decision.propensity
        self.propensity = given if given is not None and 0 < given <= 1 else math.nan
        self.cells = {name: [math.nan] * tiers for name in _MEASURES}
        self.tried: set[int] = set()
        self.audits: set[int] = set()
        self.start = self.planned = self.answered = self.artifact = -1
        self.starts: list[float] | None = None
        self.audit_share = decision.audit_share
        self.task: str | None = None
        self.gate = self.checks = decision.gate
        self.request: Request | None = None
        self.spent = 0.0
        self.novelty = math.nan if decision.novelty is None else decision.novelty

    def put(self, measure: str, place: int, value: float | None) -> None:
        if place >= 0 and value is not None:
            self.cells[measure][place] = value

    def add(self, measure: str, place: int, value: float | None) -> None:
        before = self.cells[measure][place]
        self.put(measure, place, value if value is None or math.isnan(before) else before + value)

    def note_checks(self, gates: Sequence[Mapping[str, Any]]) -> None:
        """Where the gate's name is not known, keep the longest list: a check that fails ends the others' work."""
        names = [str(gate.get("gate")) for gate in gates]
        if self.gate is None and names and (self.checks is None or len(names) > self.checks.count(" & ") + 1):
            self.checks = " & ".join(names)


def _flags(rows: Sequence[_Row], tiers: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    tried, by_audit = np.zeros((len(rows), tiers), bool), np.zeros((len(rows), tiers), bool)
    for number, row in enumerate(rows):
        tried[number, list(row.tried | row.audits)] = True
        by_audit[number, list(row.audits - row.tried)] = True
    return tried, by_audit


def _audit_shares(rows: Sequence[_Row], elsewhere: NDArray[np.bool_], given: float | None) -> NDArray[np.float64]:
    """(n,) shares as recorded; where they are not, the one given or, of answers by other tiers, the one that was."""
    recorded = np.array([math.nan if row.audit_share is None else row.audit_share for row in rows])
    silent = np.isnan(recorded)
    if given is None:
        audited = np.array([row.audited for row in rows])[silent & elsewhere]
        given = float(audited.mean()) if len(audited) else 0.0
    return np.where(silent, given, recorded)


def _request(decision: DecisionRecord) -> Request | None:
    if decision.prompt is None and decision.messages is None:
        return None
    return make_request(
        decision.prompt,
        messages=None if decision.prompt is not None else decision.messages,
        max_tokens=decision.max_tokens,
        task=decision.task,
        tools=decision.tools,
        response_format=decision.response_format,
    )
