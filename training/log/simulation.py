"""Logs as a cascade with a gate would write them, made from tables where every tier's outcome is known.

A route climbs from its start through all dearer tiers up to the reference. Where the start is drawn to explore, all
tiers that may be drawn are alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from classifier.cascade.route import GateRates
from classifier.catalog import Tier
from classifier.outcomes.records import AUDIT, AttemptRecord, DecisionRecord, FeedbackRecord, Outcome
from training.log.chances import tried_chances
from training.log.observed import Asked, Exclusions, Observed

_BEGIN = 1_767_225_600.0  # 2026-01-01
_APART = 60.0
_STREAM = 7_243  # other numbers than what a caller draws from the same seed

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedLog:
    """A log, and what no log shows.

    Attributes
    ----------
    observed : what the log shows.
    start_chance : (n, t) the probabilities that the starts were drawn with; the log shows them, too.
    chance : (n, t) the probability that each tier was tried, all verdicts being known.
    """

    observed: Observed
    start_chance: _Float
    chance: _Float


# Many parameters, each but four with a default: a world has many properties. Long: it ends in one constructor.
def simulate_log(
    quality: _Float,
    cost: _Float,
    policy: NDArray[np.int64],
    rates: GateRates,
    *,
    explore: float | _Float = 0.02,
    others: NDArray[np.bool_] | None = None,
    audit: float = 0.01,
    feedback: float = 0.0,
    seed: int = 0,
    expected: _Float | None = None,
    tasks: Sequence[str | None] | None = None,
    names: Sequence[str] | None = None,
    reference: int | None = None,
) -> SimulatedLog:
    """Let a cascade answer every request once.

    Parameters
    ----------
    quality : (n, t) true adequacy of every tier's answer, 0..1; a gate takes it for the probability of being adequate.
        cost : (n, t) USD. Tiers are in price order.
    policy : (n,) place where the route begins, unless another is drawn.
    explore : share of the requests that begin elsewhere; one for all, or (n,).
    others : (n, t) tiers where they may begin then; None: anywhere.
    audit, feedback : shares of the answers that the reference audits, and of those that a user judges. Both find the
        true adequacy.
    expected : (n, t) what an artifact expects of the tiers' adequacy; None: nothing is known.
    names : of the tiers; None: "tier 0" and so on.
    reference : its place; None: the last.
    """
    random = np.random.default_rng((_STREAM, seed))
    rows, tiers = quality.shape
    place = tiers - 1 if reference is None else reference
    places, index = np.arange(tiers), np.arange(rows)
    starts = _starts(policy, tiers, np.broadcast_to(explore, rows), others)
    start = np.minimum((random.random((rows, 1)) > starts.cumsum(axis=1)).sum(axis=1), tiers - 1)
    explored = start != policy
    passing = quality * rates.pass_adequate + (1.0 - quality) * rates.pass_inadequate
    passed = np.less(random.random((rows, tiers)), passing)
    leads = _leads(passed, place)
    tried = leads[index, start]
    answered = tiers - 1 - np.argmax(tried[:, ::-1], axis=1)
    audited = np.less(random.random(rows), audit) & (answered != place)
    judged = np.less(random.random(rows), feedback)
    by_audit = audited[:, None] & (places == place) & ~tried
    seen = tried | by_audit
    given = np.equal(answered[:, None], places)
    propensity = starts[index, start]
    unknown = np.full((rows, tiers), np.nan)
    artifact = np.zeros(rows, np.int64)
    observed = Observed(
        tiers=tuple(names or (f"tier {tier}" for tier in places)),
        reference=place,
        artifacts=("simulated",),
        left_out=Exclusions(),
        asked=_asked(rows, tasks),
        time=_BEGIN + _APART * index.astype(np.float64),
        artifact=artifact,
        start=start,
        planned=policy.astype(np.int64),
        answered=answered,
        propensity=propensity,
        explored=explored,
        tried=seen,
        by_audit=by_audit,
        verdict=np.where(tried, passed, np.nan),
        score=np.where(tried, passed, np.nan),
        feedback=np.where(judged[:, None] & given, quality, np.nan),
        audit=np.where(audited[:, None] & (given | (places == place)), quality, np.nan),
        cost=np.where(seen, cost, np.nan),
        spent=np.where(tried, cost, 0.0).sum(axis=1),
        expected=unknown if expected is None else expected,
        expected_quality=unknown if expected is None else expected,
        expected_cost=cost,
        novelty=np.full(rows, np.nan),
        audit_share=np.full(rows, audit),
        start_chance=starts,
        chance=tried_chances(seen, by_audit, start, starts, artifact, place, audit),
    )
    ends = tiers - 1 - np.argmax(leads[:, :, ::-1], axis=2)
    audits = (starts * (ends != place) * ~leads[:, :, place]).sum(axis=1) * audit
    chance = np.einsum("ns,nst->nt", starts, leads.astype(np.float64))
    chance[:, place] += audits
    return SimulatedLog(observed, starts, chance)


def _starts(policy: NDArray[np.int64], tiers: int, explore: _Float, others: NDArray[np.bool_] | None) -> _Float:
    """(n, t) probabilities with which routes begin."""
    chosen = np.equal(policy[:, None], np.arange(tiers))
    drawn = ~chosen if others is None else others & ~chosen
    count = drawn.sum(axis=1)
    share = np.where(count > 0, explore, 0.0)
    starts: _Float = np.where(chosen, 1.0 - share[:, None], drawn * (share / np.maximum(count, 1))[:, None])
    return starts


def _leads(passed: NDArray[np.bool_], reference: int) -> NDArray[np.bool_]:
    """(n, t, t): whether a route begun at the one tier comes to the other."""
    rows, tiers = passed.shape
    leads = np.zeros((rows, tiers, tiers), bool)
    for start in range(tiers):
        going = np.ones(rows, bool)
        for tier in range(start, max(start, reference) + 1):
            leads[:, start, tier] = going
            going = going & ~passed[:, tier]
    return leads


def _asked(rows: int, tasks: Sequence[str | None] | None) -> Asked:
    nothing = (None,) * rows
    ids = tuple(f"request {row:08d}" for row in range(rows))
    return Asked(ids, nothing if tasks is None else tuple(tasks), ("simulated",) * rows, nothing, nothing, nothing)


def as_outcomes(observed: Observed, tiers: Sequence[Tier], prompts: Sequence[str] | None = None) -> Iterator[Outcome]:
    """The records that a cascade would have written of a simulated log.

    Parameters
    ----------
    tiers : of the log, for the models' names.
    prompts : of the rows; None: they were not kept.
    """
    for row in range(len(observed)):
        yield _outcome(observed, row, tiers, None if prompts is None else prompts[row])


def _outcome(observed: Observed, row: int, tiers: Sequence[Tier], prompt: str | None) -> Outcome:
    moment = datetime.fromtimestamp(observed.time[row], UTC)
    attempts: list[AttemptRecord] = []
    for place in np.lexsort((observed.by_audit[row],))[: len(tiers)]:
        if observed.tried[row, place]:
            attempts.append(_attempt(observed, row, int(place), tiers[place], len(attempts)))
    identifier = observed.asked.ids[row]
    decision = DecisionRecord(
        id=identifier,
        time=moment,
        chosen=tiers[observed.start[row]].name,
        rule="learned",
        artifact=observed.artifacts[observed.artifact[row]],
        menu=tuple(tier.name for tier in tiers),
        prompt=prompt,
        task=observed.asked.tasks[row],
        probabilities=_listed(observed.expected[row]),
        expected_quality=_listed(observed.expected_quality[row]),
        expected_cost=_listed(observed.expected_cost[row]),
        propensity=float(observed.propensity[row]),
        explored=bool(observed.explored[row]),
        audited=bool(np.isfinite(observed.audit[row]).any()),
        answered=tiers[observed.answered[row]].name,
        planned=tiers[observed.planned[row]].name,
        start_probabilities={
            tier.name: float(chance)
            for tier, chance in zip(tiers, observed.start_chance[row], strict=False)
            if chance > 0
        },
        audit_share=float(observed.audit_share[row]),
        gate=observed.asked.checks[row],
        attempts=tuple(attempts),
    )
    given = int(observed.answered[row])
    found = [
        FeedbackRecord(f"{identifier} {source}", identifier, moment, float(scores[row, given]), source)
        for source, scores in (("user", observed.feedback), (AUDIT, observed.audit))
        if np.isfinite(scores[row, given])
    ]
    return Outcome(decision, tuple(found))


def _attempt(observed: Observed, row: int, place: int, tier: Tier, position: int) -> AttemptRecord:
    verdict, audited = observed.verdict[row, place], bool(observed.by_audit[row, place])
    score = observed.audit[row, place] if audited else observed.score[row, place]
    first = place == observed.start[row]
    purpose = AUDIT if audited else "explore" if first and observed.explored[row] else "answer"
    return AttemptRecord(
        position=position,
        purpose=purpose,
        tier=tier.name,
        model=tier.model,
        passed=None if np.isnan(verdict) else bool(verdict),
        score=None if np.isnan(score) else float(score),
        gates=() if audited else ({"gate": "simulated", "passed": bool(verdict)},),
        cost=float(observed.cost[row, place]),
    )


def _listed(values: _Float) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(value) for value in values)
