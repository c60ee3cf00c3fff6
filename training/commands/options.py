"""The options that commands share, spelled alike everywhere.

    --store URL      the outcome store          $TIERWISE_OUTCOMES
    --models FOLDER  where versions are kept    $TIERWISE_MODELS
    --json FILE      figures for programs; "-" prints them

`training.commands.values` makes values of what is given. ``$TIERWISE_ARTIFACT`` and ``$TIERWISE_CONFIG`` are read where
an artifact or a menu is looked for, whatever the command.
"""

from __future__ import annotations

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
