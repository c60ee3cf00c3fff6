"""Which tiers a request is tried at, and in which order: directly, or as a cascade where that is worth more.

What starting at a tier is worth is computed from the dearest tier down, in the unit of `classifier.policy`: quality
points, with costs as shares of the reference's mean cost. Asking tier i directly is worth

    quality_i - price_weight * cost_i

and trying it first, keeping its answer if the gate passes it and going on at the best later tier k if not,

    - price_weight * (cost_i + gate cost) + quality_i * P(pass | adequate) + P(fail) * worth_k
    P(fail) = 1 - quality_i * P(pass | adequate) - (1 - quality_i) * P(pass | inadequate)

It is a cascade (Chen et al., "FrugalGPT", 2023) stopped optimally, with the router's expectations in place of averages.
That requests which fail a gate are harder for the later tiers as well is left out of account. For a learned gate, what
comes of a try is known better, by what the router expects (`classifier.gates.try_value`), and the price weight is that
which was certified together with the gate.

Before anyone has trained, nothing is known of that: a route begins where the menu's rules say, and goes on at the
reference, the dearest tier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

from classifier.catalog import Menu, Tier
from classifier.decision import Decision
from classifier.errors import InputError
from classifier.gates.stored import CascadeSetting
from classifier.novelty import NOVEL
from classifier.policy import supported

ROUTER, CHEAPEST = "router", "cheapest"


@dataclass(frozen=True, slots=True)
class GateRates:
    """How often a gate passes an answer, and what asking it costs.

    Attributes
    ----------
    pass_adequate : P(pass | the answer is adequate), 0..1.
    pass_inadequate : P(pass | it is not), the false-pass rate.
    cost : USD of one check, where the gate asks a model.
    """

    pass_adequate: float = 0.95
    pass_inadequate: float = 0.75
    cost: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.pass_inadequate <= 1 and 0 <= self.pass_adequate <= 1 and self.cost >= 0):
            raise InputError("gate rates: expected two probabilities from 0 to 1 and a cost of 0 or more")


@dataclass(frozen=True, slots=True)
class StartDraw:
    """How a start was drawn.

    Attributes
    ----------
    planned : place where the route would begin if nothing were explored.
    chances : by place, the probability that it begins there; the sum is 1.
    candidate : digest of the artifact whose start was asked for; None: none was asked.
    """

    planned: int
    chances: Mapping[int, float]
    candidate: str | None = None


@dataclass(frozen=True, slots=True)
class TierOrder:
    """The tiers to try, in order.

    Attributes
    ----------
    places : of the tiers in the menu; the last one's answer is taken as it is.
    draw : how the first was drawn; None: it was certain.
    """

    places: tuple[int, ...]
    draw: StartDraw | None = None

    @property
    def planned(self) -> int:
        """Place where it would begin if nothing were explored."""
        return self.places[0] if self.draw is None else self.draw.planned

    @property
    def explored(self) -> bool:
        """Whether it begins elsewhere than planned."""
        return self.places[0] != self.planned

    @property
    def starts(self) -> Mapping[int, float]:
        """By place, the probability that it begins there; the sum is 1."""
        return {self.places[0]: 1.0} if self.draw is None else self.draw.chances

    @property
    def propensity(self) -> float:
        """Probability that it begins where it does."""
        return self.starts[self.places[0]]


Odds: TypeAlias = GateRates | CascadeSetting


def find_route(decision: Decision, odds: Odds, start: str = ROUTER) -> TierOrder:
    """The route that is worth most.

    Parameters
    ----------
    odds : what may come of a try.
    start : "router", "cheapest", or a tier's name: where to begin.
    """
    first = _first(decision, start)
    learned = open_places(decision)
    if first is None and (decision.strategy != "learned" or decision.forecast.novelty > NOVEL or not learned):
        first = decision.position
    if first is not None and first >= _opened(decision):
        return TierOrder((first,))
    if decision.strategy != "learned":
        assert first is not None
        return TierOrder((first, *_dearer_reference(decision, first)))
    return TierOrder(_best(decision, odds, learned, first))


def route_from(decision: Decision, odds: Odds, first: int) -> tuple[int, ...]:
    """Places of the best route that begins at one of `open_places`."""
    if decision.loaded.learned is None:
        return (first, *_dearer_reference(decision, first))
    return _best(decision, odds, open_places(decision), first)


def fallbacks(decision: Decision, tried: Sequence[int]) -> list[int]:
    """Tiers to turn to when all of a route's have failed: dearer ones than its last, then the others, dearest first."""
    left = [place for place in decision.feasible if place not in tried]
    last = tried[-1] if tried else -1
    return [place for place in left if place > last] + [place for place in reversed(left) if place < last]


def open_places(decision: Decision) -> list[int]:
    """Places of the tiers that can serve the request, and that were observed on requests like it.

    Before anyone has trained, of all that can serve it.
    """
    able = [place for place in decision.feasible if place < _opened(decision)]
    return list(supported(able, decision.prediction.unsupported))


def start_tier(menu: Menu, start: str, option: str = "start") -> Tier | None:
    """The tier that ``start`` names; None where it is "router" or "cheapest". ``option``: where the name was given.

    Raises
    ------
    InputError : it is neither, nor a tier.
    """
    if start in (ROUTER, CHEAPEST):
        return None
    tier = menu.find(start)
    if tier is None:
        names = ", ".join(tier.name for tier in menu.tiers)
        others = f"'{ROUTER}', '{CHEAPEST}'" if option == "start" else "'auto'"
        raise InputError(f"{option} '{start}' is no tier; expected {others} or one of: {names}")
    return tier


def _opened(decision: Decision) -> int:
    """How many tiers, the menu's first, a route may be made of."""
    loaded = decision.loaded
    return len(loaded.tiers if loaded.learned is None else loaded.learned_tiers)


def _first(decision: Decision, start: str) -> int | None:
    """Place of the tier to begin at; None: where it is worth most."""
    if start == CHEAPEST:
        return decision.feasible[0]
    tier = None if start == ROUTER else decision.loaded.menu.find(start)
    if tier is None:  # a new artifact may have no tier of that name
        return None
    place = decision.loaded.tiers.index(tier)
    return place if place in decision.feasible else decision.position


def _dearer_reference(decision: Decision, first: int) -> tuple[int, ...]:
    reference = decision.loaded.reference
    return (reference,) if reference > first and reference in decision.feasible else ()


def _best(decision: Decision, odds: Odds, learned: Sequence[int], first: int | None) -> tuple[int, ...]:
    """The best route over the learned tiers; from ``first`` on, which is tried whatever it is worth, where given."""
    loaded, expected = decision.loaded, decision.prediction
    weight, bonus = _prices(decision, odds)
    worth: dict[int, float] = {}
    following: dict[int, int | None] = {}
    for place in reversed(learned):
        own = bonus if place == loaded.reference else 0.0
        worth[place] = expected.quality[place] + own - weight * expected.cost[place]
        following[place] = None
        later = [other for other in learned if other > place]
        if not later:
            continue
        on = max(later, key=lambda other: worth[other])
        tried = _tried(decision, odds, place, worth[on]) - weight * expected.cost[place]
        if tried > worth[place] or place == first:
            worth[place], following[place] = max(tried, worth[place]), on
    at: int | None = max(learned, key=lambda place: worth[place]) if first is None else first
    places: list[int] = []
    while at is not None:
        places.append(at)
        at = following[at]
    return tuple(places)


def _prices(decision: Decision, odds: Odds) -> tuple[float, float]:
    """Quality points that one USD is worth, and those that speak for the reference."""
    rule = decision.loaded.rule
    if isinstance(odds, CascadeSetting):
        return odds.price_weight / rule.reference_cost, 0.0
    setting = decision.plan.setting or rule.task_setting(decision.request.task)
    return setting.price_weight / rule.reference_cost, setting.reference_bonus


def _tried(decision: Decision, odds: Odds, place: int, later: float) -> float:
    """What trying a tier is worth, its price aside, where going on is worth ``later``."""
    loaded, quality = decision.loaded, decision.prediction.quality
    if isinstance(odds, CascadeSetting):
        try_value = odds.try_values.get(loaded.tiers[place].name)
        return -inf if try_value is None else try_value.worth_of_one(quality[place], quality[loaded.reference], later)
    kept = quality[place] * odds.pass_adequate
    passes = kept + (1.0 - quality[place]) * odds.pass_inadequate
    weight, _ = _prices(decision, odds)
    return kept - weight * odds.cost + (1.0 - passes) * later
