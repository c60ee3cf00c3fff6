"""`tierwise models judge`: pending candidates against the version in use, on what a cascade observed since."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.commands.command import prose
from training.commands.options import CONFIDENCE, MARGIN, MODELS, STORE, JsonFile, Models, StoreUrl

if TYPE_CHECKING:
    from training.challenge.sequential import PromotionRule

JUDGE_HELP = prose("""
Judge the pending candidates by what a cascade observed since each was trained, and promote the first that passes.

A candidate passes if its quality is proven at least as good as that of the version in use, and it is cheaper or better.
You may repeat the test as often as you want: run it by the clock. The verdict is noted with the candidate, where "list"
and "show" find it; the exit code is 0 whatever it is.

[bold]Pending[/] are the newest five candidates that learned from outcomes after the last promotion or rollback.

[bold]Examples[/]

  [cyan]tierwise models judge --store sqlite:///outcomes.db --report challenge.html[/]
  Judge, promote or say why not, and write a page on what would change.

  [cyan]tierwise models judge --no-promote --monthly-spend 6500[/]
  Only judge; show costs by the month, $6,500 for the version in use.
""")


# As many parameters as the command has options: typer reads them from here.
def judge(
    models: Models = MODELS,
    url: StoreUrl = STORE,
    report: Annotated[
        Path | None, typer.Option(metavar="HTML", help="Write a page on what would change.", show_default=False)
    ] = None,
    no_promote: Annotated[bool, typer.Option("--no-promote", help="Only judge.")] = False,
    margin: Annotated[
        float, typer.Option(help="Quality that a candidate may lose and still count as no worse, in points of 0..1.")
    ] = MARGIN,
    confidence: Annotated[
        float, typer.Option(help="Confidence that a worse candidate is never promoted, however often you run this.")
    ] = CONFIDENCE,
    monthly_spend: Annotated[
        float | None,
        typer.Option(min=0, help="USD that the version in use costs a month.", show_default=False),
    ] = None,
    show_prompts: Annotated[
        bool, typer.Option("--show-prompts", help="Show how examples begin, in page and JSON.")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Judge (typer shows `JUDGE_HELP`)."""
    from classifier.errors import InputError
    from classifier.outcomes import OutcomeStore
    from training.challenge.contest import hold_contest
    from training.commands.show_contest import outcome_of, show_contest
    from training.commands.terminal import Terminal, say_next
    from training.commands.values import expect_file, printed, typed, write_json
    from training.report.changes_page import changes_html, contest_json
    from training.report.page import write_page

    rule = promotion_rule(margin, confidence)
    expect_file("--report", report)
    expect_file("--json", json_file)
    if models != MODELS and not models.is_dir():
        raise InputError(f"--models {models}: there is no such folder, expected one that tierwise models add made")
    found = hold_contest(models, OutcomeStore(url), rule, promoting=not no_promote, prompts=show_prompts)
    if report is not None:
        named = [(each.version.name, each.challenge) for each in found.judged]
        done = outcome_of(found)
        write_page(
            changes_html(found.champion, named, done, date=datetime.now(UTC), monthly_spend=monthly_spend), report
        )
    if json_file is not None:
        write_json(json_file, contest_json(found), allow_nan=False)
    if printed(json_file):
        return
    show_contest(Terminal(soft_wrap=True), found, monthly_spend)
    passed = [each.version.name for each in found.judged if each.challenge.promotion.promote]
    if passed and found.promoted is None:
        say_next(typed(models, "models", "promote", passed[0]))


def promotion_rule(margin: float, confidence: float = CONFIDENCE) -> PromotionRule:
    """What a candidate has to show.

    Raises
    ------
    InputError : a number is out of range.
    """
    from classifier.errors import InputError
    from training.challenge.sequential import PromotionRule

    if not 0 <= margin < 1:
        raise InputError(f"--margin is {margin:g}; expected points of quality from 0 to below 1, such as 0.02")
    if not 0.5 < confidence < 1:
        raise InputError(f"--confidence is {confidence:g}; expected a share above 0.5 and below 1, such as 0.95")
    return PromotionRule(margin=margin, level=1 - confidence)
