"""What an artifact does on new outcomes, in a terminal and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape

from classifier.router import Router
from training.commands.show_training import comparison_table
from training.commands.table import figures, names, show_table
from training.measure.evaluate import Result
from training.replay import Kept, Replay
from training.report.assumptions import gap_seen


def show_replay(console: Console, found: Replay, monthly_spend: float | None) -> None:
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
    console.print(comparison_table(found.results, result, tiers, monthly_spend))
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


def replay_json(router: Router, found: Replay) -> dict[str, Any]:
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


def _promise(kept: Kept) -> str:
    def shown(loss: float) -> str:
        return f"{loss:.2%}" if kept.relative else f"{loss:.4f} points"

    promised = "" if kept.promised is None else f"Promised: at most {shown(kept.promised)} of quality lost. "
    return (
        f"{promised}Lost here: {shown(kept.lost)}, with {kept.confidence:.0%} confidence at most {shown(kept.most)} "
        f"({kept.rows:,} rows): {kept.verdict}."
    )


def _show_tasks(console: Console, found: Replay) -> None:
    rows = [
        (name, f"{count:,}", f"{result.saving:.1%}", f"{result.kept:.1%}", _shares(result))
        for name, count, result in found.tasks
    ]
    columns = (names("task"), *map(figures, ("rows", "saved", "kept", "shares %")))
    show_table(console, columns, rows)


def _shares(result: Result) -> str:
    return "/".join(f"{share * 100:.0f}" for share in result.shares)
