"""A training run in a terminal: progress, what was read, what came out, and the files asked for."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import joblib
from rich.console import Console
from rich.markup import escape

from classifier.locate import TRAINED_ARTIFACT
from classifier.pointer import POINTER
from training.commands.options import STORE
from training.commands.show_contest import show_contest
from training.commands.show_store import show_store
from training.commands.show_training import progress_bars, show_data, show_result
from training.commands.terminal import Terminal, say_next
from training.commands.values import printed, typed, write_json
from training.drift.words import headline as drift_headline
from training.report.today import today_place
from training.run import Inputs, Run, TrainOptions, learn_from, read_inputs
from training.versions.cautions import menu_refusal


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is wanted beside the artifact.

    Attributes
    ----------
    report : HTML file. figures : JSON file. estimator : joblib pickle of the fitted model. None: none.
    monthly_spend : USD spent a month without routing; None: unknown. today : the tier it is spent on; None: the
        reference.
    """

    report: Path | None = None
    figures: Path | None = None
    estimator: Path | None = None
    monthly_spend: float | None = None
    today: str | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What reports are told."""
        return {"monthly_spend": self.monthly_spend, "today": self.today}


def train_and_show(tables: Sequence[Path], outcomes: str | None, options: TrainOptions, outputs: Outputs) -> None:
    """Train, show what came of it, write what is wanted; errors as those of `training.run.train_router`."""
    console = Terminal(stderr=printed(outputs.figures))
    run = _trained(console, tables, outcomes, options, outputs.today)
    _show(console, run, outputs)
    _write(console, run, outputs)
    _show_artifact(console, run)
    if not printed(outputs.figures):
        say_next(_next_step(run))


def _trained(
    console: Console, tables: Sequence[Path], outcomes: str | None, options: TrainOptions, today: str | None
) -> Run:
    """Train, and show what was read before it is learned from, which takes a while."""
    with progress_bars(console) as progress:
        inputs = read_inputs(tables, outcomes, options, progress=progress)
    if today is not None:
        today_place(inputs.data.names, today)  # a wrong name is an error now, not after all has been learned
    show_data(console, inputs.data)
    if inputs.store is not None:
        show_store(console, inputs.store)
    with progress_bars(console) as progress:
        return learn_from(inputs, options, progress=progress)


def _show(console: Console, run: Run, outputs: Outputs) -> None:
    if not run.is_counted:
        console.print(
            escape(
                f"Warning: the ledger {run.ledger} cannot be written, so nobody counts this try: rely on the first "
                "certificate made on these rows only, or make the folder writable."
            ),
            style="yellow",
        )
    show_result(console, run.training, outputs.monthly_spend, today=outputs.today)
    if run.retrained is not None:
        console.print()
        show_contest(console, run.retrained.contest, outputs.monthly_spend)
        if run.retrained.drift is not None and run.retrained.drift.drifted:
            console.print(f"[yellow]{escape(drift_headline(run.retrained.drift))}[/]", highlight=False)


def _write(console: Console, run: Run, outputs: Outputs) -> None:
    if outputs.estimator is not None:
        joblib.dump(run.training.model, outputs.estimator)
    if outputs.report is None and outputs.figures is None:
        return
    with progress_bars(console) as progress:
        run.leave_tasks_out(partial(progress, "unseen tasks"))
    command = _command(run.inputs)
    if outputs.report is not None:
        run.report(outputs.report, command=command, **outputs.told)
        console.print(f"Wrote {escape(str(outputs.report))}: open it in a browser.")
    if outputs.figures is not None:
        write_json(outputs.figures, run.to_dict(command=command, **outputs.told))


def _show_artifact(console: Console, run: Run) -> None:
    path = run.artifact
    console.print(escape(f"Wrote {path} ({path.stat().st_size / 2**20:.1f} MiB): {run.training.shipped.name}."))
    refused = menu_refusal(path)
    if refused is not None:
        console.print(escape(f"It will not route here: {refused}."), style="yellow")
    pointer = run.options.folder / POINTER
    if path == run.options.folder / TRAINED_ARTIFACT.name and pointer.is_file():
        console.print(escape(f"{pointer} says what is in use here, and that is another artifact."), style="yellow")


def _next_step(run: Run) -> str:
    """What usually follows."""
    folder = run.options.folder
    if run.retrained is None:
        return typed(folder, "models", "add", str(run.artifact), "--promote")
    if run.retrained.contest.promoted is not None:
        return typed(folder, "models", "show")
    store = () if run.inputs.store is None or run.inputs.store.name == STORE else ("--store", run.inputs.store.name)
    return typed(folder, "models", "judge", *store)


def _command(inputs: Inputs) -> str:
    """The command line, without a password in the store's URL."""
    store = inputs.store
    given = [part if store is None else part.replace(store.url, store.name) for part in sys.argv[1:]]
    return shlex.join(["tierwise" if given[:1] == ["train"] else "train-router", *given])
