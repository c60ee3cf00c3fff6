"""The `evaluate-router` command: a thin skin over `training.replay`."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from classifier.catalog import STRATEGIES
from classifier.errors import ArtifactError, InputError
from classifier.router import Router
from training.commands.options import columns_of, pairs, price_pair, run_command, write_json
from training.commands.show_training import comparison_table, progress_bars, show_data
from training.commands.terminal import Terminal
from training.prepare.adequacy import Adequacy
from training.replay import Kept, Replay, replay, trained_adequacy
from training.report.assumptions import gap_seen
from training.tables import read_tables

_HELP = """
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
"""

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


@app.command(help=_HELP)
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
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the same figures to this file.")] = None,
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
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="OURS=YOURS", help="Another name for a column.", show_default=False),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a table with any bad row instead of skipping it.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap intervals.")] = 0,
    jobs: Annotated[int, typer.Option(help="Parallel workers; -1 is one a core.")] = -1,
) -> None:
    """Evaluate (typer shows `_HELP`)."""
    console = Terminal()
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
        write_json(json_file, figures(router, found))


def main() -> None:
    """Entry point."""
    run_command(app, "evaluate-router")


def show_replay(console: Console, found: Replay, monthly_spend: float | None) -> None:
    """The verdict first, then every way of routing, the tasks, the calibration."""
    result, names = found.result, found.data.names
    reference = names[found.data.reference]
    console.print()
    for name in found.seen:
        console.print(f"[bold yellow]Warning:[/] the artifact was trained on {escape(name)}: these figures flatter it.")
    console.print(
        f"[bold green]Saves {result.saving:.1%} [{result.saving_interval.low:.1%}, {result.saving_interval.high:.1%}] "
        f"of the cost of always {escape(reference)} at {result.kept:.1%} [{result.kept_interval.low:.1%}, "
        f"{result.kept_interval.high:.1%}] of its quality, on {len(found.data):,} rows.[/]",
        highlight=False,
    )
    for gap in found.data.missing:
        if not gap.by_chance:
            said = f"{gap_seen(gap, names[gap.tier])}What was picked without a score counts as lost."
            console.print(f"[bold yellow]Warning:[/] {escape(said)}")
    if found.kept is not None:
        console.print(escape(_promise(found.kept)))
    better = "Better" if found.mix.better else "Not surely better"
    console.print(
        escape(
            f"{better} than a random mix at the same cost: {found.mix.gain:+.3f} "
            f"[{found.mix.interval.low:+.3f}, {found.mix.interval.high:+.3f}] in quality."
        )
    )
    console.print(comparison_table(found.results, result, names, monthly_spend))
    if found.tasks:
        console.print(_task_table(found))
    errors = ", ".join(f"{name} {error:.3f} ({chance:.3f})" for name, (error, chance) in found.calibration.items())
    console.print(escape(f"Calibration error of the expected score (ECE; by chance alone): {errors}"))
    console.print(f"Unlike the training rows, so left to the reference by the learned rule: {found.novel:.1%}")
    if found.elsewhere:
        console.print(
            f"{found.elsewhere:,} rows went to a tier that the table does not have; {escape(names[-1])} stands for it"
        )
    if found.lost:
        console.print(f"{found.lost:,} unobserved scores, missing not by chance, count as lost in these figures")
    if found.filled:
        console.print(f"{found.filled:,} unobserved scores stand as the model's expectation in these figures")


def figures(router: Router, found: Replay) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "artifact": {"digest": router.artifact.digest, "plan": asdict(router.plan)},
        "rows": len(found.data),
        "reference": found.data.names[found.data.reference],
        "tiers": list(found.data.names),
        "results": [asdict(result) for result in found.results],
        "tasks": [{"task": name, "rows": rows, **asdict(result)} for name, rows, result in found.tasks],
        "against_random_mix": asdict(found.mix),
        "promise": None if found.kept is None else {**asdict(found.kept), "verdict": found.kept.verdict},
        "calibration_error": {
            name: {"error": error, "chance": chance} for name, (error, chance) in found.calibration.items()
        },
        "novel": found.novel,
        "elsewhere": found.elsewhere,
        "filled": found.filled,
        "lost": found.lost,
        "trained_on": list(found.seen),
    }


def _load(path: Path, strategy: str | None, max_quality_loss: float | None, budget: float | None) -> Router:
    try:
        return Router.load(path, strategy=strategy, max_quality_loss=max_quality_loss, budget=budget)
    except ArtifactError as error:
        raise InputError(str(error)) from error


def _promise(kept: Kept) -> str:
    def shown(loss: float) -> str:
        return f"{loss:.2%}" if kept.relative else f"{loss:.4f} points"

    promised = "" if kept.promised is None else f"Promised: at most {shown(kept.promised)} of quality lost. "
    return (
        f"{promised}Lost here: {shown(kept.lost)}, with {kept.confidence:.0%} confidence at most {shown(kept.most)} "
        f"({kept.rows:,} rows): {kept.verdict}."
    )


def _task_table(found: Replay) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("task", "rows", "saved", "kept", "shares %"):
        table.add_column(name, justify="left" if name == "task" else "right", no_wrap=name != "task")
    for name, rows, result in found.tasks:
        shares = "/".join(f"{share * 100:.0f}" for share in result.shares)
        table.add_row(escape(name), f"{rows:,}", f"{result.saving:.1%}", f"{result.kept:.1%}", shares)
    return table


if __name__ == "__main__":
    main()
