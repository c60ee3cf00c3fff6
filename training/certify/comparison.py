"""The ways of routing that a router is compared with, on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import Menu
from classifier.tasks import task_tier
from training.certify.rule import RuleView, price_weights
from training.measure.evaluate import (
    Outcomes,
    Result,
    cheapest_adequate,
    evaluate,
    fixed_weights,
    length_choice,
    mix_at,
)

LEARNED = "learned router"
NEIGHBOURS = "kNN"
TUNED_LENGTH = "length, tuned"
_ROUNDING = 1e-9


def length_ladder(menu: Menu, names: tuple[str, ...]) -> list[int]:
    """Positions of the length rule's small, medium and large tiers."""
    return [names.index(name) for name in (menu.length.small, menu.length.medium, menu.length.large)]


def baselines(
    names: tuple[str, ...], rows: Outcomes, menu: Menu, thresholds: tuple[int, int] | None = None
) -> dict[str, NDArray[np.int64]]:
    """Fixed rules by name: the tier that each picks for each row, (m,).

    Parameters
    ----------
    names : the tiers'.
    thresholds : of the length rule, tuned on other rows; None: it is shown as given only.
    """
    choices = {f"always {name}": np.full(len(rows), tier) for tier, name in enumerate(names)}
    ladder = length_ladder(menu, names)
    as_given = length_choice(rows.sizes, menu.length.thresholds, ladder)
    low, high = menu.length.thresholds
    choices[f"length {low} / {high}"] = as_given
    if thresholds is not None:
        choices[TUNED_LENGTH] = length_choice(rows.sizes, thresholds, ladder)
    by_task = [task_tier(task, menu) for task in rows.tasks]
    choices["task table"] = np.array(
        [names.index(name) if name in names else length for name, length in zip(by_task, as_given, strict=True)]
    )
    return choices


def compare(
    choices: Mapping[str, NDArray[np.int64]],
    router: NDArray[np.int64],
    rows: Outcomes,
    seed: int,
    name: str = LEARNED,
    peers: Mapping[str, RuleView] = MappingProxyType({}),
) -> tuple[Result, ...]:
    """Every way of routing, evaluated: fixed rules, mix and peers at the router's cost, the router, the oracle.

    Parameters
    ----------
    choices : from `baselines`.
    router : (m,) the tier that the router picks; ``name`` is what it is called.
    peers : what other learners expect, by name.
    """
    tiers = rows.quality.shape[1]
    weights = {rule: fixed_weights(chosen, tiers) for rule, chosen in choices.items()}
    routed = fixed_weights(router, tiers)
    budget = float((routed * rows.costs).sum(axis=1).mean())
    mix = mix_at(rows.costs.mean(axis=0), rows.quality.mean(axis=0), budget)
    weights["random mix, same cost"] = np.tile(mix, (len(rows), 1))
    for peer, expected in peers.items():
        weights[f"{peer}, same cost"] = fixed_weights(at_cost(expected, rows, budget), tiers)
    weights[name] = routed
    weights["oracle"] = fixed_weights(cheapest_adequate(rows), tiers)
    return tuple(evaluate(rule, weight, rows, seed=seed) for rule, weight in weights.items())


def at_cost(expected: RuleView, rows: Outcomes, budget: float) -> NDArray[np.int64]:
    """(m,): what the rule picks at the price weight that spends most within ``budget``, mean USD, on these very rows.

    Where none keeps within it, the one that spends least.
    """
    choices = [expected.choose(weight, 0.0) for weight in price_weights(expected.cost)]
    spent = np.array([np.take_along_axis(rows.costs, chosen[:, None], axis=1).mean() for chosen in choices])
    within = spent <= budget * (1 + _ROUNDING)
    place = int(np.argmax(np.where(within, spent, -np.inf))) if within.any() else int(np.argmin(spent))
    return choices[place]
