"""What was decided for one request, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from classifier.catalog import Tier
from classifier.evident import known_task
from classifier.explain import Explanation, explain
from classifier.features import Features
from classifier.forecast import Forecast
from classifier.loaded import Loaded
from classifier.model import Prediction
from classifier.novelty import NOVEL
from classifier.policy import listed_cost, why_unfit
from classifier.request import Request
from classifier.rule import RULES, Plan
from classifier.tasks import canonical_task

NOTHING_LEARNED = "no artifact yet, so by the menu's rules; train-router makes one from your outcomes"


@dataclass(slots=True, repr=False)  # frozen, making one would take three times as long
class Decision:
    """The tier for one request.

    Attributes
    ----------
    request : what was decided on.
    plan : how requests were to be routed.
    forecast : what was expected of the request.
    feasible : indexes in the menu of all tiers that can serve the request.
    position : the chosen tier's.
    loaded : the artifact that decided, or the menu's rules.
    """

    request: Request
    plan: Plan
    forecast: Forecast
    feasible: tuple[int, ...]
    position: int
    loaded: Loaded = field(compare=False)

    def __repr__(self) -> str:
        return f"Decision(tier={self.tier!r}, model={self.model!r}, strategy={self.strategy!r})"

    @property
    def tier(self) -> str:
        """The tier's name."""
        return self.loaded.tiers[self.position].name

    @property
    def model(self) -> str:
        """The model name to pass on."""
        return self.loaded.tiers[self.position].model

    @property
    def arguments(self) -> dict[str, Any]:
        """What the tier wants passed beside the model, such as ``reasoning_effort``; {} where it wants nothing.

        `arguments_for` also renames and drops what the caller passes, as the tier needs it.
        """
        return self.loaded.tiers[self.position].arguments.apply({})

    def arguments_for(self, **given: Any) -> dict[str, Any]:
        """All arguments of a call: the model, and the caller's own as the tier takes them.

        ``client.chat.completions.create(messages=messages, **decision.arguments_for(max_tokens=300))``
        """
        tier = self.loaded.tiers[self.position]
        return {**tier.arguments.apply(given), "model": tier.model}

    @property
    def tokens(self) -> float:
        """Input tokens of the request: text, message frames, tools and images."""
        return self.forecast.tokens

    @property
    def prediction(self) -> Prediction:
        """What the model expects of every learned tier; without an artifact there is none."""
        return self.forecast.prediction

    @property
    def costs(self) -> list[float]:
        """Expected USD of a call of every learned tier, at today's prices.

        Where no training request had anything around what is asked, its tokens are added at the menu's prices.
        """
        learned = self.loaded.learned
        if learned is None:
            return self.prediction.cost
        factors = learned.rule.cost_factors or [1.0] * len(self.prediction.cost)
        costs = [cost * factor for cost, factor in zip(self.prediction.cost, factors, strict=True)]
        if learned.knows_context or not self.request.context:
            return costs
        around = self.loaded.extract.tokens_around(self.request)
        return [cost + self._listed_extra(tier, around) for cost, tier in zip(costs, self.loaded.tiers, strict=False)]

    def _listed_extra(self, tier: Tier, tokens: float) -> float:
        """What so many of the request's tokens add to a call's price; 0 where the tier has none."""
        whole, without = (
            listed_cost(tier, each, self.request.max_tokens) for each in (self.tokens, self.tokens - tokens)
        )
        return 0.0 if whole is None or without is None else whole - without

    @property
    def novelty(self) -> float | None:
        """How unlike the training requests this one is, 0..1; None: there were none.

        Above 0.99 (`classifier.novelty.NOVEL`) the learned rule leaves it to the reference.
        """
        return None if self.loaded.learned is None else self.forecast.novelty

    @property
    def strategy(self) -> str:
        """The rule that picked the tier: "learned", "length", "task", "always", or without an artifact "rules"."""
        return self.plan.strategy

    @property
    def features(self) -> Features:
        """What the model sees of the request; read from it anew."""
        return self.loaded.extract(self.request)

    @property
    def probabilities(self) -> dict[str, float]:
        """P(the tier's answer is adequate), by tier, for the tiers the model has learned about; empty: of none."""
        return {tier.name: p for tier, p in zip(self.loaded.learned_tiers, self.prediction.adequate, strict=True)}

    @property
    def expected_quality(self) -> float | None:
        """Expected score of the answer, 0..1; None for a tier that the model knows nothing of."""
        return self._of_chosen(self.prediction.quality)

    @property
    def expected_cost(self) -> float | None:
        """Expected USD of the call; None for a tier that the model knows nothing of.

        Without an artifact it is what the tier's prices make of the request's tokens and an answer as long as allowed,
        or of 500 tokens; None where the menu has no prices.
        """
        return self._expected_cost(self.position)

    @property
    def expected_saving(self) -> float | None:
        """USD that the call is expected to cost less than the reference tier's; negative where it costs more."""
        cost, reference = self.expected_cost, self._expected_cost(self.loaded.reference)
        return None if cost is None or reference is None else reference - cost

    @property
    def reason(self) -> str:
        """One sentence: which rule picked the tier, and on what grounds; no prompt text."""
        tiers = self.loaded.tiers
        shut_out = [tier for place, tier in enumerate(tiers[: self.position]) if place not in self.feasible]
        parts = [self._grounds()]
        parts += [f"{tier.name} {why_unfit(tier, self.request, self.tokens)}" for tier in shut_out]
        parts += [] if self.loaded.learned is not None else [NOTHING_LEARNED]
        return "; ".join(parts)

    def explain(self, top: int = 5) -> Explanation:
        """What in the request spoke most for and most against a cheaper tier, in words (which may quote the prompt)."""
        return explain(self.loaded, self.request, self.tier, self.prediction, top)

    def _grounds(self) -> str:
        learned = self.loaded.learned is not None
        if learned and self.feasible[0] >= len(self.prediction.quality):
            return f"no learned tier can serve the request, {self.tier} can"
        if self.strategy == "learned":
            return self._learned_grounds()
        if self.strategy == "always":
            why = "learning did not beat it" if learned else "no quality loss is certified yet"
            return f"always {self.tier}: {why}"
        return self._ruled_grounds()

    def _ruled_grounds(self) -> str:
        task, menu = self.request.task, self.loaded.menu
        label = None if self.strategy == "length" else canonical_task(task, menu)
        if label is not None:
            return f"task table: {label}"
        if self.strategy == "task":
            return "task table: it does not have this task, so by default or length"
        evident = known_task(menu, self.request) if self.strategy == RULES else None
        if evident is not None:
            return f"task table: {evident}, as the text says"
        return f"length rule: {self.request.chars + (self.request.max_tokens or 0):,} characters and max_tokens"

    def _learned_grounds(self) -> str:
        reference, novelty = self.loaded.rule.reference, self.forecast.novelty
        if novelty > NOVEL:
            return f"learned rule: unlike the training requests (novelty {novelty:.3f}), so the safe choice"
        shut = [self.loaded.tiers[place].name for place in self.prediction.unsupported if place in self.feasible]
        if shut and self.tier == reference:
            return f"learned rule: {reference} (the reference); never observed on requests like this: {', '.join(shut)}"
        quality, best = self.prediction.quality[self.position], self.prediction.quality[self.loaded.reference]
        if self.tier == reference:
            return f"learned rule: {reference} (the reference) is worth its price here, expected quality {quality:.2f}"
        saving = self.expected_saving or 0.0
        return (
            f"learned rule: expected quality {quality:.2f} against {best:.2f} of {reference}, "
            f"saving ${saving:.6f} a call"
        )

    def _expected_cost(self, place: int) -> float | None:
        if self.loaded.learned is None:
            return listed_cost(self.loaded.tiers[place], self.tokens, self.request.max_tokens)
        return self.costs[place] if place < len(self.prediction.cost) else None

    def _of_chosen(self, values: list[float]) -> float | None:
        return values[self.position] if self.position < len(values) else None
