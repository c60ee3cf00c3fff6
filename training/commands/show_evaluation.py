"""What an existing artifact does on new outcomes, in a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from training.commands.show_training import progress_bars, show_comparison, show_data
from training.commands.table import figures, names, show_table
from training.commands.terminal import Terminal, say_next
from training.commands.values import printed, write_json
from training.measure.evaluate import Result
from training.replay import EvaluateOptions, Evaluation, PromiseCheck, evaluate_router
from training.report.assumptions import gap_seen


def evaluate_and_show(
    artifact: Path,
    tables: Sequence[Path],
    options: EvaluateOptions,
    json_file: Path | None,
    monthly_spend: float | None,
) -> None:
    """Evaluate, show what came of it, and write the figures where they are wanted; errors as `evaluate_router`."""
    console = Terminal(stderr=printed(json_file))
    with progress_bars(console) as progress:
        found = evaluate_router(artifact, tables, options, progress=progress)
    show_data(console, found.data)
    show_evaluation(console, found, monthly_spend)
    if json_file is not None:
        write_json(json_file, found.to_dict())
    if not printed(json_file):
        broken = found.kept is not None and found.kept.promised is not None and found.kept.least > found.kept.promised
        following = ("train", *map(str, tables)) if broken else ("models", "add", str(artifact), "--promote")
        say_next(shlex.join(["tierwise", *following]))


def show_evaluation(console: Console, found: Evaluation, monthly_spend: float | None) -> None:
    """The verdict first, then every way of routing, the tasks, the calibration."""
    result, tiers = found.result, found.data.names
    reference = tiers[found.data.reference]
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
            said = f"{gap_seen(gap, tiers[gap.tier])}What was picked without a score counts as lost."
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
    show_comparison(console, found.results, result, tiers, monthly_spend)
    if found.tasks:
        _show_tasks(console, found)
    errors = ", ".join(f"{name} {error:.3f} ({chance:.3f})" for name, (error, chance) in found.calibration.items())
    console.print(escape(f"Calibration error of the expected score (ECE; by chance alone): {errors}"))
    console.print(f"Unlike the training rows, so left to the reference by the learned rule: {found.novel:.1%}")
    if found.elsewhere:
        console.print(
            f"{found.elsewhere:,} rows went to a tier that the table does not have; {escape(tiers[-1])} stands for it"
        )
    if found.lost:
        console.print(f"{found.lost:,} unobserved scores, missing not by chance, count as lost in these figures")
    if found.filled:
        console.print(f"{found.filled:,} unobserved scores stand as the model's expectation in these figures")


def _promise(kept: PromiseCheck) -> str:
    def shown(loss: float) -> str:
        return f"{loss:.2%}" if kept.relative else f"{loss:.4f} points"

    promised = "" if kept.promised is None else f"Promised: at most {shown(kept.promised)} of quality lost. "
    return (
        f"{promised}Lost here: {shown(kept.lost)}, with {kept.confidence:.0%} confidence at most {shown(kept.most)} "
        f"({kept.rows:,} rows): {kept.verdict}."
    )


def _show_tasks(console: Console, found: Evaluation) -> None:
    rows = [
        (name, f"{count:,}", f"{result.saving:.1%}", f"{result.kept:.1%}", _shares(result))
        for name, count, result in found.tasks
    ]
    columns = (names("task"), *map(figures, ("rows", "saved", "kept", "shares %")))
    show_table(console, columns, rows)


def _shares(result: Result) -> str:
    return "/".join(f"{share * 100:.0f}" for share in result.shares)
