"""What a cascade returns beside the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from classifier.cascade.calls import Attempt
from classifier.cascade.ledger import was_refused
from classifier.cascade.run import CascadeRun
from classifier.decision import Decision

Response = TypeVar("Response")

_ID = "_tierwise_id"


@dataclass(frozen=True, slots=True)
class CascadeResult:
    """An answer, and how it came about.

    Attributes
    ----------
    response : a ``ChatCompletion`` or ``Response``; with ``stream=True`` a stream.
    id : of the outcome, for `Cascade.record_feedback`.
    tier, model : whose answer it is.
    passed : True: a gate passed it; False: none did, and no other tier could answer; None: the last tier's answer,
        which is taken as it is.
    attempts : every call, in order, those that gates made too; a stream's figures are there when it has ended.
    decision : the router's.
    """

    response: Any = field(repr=False)
    id: str
    tier: str
    model: str
    passed: bool | None
    attempts: tuple[Attempt, ...] = field(repr=False)
    decision: Decision

    @property
    def cost(self) -> float | None:
        """USD of all attempts; None: of one it is unknown, such as a stream's that has not ended."""
        costs = [attempt.cost for attempt in self.attempts if not was_refused(attempt)]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if len(known) == len(costs) else None

    @property
    def estimated_cost(self) -> float:
        """USD of all attempts, with estimates where the cost is unknown."""
        return sum(attempt.cost or attempt.estimated_cost or 0.0 for attempt in self.attempts)


def outcome_id(response: object) -> str | None:
    """The id of the outcome that an answer of a cascade belongs to; None for any other object."""
    found = getattr(response, _ID, None)
    return found if isinstance(found, str) else None


def mark(response: Response, outcome: str) -> Response:
    """An answer, which bears the id of its outcome from now on."""
    object.__setattr__(response, _ID, outcome)
    return response


def make_result(run: CascadeRun, response: Any) -> CascadeResult:
    """The result of a run that has an answer, whose id the response bears from now on."""
    kept = run.kept
    assert kept is not None
    return CascadeResult(
        mark(response, run.id), run.id, kept.tier, kept.model, run.passed, tuple(run.attempts), run.decision
    )
