"""The length baseline: short requests to the small tier, long ones to the large."""

from __future__ import annotations

from functools import cache

from classifier.catalog import LengthRule, default_menu


def route_model(prompt: str, max_tokens: int) -> str:
    """The model the baseline sends a request to, of the packaged menu's three.

    ``len(prompt) + max_tokens`` below 500 is small, below 5000 medium, else large.
    """
    rule, models = _default_rule()
    return models[length_tier(len(prompt), max_tokens, rule)]


def length_tier(chars: int, max_tokens: int | None, rule: LengthRule) -> str:
    """The tier's name that a length rule picks; ``max_tokens`` counts as 0 where the caller set none."""
    size = chars + (max_tokens or 0)
    if size < rule.thresholds[0]:
        return rule.small
    return rule.medium if size < rule.thresholds[1] else rule.large


@cache
def _default_rule() -> tuple[LengthRule, dict[str, str]]:
    menu = default_menu()
    return menu.length, {tier.name: tier.model for tier in menu.tiers}
