"""How numbers are written, everywhere in the report alike."""

from __future__ import annotations

import math

from training.report.data import RangedFigure

UNKNOWN = "unknown"
_MINUS = "\u2212"


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage: 0.1234 is "12.3%"."""
    return _signed(f"{share * 100:.{digits}f}%") if math.isfinite(share) else UNKNOWN


def percent_range(estimate: RangedFigure) -> str:
    """An interval of shares."""
    return f"{percent(estimate.low)} to {percent(estimate.high)}"


def usd(amount: float) -> str:
    """An amount of money: whole dollars from 100 up, cents from 1 up, three significant digits below."""
    size = abs(amount)
    if size >= 100:
        text = f"${size:,.0f}"
    elif size >= 1 or size == 0:
        text = f"${size:,.2f}"
    else:
        text = f"${size:.{2 - math.floor(math.log10(size))}f}"
    return f"{_MINUS}{text}" if amount < 0 else text


def usd_range(estimate: RangedFigure) -> str:
    """An interval of amounts."""
    return f"{usd(estimate.low)} to {usd(estimate.high)}"


def count(number: int) -> str:
    """A count with thousands apart."""
    return f"{number:,}"


def points(value: float) -> str:
    """A difference in score, signed, three decimals."""
    return _signed(f"{value:+.3f}")


def score(value: float) -> str:
    """A score, up to three decimals."""
    return f"{value:.3f}".rstrip("0").rstrip(".") if math.isfinite(value) else UNKNOWN


def fixed(value: float) -> str:
    """A number with three decimals, for columns of like numbers."""
    return _signed(f"{value:.3f}")


def shortened(name: str, most: int) -> str:
    """A name of at most so many characters, its end left out where it is longer."""
    return name if len(name) <= most else name[: max(most - 1, 1)].rstrip() + "\u2026"


def plural(number: int, word: str) -> str:
    """A count with its word: "1 row", "2 rows"."""
    return f"{count(number)} {word}" + ("" if number == 1 else "s")


def _signed(text: str) -> str:
    # -0.0% is zero; a real minus sign is as wide as a plus.
    if text.startswith("-") and not text.strip("-0.%"):
        return text[1:]
    return text.replace("-", _MINUS)
