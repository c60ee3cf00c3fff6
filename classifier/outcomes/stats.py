"""What the rows say, in sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, case, func, or_, select

from classifier.outcomes.records import ANSWERING, AUDIT
from classifier.outcomes.schema import attempts, decisions, feedback

_STREAMED = 1000


@dataclass(frozen=True, slots=True)
class Passes:
    """How often a check was made, and how often it was passed."""

    checked: int
    passed: int

    @property
    def rate(self) -> float:
        """Passed of those checked."""
        return self.passed / self.checked


@dataclass(frozen=True, slots=True)
class TierStats:
    """One tier.

    Attributes
    ----------
    chosen, answered : decisions that started with it, and whose answer came from it.
    tried : attempts to answer with it. failed : those of them that ended in an error.
    verdicts : of the gates on its answers.
    mean_cost : USD of an attempt; None where no cost is known.
    mean_latency : seconds of an attempt; None where none is known.
    expected_cost : mean over decisions of the USD that the model expected a call of this tier to cost: what the same
        requests would cost, had each gone to it. None where the model expected nothing of it.
    feedback : mean score of the feedback on its answers, all sources; None: there is none.
    """

    chosen: int = 0
    answered: int = 0
    tried: int = 0
    failed: int = 0
    verdicts: Passes = Passes(0, 0)
    mean_cost: float | None = None
    mean_latency: float | None = None
    expected_cost: float | None = None
    feedback: float | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """Feedback of one source."""

    count: int
    mean_score: float


@dataclass(frozen=True, slots=True)
class Audited:
    """What audits found of a tier's answers that the gates passed, and of those they turned down; None: no audit."""

    passed: Feedback | None = None
    failed: Feedback | None = None

    @property
    def false_pass_rate(self) -> float | None:
        """Share of the passed answers that are inadequate, as far as audits tell."""
        return None if self.passed is None else 1.0 - self.passed.mean_score


@dataclass(frozen=True, slots=True)
class Stats:
    """A store in sums.

    Attributes
    ----------
    decisions : how many. first, last : their times; None: there are none.
    unanswered : decisions whose caller got no answer.
    escalated : decisions answered by another tier than the policy started with.
    explored, audited : decisions drawn for it.
    prompts, responses : decisions whose request was kept, attempts whose answer was.
    cost : USD of all attempts, by purpose, where known.
    cost_sources : the same by where it comes from: "upstream", "usage", "estimate", or "unknown" where an older release
        did not say.
    tokens : tokens that upstreams counted, where known: "in", "out", of the first those "cached", of the others those
        "reasoning".
    tiers : by name.
    gates : by name of the gate.
    errors : how many attempts ended in each.
    feedback : by source; only what decisions that are there were given.
    audits : by tier, of the answers that the gates passed or turned down: how many audits judged, and their mean score.
        One less the mean score of those that passed is the gates' false-pass rate among them.
    """

    decisions: int
    first: datetime | None
    last: datetime | None
    unanswered: int
    escalated: int
    explored: int
    audited: int
    prompts: int
    responses: int
    cost: Mapping[str, float]
    cost_sources: Mapping[str, float]
    tokens: Mapping[str, int]
    tiers: Mapping[str, TierStats]
    gates: Mapping[str, Passes]
    errors: Mapping[str, int]
    feedback: Mapping[str, Feedback]
    audits: Mapping[str, Audited]

    @property
    def escalation_rate(self) -> float | None:
        """Escalated of those answered."""
        answered = self.decisions - self.unanswered
        return self.escalated / answered if answered else None

    @property
    def mean_cost(self) -> float | None:
        """USD of a decision, with all its attempts."""
        return sum(self.cost.values()) / self.decisions if self.decisions and self.cost else None


def read_stats(connection: Connection) -> Stats:
    """Sum up all decisions, in one transaction."""
    d, a, f = decisions.c, attempts.c, feedback.c
    with connection.begin():
        count, first, last, unanswered, escalated, explored, audited, prompts = connection.execute(
            select(
                func.count(),
                func.min(d.time),
                func.max(d.time),
                _count(d.answered.is_(None)),
                _count(d.answered != d.chosen),
                _count(d.explored),
                _count(d.audited),
                _count(or_(d.prompt.is_not(None), d.messages.is_not(None))),
            )
        ).one()
        costs = _pairs(connection, select(a.purpose, func.sum(a.cost)).where(a.cost.is_not(None)).group_by(a.purpose))
        source = func.coalesce(a.cost_source, "unknown")
        by_source = select(source, func.sum(a.cost)).where(a.cost.is_not(None)).group_by(source)
        errors = _pairs(connection, select(a.error, func.count()).where(a.error.is_not(None)).group_by(a.error))
        given = select(f.source, func.count(), func.avg(f.score)).join_from(feedback, decisions, f.decision == d.id)
        sources = connection.execute(given.group_by(f.source)).all()
        return Stats(
            decisions=count,
            first=first,
            last=last,
            unanswered=unanswered,
            escalated=escalated,
            explored=explored,
            audited=audited,
            prompts=prompts,
            responses=connection.scalar(select(func.count(a.response))) or 0,
            cost=costs,
            cost_sources=_pairs(connection, by_source),
            tokens=_tokens(connection),
            tiers=_tiers(connection),
            gates=_gates(connection),
            errors=errors,
            feedback={source: Feedback(number, mean) for source, number, mean in sources},
            audits=_audits(connection),
        )


def _tokens(connection: Connection) -> dict[str, int]:
    a = attempts.c
    columns = {"in": a.tokens_in, "out": a.tokens_out, "cached": a.tokens_cached, "reasoning": a.tokens_reasoning}
    sums = connection.execute(select(*(func.sum(column) for column in columns.values()))).one()
    return {name: int(total) for name, total in zip(columns, sums, strict=True) if total is not None}


def _count(condition: Any) -> Any:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _pairs(connection: Connection, query: Select[Any]) -> dict[str, Any]:
    return {row[0]: row[1] for row in connection.execute(query)}


def _tiers(connection: Connection) -> dict[str, TierStats]:
    d, a, f = decisions.c, attempts.c, feedback.c
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, column in (("chosen", d.chosen), ("answered", d.answered)):
        for tier, count in connection.execute(select(column, func.count()).group_by(column)):
            if tier is not None:
                found[tier][name] = count
    query = select(
        a.tier,
        func.count().label("tried"),
        func.count(a.error).label("failed"),
        func.count(a.passed).label("checked"),
        _count(a.passed).label("passed"),
        func.avg(a.cost).label("mean_cost"),
        func.avg(a.latency).label("mean_latency"),
    )
    for row in connection.execute(query.where(a.purpose.in_(ANSWERING)).group_by(a.tier)):
        tier, tried, failed, checked, passed, cost, latency = row
        found[tier] |= {"tried": tried, "failed": failed, "verdicts": Passes(checked, passed)}
        found[tier] |= {"mean_cost": cost, "mean_latency": latency}
    of = func.coalesce(f.tier, d.answered)
    judged = select(of, func.avg(f.score)).join_from(feedback, decisions, f.decision == d.id).group_by(of)
    for tier, score in connection.execute(judged):
        if tier is not None:
            found[tier]["feedback"] = score
    for tier, cost in _expected_costs(connection).items():
        found[tier]["expected_cost"] = cost
    return {tier: TierStats(**parts) for tier, parts in sorted(found.items())}


def _audits(connection: Connection) -> dict[str, Audited]:
    a, f = attempts.c, feedback.c
    judged = (
        select(a.tier, a.passed, func.count(), func.avg(f.score))
        .join_from(attempts, feedback, and_(f.decision == a.decision, f.tier == a.tier))
        .where(f.source == AUDIT, a.passed.is_not(None), a.purpose.in_(("answer", "explore")))
    )
    found: dict[str, dict[str, Feedback]] = defaultdict(dict)
    for tier, passed, count, mean in connection.execute(judged.group_by(a.tier, a.passed)):
        found[tier]["passed" if passed else "failed"] = Feedback(count, mean)
    return {tier: Audited(**parts) for tier, parts in sorted(found.items())}


def _expected_costs(connection: Connection) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    query = select(decisions.c.menu, decisions.c.expected_cost)
    for menu, costs in connection.execute(query.execution_options(yield_per=_STREAMED)):
        for tier, cost in zip(menu, costs, strict=False):
            if cost is not None:
                sums[tier] += cost
                counts[tier] += 1
    return {tier: total / counts[tier] for tier, total in sums.items()}


def _gates(connection: Connection) -> dict[str, Passes]:
    checked: dict[str, int] = defaultdict(int)
    passed: dict[str, int] = defaultdict(int)
    query = select(attempts.c.gates).where(attempts.c.passed.is_not(None))
    for (gates,) in connection.execute(query.execution_options(yield_per=_STREAMED)):
        for gate in gates:
            if gate.get("passed") is not None:
                checked[str(gate.get("gate"))] += 1
                passed[str(gate.get("gate"))] += bool(gate["passed"])
    return {name: Passes(checked[name], passed[name]) for name in sorted(checked)}
