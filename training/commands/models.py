"""The `tierwise models` command: a thin skin over `training.versions`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.commands.command import Command, prose, run_command
from training.commands.judge import JUDGE_HELP, judge
from training.commands.options import MODELS, Column, JsonFile, Models
from training.commands.reprice import REPRICE_HELP, reprice

if TYPE_CHECKING:
    from classifier.router import Router
    from training.commands.show_versions import Row
    from training.tables import OutcomeTable
    from training.versions import Traffic, Version

_HELP = prose("""
Keep versions of the artifact, compare them, promote one, and go back to the one before.

Versions are kept in models/versions; models/current names the one in use. predict_model() loads
that one at its first call. A router made by Router.watch() loads another version within seconds, without a restart.

[bold]Examples[/]

  [cyan]tierwise models add models/router.safetensors --why "outcomes of November"[/]
  Keep what tierwise train wrote.

  [cyan]tierwise models diff current latest --table november.csv[/]
  Show what would change, and which requests would go elsewhere.

  [cyan]tierwise models promote latest[/]
  Put it into use.

  [cyan]tierwise models judge --store sqlite:///outcomes.db[/]
  Promote the first candidate that outcomes prove to be good enough.

  [cyan]tierwise models reprice[/]
  Choose anew along the certified path when only prices have changed.

  [cyan]tierwise models rollback[/]
  Go back to the version before.

Name a [bold]version[/] as current, previous (what a rollback restores), latest, or by a prefix of its name or digest.

[bold]Exit codes[/]: 0 done; 1 failure; 2 bad usage or bad input.
""")
_LIST_HELP = prose("""
List the versions, the newest first.

[bold]States[/]: current: in use; previous: a rollback restores it; earlier: was in use before; withdrawn: rolled back;
candidate: was never in use.

[bold]Examples[/]

  [cyan]tierwise models list[/]

  [cyan]tierwise models list --json - | jq -r '.[0].name'[/]
""")
_SHOW_HELP = prose("""
Show one version: its note, its rule and certificates, tiers, prices, features, training, figures.

[bold]Examples[/]

  [cyan]tierwise models show[/]
  The one in use.

  [cyan]tierwise models show models/router.safetensors[/]
  Any artifact.
""")
_ADD_HELP = prose("""
Keep a copy of an artifact as a candidate. An artifact is never kept twice.

[bold]Examples[/]

  [cyan]tierwise models add models/router.safetensors --why "November" --promote[/]
  Keep it, and put it into use.

  [cyan]tierwise models add candidate.safetensors --learned-until 2026-11-24T03:00[/]
  It learned from outcomes up to then: "judge" may promote it by later ones.
""")
_PROMOTE_HELP = prose("""
Put a version into use. It is read and checked first; the switch is one atomic step.

You are asked first, or have to give --yes, where the version was judged and did not pass, and where its reference or
its menu differs from that of the version in use.

[bold]Examples[/]

  [cyan]tierwise models promote latest --why "saves 4% more"[/]

  [cyan]tierwise models promote 20261124T1544[/]
""")
_ROLLBACK_HELP = prose("""
Restore the version that was promoted before the one in use; run it again for the one before that.

[bold]Example[/]

  [cyan]tierwise models rollback --why "complaints about translations"[/]
""")
_DIFF_HELP = prose("""
Show how two versions differ, and with a table, which requests go to another tier.

Tables are those of tierwise train. Costs and qualities are what each of the two artifacts expects. Only outcomes tell
which one is right: tierwise evaluate looks at these. Prompts are shown only if you ask with --show-prompts.

[bold]Examples[/]

  [cyan]tierwise models diff previous current[/]

  [cyan]tierwise models diff current new.safetensors --table nov.csv --sample 500[/]
  A file that is not kept yet; some rows of a large table.
""")
_PRUNE_HELP = prose("""
Remove old versions. The current and the previous one always stay.

[bold]Example[/]

  [cyan]tierwise models prune --keep 20 --dry-run[/]
""")

Why = Annotated[str, typer.Option(help="A note for people.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Promote it whatever there is to be warned of.")]

app = typer.Typer(
    help=_HELP, add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False, no_args_is_help=True
)


@app.command("list", cls=Command, help=_LIST_HELP)
def list_versions(models: Models = MODELS, json_file: JsonFile = None) -> None:
    """List (typer shows `_LIST_HELP`)."""
    from training.commands.show_versions import show_versions, version_json
    from training.commands.terminal import Terminal, say
    from training.commands.values import printed, write_json
    from training.versions import versions

    found = versions(models)
    if json_file is not None:
        write_json(json_file, [version_json(version) for version in found], allow_nan=False)
    if printed(json_file):
        return
    if found:
        show_versions(Terminal(), found)
    else:
        say(f"No versions in {models} yet: keep one with tierwise models add {models}/router.safetensors")


@app.command(cls=Command, help=_SHOW_HELP)
def show(
    version: Annotated[str, typer.Argument(help="A version, or a file.")] = "current", models: Models = MODELS
) -> None:
    """Show (typer shows `_SHOW_HELP`)."""
    from training.commands.show_versions import show_artifact
    from training.commands.terminal import Terminal
    from training.versions import versions

    path = _path(models, version)
    router = _bare_router(path)
    show_artifact(Terminal(), path, router, next((each for each in versions(models) if each.path == path), None))


@app.command(cls=Command, help=_ADD_HELP)
def add(
    artifact: Annotated[Path, typer.Argument(help="What tierwise train wrote.", show_default=False)],
    models: Models = MODELS,
    why: Why = "",
    promoted: Annotated[bool, typer.Option("--promote", help="Put it into use as well.")] = False,
    yes: Yes = False,
    learned_until: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Time of the last outcome that it learned from (ISO 8601, UTC); judge looks at later ones.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Add (typer shows `_ADD_HELP`)."""
    from classifier.artifact import read_artifact
    from classifier.errors import ArtifactError, InputError
    from training.commands.terminal import say, say_next
    from training.commands.values import moment, typed
    from training.versions import add_version, note_of

    until = moment("--learned-until", learned_until)
    try:
        version = add_version(models, artifact, note_of(read_artifact(artifact), why=why, learned_until=until))
    except ArtifactError as error:
        raise InputError(str(error)) from error
    say(f"Kept as {version.name} ({version.state}).")
    if promoted:
        _promote(models, version, why, yes=yes)
    else:
        say_next(typed(models, "models", "promote", version.name))


@app.command("promote", cls=Command, help=_PROMOTE_HELP)
def promote_version(
    version: Annotated[str, typer.Argument(help="A version.", show_default=False)],
    models: Models = MODELS,
    why: Why = "",
    yes: Yes = False,
) -> None:
    """Promote (typer shows `_PROMOTE_HELP`)."""
    from training.versions import find_version

    _promote(models, find_version(models, version), why, yes=yes)


@app.command("rollback", cls=Command, help=_ROLLBACK_HELP)
def roll_back(models: Models = MODELS, why: Why = "") -> None:
    """Roll back (typer shows `_ROLLBACK_HELP`)."""
    from training.commands.terminal import say, say_next
    from training.commands.values import typed
    from training.versions import current, rollback

    before = current(models)
    version = rollback(models, why=why)
    say(f"In use: {version.name}" + (f", instead of {before.name}." if before is not None else "."))
    say_next(typed(models, "models", "list"))


@app.command("diff", cls=Command, help=_DIFF_HELP)
def diff_versions(
    before: Annotated[str, typer.Argument(help="A version, or a file.", show_default=False)],
    after: Annotated[str, typer.Argument(help="Another one.", show_default=False)],
    models: Models = MODELS,
    tables: Annotated[
        list[Path] | None,
        typer.Option("--table", metavar="FILE", help="Route its requests by both.", show_default=False),
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="ROWS", help="Draw this many of its rows.", show_default=False)
    ] = None,
    column: Column = None,
    show_prompts: Annotated[bool, typer.Option("--show-prompts", help="Show how the examples begin.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Diff (typer shows `_DIFF_HELP`)."""
    from classifier.errors import InputError
    from training.commands.show_versions import diff_json, show_changes, show_traffic
    from training.commands.terminal import Terminal
    from training.commands.values import printed, write_json
    from training.versions import diff

    if tables is None and (sample is not None or show_prompts or column):
        raise InputError("--sample, --column and --show-prompts: found no --table, expected one; name a file of rows")
    paths = _path(models, before), _path(models, after)
    first, second = map(_bare_router, paths)
    changes = diff(first, second)
    traffic, rows = _traffic(paths, tables, column, sample) if tables else (None, [])
    if json_file is not None:
        figures = diff_json(paths, (first, second), changes, traffic, rows, prompts=show_prompts)
        write_json(json_file, figures, allow_nan=False)
    if printed(json_file):
        return
    console = Terminal()
    show_changes(console, changes, same=first.artifact.digest == second.artifact.digest)
    if traffic is not None:
        show_traffic(console, traffic, rows, prompts=show_prompts)


@app.command("prune", cls=Command, help=_PRUNE_HELP)
def prune_versions(
    models: Models = MODELS,
    keep: Annotated[int, typer.Option(min=0, metavar="NUMBER", help="How many of the newest stay.")] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which would go.")] = False,
) -> None:
    """Prune (typer shows `_PRUNE_HELP`)."""
    from training.commands.terminal import say
    from training.versions import prune

    gone = prune(models, keep, dry_run=dry_run)
    for version in gone:
        say(f"{'Would remove' if dry_run else 'Removed'} {version.name} ({version.state}).")
    if not gone:
        say("Nothing to remove.")


app.command("judge", cls=Command, help=JUDGE_HELP)(judge)
app.command("reprice", cls=Command, help=REPRICE_HELP)(reprice)


def main() -> None:
    """Entry point."""
    run_command(app, "tierwise-models")


def _promote(models: Path, version: Version, why: str, *, yes: bool) -> None:
    from classifier.errors import ArtifactError, InputError
    from classifier.locate import ARTIFACT_VARIABLE, find_artifact
    from training.commands.terminal import say, say_next
    from training.versions import promote
    from training.versions.cautions import cautions

    try:
        found = [] if version.state == "current" else cautions(models, version)
        if found:
            _expect_consent(version, found, yes=yes)
        promote(models, version, why=why)
    except ArtifactError as error:
        raise InputError(str(error)) from error
    say(f"In use: {version.name}.")
    used = find_artifact(models=models)
    if used != version.path:
        say(f"Warning: ${ARTIFACT_VARIABLE} names {used}, which routes wherever that is set; unset it there.")
    say_next("restart what routes, unless it uses Router.watch(), which loads the version within seconds")


def _expect_consent(version: Version, found: list[str], *, yes: bool) -> None:
    """Warn, and go on only where somebody agrees.

    Raises
    ------
    InputError : nobody can be asked.
    """
    from classifier.errors import InputError
    from training.commands.terminal import say

    if yes or (sys.stdin.isatty() and sys.stdout.isatty()):
        for caution in found:
            say(f"Warning: {caution}.")
        if not yes:
            typer.confirm("Promote it all the same?", abort=True)
    else:
        raise InputError(f"{version.name}: {'; '.join(found)}; give --yes to promote it all the same")


def _path(models: Path, text: str) -> Path:
    """The artifact that a version's name or a path means."""
    from classifier.pointer import follow
    from training.versions import find_version

    named = Path(text)
    return follow(named) if named.suffix == ".safetensors" or named.is_file() else find_version(models, text).path


def _bare_router(path: Path) -> Router:
    """A router by the artifact alone, whatever router.toml says."""
    from classifier.artifact import read_artifact
    from classifier.errors import ArtifactError, InputError
    from classifier.router import Router

    try:
        return Router(read_artifact(path))
    except ArtifactError as error:
        raise InputError(str(error)) from error


def _traffic(
    paths: tuple[Path, Path], tables: list[Path], column: list[str] | None, sample: int | None
) -> tuple[Traffic, list[Row]]:
    """Where both artifacts send the requests of tables."""
    from functools import partial

    from classifier.router import Router
    from training.commands.show_training import progress_bars
    from training.commands.terminal import Terminal
    from training.commands.values import columns_of
    from training.imports import open_exports
    from training.tables import ReadOptions, read_tables
    from training.versions import compare_traffic

    with progress_bars(Terminal(stderr=True)) as progress:
        reading = partial(progress, "reading")
        options = ReadOptions(requests_only=True)
        named = columns_of(column)
        exports = partial(open_exports, requests_only=True)
        table = read_tables(tables, named, options=options, progress=reading, exports=exports)
        rows = _drawn(table, sample)
    old, new = map(Router.load, paths)
    return compare_traffic(old, new, [request for request, _ in rows]), rows


def _drawn(table: OutcomeTable, sample: int | None) -> list[Row]:
    """A table's requests with where they come from; all, or some drawn by chance, the same each time."""
    from random import Random

    rows = list(zip(table.requests, table.sources, strict=True))
    if sample is None or sample >= len(rows):
        return rows
    return [rows[place] for place in sorted(Random(0).sample(range(len(rows)), sample))]


if __name__ == "__main__":
    main()
