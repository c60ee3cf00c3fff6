"""What calls cost, and what of the budget they use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from classifier.cascade.budget import Budget
from classifier.cascade.calls import Attempt
from classifier.cascade.run import CascadeRun
from classifier.cascade.usage import Bill
from classifier.catalog import Tier
from classifier.decision import Decision
from classifier.gates import Answer
from classifier.outcomes.records import COUNTED, ESTIMATED, UPSTREAM
from classifier.policy import call_price, listed_cost

_BYTES_A_TOKEN = 4  # of an answer that nobody has counted
_UNSENT = "unsent"
_UNPAID = ("http", "context", "connection", _UNSENT)  # errors by which an upstream has refused a call, or never got it


class Ledger:
    """Keeps the budget's account of a cascade's calls; threads may share it."""

    def __init__(self, budget: Budget | None) -> None:
        self._budget = budget

    def reserve(self, run: CascadeRun, attempt: Attempt, place: int) -> bool:
        """Set aside what a call is expected to cost; False: the budget does not allow it."""
        if self._budget is None:
            return True
        cost = expected_cost(run.decision, place)
        if not self._budget.reserve(run.key, cost):
            return False
        attempt.reserved = cost
        return True

    def overdraw(self, run: CascadeRun, attempt: Attempt, place: int) -> None:
        """Set it aside whether the budget allows it or not."""
        if self._budget is not None:
            attempt.reserved = expected_cost(run.decision, place)
            self._budget.add(run.key, attempt.reserved)

    def settle(self, run: CascadeRun, attempt: Attempt) -> None:
        """Count what a call cost in the place of what was set aside; where nobody knows, an estimate."""
        if attempt.cost is None and not was_refused(attempt):
            attempt.estimated_cost, attempt.cost_source = _estimate(run, attempt), ESTIMATED
        if self._budget is not None:
            self._budget.add(run.key, (attempt.cost or attempt.estimated_cost or 0.0) - attempt.reserved)
        attempt.reserved = 0.0

    def release(self, run: CascadeRun, attempt: Attempt) -> None:
        """Give back what was set aside for a call that was never made."""
        if self._budget is not None:
            self._budget.add(run.key, -attempt.reserved)
        attempt.reserved, attempt.error = 0.0, _UNSENT

    def note_bill(self, run: CascadeRun, attempt: Attempt, bill: Bill) -> None:
        """Note what the upstream says of a call, and what it cost: the upstream's own figure, else by its counts."""
        attempt.usage = usage = bill.usage
        attempt.tokens_in, attempt.tokens_out = usage.tokens_in, usage.tokens_out
        attempt.cost, attempt.cost_source = bill.stated, UPSTREAM
        if bill.stated is None:
            tier = _tier(run, attempt)
            level = replace(usage, service=usage.service or tier.service)
            attempt.cost = None if tier.prices is None else tier.prices.cost(level)
            attempt.cost_source = None if attempt.cost is None else COUNTED


def expected_cost(decision: Decision, place: int) -> float:
    """USD of a call that a tier is asked to answer; by its prices where the model knows nothing of it."""
    costs, tier = decision.costs, decision.loaded.tiers[place]
    if place < len(costs):
        return costs[place]
    return listed_cost(tier, decision.tokens, decision.request.max_tokens) or 0.0


def was_refused(attempt: Attempt) -> bool:
    """Whether a call failed in a way that no upstream charges for."""
    return attempt.error is not None and attempt.error.startswith(_UNPAID)


def _estimate(run: CascadeRun, attempt: Attempt) -> float:
    """USD of a call whose cost nobody knows: by the length of the answer, if it came whole, else what is expected."""
    tier, answer, usage = _tier(run, attempt), attempt.answer, attempt.usage
    if answer is not None and attempt.error is None:
        said = sum(len(text.encode("utf-8", "replace")) for text in (answer.text, *_calls(answer)))
        out = usage.tokens_out if usage.tokens_out is not None else round(said / _BYTES_A_TOKEN) + 1
        known = call_price(tier, usage.tokens_in or round(run.decision.tokens), out)
        if known is not None:
            return known
    return expected_cost(run.decision, run.loaded.tiers.index(tier))


def _calls(answer: Answer) -> Iterator[str]:
    return (part for call in answer.tool_calls for part in (call.name, call.arguments))


def _tier(run: CascadeRun, attempt: Attempt) -> Tier:
    return next(tier for tier in run.loaded.tiers if tier.name == attempt.tier)
