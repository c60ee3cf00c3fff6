"""The `tierwise` command: every other command as a part of one."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated

import typer

from training.commands.command import Command, prose, run_command

_HELP = """
Learn which model tier is the cheapest adequate one for each request, and keep it right.

[bold]Examples[/]

  [cyan]tierwise train evals.csv[/]
  Learn from a table of outcomes; predict_model() finds what it writes.

  [cyan]tierwise route "Prove that the square root of 2 is irrational."[/]
  Where would this request go, and why?

  [cyan]tierwise outcomes stats[/]
  What a cascade observed.

  [cyan]tierwise train --store sqlite:///outcomes.db[/]
  Learn from what it observed.

[bold]Environment[/]: TIERWISE_OUTCOMES, TIERWISE_MODELS, TIERWISE_ARTIFACT and TIERWISE_CONFIG stand for a store's URL,
the folder of versions, the artifact to use and the menu. An option goes before its variable.

[bold]Exit codes[/]: 0 done; 1 failure; 2 bad usage or bad input; 3 drift (outcomes drift).
"""


_PARTS = ("train", "evaluate", "models", "outcomes", "prices")


def tierwise_app() -> typer.Typer:
    """The command with all its parts."""
    from training.commands import evaluate, models, outcomes, prices, train

    app = typer.Typer(help=prose(_HELP), rich_markup_mode="rich", pretty_exceptions_enable=False, no_args_is_help=True)
    app.callback()(_tierwise)
    app.command("train", cls=Command, help=train.HELP)(train.train_router)
    app.command("evaluate", cls=Command, help=evaluate.HELP)(evaluate.evaluate_router)
    settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    app.command("route", help="Route one request and say why.", context_settings=settings)(_route)
    app.add_typer(models.app, name="models")
    app.add_typer(outcomes.app, name="outcomes")
    app.add_typer(prices.app, name="prices")
    return app


def main() -> None:
    """Entry point; a part that is named is started without the others, which takes half the time."""
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    if part in _PARTS:
        run_command(import_module(f"training.commands.{part}").app, f"tierwise {part}", sys.argv[2:])
    run_command(tierwise_app(), "tierwise", sys.argv[1:])


def _tierwise(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    """Show the version (typer shows `_HELP`); `run_command` has done so before a command is looked for."""


def _route(context: typer.Context) -> None:
    """Hand the arguments to the runtime's own command, which needs nothing that is not in the base installation."""
    from classifier.__main__ import main as route_request

    raise typer.Exit(route_request(context.args, "tierwise route"))
