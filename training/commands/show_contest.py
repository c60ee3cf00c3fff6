"""What came of judging candidates, in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from training.challenge.challenge import Challenge
from training.challenge.contest import RULE_ROUTER, Contest
from training.challenge.moves import Moved
from training.commands.table import figures, names, show_table, words
from training.report.challenge_words import TOLD, basis, headline, money_of, mood, task_name, why, within
from training.report.figures import percent, points, score, usd
from training.versions.notes import one_line

_LISTED = 6


def outcome_of(found: Contest) -> str:
    """What was done, in a sentence."""
    kept = "The rule router" if found.champion == RULE_ROUTER else found.champion
    if found.promoted is not None:
        return f"In use: {found.promoted.name}, instead of {found.champion}."
    if not found.judged and found.remarks:
        return f"{kept} stays in use: no candidate could be judged."
    if not found.judged:
        return f"{kept} stays in use: no candidate learned from outcomes is pending."
    passed = [one for one in found.judged if one.challenge.promotion.promote]
    which = f"{passed[0].version.name} passed, but was not promoted" if passed else "no candidate has passed yet"
    return f"{kept} stays in use: {which}."


def show_contest(console: Console, found: Contest, monthly_spend: float | None = None) -> None:
    """What was done, then each candidate."""
    style = "bold green" if found.promoted is not None else "bold"
    console.print(escape(outcome_of(found)), style=style, highlight=False)
    for remark in found.remarks:
        console.print(escape(remark), style="yellow", highlight=False)
    for one in found.judged:
        console.print()
        console.print(f"[bold]{escape(one.version.name)}[/]: {mood(one.challenge)[1].lower()}", highlight=False)
        show_challenge(console, one.challenge, monthly_spend)


def show_challenge(console: Console, found: Challenge, monthly_spend: float | None = None) -> None:
    """A challenge in some lines: verdict, figures, moves, what is missing."""
    said = [headline(found, monthly_spend), basis(found), *found.left_out]
    for line in (*said, *(f"- {reason}" for reason in found.promotion.reasons)):
        console.print(escape(line), highlight=False)
    _show_figures(console, found, monthly_spend)
    if found.moves:
        columns = (names("from"), names("to"), words("task"), figures("requests"), figures("share"))
        show_table(console, columns, list(map(_move_cells, found.moves[:_LISTED])))
    for move in found.moves[:TOLD]:
        for sentence in why(move):
            console.print(escape(f"{move.before} -> {move.after}, {_task(move)}: {sentence}"), highlight=False)
    for gap in found.gaps[:_LISTED]:
        console.print(escape(str(gap)), style="yellow", highlight=False)
    if (found.gaps or not found.promotion.promote) and found.remedies:
        console.print(escape(f"What would help: {found.remedies[-1]}"), highlight=False)


def _show_figures(console: Console, found: Challenge, monthly_spend: float | None) -> None:
    quality, money = found.of("quality"), money_of(found, monthly_spend)
    if quality is None or money is None or not found.moved:
        return
    rows = [
        (
            name,
            form(both.champion.value),
            form(both.challenger.value),
            signed(both.difference.value),
            within(both.difference, signed),
        )
        for name, both, form, signed in (
            ("quality", quality, score, points),
            (f"USD {money.unit}", money, usd, usd),
        )
    ]
    show_table(console, (names(""), *map(figures, ("in use", "candidate", "difference", "95%"))), rows)


def _move_cells(move: Moved) -> tuple[str, ...]:
    return move.before, move.after, _task(move), f"{move.requests:,}", percent(move.share)


def _task(move: Moved) -> str:
    """A task's label, which callers choose, as a terminal may show it."""
    return one_line(task_name(move.task))
