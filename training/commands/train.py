"""The ``train`` command: options to `training.run.TrainOptions`. What is heavy is imported when it is run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from training.commands.command import Command, prose, run_command
from training.commands.options import (
    MARGIN,
    MODELS,
    MODELS_VARIABLE,
    TABLES,
    Dates,
    Decimal,
    Scale,
    Score,
    Sheet,
    SkipBad,
    TextEncoding,
)

HELP = prose("""
Learn from tables of outcomes which tier is the cheapest adequate one for a request, and write a routing artifact.

[bold]Examples[/]

  [cyan]tierwise train data.csv[/]
  Learn from one table; predict_model() finds what it writes.

  [cyan]tierwise train monday.parquet tuesday.jsonl --monthly-spend 10000[/]
  Several tables at once; say what the router means for $10,000 a month.

  [cyan]tierwise train evals.csv --price mixtral=0.6,0.6 --price gpt-4=10,30[/]
  Tiers that router.toml does not know: USD per 1M tokens, in and out.

  [cyan]tierwise train evals.csv --tier cheap=haiku --tier dear=opus[/]
  The columns score__cheap and score__dear are these tiers of the menu.

  [cyan]tierwise train ratings.csv --adequate-at 0.8 --max-quality-loss 0.01[/]
  A score of 0.8 is good enough; lose at most 1% of the good answers.

  [cyan]tierwise train chats.csv --column prompt=question[/]
  The table calls its prompt column "question".

  [cyan]tierwise train logs/*.eval --column score=match[/]
  Logs of inspect_ai, as they are; so are exports of promptfoo, Langfuse,
  lm-evaluation-harness, LangSmith, LiteLLM and others (docs/imports.md).

  [cyan]tierwise train --store sqlite:///outcomes.db --half-life 30d[/]
  Learn from what a cascade observed, and promote the result if it is
  proven at least as good as the version in use.

  [cyan]tierwise train --store sqlite:///outcomes.db evals.csv --no-promote[/]
  Learn from both; decide later (tierwise models judge, promote).

[bold]Tables[/] are CSV and its like, JSON, JSON Lines, Parquet, Arrow or Excel's .xlsx (.gz and .zip too): files,
patterns, folders, or - for standard input. Their columns tell what form they have:

  wide: prompt, and score__TIER for each tier (empty where unknown).
    Optional: task, max_tokens, cost__TIER, tokens_out__TIER, messages,
    group, timestamp, and response__TIER (answers; a gate learns from them)

  labelled: prompt, tier (the cheapest adequate one)

  long: prompt, model, score; optional cost

  pairwise: prompt, model_a, model_b, winner

[bold]Exit codes[/]: 0 done; 1 failure; 2 bad usage or bad input. train-router is the same command.
""")

_QUALITY = "What is good enough"
_OUTPUT = "What comes out"
_OUTCOMES = "Learning from a router in use"


class CertifyPer(StrEnum):
    """What a promise of quality is kept for."""

    ALL = "all"
    TASK = "task"


app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


# As many parameters as the command has options: typer reads them from here.
@app.command(cls=Command, help=HELP)
def train_router(
    tables: Annotated[list[Path] | None, typer.Argument(help="Outcome tables.", show_default=False)] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where the artifact goes. Default: models/router.safetensors; with --store, among the versions only.",
            show_default=False,
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    outcomes: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="URL",
            help="An outcome store: sqlite:///FILE or postgresql://... Default: $TIERWISE_OUTCOMES, where no table is "
            "named.",
            show_default=False,
            rich_help_panel=_OUTCOMES,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Only outcomes from this time on (ISO 8601, UTC).", show_default=False, rich_help_panel=_OUTCOMES
        ),
    ] = None,
    half_life: Annotated[
        str | None,
        typer.Option(
            metavar="AGE",
            help="An outcome of this age counts half as much as a new one: 30d, 12h, 8w. Default: all count alike.",
            show_default=False,
            rich_help_panel=_OUTCOMES,
        ),
    ] = None,
    models: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            envvar=MODELS_VARIABLE,
            help="Folder that keeps the versions.",
            rich_help_panel=_OUTCOMES,
        ),
    ] = MODELS,
    margin: Annotated[
        float,
        typer.Option(
            help="Quality, in points of 0..1, that it may lose against the router in use and still count as no worse.",
            rich_help_panel=_OUTCOMES,
        ),
    ] = MARGIN,
    no_promote: Annotated[
        bool,
        typer.Option("--no-promote", help="Put nothing into use, whatever the test says.", rich_help_panel=_OUTCOMES),
    ] = False,
    monthly_spend: Annotated[
        float | None,
        typer.Option(
            min=0, help="USD spent a month without routing; shown beside every figure.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    today: Annotated[
        str | None,
        typer.Option(
            metavar="TIER",
            help="The tier that you use for everything today; it is compared with, beside the reference.",
            show_default=False,
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a report for whoever decides, as one HTML file.", show_default=False, rich_help_panel=_OUTPUT
        ),
    ] = None,
    no_prompts: Annotated[
        bool,
        typer.Option(
            "--no-prompts", help="Show no prompts, nor words from them, in the report.", rich_help_panel=_OUTPUT
        ),
    ] = False,
    show_prompts: Annotated[
        bool,
        typer.Option(
            "--show-prompts",
            help="Show prompts of the store's requests in the report and the JSON file, which else do not.",
            rich_help_panel=_OUTCOMES,
        ),
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the figures as JSON; - prints them.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Ship the learned router even where it beats no rule without learning.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    fastest: Annotated[
        bool, typer.Option("--fastest", help="Only the linear model: the quickest decisions.", rich_help_panel=_OUTPUT)
    ] = False,
    best: Annotated[
        bool, typer.Option("--best", help="More and slower trees: the best decisions.", rich_help_panel=_OUTPUT)
    ] = False,
    keep_estimator: Annotated[
        Path | None,
        typer.Option(help="Also write the fitted model as a joblib pickle, for notebooks.", rich_help_panel=_OUTPUT),
    ] = None,
    adequate_at: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="An answer is adequate from this score. Default: when it is no worse than the reference's.",
            show_default=False,
            rich_help_panel=_QUALITY,
        ),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="How far below the reference's score is still no worse.", rich_help_panel=_QUALITY
        ),
    ] = 0.0,
    reference: Annotated[
        str | None,
        typer.Option(
            help="The tier used without routing. Default: the one with the best mean score.",
            show_default=False,
            rich_help_panel=_QUALITY,
        ),
    ] = None,
    max_quality_loss: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Quality that may be lost, as a share of the reference's.", rich_help_panel=_QUALITY
        ),
    ] = 0.02,
    absolute: Annotated[
        bool,
        typer.Option("--absolute", help="Count the loss in points of score instead.", rich_help_panel=_QUALITY),
    ] = False,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="Confidence of that promise.", rich_help_panel=_QUALITY)
    ] = 0.95,
    certify_per: Annotated[
        CertifyPer,
        typer.Option(
            help="Keep that promise for all requests taken together, or for each task by itself: a task "
            "that cannot be certified, or that the table does not have, then goes to the reference.",
            rich_help_panel=_QUALITY,
        ),
    ] = CertifyPer.ALL,
    menu_file: Annotated[
        Path | None,
        typer.Option(
            "--menu",
            help="Menu of tiers. Default: $TIERWISE_CONFIG, ./router.toml, or the packaged one.",
            show_default=False,
            rich_help_panel=TABLES,
        ),
    ] = None,
    tier: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=MODEL",
            help="A tier of the tables is this tier or model.",
            show_default=False,
            rich_help_panel=TABLES,
        ),
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=IN,OUT",
            help="A tier's prices, USD per 1M tokens.",
            show_default=False,
            rich_help_panel=TABLES,
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OURS=YOURS",
            help="Another name for a column. Of an export, score=NAME says which of its scores counts.",
            show_default=False,
            rich_help_panel=TABLES,
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Refuse a table with any bad row instead of skipping it.", rich_help_panel=TABLES
        ),
    ] = False,
    skip_bad: SkipBad = False,
    scale: Scale = None,
    score: Score = None,
    dates: Dates = None,
    decimal: Decimal = None,
    encoding: TextEncoding = None,
    sheet: Sheet = None,
    tokens: Annotated[
        str,
        typer.Option(
            help="How tokens are counted: auto (tiktoken if a vocabulary is on this machine), estimate, or "
            "an encoding.",
            rich_help_panel=TABLES,
        ),
    ] = "auto",
    keywords_file: Annotated[
        Path | None,
        typer.Option(
            "--keywords",
            help="Keyword groups to use instead of the packaged ones.",
            show_default=False,
            rich_help_panel=TABLES,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Makes a run reproducible to the byte (the artifact then bears no date).", show_default=False
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Parallel workers; -1 is one a core.")] = -1,
) -> None:
    """Train (typer shows `HELP`)."""
    from training.certify.rule import Target
    from training.commands.judge import promotion_rule
    from training.commands.show_run import Outputs, train_and_show
    from training.commands.values import (
        columns_of,
        days,
        expect_file,
        moment,
        pairs,
        price_pair,
        reading_of,
        store_url,
    )
    from training.feedback.labels import LabelOptions
    from training.learners.presets import Effort
    from training.prepare.adequacy import Adequacy
    from training.run import TrainOptions

    outcomes = store_url(outcomes, tables)
    _check(tables, outcomes, {"--since": since, "--half-life": half_life}, fastest=fastest, best=best)
    written = {"--report": report, "--json": json_file, "--keep-estimator": keep_estimator}
    for option, path in written.items():
        expect_file(option, path)
    expect_file("--out", out, folder_is_made=True)
    options = TrainOptions(
        columns=columns_of(column),
        models=pairs("--tier", tier, "NAME=MODEL"),
        prices={name: price_pair(name, text) for name, text in pairs("--price", price, "NAME=IN,OUT").items()},
        strict=strict,
        reading=reading_of(
            skip_bad=skip_bad,
            scale=scale,
            score=score,
            dates=dates,
            decimal=decimal,
            encoding=encoding,
            sheet=sheet,
        ),
        menu=menu_file,
        keywords=keywords_file,
        tokens=tokens,
        adequacy=Adequacy(adequate_at, tolerance),
        reference=reference,
        target=Target(max_quality_loss, confidence, not absolute, certify_per is CertifyPer.TASK),
        effort=Effort.FASTEST if fastest else Effort.BEST if best else Effort.BALANCED,
        force=force,
        seed=seed,
        jobs=jobs,
        since=moment("--since", since),
        labels=LabelOptions(half_life=None if half_life is None else days("--half-life", half_life)),
        promotion=promotion_rule(margin),
        promote=not no_promote,
        out=out,
        versions=models,
        show_prompts=False if no_prompts else True if show_prompts else None,
    )
    train_and_show(tables or [], outcomes, options, Outputs(report, json_file, keep_estimator, monthly_spend, today))


def _check(
    tables: list[Path] | None, outcomes: str | None, of_outcomes: dict[str, str | None], *, fastest: bool, best: bool
) -> None:
    from classifier.errors import InputError

    if fastest and best:
        raise InputError("--fastest and --best are given both, expected at most one of them")
    if not tables and outcomes is None:
        raise InputError(
            "found neither tables nor --store, expected one of them; name a table of outcomes or the URL of an "
            "outcome store"
        )
    for option, given in of_outcomes.items():
        if given is not None and outcomes is None:
            raise InputError(f"{option} is about outcomes of a router in use, found no --store; name their store")


def main() -> None:
    """Entry point."""
    run_command(app, "train-router")


if __name__ == "__main__":
    main()
