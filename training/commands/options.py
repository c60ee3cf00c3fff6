"""The options that commands share, spelled alike everywhere.

    --store URL      the outcome store          $TIERWISE_OUTCOMES
    --models FOLDER  where versions are kept    $TIERWISE_MODELS
    --json FILE      figures for programs; "-" prints them

`training.commands.values` makes values of what is given. ``$TIERWISE_ARTIFACT`` and ``$TIERWISE_CONFIG`` are read where
an artifact or a menu is looked for, whatever the command.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

STORE_VARIABLE = "TIERWISE_OUTCOMES"
MODELS_VARIABLE = "TIERWISE_MODELS"

# The runtime's defaults, written here so that ``--help`` need not load it; a test holds them to what they repeat.
STORE = "sqlite:///outcomes.db"
MODELS = Path("models")
MARGIN = 0.02
CONFIDENCE = 0.95
BASELINE = 500
LEVEL = 1 / 20_000
STRATEGIES = ("learned", "length", "task")

TABLES = "Tables and their reading"


class DateOrder(StrEnum):
    """The order of day, month and year in dates of numbers."""

    DMY = "dmy"
    MDY = "mdy"
    YMD = "ymd"


StoreUrl = Annotated[
    str,
    typer.Option(
        "--store", metavar="URL", envvar=STORE_VARIABLE, help="The outcome store: sqlite:///FILE or postgresql://..."
    ),
]
Models = Annotated[
    Path, typer.Option("--models", metavar="FOLDER", envvar=MODELS_VARIABLE, help="Folder that keeps the versions.")
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the figures as JSON; - prints them.", show_default=False),
]
Column = Annotated[
    list[str] | None,
    typer.Option(metavar="OURS=YOURS", help="Another name for a column.", show_default=False),
]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="From this time on (ISO 8601, UTC).", show_default=False)
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.", show_default=False)]
Scale = Annotated[
    str | None,
    typer.Option(
        metavar="LOW..HIGH",
        help="What scores run between, such as 1..5, or what words are worth: A=1,B=0. Default: judged by the scores.",
        show_default=False,
        rich_help_panel=TABLES,
    ),
]
Score = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=COLUMN",
        help="The column of a tier's scores, where it is not score__NAME.",
        show_default=False,
        rich_help_panel=TABLES,
    ),
]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad", help="Go on where more than a few rows cannot be used; they are counted.", rich_help_panel=TABLES
    ),
]
Dates = Annotated[
    DateOrder | None,
    typer.Option(
        help="The order in dates such as 01/02/2026. Default: judged by the dates.",
        show_default=False,
        rich_help_panel=TABLES,
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option(
        metavar="MARK",
        help="The mark before decimals, . or ,. Default: judged by the numbers.",
        show_default=False,
        rich_help_panel=TABLES,
    ),
]
TextEncoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Of text files, such as cp1252. Default: judged by the bytes.",
        show_default=False,
        rich_help_panel=TABLES,
    ),
]
Sheet = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Of Excel workbooks. Default: the only one that is a table.",
        show_default=False,
        rich_help_panel=TABLES,
    ),
]
