"""New prices for a trained artifact: another setting on its certified path, without new outcomes.

The rule goes on deciding by the costs that it was certified with, so at every setting the same requests go to the same
tiers, and what was certified of a setting holds whatever it costs. What may change is which setting is in use: of those
that are certified for a loss, the one that is cheapest at the new prices. `training.prepare.spending` says what each
setting spends as tokens, and what is assumed in pricing these anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.artifact import Artifact, header_field
from classifier.catalog import Menu, Tier, menu_from_header, menu_to_header, priced
from classifier.errors import InputError
from classifier.overlay import is_same_model
from classifier.prices import Prices
from classifier.rule import ALWAYS_REFERENCE, Rule, Setting, dump_rule, load_rule

FIELD, SPENDING = "repriced", "spending"  # of an artifact's header

_SAME = 1e-9
_RETRAIN = "train a new one with tierwise train"


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A tier whose prices differ.

    Attributes
    ----------
    times : what a call costs now, as a multiple of what it cost; None: nothing was learned about the tier.
    """

    tier: str
    before: Prices
    after: Prices
    times: float | None


@dataclass(frozen=True, slots=True)
class Repriced:
    """An artifact at other prices, and what came of it.

    Attributes
    ----------
    header : of the new artifact, whose tensors are those of the old one.
    changed : tiers whose prices differ.
    before : the rule as it was, at the prices that it had; after : as it is now.
    stayed : what the setting that was in use costs at the new prices, as a share of the reference's.
    reference_cost : USD of a reference call, before and now.
    absent : learned tiers that the menu lacks: it has none of that model with these arguments.
    unsaid : what the outcomes that the artifact was trained on cannot tell, in sentences.
    """

    header: dict[str, Any]
    changed: tuple[NewPrice, ...]
    before: Rule
    after: Rule
    stayed: float
    reference_cost: tuple[float, float]
    absent: tuple[str, ...]
    unsaid: tuple[str, ...]

    @property
    def settings(self) -> tuple[Setting, Setting]:
        """The setting in use, before and now."""
        return _setting(self.before), _setting(self.after)

    @property
    def moved(self) -> bool:
        """Another setting is in use than before."""
        return self.before.chosen != self.after.chosen


@dataclass(frozen=True, slots=True)
class _Spending:
    """Tokens as an artifact's header has them: (k, t, 2) by setting, (t, 2) were all sent to a tier."""

    settings: NDArray[np.float64]
    tiers: NDArray[np.float64]

    def shares(self, rates: NDArray[np.float64], reference: int) -> NDArray[np.float64]:
        """(k,) what each setting costs at these rates (t, 2), as a share of the reference's cost."""
        whole = float(self.tiers[reference] @ rates[reference])
        spent: NDArray[np.float64] = np.einsum("ktp,tp->k", self.settings, rates)
        return spent / whole


def reprice(artifact: Artifact, menu: Menu) -> Repriced:
    """Choose anew along an artifact's path, at the prices of a menu.

    Parameters
    ----------
    menu : today's; its tiers are the artifact's by model and arguments. Prices of tiers that it lacks stay.

    Raises
    ------
    InputError : the artifact does not say what it spends, or a tier's prices are unknown.
    ArtifactError : the artifact is damaged.
    """
    names = header_field(artifact, "tiers", kind=list)
    trained = menu_from_header(header_field(artifact, "menu", kind=dict), artifact.source)
    rule = load_rule(artifact, names)
    certified, old = _as_certified(artifact, names, trained)
    spending = _spending(artifact, len(certified.path), len(names))
    tiers = tuple(_today(tier, menu) for tier in trained.tiers)
    _expect_prices(artifact, tiers[: len(names)], old)
    _expect_spending(artifact, spending, names)
    rates, now = (_rates(each[: len(names)]) for each in (trained.tiers, tiers))
    place, times = names.index(certified.reference), _times(spending, _rates(old), now)
    if float(spending.tiers[place] @ now[place]) <= 0:
        raise InputError(f"{artifact.source}: {certified.reference}, the reference, costs nothing at the new prices")
    after = _chosen_anew(certified, spending.shares(now, place), times) if _differ(old, tiers) else certified
    return Repriced(
        header=_header(artifact, certified, after, (trained, old, tiers)),
        changed=tuple(_new_prices(trained.tiers, tiers, spending)),
        before=rule,
        after=after,
        stayed=1.0 if rule.chosen is None else after.path[rule.chosen].cost,
        reference_cost=(float(spending.tiers[place] @ rates[place]), float(spending.tiers[place] @ now[place])),
        absent=_absent(tiers[: len(names)], menu),
        unsaid=tuple(_unsaid(certified, tiers[: len(names)], menu, artifact)),
    )


def _header(
    artifact: Artifact, certified: Rule, after: Rule, menu: tuple[Menu, Sequence[Tier], Sequence[Tier]]
) -> dict[str, Any]:
    """The new header; ``menu`` : the menu, its learned tiers as they were certified, and all tiers as they are now."""
    whole, old, tiers = menu
    header = {**artifact.header, "menu": menu_to_header(replace(whole, tiers=tuple(tiers))), "rule": dump_rule(after)}
    if after is certified:
        return {name: value for name, value in header.items() if name != FIELD}
    first = replace(whole, tiers=(*old, *whole.tiers[len(old) :]))
    return {**header, FIELD: {"rule": dump_rule(certified), "menu": menu_to_header(first)}}


def _new_prices(before: Sequence[Tier], after: Sequence[Tier], spending: _Spending) -> Iterator[NewPrice]:
    """The tiers whose prices change."""
    learned = len(spending.tiers)
    times = [*_times(spending, _rates(before[:learned]), _rates(after[:learned])).tolist(), *[None] * len(after)]
    for one, other, factor in zip(before, after, times, strict=False):
        if one.prices is not None and other.prices is not None and one.prices != other.prices:
            yield NewPrice(one.name, one.prices, other.prices, factor)


def _differ(old: Sequence[Tier], tiers: Sequence[Tier]) -> bool:
    """Whether prices of learned tiers are others than those that were certified."""
    return any(one.prices != other.prices for one, other in zip(old, tiers, strict=False))


def _as_certified(artifact: Artifact, names: list[str], trained: Menu) -> tuple[Rule, tuple[Tier, ...]]:
    """The rule and the learned tiers as they were when the artifact was certified, before any repricing."""
    if FIELD not in artifact.header:
        return load_rule(artifact, names), trained.tiers[: len(names)]
    source = f"{artifact.source}, before it was repriced"
    first = replace(artifact, header={**artifact.header, "rule": header_field(artifact, FIELD, "rule", kind=dict)})
    menu = menu_from_header(header_field(artifact, FIELD, "menu", kind=dict), source)
    return load_rule(first, names), menu.tiers[: len(names)]


def _spending(artifact: Artifact, settings: int, tiers: int) -> _Spending:
    if SPENDING not in artifact.header:
        raise InputError(
            f"{artifact.source}: found nothing on what its settings spend, expected what training writes; {_RETRAIN}"
        )
    found = [
        _numbers(header_field(artifact, SPENDING, name, kind=list), shape)
        for name, shape in (("settings", (settings, tiers, 2)), ("tiers", (tiers, 2)))
    ]
    if found[0] is None or found[1] is None:
        raise InputError(f"{artifact.source}: what it says that its settings spend does not fit its path; {_RETRAIN}")
    return _Spending(found[0], found[1])


def _numbers(value: Any, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    """Nested lists as an array, with NaN where a tier's pair is null; None where they have another shape."""
    nothing = [None, None]

    def filled(part: Any, depth: int) -> Any:
        return nothing if part is None and depth == 1 else [filled(each, depth - 1) for each in part] if depth else part

    try:
        array = np.array(filled(value, len(shape)), np.float64)
    except (TypeError, ValueError):
        return None
    sound = array.shape == shape and not (array < 0).any() and not np.isinf(array).any()
    return array if sound else None


def _today(tier: Tier, menu: Menu) -> Tier:
    """A tier at the prices of today's menu, where it has them."""
    same = _counterpart(tier, menu)
    return tier if same is None or same.prices is None else priced(tier, same.prices)


def _counterpart(tier: Tier, menu: Menu) -> Tier | None:
    """The menu's tier of the same model and arguments, also where somebody else sells it under the tier's name."""
    named = menu.find(tier.name)
    resold = named is not None and named.arguments == tier.arguments and is_same_model(tier, named)
    return menu.counterpart(tier) or (named if resold else None)


def _absent(tiers: Sequence[Tier], menu: Menu) -> tuple[str, ...]:
    """Tiers that the menu lacks."""
    return tuple(tier.name for tier in tiers if _counterpart(tier, menu) is None)


def _expect_prices(artifact: Artifact, tiers: Sequence[Tier], old: Sequence[Tier]) -> None:
    """Refuse tiers of which a price is unknown: then nothing can be said of what the path costs."""
    unknown = [tier.name for one, tier in zip(old, tiers, strict=True) if one.prices is None or tier.prices is None]
    if unknown:
        raise InputError(
            f"{artifact.source}: found no prices of {', '.join(unknown)} in the menu that it was trained with, "
            f"expected some to compare with; write them in router.toml and {_RETRAIN}"
        )


def _expect_spending(artifact: Artifact, spending: _Spending, names: Sequence[str]) -> None:
    """Refuse where it is not known what a tier spends, though its prices are: its calls cost what no price explains."""
    unknown = [name for name, tokens in zip(names, spending.tiers, strict=True) if np.isnan(tokens).any()]
    if unknown:
        raise InputError(
            f"{artifact.source}: found nothing on what {', '.join(unknown)} spends, expected tokens by its prices; "
            f"{_RETRAIN}"
        )


def _rates(tiers: Sequence[Tier]) -> NDArray[np.float64]:
    """(t, 2) USD a token, in and out; NaN where unknown."""
    return np.array([(np.nan, np.nan) if tier.prices is None else tier.prices.rates(tier.service) for tier in tiers])


def _times(spending: _Spending, before: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
    """(t,) what a call of each tier costs now, as a multiple of what it cost."""
    was, costs = ((spending.tiers * rates).sum(axis=1) for rates in (before, now))
    times: NDArray[np.float64] = np.where(was > 0, costs / np.where(was > 0, was, 1.0), 1.0)
    return times


def _chosen_anew(rule: Rule, shares: NDArray[np.float64], times: NDArray[np.float64]) -> Rule:
    """The rule with each promise, and the setting in use, at the cheapest setting that is certified for it."""
    path = tuple(replace(setting, cost=float(share)) for setting, share in zip(rule.path, shares, strict=True))
    factors = tuple(map(float, times))
    return replace(
        rule,
        path=path,
        chosen=_cheapest(path, rule.chosen),
        ladder=tuple(replace(promise, setting=_cheapest(path, promise.setting)) for promise in rule.ladder),
        cost_factors=None if np.allclose(factors, 1.0, rtol=_SAME, atol=0.0) else factors,
    )


def _cheapest(path: Sequence[Setting], last: int | None) -> int | None:
    """Place of the cheapest setting up to ``last``, all of which are certified; None: the reference is cheaper."""
    if last is None:
        return None
    place = min(range(last + 1), key=lambda each: (round(path[each].cost, 9), -each))
    return place if path[place].cost < 1.0 else None


def _setting(rule: Rule) -> Setting:
    return ALWAYS_REFERENCE if rule.chosen is None else rule.path[rule.chosen]


def _unsaid(rule: Rule, tiers: Sequence[Tier], menu: Menu, artifact: Artifact) -> list[str]:
    """What cannot be said without new training."""
    found = ["Settings beyond the certified ones, and other rules, may be cheaper now: only training tells."]
    if rule.strategy != "learned":
        found.append(
            f"It ships a rule without learning ({rule.always or rule.strategy}), which new prices leave as it is."
        )
    if rule.tasks is not None:
        found.append("Each task keeps its own setting: what a task spends by itself is not in the artifact.")
    if not rule.certified:
        found.append("The setting in use was not certified, so neither is the new one.")
    if "gate" in artifact.header:
        found.append("A cascade with the learned gate tries tiers as before; what that costs now was not computed.")
    missing = _absent(tiers, menu)
    if missing:
        found.append(f"The menu has no {', '.join(missing)}, so their prices stay.")
    order = [tier.name for tier in sorted(tiers, key=lambda tier: sum(_rates([tier])[0]))]
    if order != [tier.name for tier in tiers]:
        found.append("The order of the tiers by price has changed; they stay in the order that was learned.")
    return found
