"""A challenge in words: the verdict, and what it means in money."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from training.challenge.challenge import Challenge
from training.challenge.estimators import Estimate
from training.challenge.moves import Believed, Moved
from training.report.figures import UNKNOWN, count, fixed, percent, plural, score, usd

TOLD = 3

_HARDLY = 0.01


@dataclass(frozen=True, slots=True)
class ChallengeMoney:
    """What both cost, and challenger minus champion, in USD ``unit``: "a month" or "per 1,000 requests"."""

    unit: str
    champion: Estimate
    challenger: Estimate
    difference: Estimate


def money_of(found: Challenge, monthly_spend: float | None = None) -> ChallengeMoney | None:
    """What both cost; None: nothing is known.

    Parameters
    ----------
    monthly_spend : USD that the champion costs a month; None: figures are per 1,000 requests.
    """
    compared = found.of("cost")
    if compared is None:
        return None
    unit, factor = "per 1,000 requests", 1000.0
    if monthly_spend is not None and compared.champion.value > 0:
        unit, factor = "a month", monthly_spend / compared.champion.value
    return ChallengeMoney(
        unit, *(_times(each, factor) for each in (compared.champion, compared.challenger, compared.difference))
    )


def mood(found: Challenge) -> tuple[str, str]:
    """The verdict's colour, "good", "caution" or "stop", and its few words."""
    if found.promotion.promote:
        return "good", "May take over"
    quality = found.of("quality")
    if quality is not None and quality.difference.high < -found.rule.margin:
        return "stop", "Worse"
    return "caution", "Stays a candidate"


def headline(found: Challenge, monthly_spend: float | None = None) -> str:
    """The verdict in a sentence."""
    promotion, money = found.promotion, money_of(found, monthly_spend)
    if not found.rows:
        return "The challenger cannot be judged yet: there are no outcomes since it was trained."
    if not promotion.differing:
        return f"The challenger begins where the champion does, on all of {plural(found.rows, 'request')}."
    assert money is not None
    if promotion.promote:
        return f"The challenger may take over: {_money_words(money)}, and {_quality_words(found)}."
    if mood(found)[0] == "stop":
        return f"The challenger is worse: its answers are {_lower(found)}, where {score(found.rule.margin)} is allowed."
    if promotion.quality_low > -found.rule.margin:
        return "The challenger is at least as good, but not proven cheaper or better."
    lower = f"its quality may be {score(-promotion.quality_low)} lower, where {score(found.rule.margin)} is allowed"
    return f"The challenger is not proven at least as good: {lower}."


def basis(found: Challenge) -> str:
    """What the verdict rests on, in a sentence or two."""
    rows = f"{plural(found.rows, 'request')} logged after the challenger learned"
    if found.since is not None and found.until is not None:
        rows += f", from {found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}"
    moved = f"{count(found.moved)} ({percent(found.moved / max(found.rows, 1))}) would begin elsewhere"
    wrongly = f"passes with probability {percent(found.rule.level, 0)} at most, however often it is judged"
    return f"{rows}; {moved}. A challenger that is worse by more than {score(found.rule.margin)} {wrongly}."


def within(estimate: Estimate, form: Callable[[float], str]) -> str:
    """An estimate's interval; unknown where it has no end."""
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return UNKNOWN
    return f"{form(estimate.low)} to {form(estimate.high)}"


def task_name(task: str | None) -> str:
    """A task's label, or that there is none."""
    return task if task is not None else "no task"


def why(move: Moved) -> Iterator[str]:
    """Why requests move, in sentences: what was expected of the two tiers before, and is now."""
    old, new = _expectation(move, move.by_champion), _expectation(move, move.by_challenger)
    if not new:
        yield f"The challenger has not learned about {move.before} and {move.after} both."
        return
    if not old:
        yield f"The challenger expects {new}; the champion has not learned about both."
    elif old == new:
        yield f"Both expect {new}."
    else:
        yield f"The champion expects {old}; the challenger {new}."
    if old and abs(_edge(move.by_challenger) - _edge(move.by_champion)) < _HARDLY:
        yield (
            "Expectations hardly differ: the two weigh quality and price otherwise, or find other requests unlike "
            "those they were trained on."
        )
    elif move.reasons:
        named = ", ".join(f"{name} ({fixed(value)})" for name, value in move.reasons)
        yield f"Speaks more for {move.after} than before: {named}."


def _edge(believed: Believed) -> float:
    """By how much the tier after is expected to be better than the one before."""
    return (believed.quality_after or 0.0) - (believed.quality_before or 0.0)


def _expectation(move: Moved, believed: Believed) -> str:
    if believed.quality_before is None or believed.quality_after is None:
        return ""
    return f"{score(believed.quality_after)} of {move.after} and {score(believed.quality_before)} of {move.before}"


def _money_words(money: ChallengeMoney) -> str:
    amount, before = money.difference.value, money.champion.value
    share = f" ({percent(abs(amount) / before)})" if before > 0 else ""
    said = f"saves {usd(-amount)}" if amount <= 0 else f"costs {usd(amount)} more"
    return f"it {said} {money.unit}{share}"


def _quality_words(found: Challenge) -> str:
    low = found.promotion.quality_low
    if low > 0:
        return f"its quality is at least {score(low)} higher"
    return f"its quality is at most {score(-low)} lower"


def _lower(found: Challenge) -> str:
    quality = found.of("quality")
    assert quality is not None
    return f"{score(-quality.difference.high)} to {score(-quality.difference.low)} lower in quality"


def _times(estimate: Estimate, factor: float) -> Estimate:
    return replace(estimate, value=estimate.value * factor, low=estimate.low * factor, high=estimate.high * factor)
