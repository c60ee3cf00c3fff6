"""The `tierwise-models` command: a thin skin over `training.versions`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from math import isnan
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from classifier.artifact import read_artifact
from classifier.errors import ArtifactError, InputError
from classifier.escapes import json_text
from classifier.locate import MODELS
from classifier.pointer import follow
from classifier.request import Request
from classifier.router import Router
from training.commands.judge import JUDGE_HELP, judge
from training.commands.options import columns_of, moment, run_command
from training.commands.show_training import progress_bars
from training.commands.terminal import Terminal
from training.report.page import plain
from training.tables import OutcomeTable, Source, read_tables
from training.versions import (
    Change,
    Move,
    Traffic,
    Version,
    View,
    add_version,
    compare_traffic,
    current,
    diff,
    facts,
    find_version,
    note_of,
    promote,
    prune,
    rollback,
    versions,
)
from training.versions.notes import one_line
from training.versions.store import CANDIDATE

_HELP = """
Keep versions of the artifact, compare them, put one into use, and go back to the one before.

Versions are in models/versions, and models/current names the one in use: predict_model() finds it, and a router made
by Router.watch() takes it up within seconds, without a restart.

[bold]Examples[/]

  [cyan]tierwise-models add models/router.safetensors --why "outcomes of November"[/]
  Keep what train-router wrote.

  [cyan]tierwise-models diff current latest --table november.csv[/]
  What would change, and which requests would go elsewhere.

  [cyan]tierwise-models promote latest[/]
  Put it into use.

  [cyan]tierwise-models judge --store sqlite:///outcomes.db[/]
  Promote the first candidate that outcomes since its training show to be no worse, and cheaper or better.

  [cyan]tierwise-models rollback[/]
  Go back to the version before.

A [bold]version[/] is meant by current, previous (where a rollback leads), latest, or the beginning of its name or
digest.

[bold]Exit codes[/]: 0 done; 1 failure; 2 bad usage or bad input.
"""
_LIST_HELP = """
What is kept, the newest first.

[bold]States[/]: current: in use; previous: a rollback leads there; earlier: was in use before; withdrawn: rolled back;
candidate: was never in use.

[bold]Examples[/]

  [cyan]tierwise-models list[/]

  [cyan]tierwise-models list --json | jq -r '.[] | select(.state == "current") | .name'[/]
"""
_SHOW_HELP = """
One version: its note, its rule and promises, tiers, prices, features, training, figures.

[bold]Examples[/]

  [cyan]tierwise-models show[/]
  The one in use.

  [cyan]tierwise-models show models/default.safetensors[/]
  Any artifact.
"""
_ADD_HELP = """
Keep a copy of an artifact as a candidate. What is kept already is not kept twice.

[bold]Example[/]

  [cyan]train-router november.csv && tierwise-models add models/router.safetensors --why "November" --promote[/]
  Keep it, and put it into use.

  [cyan]tierwise-models add candidate.safetensors --learned-until 2026-11-24T03:00[/]
  Learned from a store's outcomes up to then: "judge" may promote it by what came after.
"""
_PROMOTE_HELP = """
Put a version into use. It is read and checked first; the switch is one atomic step.

[bold]Examples[/]

  [cyan]tierwise-models promote latest --why "saves 4% more"[/]

  [cyan]tierwise-models promote 20261124T1544[/]
"""
_ROLLBACK_HELP = """
Put the version into use that was promoted before the one in use; again, the one before that.

[bold]Example[/]

  [cyan]tierwise-models rollback --why "complaints about translations"[/]
"""
_DIFF_HELP = """
What one version says otherwise than another, and with a table, which requests go elsewhere.

Tables are those of train-router. Costs and qualities are what the two artifacts expect, each by its own lights: only
outcomes tell which is right, and evaluate-router looks at these. Prompts are shown only where --show-prompts asks.

[bold]Examples[/]

  [cyan]tierwise-models diff previous current[/]

  [cyan]tierwise-models diff current candidate.safetensors --table november.csv --sample 5000[/]
  A file that is not kept yet; some rows of a large table.
"""
_PRUNE_HELP = """
Remove old versions. The current and the previous one always stay.

[bold]Example[/]

  [cyan]tierwise-models prune --keep 20 --dry-run[/]
"""

_EXAMPLES = 3
_PROMPT_CHARS = 80

Row = tuple[Request, Source]

Folder = Annotated[Path, typer.Option(help="Where the versions are.")]
Why = Annotated[str, typer.Option(help="Noted with it, for people.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]

app = typer.Typer(
    help=_HELP, add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False, no_args_is_help=True
)


@app.command("list", help=_LIST_HELP)
def list_versions(folder: Folder = MODELS, as_json: AsJson = False) -> None:
    """List (typer shows `_LIST_HELP`)."""
    found = versions(folder)
    if as_json:
        _print_json([version_json(version) for version in found])
    elif found:
        Terminal().print(_version_table(found))
    else:
        Terminal(soft_wrap=True).print(
            f"No versions in {escape(str(folder))} yet: keep one with tierwise-models add {escape(str(folder))}"
            "/router.safetensors",
            highlight=False,
        )


@app.command(help=_SHOW_HELP)
def show(
    version: Annotated[str, typer.Argument(help="A version, or a file.")] = "current", folder: Folder = MODELS
) -> None:
    """Show (typer shows `_SHOW_HELP`)."""
    path, console = _path(folder, version), Terminal(soft_wrap=True)
    router = _own(path)
    kept = next((one for one in versions(folder) if one.path == path), None)
    console.print(f"[bold]{escape(str(path))}[/], digest {router.artifact.digest}", highlight=False)
    if kept is not None:
        origin = f"; from {', '.join(kept.note.origin)}" if kept.note.origin else ""
        why = f": {kept.why}" if kept.why else ""
        console.print(escape(f"{kept.state}{why}; kept {kept.note.time:%Y-%m-%d %H:%M} UTC{origin}"), highlight=False)
        _show_verdict(console, kept)
    table = _plain_table("", "", "")
    for part, texts in facts(router).items():
        for place, (name, text) in enumerate(texts.items()):
            table.add_row("" if place else part, escape(name), escape(text))
    console.print(table)


@app.command(help=_ADD_HELP)
def add(
    artifact: Annotated[Path, typer.Argument(help="What train-router wrote.", show_default=False)],
    folder: Folder = MODELS,
    why: Why = "",
    promoted: Annotated[bool, typer.Option("--promote", help="Put it into use as well.")] = False,
    learned_until: Annotated[
        str | None,
        typer.Option(
            help="Time of the last outcome that it was learned from (ISO 8601, UTC): judge takes the ones after it.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Add (typer shows `_ADD_HELP`)."""
    until = moment("--learned-until", learned_until)
    try:
        version = add_version(folder, artifact, note_of(read_artifact(artifact), why=why, learned_until=until))
    except ArtifactError as error:
        raise InputError(str(error)) from error
    _say(f"Kept as {version.name} ({version.state}).")
    if promoted:
        _promote(folder, version, why)


@app.command("promote", help=_PROMOTE_HELP)
def promote_version(
    version: Annotated[str, typer.Argument(help="A version.", show_default=False)],
    folder: Folder = MODELS,
    why: Why = "",
) -> None:
    """Promote (typer shows `_PROMOTE_HELP`)."""
    _promote(folder, find_version(folder, version), why)


@app.command("rollback", help=_ROLLBACK_HELP)
def roll_back(folder: Folder = MODELS, why: Why = "") -> None:
    """Roll back (typer shows `_ROLLBACK_HELP`)."""
    before = current(folder)
    version = rollback(folder, why=why)
    _say(f"In use: {version.name}" + (f", instead of {before.name}." if before is not None else "."))


@app.command("diff", help=_DIFF_HELP)
def diff_versions(
    before: Annotated[str, typer.Argument(help="A version, or a file.", show_default=False)],
    after: Annotated[str, typer.Argument(help="Another one.", show_default=False)],
    folder: Folder = MODELS,
    tables: Annotated[
        list[Path] | None, typer.Option("--table", help="Route its requests by both.", show_default=False)
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="At most so many of its rows, drawn by chance.", show_default=False)
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="OURS=YOURS", help="Another name for a column.", show_default=False),
    ] = None,
    show_prompts: Annotated[bool, typer.Option("--show-prompts", help="Show how the examples begin.")] = False,
    as_json: AsJson = False,
) -> None:
    """Diff (typer shows `_DIFF_HELP`)."""
    if tables is None and (sample is not None or show_prompts or column):
        raise InputError("--sample, --column and --show-prompts: found no --table, expected one; name a file of rows")
    paths = _path(folder, before), _path(folder, after)
    first, second = map(_own, paths)
    changes = diff(first, second)
    traffic: Traffic | None = None
    rows: list[Row] = []
    if tables:
        with progress_bars(Terminal(stderr=True)) as progress:
            rows = _drawn(read_tables(tables, columns_of(column), progress=partial(progress, "reading")), sample)
        old, new = map(Router.load, paths)
        traffic = compare_traffic(old, new, [request for request, _ in rows])
    if as_json:
        _print_json(
            {
                "before": {"path": str(paths[0]), "digest": first.artifact.digest},
                "after": {"path": str(paths[1]), "digest": second.artifact.digest},
                "changes": [asdict(change) for change in changes],
                "traffic": None if traffic is None else traffic_json(traffic, rows, prompts=show_prompts),
            }
        )
        return
    console = Terminal()
    console.print(_change_table(changes, same=first.artifact.digest == second.artifact.digest))
    if traffic is not None:
        show_traffic(console, traffic, rows, prompts=show_prompts)


@app.command("prune", help=_PRUNE_HELP)
def prune_versions(
    folder: Folder = MODELS,
    keep: Annotated[int, typer.Option(min=0, help="The newest so many stay.")] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which would go.")] = False,
) -> None:
    """Prune (typer shows `_PRUNE_HELP`)."""
    gone = prune(folder, keep, dry_run=dry_run)
    for version in gone:
        _say(f"{'Would remove' if dry_run else 'Removed'} {version.name} ({version.state}).")
    if not gone:
        _say("Nothing to remove.")


app.command("judge", help=JUDGE_HELP)(judge)


def main() -> None:
    """Entry point."""
    run_command(app, "tierwise-models")


def version_json(version: Version) -> dict[str, Any]:
    """A version as plain data."""
    note = version.note
    return {
        "name": version.name,
        "path": str(version.path),
        "state": version.state,
        "time": note.time.isoformat(),
        "origin": list(note.origin),
        "rows": note.rows,
        "figures": dict(note.figures),
        "why": version.why,
        "learned_until": None if note.learned_until is None else note.learned_until.isoformat(),
        "verdict": None if note.verdict is None else plain(asdict(note.verdict)),
    }


def traffic_json(traffic: Traffic, rows: Sequence[Row], *, prompts: bool) -> dict[str, Any]:
    """Traffic as plain data; examples by file and row, with the prompt's beginning only where asked."""
    return {
        "requests": traffic.requests,
        "moved": traffic.moved,
        "expected_by_before": _view_json(traffic.by_before),
        "expected_by_after": _view_json(traffic.by_after),
        "moves": [
            {
                "before": move.before,
                "after": move.after,
                "requests": len(move.rows),
                "expected_by_after": _view_json(move.view),
                "examples": [
                    {"file": source.file, "row": source.row, **({"prompt": _beginning(request)} if prompts else {})}
                    for request, source in _examples(move, rows)
                ],
            }
            for move in traffic.moves
        ],
    }


def show_traffic(console: Console, traffic: Traffic, rows: Sequence[Row], *, prompts: bool) -> None:
    """How many requests go elsewhere, from where to where, and what that is expected to change."""
    share = traffic.moved / traffic.requests
    console.print(
        f"[bold]{traffic.moved:,} of {traffic.requests:,} requests ({share:.1%}) go to another tier.[/]",
        highlight=False,
    )
    expected = _plain_table("a request, on average", "$/1,000 before", "after", "quality before", "after")
    for whose, view in (("as the first expects", traffic.by_before), ("as the second expects", traffic.by_after)):
        expected.add_row(whose, *_figures(view))
    console.print(expected)
    if not traffic.moves:
        return
    several = len({source.file for _, source in rows}) > 1
    moves = _plain_table("from", "to", "requests", "$/1,000", "quality", "such as rows")
    for move in traffic.moves:
        examples = ", ".join(_place(source, several) for _, source in _examples(move, rows))
        moves.add_row(*map(escape, (move.before, move.after, f"{len(move.rows):,}", *_changes(move), examples)))
    console.print("Changes as the second expects them:")
    console.print(moves)
    for move in traffic.moves if prompts else ():
        for request, source in _examples(move, rows):
            line = f"{_place(source, several)}, {move.before} -> {move.after}: {_beginning(request)}"
            console.print(escape(line), highlight=False, soft_wrap=True)


def _promote(folder: Path, version: Version, why: str) -> None:
    try:
        promote(folder, version, why=why)
    except ArtifactError as error:
        raise InputError(str(error)) from error
    _say(f"In use: {version.name}.")


def _path(folder: Path, text: str) -> Path:
    """The artifact that a version's name or a path means."""
    given = Path(text)
    return follow(given) if given.suffix == ".safetensors" or given.is_file() else find_version(folder, text).path


def _own(path: Path) -> Router:
    """A router by the artifact alone, whatever router.toml says."""
    try:
        return Router(read_artifact(path))
    except ArtifactError as error:
        raise InputError(str(error)) from error


def _drawn(table: OutcomeTable, sample: int | None) -> list[Row]:
    """A table's requests with where they come from; all, or some drawn by chance, the same each time."""
    rows = list(zip(table.requests, table.sources, strict=True))
    if sample is None or sample >= len(rows):
        return rows
    return [rows[place] for place in sorted(Random(0).sample(range(len(rows)), sample))]


def _show_verdict(console: Console, version: Version) -> None:
    """What came of the last time that a version was judged."""
    verdict = version.note.verdict
    if verdict is None:
        return
    console.print(
        escape(f"Judged {verdict.time:%Y-%m-%d %H:%M} UTC against {verdict.against}: {verdict.words}"),
        *(escape(f"- {reason}") for reason in verdict.reasons),
        sep="\n",
        highlight=False,
    )
    figures = _plain_table("", "")
    for name, value in verdict.figures.items():
        figures.add_row(escape(f"  {name.replace('_', ' ')}"), f"{value:+.4g}")
    console.print(figures)


def _verdict_words(version: Version) -> str:
    verdict = version.note.verdict
    return verdict.words if verdict is not None and version.state == CANDIDATE else ""


def _version_table(found: Sequence[Version]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("version", "state", "rows", "saves", "keeps", "from", "why"):
        right = name in ("rows", "saves", "keeps")
        table.add_column(
            name, justify="right" if right else "left", no_wrap=name not in ("from", "why"), overflow="fold"
        )
    for version in found:
        note = version.note
        shares = [f"{note.figures[name]:.1%}" if name in note.figures else "" for name in ("saving", "kept")]
        rows = "" if note.rows is None else f"{note.rows:,}"
        why = "; ".join(filter(None, (version.why, _verdict_words(version))))
        cells = (version.name, version.state, rows, *shares, ", ".join(note.origin), why)
        table.add_row(*map(escape, cells), style="bold green" if version.state == "current" else None)
    return table


def _change_table(changes: Sequence[Change], *, same: bool) -> Table | str:
    if not changes:
        return "The same artifact." if same else "Nothing but the learned weights differs."
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("", "", "before", "after"):
        table.add_column(name, overflow="fold")
    part = ""
    for change in changes:
        cells = ("" if change.part == part else change.part, change.name, change.before or "", change.after or "")
        table.add_row(*map(escape, cells))
        part = change.part
    return table


def _plain_table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name)
    return table


def _figures(view: View) -> tuple[str, ...]:
    if not view.requests:
        return ("unknown", "", "", "")
    costs = (f"{cost * 1000:.4g}" for cost in (view.cost_before, view.cost_after))
    return (*costs, f"{view.quality_before:.4f}", f"{view.quality_after:.4f}")


def _changes(move: Move) -> tuple[str, str]:
    view = move.view
    if not view.requests:
        return "unknown", "unknown"
    cost, quality = view.cost_after - view.cost_before, view.quality_after - view.quality_before
    return f"{cost * 1000:+.4g}", f"{quality:+.4f}"


def _examples(move: Move, rows: Sequence[Row]) -> list[Row]:
    return [rows[place] for place in move.rows[:_EXAMPLES]]


def _place(source: Source, several: bool) -> str:
    return f"{Path(source.file).name} {source.row}" if several else str(source.row)


def _beginning(request: Request) -> str:
    return one_line(request.text[:_PROMPT_CHARS])


def _view_json(view: View) -> dict[str, Any]:
    return {name: None if isnan(value) else value for name, value in asdict(view).items()}


def _print_json(figures: Any) -> None:
    typer.echo(json_text(figures, allow_nan=False))


def _say(text: str) -> None:
    Terminal(soft_wrap=True).print(escape(text), highlight=False)


if __name__ == "__main__":
    main()
