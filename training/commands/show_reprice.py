"""What new prices came to, in a terminal and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console

from classifier.escapes import for_terminal
from classifier.prices import Prices, plain_amount
from classifier.rule import Rule, Setting
from training.commands.table import figures, names, show_table
from training.versions.reprice import Repriced


def reprice_json(found: Repriced) -> dict[str, Any]:
    """What came of it as JSON."""
    before, after = found.settings
    return {
        "changed": [asdict(each) for each in found.changed],
        "setting": {"before": asdict(before), "after": asdict(after), "moved": found.moved},
        "cost_share": {"before": before.cost, "stayed": found.stayed, "after": after.cost},
        "reference_cost": {"before": found.reference_cost[0], "after": found.reference_cost[1]},
        "certified": found.after.certified,
        "target": found.after.target,
        "confidence": found.after.confidence,
        "ladder": [asdict(promise) for promise in found.after.ladder],
        "unsaid": list(found.unsaid),
    }


def show_reprice(console: Console, found: Repriced) -> None:
    """What changed in price, the setting before and after, what is certified, and what cannot be said."""
    rows = [
        (each.tier, _pair(each.before), _pair(each.after), "" if each.times is None else f"{each.times:.2f}")
        for each in found.changed
    ]
    columns = (names("tier"), figures("was"), figures("is"), figures("a call costs times"))
    show_table(console, columns, rows, title="USD per 1M tokens, in / out")
    for line in _lines(found):
        console.print(for_terminal(line), markup=False, highlight=False)


def _lines(found: Repriced) -> list[str]:
    rule, (before, after) = found.after, found.settings
    old, new = map(plain_amount, found.reference_cost)
    lines = ["", f"A call of {rule.reference}, the reference, costs ${new}; it cost ${old}."]
    if rule.strategy == "learned" and rule.tasks is None:
        lines.append(f"Setting in use: {_setting(before)}; at the new prices {found.stayed:.1%}.")
        stays = "It is still the cheapest that is certified."
        lines.append(f"Setting now: {_setting(after)}." if found.moved else stays)
    lines.append(_certificate(rule))
    lines += ["", "What cannot be said without training anew:", *(f"- {each}" for each in found.unsaid)]
    return lines


def _setting(setting: Setting) -> str:
    bonus = f", bonus {setting.reference_bonus:g}" if setting.reference_bonus else ""
    return f"price weight {setting.price_weight:.4g}{bonus}, costs {setting.cost:.1%} of the reference"


def _certificate(rule: Rule) -> str:
    if not rule.certified:
        return "Nothing is certified of it, as before."
    loss = f"{rule.target:.1%} of quality" if rule.relative else f"{rule.target:g} points of score"
    return f"Still certified: at most {loss} lost against {rule.reference}, with {rule.confidence:.0%} confidence."


def _pair(prices: Prices) -> str:
    return f"{prices.input_price:g} / {prices.output_price:g}"
