"""What the router decided for one request, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from classifier.explain import Explanation, explain
from classifier.features import Features
from classifier.model import Prediction
from classifier.novelty import NOVEL
from classifier.policy import misfit
from classifier.request import Request
from classifier.rule import Plan
from classifier.tasks import canonical_task

if TYPE_CHECKING:
    from classifier.router import Router


@dataclass(slots=True, repr=False)  # frozen, making one would take three times as long
class Decision:
    """The tier for one request.

    Attributes
    ----------
    tier, model : the tier's name, and the model name to pass on.
    plan : how requests were to be routed.
    novelty : how unlike the training requests this one is, 0..1; above 0.99 (`classifier.novelty.NOVEL`) the learned
        rule leaves it to the reference.
    prediction : what the model expects of every learned tier.
    position : the tier's place in the menu.
    feasible : places of all tiers that can serve the request.
    request : what was decided on.
    tokens : its input tokens: text, message frames, tools and images.
    """

    tier: str
    model: str
    plan: Plan
    novelty: float
    prediction: Prediction
    position: int
    feasible: tuple[int, ...]
    request: Request
    tokens: float
    router: Router = field(compare=False)

    def __repr__(self) -> str:
        return f"Decision(tier={self.tier!r}, model={self.model!r}, strategy={self.strategy!r})"

    @property
    def strategy(self) -> str:
        """The rule that picked the tier: "learned", "length", "task" or "always"."""
        return self.plan.strategy

    @property
    def features(self) -> Features:
        """What the model sees of the request; read from it anew."""
        return self.router.features(self.request)

    @property
    def probabilities(self) -> dict[str, float]:
        """P(the tier's answer is adequate), by tier, for the tiers the model has learned about."""
        return {tier.name: p for tier, p in zip(self.router.learned_tiers, self.prediction.adequate, strict=True)}

    @property
    def expected_quality(self) -> float | None:
        """Expected score of the answer, 0..1; None for a tier that the model knows nothing of."""
        return self._of_chosen(self.prediction.quality)

    @property
    def expected_cost(self) -> float | None:
        """Expected USD of the call; None for a tier that the model knows nothing of."""
        return self._of_chosen(self.prediction.cost)

    @property
    def expected_saving(self) -> float | None:
        """USD that the call is expected to cost less than the reference tier's; negative where it costs more."""
        cost = self.expected_cost
        return None if cost is None else self.prediction.cost[self.router.model.reference] - cost

    @property
    def reason(self) -> str:
        """One sentence: which rule picked the tier, and on what grounds; no prompt text."""
        tiers = self.router.tiers
        shut_out = [tier for place, tier in enumerate(tiers[: self.position]) if place not in self.feasible]
        parts = [self._grounds()]
        parts += [f"{tier.name} {misfit(tier, self.request, self.tokens)}" for tier in shut_out]
        return "; ".join(parts)

    def explain(self, top: int = 5) -> Explanation:
        """What in the request spoke most for and most against a cheaper tier, in words (which may quote the prompt)."""
        return explain(self, top)

    def _grounds(self) -> str:
        size = self.request.chars + (self.request.max_tokens or 0)
        reference = self.router.rule.reference
        if self.feasible[0] >= len(self.prediction.quality):
            return f"no learned tier can serve the request, {self.tier} can"
        if self.strategy == "length":
            return f"length rule: {size:,} characters and max_tokens"
        if self.strategy == "task":
            label = canonical_task(self.request.task, self.router.menu)
            return (
                f"task table: {label}" if label else "task table: it does not have this task, so by default or length"
            )
        if self.strategy == "always":
            return f"always {self.tier}: learning did not beat it"
        if self.novelty > NOVEL:
            return f"learned rule: unlike the training requests (novelty {self.novelty:.3f}), so the safe choice"
        shut = [self.router.tiers[place].name for place in self.prediction.unsupported if place in self.feasible]
        if shut and self.tier == reference:
            return f"learned rule: {reference} (the reference); never observed on requests like this: {', '.join(shut)}"
        quality, best = self.prediction.quality[self.position], self.prediction.quality[self.router.model.reference]
        if self.tier == reference:
            return f"learned rule: {reference} (the reference) is worth its price here, expected quality {quality:.2f}"
        saving = self.expected_saving or 0.0
        return (
            f"learned rule: expected quality {quality:.2f} against {best:.2f} of {reference}, "
            f"saving ${saving:.6f} a call"
        )

    def _of_chosen(self, values: list[float]) -> float | None:
        return values[self.position] if self.position < len(values) else None
