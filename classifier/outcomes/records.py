"""What the store keeps: decisions with their attempts, and feedback on them.

Money is USD, times are aware UTC datetimes, latencies are seconds. A record never holds an API key, and an error is a
short class ("timeout", "http 429"), never a message.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from classifier.features import Features

ANSWERING = ("answer", "explore", "audit")  # purposes of attempts that answer the request itself
USER, AUDIT = "user", "audit"
UPSTREAM, COUNTED, ESTIMATED = "upstream", "usage", "estimate"  # where a cost comes from

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id(time: datetime | None = None) -> str:
    """A unique identifier that sorts by time: UUID version 7 (RFC 9562, section 5.7).

    Parameters
    ----------
    time : aware; None: now.
    """
    return _version_7(time or datetime.now(UTC), secrets.randbits(74))


def first_id(time: datetime) -> str:
    """The identifier that sorts before every one made at that time (to the millisecond) or later."""
    return _version_7(time, 0)


def _version_7(time: datetime, rest: int) -> str:
    milliseconds = min(max((time - _EPOCH) // timedelta(milliseconds=1), 0), 2**48 - 1)
    return str(UUID(int=milliseconds << 80 | 7 << 76 | (rest >> 62) << 64 | 2 << 62 | rest & (2**62 - 1)))


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One call of a model, made for a decision.

    Attributes
    ----------
    position : its place among the decision's attempts, from 0; no two of a decision share one.
    purpose : "answer", "explore" or "audit" where the request itself was answered; "judge" or "agreement" where a model
        was asked to help check an answer.
    tier, model : what was called.
    passed : the gates' verdict; None: not checked.
    score : the gates' score; None: there is none.
    gates : one mapping a gate, with "gate", "score", "passed" and "reason".
    tokens_in, tokens_out : as billed; None: unknown.
    tokens_cached : of the request's, those read from a cache; tokens_reasoning : of the answer's, those not shown.
    cost : USD; None: unknown.
    cost_source : "upstream": its own figure; "usage": its counts at the menu's prices; "estimate": nobody knows. None:
        there is no cost, or an older release recorded it.
    latency : seconds; None: unknown.
    finish_reason : the provider's, such as "stop".
    error : short class of what went wrong, such as "timeout", "http 429" or "connection"; None: nothing did.
    response : the answer's text, where the store is asked to keep it.
    answer_features : numbers about the answer, for the learned gate.
    """

    position: int
    purpose: str
    tier: str
    model: str
    passed: bool | None = None
    score: float | None = None
    gates: Sequence[Mapping[str, Any]] = ()
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = None
    latency: float | None = None
    finish_reason: str | None = None
    error: str | None = None
    response: str | None = field(default=None, repr=False)
    answer_features: Mapping[str, float] | None = None
    tokens_cached: int | None = None
    tokens_reasoning: int | None = None
    cost_source: str | None = None


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One request: what was known of it, what the policy chose and why, and what happened.

    Attributes
    ----------
    id : unique and sorting by time; `new_id`.
    time : aware.
    artifact : SHA-256 of the artifact in use, hexadecimal.
    rule : the strategy that chose.
    setting : what the strategy was set to, such as ``max_quality_loss``.
    menu : names of the tiers that the three lists below are of, in their order.
    prompt, messages : the request; the store keeps them in mode "prompt" only.
    features : what the model sees of the request, for mode "features": `classifier.features.Features` when they are
        recorded and when they are read with the store's key, else the bytes that `dump_features` makes of them.
    sealed : the exact ``probabilities``, ``expected_quality``, ``expected_cost`` and ``novelty``, where the store hides
        them (in modes "features" and "hash") and its key is not at hand. The store fills it in, and opens it.
    prompt_hash : the store's keyed hash of the request's text; the store fills it in.
    task, max_tokens : as the caller gave them.
    tools, response_format : as JSON; the store keeps them in mode "prompt" only.
    probabilities : P(adequate) of each tier of ``menu``; expected_quality : 0..1; expected_cost : USD.
    novelty : how unlike the training requests, 0..1.
    chosen : tier that the policy started with.
    propensity : probability with which that start was chosen, 0..1.
    explored : the start was drawn to explore. audited : the answer was drawn to be audited.
    answered : tier whose answer the caller got; None: no answer.
    key : a label of who pays, given by the caller; never an API key.
    planned : tier that the policy would have started with, had it not explored.
    start_probabilities : by tier, the probability that the policy started there, where it is above 0; they sum to 1,
        and that of ``chosen`` is the propensity. Where a spend limit was reached, the cheapest tier counts as certain.
    candidate : SHA-256 of the artifact whose start was asked for, to direct exploration; None: none was asked.
    explore_share : share of the requests that the policy explores. audit_share : probability that the answer, if by
        another tier than the reference, was drawn to be audited.
    gate : name of the whole gate in use, such as "finished & learned".
    attempts : in order of their positions.

    Of what an older release recorded, these are None from ``planned`` to ``gate``.
    """

    id: str
    time: datetime
    chosen: str
    rule: str
    artifact: str | None = None
    setting: Mapping[str, Any] = field(default_factory=dict)
    menu: Sequence[str] = ()
    prompt: str | None = field(default=None, repr=False)
    messages: Sequence[Any] | None = field(default=None, repr=False)
    features: Features | bytes | None = field(default=None, repr=False)
    prompt_hash: str | None = None
    task: str | None = None
    max_tokens: int | None = None
    tools: Any = field(default=None, repr=False)
    response_format: Any = field(default=None, repr=False)
    probabilities: Sequence[float | None] = ()
    expected_quality: Sequence[float | None] = ()
    expected_cost: Sequence[float | None] = ()
    novelty: float | None = None
    propensity: float | None = None
    explored: bool = False
    audited: bool = False
    answered: str | None = None
    key: str | None = None
    planned: str | None = None
    start_probabilities: Mapping[str, float] | None = None
    candidate: str | None = None
    explore_share: float | None = None
    audit_share: float | None = None
    gate: str | None = None
    sealed: bytes | None = field(default=None, repr=False)
    attempts: tuple[AttemptRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedbackRecord:
    """How good an answer was found.

    Attributes
    ----------
    id : unique; `new_id`.
    decision : the decision's id.
    time : aware.
    score : 0..1.
    source : "user", "audit" or any other label.
    tier : whose answer; None: the tier that answered.
    """

    id: str
    decision: str
    time: datetime
    score: float
    source: str = USER
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class LateAttempt:
    """An attempt made after its decision was recorded, such as an audit in the background."""

    decision: str
    attempt: AttemptRecord


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision as the store holds it, with all attempts and the feedback on it, oldest first."""

    decision: DecisionRecord
    feedback: tuple[FeedbackRecord, ...] = ()


Record = DecisionRecord | LateAttempt | FeedbackRecord
