"""The ways of routing that a router is compared with, on the same rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import Menu
from classifier.tasks import task_tier
from training.evaluate import Outcomes, Result, cheapest_adequate, evaluate, fixed_weights, length_choice, mix_at

LEARNED = "learned router"
TUNED_LENGTH = "length, tuned"


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
) -> tuple[Result, ...]:
    """Every way of routing, evaluated: the fixed rules, a random mix of the router's cost, the router, the oracle.

    Parameters
    ----------
    choices : from `baselines`.
    router : (m,) the tier that the router picks; ``name`` is what it is called.
    """
    tiers = rows.quality.shape[1]
    weights = {rule: fixed_weights(chosen, tiers) for rule, chosen in choices.items()}
    routed = fixed_weights(router, tiers)
    budget = float((routed * rows.costs).sum(axis=1).mean())
    mix = mix_at(rows.costs.mean(axis=0), rows.quality.mean(axis=0), budget)
    weights["random mix, same cost"] = np.tile(mix, (len(rows), 1))
    weights[name] = routed
    weights["oracle"] = fixed_weights(cheapest_adequate(rows), tiers)
    return tuple(evaluate(rule, weight, rows, seed=seed) for rule, weight in weights.items())
