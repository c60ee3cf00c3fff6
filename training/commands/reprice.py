"""`tierwise models reprice`: another setting on the certified path, where only prices have changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training.commands.command import prose
from training.commands.options import MODELS, JsonFile, Models

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.versions import Version
    from training.versions.reprice import Repriced

REPRICE_HELP = prose("""
Choose anew along the certified path of a version, at the prices of your menu, and keep the result as a candidate.

No outcomes are needed. The same requests go to the same tiers at every setting, so certificates stay; of the settings
that are certified, the cheapest at the new prices is taken. What cannot be said without new training is listed.

[bold]Examples[/]

  [cyan]tierwise models reprice[/]
  The version in use, at the prices of router.toml.

  [cyan]tierwise models reprice latest --menu new.toml --promote[/]
""")


def reprice(
    version: Annotated[
        str | None,
        typer.Argument(help="A version, or a file; by default the one in use.", show_default=False),
    ] = None,
    models: Models = MODELS,
    menu: Annotated[
        Path | None,
        typer.Option(
            "--menu",
            metavar="FILE",
            help="The menu with the new prices; by default $TIERWISE_CONFIG or router.toml.",
            show_default=False,
        ),
    ] = None,
    promoted: Annotated[bool, typer.Option("--promote", help="Put it into use as well.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Reprice (typer shows `REPRICE_HELP`)."""
    from classifier.artifact import read_artifact
    from classifier.catalog import load_menu
    from training.commands.show_reprice import reprice_json, show_reprice
    from training.commands.terminal import Terminal, say, say_next
    from training.commands.values import printed, typed, write_json
    from training.versions import promote
    from training.versions.reprice import reprice as repriced

    artifact = read_artifact(_path(models, version))
    found = repriced(artifact, load_menu(menu))
    if not found.changed:
        say(f"{artifact.source}: {_why_nothing(found)}, so there is nothing to do.")
        return
    kept = _keep(models, artifact.tensors, found, artifact.source)
    if promoted:
        promote(models, kept, why=kept.note.why)
    if json_file is not None:
        write_json(json_file, {"version": kept.name, **reprice_json(found)}, allow_nan=False)
    if printed(json_file):
        return
    show_reprice(Terminal(), found)
    say(f"Kept as {kept.name}" + (", and in use." if promoted else " (candidate)."))
    if not promoted:
        say_next(typed(models, "models", "promote", kept.name))


def _why_nothing(found: Repriced) -> str:
    if not found.absent:
        return "its prices are those of the menu"
    return (
        f"the menu has no tier of the same model and arguments as {', '.join(found.absent)}, and no other price has "
        "changed"
    )


def _path(models: Path, version: str | None) -> Path:
    """The artifact that is meant; by default the version in use, or what training wrote where there is none."""
    from classifier.locate import TRAINED_ARTIFACT
    from classifier.pointer import follow
    from training.versions import current, find_version

    if version is None:
        used = current(models)
        return models / TRAINED_ARTIFACT.name if used is None else used.path
    named = Path(version)
    return follow(named) if named.suffix == ".safetensors" or named.is_file() else find_version(models, version).path


def _keep(models: Path, tensors: Mapping[str, Any], found: Repriced, source: str) -> Version:
    """Keep the new artifact among the versions, with the saving that it has at the new prices."""
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    from classifier.artifact import read_artifact, write_artifact
    from training.versions import add_version, note_of

    with TemporaryDirectory() as folder:
        path = Path(folder) / "repriced.safetensors"
        write_artifact(path, found.header, tensors)
        note = note_of(read_artifact(path), why=f"new prices for {Path(source).name}")
        figures = {name: value for name, value in note.figures.items() if name == "kept" and not found.moved}
        note = replace(note, figures={**figures, "saving": 1.0 - found.settings[1].cost})
        return add_version(models, path, note)
