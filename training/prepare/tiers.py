"""The data's tiers and the menu's, brought together: by name, by mapping, or as tiers that the table brings itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import Menu, Tier, normalise_label, priced, told_apart, with_tiers
from classifier.errors import InputError
from classifier.prices import Prices
from training.tables.nearest import did_you_mean


def match_tiers(
    names: Sequence[str],
    menu: Menu,
    *,
    models: Mapping[str, str],
    prices: Mapping[str, tuple[float, float]],
    costs_known: Sequence[bool],
) -> list[Tier]:
    """A menu entry for every tier of the data, in the data's order.

    A tier is, in this order: what ``models`` maps its name to (a tier or model of the menu, or a model of its own), the
    menu's tier of that name, model or alias (with or without the provider before it), or one that the table brings
    itself.

    Parameters
    ----------
    names : tier names as they stand in the data.
    models : data name -> tier or model (``--tier NAME=MODEL``).
    prices : data name -> USD per 1M tokens in and out (``--price NAME=IN,OUT``).
    costs_known : whether the table itself says what each tier's calls cost.

    Raises
    ------
    InputError : an option names a tier that the data lacks, two names are one tier, or a tier has no price at all.
    """
    for option, given in (("tier", models), ("price of", prices)):
        for name in given:
            if name not in names:
                raise InputError(
                    f"{option} {name}: the data has no such tier{did_you_mean(name, names)}; "
                    f"its tiers are: {', '.join(names)}"
                )
    tiers = [_match(name, menu, models.get(name), prices.get(name)) for name in names]
    _refuse_twins(names, tiers)
    priceless = [
        name
        for name, tier, known in zip(names, tiers, costs_known, strict=True)
        if not known and (tier.input_price is None or tier.output_price is None)
    ]
    if priceless:
        known = [tier.name for tier in menu.tiers]
        unknown = ", ".join(name + did_you_mean(name, known) for name in priceless)
        raise InputError(
            f"no price for {unknown}: the table has tiers {', '.join(names)}, the menu has "
            f"{', '.join(known)}; add cost__<tier> columns, "
            f"give a price for {priceless[0]} (USD per 1M tokens in and out), name it in router.toml, "
            f"or say which model {priceless[0]} is"
        )
    return tiers


def _match(name: str, menu: Menu, mapped: str | None, price: tuple[float, float] | None) -> Tier:
    wanted = mapped if mapped is not None else name
    meant = menu.sharing(wanted) or menu.sharing(_without_provider(wanted))
    if len(meant) > 1:
        tiers = ", ".join(tier.name for tier in meant)
        raise InputError(
            f"{name}: {wanted} is the model of several tiers ({tiers}), expected one of these; name the tier"
        )
    found = meant[0] if meant else Tier(name=name, model=mapped or name, input_price=None, output_price=None)
    if price is not None:
        found = priced(found, Prices(*price))
    return found


def _without_provider(name: str) -> str:
    """The model behind its provider, as tools write it: "openai:chat:gpt-4o", "anthropic/claude-opus-4-6".

    What has no number is no model's whole name: "mistral/small" is not this menu's small tier.
    """
    model = name.replace(":", "/").rpartition("/")[2]
    return model if any(char.isdigit() for char in model) else name


def _refuse_twins(names: Sequence[str], tiers: Sequence[Tier]) -> None:
    owners: dict[str | None, str] = {}
    for name, tier in zip(names, tiers, strict=True):
        for written in tier.names():
            owner = owners.setdefault(normalise_label(written), name)
            if owner != name and not told_apart(tiers[names.index(owner)], tier, normalise_label(written)):
                raise InputError(
                    f"'{owner}' and '{name}' are both the tier or model '{written}' (case, spaces, hyphens and "
                    f"underscores aside); rename one column or map one elsewhere with --tier {name}=MODEL"
                )


def price_order(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions of the tiers from the cheapest to the dearest by mean cost of a call; costs (n, t) in USD."""
    return np.argsort(np.nanmean(costs, axis=0), kind="stable")


def menu_for(menu: Menu, tiers: Sequence[Tier]) -> Menu:
    """The menu of an artifact that has learned about ``tiers`` (in price order).

    Its tiers are these and, where all of them are the menu's own, the menu's tiers with a longer context window, for
    requests that fit nowhere else. Rules that name other tiers are carried over by rank: small, medium, large.
    """
    ladder = with_tiers(menu, tiers)
    longest = max((tier.context_window or math.inf) for tier in tiers)
    own = {tier.name for tier in menu.tiers}
    extra = [
        tier
        for tier in menu.tiers
        if tier not in tiers and (tier.context_window or math.inf) > longest and own.issuperset(t.name for t in tiers)
    ]
    kept = {tier.name for tier in (*tiers, *extra)}
    ranks = {
        menu.length.small: ladder.length.small,
        menu.length.medium: ladder.length.medium,
        menu.length.large: ladder.length.large,
    }
    table = {
        label: name if name in kept else ranks.get(name, ladder.length.large) for label, name in menu.task_table.items()
    }
    return replace(ladder, tiers=(*tiers, *extra), task_table=table)
