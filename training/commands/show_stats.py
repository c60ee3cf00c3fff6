"""What an outcome store holds, in a terminal and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape

from classifier.outcomes import Stats
from classifier.outcomes.stats import Audited, Passes, TierStats
from classifier.prices import plain_amount
from training.commands.table import figures, names, show_table

_FIGURES = ("chosen", "answered", "tried", "failed", "passed", "score", "$/call", "$ expected", "seconds")
_SOURCES = {
    "upstream": "stated by the upstream",
    "usage": "by its token counts",
    "estimate": "estimated",
    "unknown": "not recorded where from",
}
_TIER_COLUMNS = (names("tier"), *map(figures, _FIGURES))


def stats_json(found: Stats, waiting: int) -> dict[str, Any]:
    """The sums as JSON: `Stats` field by field, its rates, and the records that wait on this machine."""
    figures = asdict(found)
    for name in ("first", "last"):
        figures[name] = None if figures[name] is None else figures[name].isoformat()
    return {**figures, "escalation_rate": found.escalation_rate, "mean_cost": found.mean_cost, "spilled": waiting}


def show_stats(console: Console, found: Stats, waiting: int) -> None:
    """The sums as tables."""
    span = f", {found.first:%Y-%m-%d %H:%M} to {found.last:%Y-%m-%d %H:%M} UTC" if found.first and found.last else ""
    console.print(f"[bold]{found.decisions:,} decisions[/]{span}", highlight=False)
    console.print(
        f"Escalated: {_share(found.escalation_rate)} of those answered; {found.unanswered:,} without an answer; "
        f"{found.explored:,} explored, {found.audited:,} audited; {found.prompts:,} with their prompts",
        highlight=False,
    )
    costs = ", ".join(f"{escape(purpose)} {_usd(cost)}" for purpose, cost in found.cost.items())
    console.print(
        f"Cost of a decision: {_usd(found.mean_cost)}" + (f"; in all: {costs}" if costs else ""), highlight=False
    )
    sources = ", ".join(f"{_usd(cost)} {escape(_SOURCES.get(name, name))}" for name, cost in found.cost_sources.items())
    if set(found.cost_sources) - {"unknown"}:
        console.print(f"Where costs come from: {sources}", highlight=False)
    if found.tokens:
        console.print(_tokens(found.tokens), highlight=False)
    if waiting:
        console.print(f"[yellow]{waiting:,} records wait on this machine (import --spilled stores them)[/]")
    if found.tiers:
        show_table(console, _TIER_COLUMNS, [_tier_cells(name, tier) for name, tier in found.tiers.items()])
    _show_counts(console, "gate", ("checked", "passed"), {n: _passes(p) for n, p in found.gates.items()})
    _show_counts(console, "error", ("attempts",), {name: (f"{n:,}",) for name, n in found.errors.items()})
    feedback = {name: (f"{each.count:,}", f"{each.mean_score:.3f}") for name, each in found.feedback.items()}
    _show_counts(console, "feedback", ("count", "mean score"), feedback)
    audits = {tier: _audited(each) for tier, each in found.audits.items()}
    _show_counts(console, "gates audited", ("passed answers", "false passes", "turned down", "false alarms"), audits)


def _tokens(tokens: Mapping[str, int]) -> str:
    """Tokens in and out, with the parts that have prices of their own."""
    parts = []
    for name, part, words in (("in", "cached", "from a cache"), ("out", "reasoning", "of them reasoning")):
        if name in tokens:
            share = f" ({_share(tokens[part] / tokens[name])} {words})" if tokens.get(part) and tokens[name] else ""
            parts.append(f"{tokens[name]:,} {name}{share}")
    return f"Tokens: {', '.join(parts)}"


def _audited(found: Audited) -> tuple[str, ...]:
    """Passed answers that were audited and the share of them that are bad; those turned down, and the good ones."""
    passed, failed = found.passed, found.failed
    return (
        f"{passed.count:,}" if passed else "0",
        _share(found.false_pass_rate) if passed else "",
        f"{failed.count:,}" if failed else "0",
        _share(failed.mean_score) if failed else "",
    )


def _tier_cells(name: str, tier: TierStats) -> tuple[str, ...]:
    return (
        name,
        *(f"{count:,}" for count in (tier.chosen, tier.answered, tier.tried, tier.failed)),
        _passes(tier.verdicts)[1],
        "" if tier.feedback is None else f"{tier.feedback:.3f}",
        _usd(tier.mean_cost),
        _usd(tier.expected_cost),
        "" if tier.mean_latency is None else f"{tier.mean_latency:.2f}",
    )


def _show_counts(console: Console, first: str, headings: Sequence[str], rows: Mapping[str, Sequence[str]]) -> None:
    if rows:
        columns = (names(first), *map(figures, headings))
        show_table(console, columns, [(name, *cells) for name, cells in rows.items()])


def _passes(passes: Passes) -> tuple[str, str]:
    return f"{passes.checked:,}", f"{passes.rate:.1%}" if passes.checked else ""


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _usd(value: float | None) -> str:
    return "" if value is None else f"${plain_amount(value)}"
