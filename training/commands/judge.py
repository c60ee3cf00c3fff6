"""`tierwise-models judge`: pending candidates against the version in use, on what a cascade observed since."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from classifier.errors import InputError
from classifier.escapes import json_text
from classifier.locate import MODELS
from classifier.outcomes import OutcomeStore
from classifier.outcomes.store import DEFAULT_URL
from training.challenge.challenge import Challenge
from training.challenge.contest import Contest, hold_contest
from training.challenge.moves import Moved
from training.challenge.sequential import PromotionRule
from training.commands.options import expect_folder
from training.commands.outcomes import STORE_VARIABLE
from training.commands.terminal import Terminal
from training.report.challenge_words import TOLD, basis, headline, money_of, mood, task_name, why, within
from training.report.changes_page import changes_html, contest_json
from training.report.figures import percent, points, score, usd
from training.report.page import write_page
from training.versions.notes import one_line

JUDGE_HELP = """
Judge the pending candidates by what a cascade observed since each was trained, and promote the first that passes.

Passing takes being no worse in quality than the version in use, by more than chance, and cheaper or better. The test
may be repeated as often as wanted: run it by the clock. Whatever the verdict, the exit code is 0; it is noted with the
candidate, and "list" and "show" tell of it.

[bold]Pending[/] are candidates learned from outcomes and kept after the last promotion or rollback, the newest five.

[bold]Examples[/]

  [cyan]tierwise-models judge --store sqlite:///outcomes.db --report challenge.html[/]
  Judge, promote or say why not, and write a page on what would change.

  [cyan]tierwise-models judge --no-promote --monthly-spend 6500[/]
  Only judge; money by the month, where the version in use costs $6,500.
"""

_LISTED = 6
_CONFIDENCE = 0.95


def judge(
    folder: Annotated[Path, typer.Option(help="Where the versions are.")] = MODELS,
    url: Annotated[
        str,
        typer.Option(
            "--store", metavar="URL", envvar=STORE_VARIABLE, help="The store: sqlite:///FILE or postgresql://..."
        ),
    ] = DEFAULT_URL,
    report: Annotated[Path | None, typer.Option(help="Write a page on what would change.", show_default=False)] = None,
    no_promote: Annotated[bool, typer.Option("--no-promote", help="Only judge.")] = False,
    margin: Annotated[
        float, typer.Option(help="Quality that a candidate may lose and still count as no worse, in points of 0..1.")
    ] = PromotionRule().margin,
    confidence: Annotated[
        float, typer.Option(help="That no worse candidate is promoted, however often one looks.")
    ] = _CONFIDENCE,
    monthly_spend: Annotated[
        float | None,
        typer.Option(min=0, help="USD that the version in use costs a month.", show_default=False),
    ] = None,
    show_prompts: Annotated[
        bool, typer.Option("--show-prompts", help="Show how examples begin, in page and JSON.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Judge (typer shows `JUDGE_HELP`)."""
    rule = promotion_rule(margin, confidence)
    expect_folder("--report", report)
    if folder != MODELS and not folder.is_dir():
        raise InputError(f"--folder {folder}: there is no such folder, expected one that tierwise-models add made")
    found = hold_contest(folder, OutcomeStore(url), rule, promoting=not no_promote, prompts=show_prompts)
    said = outcome_of(found)
    if report is not None:
        named = [(one.version.name, one.challenge) for one in found.judged]
        write_page(
            changes_html(found.champion, named, said, date=datetime.now(UTC), monthly_spend=monthly_spend), report
        )
    if as_json:
        typer.echo(json_text(contest_json(found), allow_nan=False))
    else:
        show_contest(Terminal(soft_wrap=True), found, monthly_spend)


def outcome_of(found: Contest) -> str:
    """What was done, in a sentence."""
    if found.promoted is not None:
        return f"In use: {found.promoted.name}, instead of {found.champion}."
    if not found.judged and found.remarks:
        return f"In use stays {found.champion}: no candidate could be judged."
    if not found.judged:
        return f"In use stays {found.champion}: no candidate learned from outcomes is pending."
    passed = [one for one in found.judged if one.challenge.promotion.promote]
    which = f"{passed[0].version.name} passed, but was not promoted" if passed else "no candidate has passed yet"
    return f"In use stays {found.champion}: {which}."


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
    quality, money = found.of("quality"), money_of(found, monthly_spend)
    if quality is not None and money is not None and found.moved:
        table = _table("", "champion", "challenger", "difference", "95%")
        rows = (("quality", quality, score, points), (f"USD {money.unit}", money, usd, usd))
        for name, both, form, signed in rows:
            figures = form(both.champion.value), form(both.challenger.value), signed(both.difference.value)
            table.add_row(name, *figures, within(both.difference, signed))
        console.print(table)
    if found.moves:
        table = _table("from", "to", "task", "requests", "share")
        for move in found.moves[:_LISTED]:
            cells = (move.before, move.after, _task(move), f"{move.requests:,}", percent(move.share))
            table.add_row(*map(escape, cells))
        console.print(table)
    for move in found.moves[:TOLD]:
        for sentence in why(move):
            console.print(escape(f"{move.before} -> {move.after}, {_task(move)}: {sentence}"), highlight=False)
    for gap in found.gaps[:_LISTED]:
        console.print(escape(str(gap)), style="yellow", highlight=False)
    if (found.gaps or not found.promotion.promote) and found.remedies:
        console.print(escape(f"What would mend it: {found.remedies[-1]}"), highlight=False)


def _task(move: Moved) -> str:
    """A task's label, which callers choose, as a terminal may show it."""
    return one_line(task_name(move.task))


def promotion_rule(margin: float, confidence: float = _CONFIDENCE) -> PromotionRule:
    """What a candidate has to show.

    Raises
    ------
    InputError : a number is out of range.
    """
    if not 0 <= margin < 1:
        raise InputError(f"--margin is {margin:g}; expected points of quality from 0 to below 1, such as 0.02")
    if not 0.5 < confidence < 1:
        raise InputError(f"--confidence is {confidence:g}; expected a share above 0.5 and below 1, such as 0.95")
    return PromotionRule(margin=margin, level=1 - confidence)


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, name in enumerate(names):
        table.add_column(name, justify="left" if not place or name in ("to", "task") else "right")
    return table
