"""Prices of a menu in a terminal, and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from classifier.escapes import for_terminal
from classifier.prices import Prices
from training.commands.table import figures, names, show_table, words
from training.prepare.menu_prices import PricedTier


def price_json(found: PricedTier) -> dict[str, Any]:
    """A tier's prices as JSON."""
    return {
        "tier": found.tier.name,
        "model": found.tier.model,
        "prices": None if found.prices is None else asdict(found.prices),
        "source": found.source or None,
        "listed": None if found.listed is None else asdict(found.listed),
    }


def show_prices(console: Console, found: Sequence[PricedTier]) -> None:
    """A row a tier; below, where a menu's price is not its vendor's, and what nobody knows."""
    columns = (names("tier"), *map(figures, ("in", "out", "cached")), words("others"), words("from"))
    show_table(console, columns, [_cells(each) for each in found], title="USD per 1M tokens")
    for each in found:
        line = _remark(each)
        if line:
            console.print(for_terminal(line), markup=False, highlight=False)


def show_changes(console: Console, before: Sequence[PricedTier], after: Sequence[PricedTier]) -> bool:
    """A line a tier whose prices have changed, and remarks as above; whether there was any."""
    changed = [(old, new) for old, new in zip(before, after, strict=True) if not new.own and old.prices != new.prices]
    for old, new in changed:
        line = f"{new.tier.name}: {_pair(old.prices)} -> {_pair(new.prices)}"
        if _pair(old.prices) == _pair(new.prices):
            line += " (other prices of it have changed)"
        console.print(for_terminal(line), markup=False, highlight=False)
    for each in after:
        line = _remark(each)
        if line:
            console.print(for_terminal(line), markup=False, highlight=False)
    return bool(changed)


def _cells(found: PricedTier) -> tuple[str, ...]:
    prices = found.prices
    if prices is None:
        return found.tier.name, "?", "?", "", "", "unknown"
    cached = "" if prices.cached_input_price is None else f"{prices.cached_input_price:g}"
    return (
        found.tier.name,
        f"{prices.input_price:g}",
        f"{prices.output_price:g}",
        cached,
        _others(prices),
        found.source,
    )


def _others(prices: Prices) -> str:
    steps = [
        f"{_pair(Prices(step.input_price or prices.input_price, step.output_price or prices.output_price))} "
        f"above {step.above:,} tokens"
        for step in prices.steps
    ]
    levels = [f"{name} x{times:g}" for name, times in prices.services.items()]
    return "; ".join([*steps, *([", ".join(levels)] if levels else [])])


def _remark(found: PricedTier) -> str:
    """What a reader should know of a tier's price."""
    if found.prices is None:
        return f"{found.tier.name}: no price is known of {found.tier.model}; write it in router.toml."
    listed = found.listed
    if found.own and listed is not None and _pair(listed.prices) != _pair(found.prices):
        return (
            f"{found.tier.name}: {_pair(found.prices)} by {found.source}; {listed.vendor} asks "
            f"{_pair(listed.prices)} for {listed.model} ({listed.source})."
        )
    return ""


def _pair(prices: Prices | None) -> str:
    return "unknown" if prices is None else f"${prices.input_price:g} / ${prices.output_price:g}"
