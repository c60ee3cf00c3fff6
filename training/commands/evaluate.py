"""The ``evaluate`` command: options to `training.replay.EvaluateOptions`. What is heavy is imported when it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.commands.command import Command, prose, run_command
from training.commands.options import (
    STRATEGIES,
    Column,
    Dates,
    Decimal,
    JsonFile,
    Scale,
    Score,
    Sheet,
    SkipBad,
    TextEncoding,
)

HELP = prose("""
Say what an existing artifact does on new outcomes: cost, quality, and whether its promise holds.

[bold]Examples[/]

  [cyan]tierwise evaluate models/router.safetensors august.csv[/]
  Compare the artifact with every fixed way of routing, on all rows.

  [cyan]tierwise evaluate models/current august.csv --max-quality-loss 0.05[/]
  At another of the artifact's certified settings.

  [cyan]tierwise evaluate models/current august.csv --budget 0.4[/]
  At the setting that costs 40% of the reference.

  [cyan]tierwise evaluate models/current evals.csv --tier gpt-mini=haiku[/]
  The table calls one of the artifact's tiers by another name.

[bold]Tables[/] are those of tierwise train (see tierwise train --help). They need the outcomes of all tiers that the
artifact chooses from. Rows that it was trained on flatter it.

[bold]Exit codes[/]: 0 done; 1 failure; 2 bad usage or bad input. evaluate-router is the same command.
""")


app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


# As many parameters as the command has options: typer reads them from here.
@app.command(cls=Command, help=HELP)
def evaluate_router(
    artifact: Annotated[Path, typer.Argument(help="An artifact that train-router wrote.", show_default=False)],
    tables: Annotated[list[Path], typer.Argument(help="Outcome tables.", show_default=False)],
    max_quality_loss: Annotated[
        float | None, typer.Option(help="Route at this certified loss. Default: the artifact's.", show_default=False)
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(help="Route at this share of the reference's cost instead.", show_default=False),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help=f"One of {', '.join(STRATEGIES)}. Default: the artifact's.", show_default=False),
    ] = None,
    monthly_spend: Annotated[
        float | None, typer.Option(min=0, help="USD spent a month without routing; shown beside every figure.")
    ] = None,
    json_file: JsonFile = None,
    adequate_at: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="An answer is adequate from this score. Default: as in training.", show_default=False
        ),
    ] = None,
    tier: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=MODEL", help="A tier of the tables is this tier or model.", show_default=False),
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=IN,OUT", help="A tier's prices, USD per 1M tokens.", show_default=False),
    ] = None,
    column: Column = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a table with any bad row instead of skipping it.")
    ] = False,
    skip_bad: SkipBad = False,
    scale: Scale = None,
    score: Score = None,
    dates: Dates = None,
    decimal: Decimal = None,
    encoding: TextEncoding = None,
    sheet: Sheet = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap intervals.")] = 0,
    jobs: Annotated[int, typer.Option(help="Parallel workers; -1 is one a core.")] = -1,
) -> None:
    """Evaluate (typer shows `HELP`)."""
    from training.commands.show_evaluation import evaluate_and_show
    from training.commands.values import columns_of, expect_file, pairs, price_pair, reading_of
    from training.prepare.adequacy import Adequacy
    from training.replay import EvaluateOptions

    expect_file("--json", json_file)
    options = EvaluateOptions(
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
        adequacy=None if adequate_at is None else Adequacy(adequate_at),
        strategy=strategy,
        max_quality_loss=max_quality_loss,
        budget=budget,
        seed=seed,
        jobs=jobs,
    )
    evaluate_and_show(artifact, tables, options, json_file, monthly_spend)


def main() -> None:
    """Entry point."""
    run_command(app, "evaluate-router")


if __name__ == "__main__":
    main()
