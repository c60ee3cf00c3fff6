"""What tables of several sections show alike."""

from __future__ import annotations

from training.report.charts import share_bar
from training.report.data import RangedFigure
from training.report.figures import percent, percent_range
from training.report.markup import Html, join, tag

FEW_TIERS = 4
_BUSIEST = 2


def with_range(estimate: RangedFigure) -> Html:
    """A share over its interval."""
    within = known_range(estimate)
    return join(tag("span", percent(estimate.value)), None if within is None else tag("small", within))


def known_range(estimate: RangedFigure) -> str | None:
    """An interval in words; None where something is compared with itself."""
    return None if estimate.low == estimate.high == estimate.value else percent_range(estimate)


def tier_shares(shares: tuple[float, ...], names: tuple[str, ...]) -> Html:
    """Requests per tier as a bar over figures: of all tiers where they are few, else of the busiest."""
    if len(names) <= FEW_TIERS:
        figures = " / ".join(f"{share * 100:.0f}" for share in shares)
    else:
        figures = _busiest(shares, names)
    return join(share_bar(shares, names), tag("small", figures))


def capital(words: str) -> str:
    """The words with a capital first letter."""
    return words[:1].upper() + words[1:]


def _busiest(shares: tuple[float, ...], names: tuple[str, ...]) -> str:
    used = sorted((place for place, share in enumerate(shares) if share > 0), key=lambda place: -shares[place])
    named = [f"{names[place]} {percent(shares[place], 0)}" for place in used[:_BUSIEST]]
    rest = len(used) - len(named)
    return ", ".join(named) + (f", {rest} more" if rest else "")
