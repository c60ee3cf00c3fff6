"""What calls cost, and what of the budget they use."""

from __future__ import annotations

from classifier.cascade.budget import Budget
from classifier.cascade.calls import Attempt, price
from classifier.cascade.run import CascadeRun
from classifier.decision import Decision
from classifier.gates import Answer
from classifier.policy import USUAL_TOKENS

_UNPAID = ("http", "context", "connection")  # errors by which an upstream has refused a call, or never got it


class Ledger:
    """Keeps the budget's account of a cascade's calls; threads may share it."""

    def __init__(self, budget: Budget | None) -> None:
        self._budget = budget

    def reserve(self, run: CascadeRun, attempt: Attempt, place: int) -> bool:
        """Set aside what a call is expected to cost; False: the budget does not allow it."""
        if self._budget is None:
            return True
        cost = self.expected_cost(run.decision, place)
        if not self._budget.reserve(run.key, cost):
            return False
        attempt.reserved = cost
        return True

    def overdraw(self, run: CascadeRun, attempt: Attempt, place: int) -> None:
        """Set it aside whether the budget allows it or not."""
        if self._budget is not None:
            attempt.reserved = self.expected_cost(run.decision, place)
            self._budget.add(run.key, attempt.reserved)

    def settle(self, run: CascadeRun, attempt: Attempt) -> None:
        """Count what a call cost in the place of what was set aside; where nobody knows, that stands."""
        cost = attempt.cost
        if cost is None:
            cost = 0.0 if was_refused(attempt) else attempt.reserved
        if self._budget is not None:
            self._budget.add(run.key, cost - attempt.reserved)
        attempt.reserved = 0.0

    def release(self, run: CascadeRun, attempt: Attempt) -> None:
        """Give back what was set aside for a call that was never made."""
        if self._budget is not None:
            self._budget.add(run.key, -attempt.reserved)
        attempt.reserved = 0.0

    def expected_cost(self, decision: Decision, place: int) -> float:
        """USD; by the tier's prices where the model knows nothing of it."""
        costs, tier = decision.prediction.cost, decision.loaded.tiers[place]
        if place < len(costs):
            return costs[place]
        return price(tier, round(decision.tokens), decision.request.max_tokens or USUAL_TOKENS) or 0.0

    def note_answer(self, run: CascadeRun, attempt: Attempt, answer: Answer) -> None:
        """Note how an answer ended."""
        attempt.answer, attempt.finish_reason = answer, answer.finish_reason
        self.note_usage(run, attempt, answer.tokens_in, answer.tokens_out)

    def note_usage(self, run: CascadeRun, attempt: Attempt, tokens_in: int | None, tokens_out: int | None) -> None:
        """Note what the upstream counted, and what that costs."""
        tier = next(tier for tier in run.loaded.tiers if tier.name == attempt.tier)
        attempt.tokens_in, attempt.tokens_out = tokens_in, tokens_out
        attempt.cost = price(tier, tokens_in, tokens_out)


def was_refused(attempt: Attempt) -> bool:
    """Whether a call failed in a way that no upstream charges for."""
    return attempt.error is not None and attempt.error.startswith(_UNPAID)
