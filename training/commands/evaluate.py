"""The `evaluate-router` command: a thin skin over `training.replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.commands.command import Command, prose, run_command
from training.commands.options import STRATEGIES, Column, JsonFile

if TYPE_CHECKING:
    from classifier.router import Router

HELP = prose("""
Say what an existing artifact does on new outcomes: cost, quality, and whether its promise holds.

[bold]Examples[/]

  [cyan]evaluate-router models/router.safetensors august.csv[/]
  The comparison that train-router prints, for this artifact, on all rows of the table.

  [cyan]evaluate-router models/router.safetensors august.csv --max-quality-loss 0.05[/]
  At another of the artifact's certified settings; --budget 0.4 takes the one that costs 40% of the reference.

  [cyan]evaluate-router models/default.safetensors evals.csv --tier gpt-small=haiku --tier gpt-large=opus[/]
  The table calls the artifact's tiers by other names.

[bold]Tables[/] are those of train-router (see train-router --help) and need the outcomes of all tiers that the artifact
chooses from. Rows that it was trained on flatter it.

[bold]Exit codes[/]: 0 done; 1 failure; 2 bad usage or bad input.
""")

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


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
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap intervals.")] = 0,
    jobs: Annotated[int, typer.Option(help="Parallel workers; -1 is one a core.")] = -1,
) -> None:
    """Evaluate (typer shows `HELP`)."""
    from functools import partial

    from training.commands.show_replay import replay_json, show_replay
    from training.commands.show_training import progress_bars, show_data
    from training.commands.terminal import Terminal
    from training.commands.values import columns_of, pairs, price_pair, printed, write_json
    from training.prepare.adequacy import Adequacy
    from training.replay import replay, trained_adequacy
    from training.tables import read_tables

    console = Terminal(stderr=printed(json_file))
    router = _load(artifact, strategy, max_quality_loss, budget)
    adequacy = trained_adequacy(router) if adequate_at is None else Adequacy(adequate_at)
    with progress_bars(console) as progress:
        table = read_tables(tables, columns_of(column), strict=strict, progress=partial(progress, "reading"))
        found = replay(
            router,
            table,
            adequacy,
            models=pairs("--tier", tier, "NAME=MODEL"),
            prices={name: price_pair(name, text) for name, text in pairs("--price", price, "NAME=IN,OUT").items()},
            seed=seed,
            jobs=jobs,
            progress=partial(progress, "features"),
        )
    show_data(console, found.data)
    show_replay(console, found, monthly_spend)
    if json_file is not None:
        write_json(json_file, replay_json(router, found))


def main() -> None:
    """Entry point."""
    run_command(app, "evaluate-router")


def _load(path: Path, strategy: str | None, max_quality_loss: float | None, budget: float | None) -> Router:
    from classifier.errors import ArtifactError, InputError
    from classifier.router import Router

    try:
        return Router.load(path, strategy=strategy, max_quality_loss=max_quality_loss, budget=budget)
    except ArtifactError as error:
        raise InputError(str(error)) from error


if __name__ == "__main__":
    main()
