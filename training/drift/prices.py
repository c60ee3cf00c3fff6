"""Whether the menu's prices are still those that the artifact was trained with."""

from __future__ import annotations

import math

from classifier.catalog import Menu
from training.drift.data import PriceChange

_ROUNDING = 1e-9


def price_changes(trained: Menu, today: Menu) -> tuple[PriceChange, ...]:
    """The tiers of both menus whose prices differ, in the order of today's."""
    known = {tier.name: (tier.input_price, tier.output_price) for tier in trained.tiers}
    pairs = [(tier.name, known.get(tier.name), (tier.input_price, tier.output_price)) for tier in today.tiers]
    return tuple(
        PriceChange(name, before, now) for name, before, now in pairs if before is not None and not _same(before, now)
    )


def _same(before: tuple[float | None, float | None], now: tuple[float | None, float | None]) -> bool:
    return all(
        one == other or (one is not None and other is not None and math.isclose(one, other, rel_tol=_ROUNDING))
        for one, other in zip(before, now, strict=True)
    )
