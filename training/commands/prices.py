"""The `tierwise prices` command: a thin skin over `training.prepare.menu_prices`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.commands.command import Command, prose, run_command
from training.commands.options import JsonFile

_HELP = prose("""
Show what the tiers of your menu cost, and bring listed prices up to date.

A price in router.toml goes before any other. Where it leaves prices out, those of prices.toml beside it count, which
"update" writes, and else those of the installed package genai-prices.

[bold]Examples[/]

  [cyan]tierwise prices show[/]
  What every tier costs, and what its vendor asks.

  [cyan]tierwise prices update[/]
  Fetch current prices.

[bold]Exit codes[/]: 0 done; 1 failure, such as no network; 2 bad usage or bad input.
""")
_SHOW_HELP = prose("""
Show the prices of every tier, in USD per 1M tokens, where they are from, and what the model's vendor asks instead.

[bold]Examples[/]

  [cyan]tierwise prices show[/]

  [cyan]tierwise prices show --menu examples/router.toml --json -[/]
""")
_UPDATE_HELP = prose("""
Fetch current prices, and write those of tiers that router.toml leaves without to prices.toml beside it.

Prices that router.toml says are never changed. Without a network nothing is changed.

[bold]Examples[/]

  [cyan]tierwise prices update[/]

  [cyan]tierwise prices update --offline[/]
  From the installed package alone.
""")

MenuFile = Annotated[
    Path | None,
    typer.Option(
        "--menu",
        "--config",
        metavar="FILE",
        help="The menu of tiers; by default $TIERWISE_CONFIG, router.toml, or the packaged one.",
        show_default=False,
    ),
]

app = typer.Typer(
    help=_HELP, add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False, no_args_is_help=True
)


@app.command("show", cls=Command, help=_SHOW_HELP)
def show_prices(menu: MenuFile = None, json_file: JsonFile = None) -> None:
    """Show (typer shows `_SHOW_HELP`)."""
    from training.commands import show_prices as shown
    from training.commands.terminal import Terminal
    from training.commands.values import printed, write_json
    from training.prepare.menu_prices import menu_prices

    found = menu_prices(menu)
    if json_file is not None:
        write_json(json_file, list(map(shown.price_json, found)), allow_nan=False)
    if not printed(json_file):
        shown.show_prices(Terminal(), found)


@app.command("update", cls=Command, help=_UPDATE_HELP)
def update_prices(
    menu: MenuFile = None,
    offline: Annotated[bool, typer.Option("--offline", help="Take the installed package's prices.")] = False,
    url: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="Another address of the package's data.", show_default=False),
    ] = None,
) -> None:
    """Update (typer shows `_UPDATE_HELP`)."""
    from classifier.catalog import menu_file
    from classifier.list_prices import source_of
    from training.commands import show_prices as shown
    from training.commands.terminal import Terminal, say, say_next
    from training.prepare.menu_prices import fetch_newest, installed_prices, menu_prices, write_prices

    snapshot = installed_prices() if offline else fetch_newest(url)
    before, after = menu_prices(menu), menu_prices(menu, snapshot)
    file = menu_file(menu)
    if file is None or all(each.own for each in after):
        say("Every tier of this menu says its own price, so there is nothing to update.")
    else:
        say(f"Wrote {write_prices(file.parent, after, source_of(snapshot))}, from {source_of(snapshot)}.")
    changed = shown.show_changes(Terminal(), before, after)
    if changed:
        say_next("tierwise models reprice")


def main() -> None:
    """Entry point."""
    run_command(app, "tierwise prices")
