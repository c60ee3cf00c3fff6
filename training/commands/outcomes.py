"""The `tierwise outcomes` command: a thin skin over `classifier.outcomes`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.commands.command import Command, prose, run_command
from training.commands.options import BASELINE, LEVEL, STORE, JsonFile, Since, StoreUrl, Until

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from classifier.outcomes import Outcome, OutcomeStore

_HELP = prose("""
Look into an outcome store, and keep it in order.

[bold]Examples[/]

  [cyan]tierwise outcomes stats[/]
  What is in outcomes.db of this folder.

  [cyan]tierwise outcomes export evals.parquet --store postgresql://router@db/log[/]
  A table for tierwise train, from a store on PostgreSQL.

  [cyan]export TIERWISE_OUTCOMES=postgresql://router@db/log[/]
  From here on commands use this store (train: where no table is named).

[bold]Exit codes[/]: 0 done; 1 failure; 2 bad usage or bad input; 3 drift (command "drift").
""")
_STATS_HELP = prose("""
Show what a store holds: decisions, tiers, gates, costs, errors, feedback.

Money is USD. "$ expected" is what the model expected a call to cost, on average, had every request gone to the tier.

[bold]Examples[/]

  [cyan]tierwise outcomes stats[/]

  [cyan]tierwise outcomes stats --json - | jq .escalation_rate[/]
""")
_EXPORT_HELP = prose("""
Write the table that tierwise train reads, or whole records.

A tier's score is the user's feedback, else the audit's, else the gates' verdict. Tiers not tried stay empty.

[bold]Examples[/]

  [cyan]tierwise outcomes export outcomes.csv && tierwise train outcomes.csv[/]
  Learn from what the cascade observed.

  [cyan]tierwise outcomes export march.csv --since 2026-03-01 --until 2026-04-01[/]
  One month; times are UTC.

  [cyan]tierwise outcomes export scored.jsonl --scores gate[/]
  The gates' own scores, from 0 to 1, instead of passed and not passed.

  [cyan]tierwise outcomes export backup.jsonl --records[/]
  Everything, without loss; "import" reads it.
""")
_IMPORT_HELP = prose("""
Store records from files: exports made with --records, and spill files.

Records that are stored already are skipped, so you may import a file twice.

[bold]Examples[/]

  [cyan]tierwise outcomes import backup.jsonl --store postgresql://router@db/log[/]
  Move to another store.

  [cyan]tierwise outcomes import --spilled[/]
  Store what waits on this machine now, before a program does.
""")
_PRUNE_HELP = prose("""
Remove old decisions with their attempts and feedback.

New ones reuse the space; "vacuum" gives it back to the disk.

[bold]Examples[/]

  [cyan]tierwise outcomes prune --older-than 90d --dry-run[/]
  How many would go.

  [cyan]tierwise outcomes prune --older-than 90d && tierwise outcomes vacuum[/]
  Remove them, and give their space back to the disk.
""")
_VACUUM_HELP = prose("""
Give the space of what was removed back to the disk.

SQLite writes its file anew for this, which takes as much free space for a while.

[bold]Example[/]

  [cyan]tierwise outcomes vacuum[/]
""")
_DELETE_HELP = prose("""
Remove decisions for good, with their attempts and feedback.

What arrives of them later, an audit for example, is not stored.

[bold]Example[/]

  [cyan]tierwise outcomes delete 0195a7c4-93b2-7d52-8f2c-3f0d3a0f8b11[/]
""")
_DRIFT_HELP = prose("""
Has the world changed since the router was trained? For cron.

The command reads the requests that the artifact in use decided, in order of time. The first ones show what is usual.
It tests each later one for a change of what is asked, of how good answers are, of how many the gate lets pass, and of
what calls cost. It compares the prices of router.toml with those that the artifact was trained with.

While nothing changes, the probability of a false alarm within n requests is at most n / 20,000 (--level), however often
you run this. An alarm stays until another artifact decides, or --since leaves out what came before. Traffic with a
rhythm of day and night raises alarms of its own: --rhythm 1d compares whole days.

[bold]Examples[/]

  [cyan]tierwise outcomes drift[/]
  The requests that the artifact in use decided, from the first to the last.

  [cyan]tierwise outcomes drift --report drift.html || mail -s drift ops[/]
  For cron; the page shows everything over time.

  [cyan]tierwise outcomes drift --since 2026-03-01 --baseline 2000[/]
  From March on, by what is usual in the first 2,000 requests of it.

[bold]Exit codes[/]: 0 no drift; 1 failure; 2 bad usage or bad input; 3 drift.
""")

_BATCH = 500
_DRIFTED = 3


class Scores(StrEnum):
    """What a gate says of an answer."""

    VERDICT = "verdict"
    GATE = "gate"


app = typer.Typer(
    help=_HELP, add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False, no_args_is_help=True
)


@app.command(cls=Command, help=_STATS_HELP)
def stats(url: StoreUrl = STORE, json_file: JsonFile = None) -> None:
    """Show sums (typer shows `_STATS_HELP`)."""
    from classifier.outcomes import OutcomeStore
    from training.commands.show_stats import show_stats, stats_json
    from training.commands.terminal import Terminal
    from training.commands.values import printed, write_json

    store = OutcomeStore(url)
    found, waiting = store.stats(), store.spilled()
    if json_file is not None:
        write_json(json_file, stats_json(found, waiting))
    if not printed(json_file):
        show_stats(Terminal(), found, waiting)


@app.command(cls=Command, help=_EXPORT_HELP)
def export(
    out: Annotated[Path, typer.Argument(help="A .csv, .jsonl or .parquet file.", show_default=False)],
    url: StoreUrl = STORE,
    since: Since = None,
    until: Until = None,
    scores: Annotated[Scores, typer.Option(help="Where only gates judged: their verdict or score.")] = Scores.VERDICT,
    records: Annotated[bool, typer.Option("--records", help="Whole records, as JSON Lines.")] = False,
) -> None:
    """Export (typer shows `_EXPORT_HELP`)."""
    from classifier.outcomes import OutcomeStore
    from training.commands.values import moment
    from training.log.export import check_format

    store, begin, end = OutcomeStore(url), moment("--since", since), moment("--until", until)
    if records:
        check_format(out, (".jsonl",))
        _export_records(store, out, begin, end)
    else:
        _export_table(store, out, begin, end, gate_scores=scores is Scores.GATE)


@app.command("import", cls=Command, help=_IMPORT_HELP)
def import_records(
    files: Annotated[list[Path] | None, typer.Argument(help="JSON Lines of records.", show_default=False)] = None,
    url: StoreUrl = STORE,
    spilled: Annotated[bool, typer.Option("--spilled", help="Store what waits on this machine.")] = False,
) -> None:
    """Import (typer shows `_IMPORT_HELP`)."""
    from functools import partial

    from classifier.errors import InputError
    from classifier.outcomes import OutcomeStore
    from training.commands.show_training import progress_bars
    from training.commands.terminal import Terminal, say_next

    if not files and not spilled:
        raise InputError("import: found neither files nor --spilled, expected one of them; name a file of records")
    store, console = OutcomeStore(url), Terminal()
    for path in files or []:
        _expect_records(path)
    with progress_bars(console) as progress:
        for path in files or []:
            _import_file(store, path, console, partial(progress, path.name))
    if spilled:
        console.print(f"Stored {store.take_up():,} records that waited.")
    say_next("tierwise outcomes stats")


@app.command(cls=Command, help=_PRUNE_HELP)
def prune(
    older_than: Annotated[str, typer.Option(metavar="AGE", help="90d, 12h or 2w, for example.", show_default=False)],
    url: StoreUrl = STORE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many would go.")] = False,
) -> None:
    """Prune (typer shows `_PRUNE_HELP`)."""
    from datetime import UTC, datetime

    from classifier.outcomes import OutcomeStore
    from training.commands.terminal import Terminal, say_next
    from training.commands.values import age

    store = OutcomeStore(url)
    before = datetime.now(UTC) - age("--older-than", older_than)
    count = store.count(until=before)  # which is refused where there is no store, while pruning would make one
    count = count if dry_run else store.prune(before)
    Terminal().print(
        f"{'Would remove' if dry_run else 'Removed'} {count:,} decisions before {before:%Y-%m-%d %H:%M} UTC."
    )
    if count and not dry_run:
        say_next("tierwise outcomes vacuum")


@app.command(cls=Command, help=_VACUUM_HELP)
def vacuum(url: StoreUrl = STORE) -> None:
    """Vacuum (typer shows `_VACUUM_HELP`)."""
    from classifier.outcomes import OutcomeStore
    from training.commands.terminal import Terminal

    store = OutcomeStore(url)
    store.count()
    store.vacuum()
    Terminal().print("Done.")


@app.command(cls=Command, help=_DELETE_HELP)
def delete(
    decisions: Annotated[list[str], typer.Argument(help="Ids of decisions.", show_default=False)],
    url: StoreUrl = STORE,
) -> None:
    """Delete (typer shows `_DELETE_HELP`)."""
    from classifier.outcomes import OutcomeStore
    from training.commands.terminal import say

    store = OutcomeStore(url)
    store.count()
    for decision in decisions:
        there = store.delete(decision)
        say(f"{decision}: {'deleted' if there else 'not stored, and will not be'}")


# As many parameters as the command has options: typer reads them from here.
@app.command(cls=Command, help=_DRIFT_HELP)
def drift(
    url: StoreUrl = STORE,
    since: Since = None,
    until: Until = None,
    artifact: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The artifact.", show_default="where predict_model finds it")
    ] = None,
    menu: Annotated[Path | None, typer.Option(metavar="FILE", help="Today's menu.", show_default="router.toml")] = None,
    baseline: Annotated[
        int, typer.Option(min=1, metavar="NUMBER", help="Requests that show what is usual.")
    ] = BASELINE,
    rhythm: Annotated[
        str | None,
        typer.Option(metavar="PERIOD", help="Compare whole periods: 1d or 7d, for example.", show_default=False),
    ] = None,
    level: Annotated[float, typer.Option(help="Upper bound on the false-alarm rate per request.")] = LEVEL,
    report: Annotated[Path | None, typer.Option(metavar="HTML", help="Write a page.", show_default=False)] = None,
    json_file: JsonFile = None,
) -> None:
    """Look for drift (typer shows `_DRIFT_HELP`)."""
    from datetime import timedelta

    from classifier.catalog import load_menu
    from classifier.errors import InputError
    from classifier.outcomes import OutcomeStore
    from classifier.router import Router
    from training.commands.show_drift import show_drift
    from training.commands.terminal import Terminal
    from training.commands.values import days, moment, printed, write_json
    from training.drift.check import check_drift
    from training.drift.monitor import DriftOptions
    from training.drift.page import drift_json, drift_page
    from training.log.observed import observe
    from training.report.page import write_page

    if not 0 < level < 1:
        raise InputError(f"--level {level:g}: expected a number above 0 and below 1, such as {LEVEL:g}")
    begin, end = moment("--since", since), moment("--until", until)
    period = None if rhythm is None else timedelta(days=days("--rhythm", rhythm))
    router = Router.load(artifact, menu=None if menu is None else load_menu(menu))
    with _decisions(OutcomeStore(url), begin, end) as outcomes:
        observed = observe(outcomes, router.menu)
    found = check_drift(observed, router, DriftOptions(baseline, level), strict=artifact is not None, rhythm=period)
    if report is not None:
        write_page(drift_page(found), report)
    if json_file is not None:
        write_json(json_file, drift_json(found))
    if not printed(json_file):
        show_drift(Terminal(), found)
    if found.drifted:
        raise typer.Exit(_DRIFTED)


def main() -> None:
    """Entry point."""
    run_command(app, "tierwise-outcomes")


def _export_records(store: OutcomeStore, out: Path, begin: datetime | None, end: datetime | None) -> None:
    from training.commands.terminal import say, say_next

    with _decisions(store, begin, end, opened=False) as outcomes:  # what is sealed leaves as it is
        count = write_records(out, outcomes)
    say(f"Wrote {out}: {count:,} decisions, with all there is to them.")
    say_next(shlex.join(["tierwise", "outcomes", "import", str(out), "--store"]) + " URL")


def _export_table(
    store: OutcomeStore, out: Path, begin: datetime | None, end: datetime | None, *, gate_scores: bool
) -> None:
    from training.commands.terminal import Terminal, say, say_next
    from training.log.export import write_table

    with _decisions(store, begin, end) as outcomes:
        known = store.stats()
        tiers = [name for name, tier in known.tiers.items() if tier.tried or tier.feedback is not None]
        written = write_table(out, outcomes, tiers, responses=known.responses > 0, gate_scores=gate_scores)
    say(f"Wrote {out}: {written.rows:,} rows, tiers {', '.join(tiers)}.")
    if written.without_prompt:
        Terminal().print(f"[yellow]Left out {written.without_prompt:,} decisions whose prompts were not kept.[/]")
    if written.without_score:
        say(f"Left out {written.without_score:,} decisions without a score for any tier.")
    say_next(shlex.join(["tierwise", "train", str(out)]))


@contextmanager
def _decisions(
    store: OutcomeStore, begin: datetime | None, end: datetime | None, *, opened: bool = True
) -> Iterator[Iterator[Outcome]]:
    """The decisions of a span of time, while a bar shows how many are read."""
    from functools import partial

    from training.commands.show_training import progress_bars
    from training.commands.terminal import Terminal
    from training.progress import counted

    total = store.count(since=begin, until=end)
    with progress_bars(Terminal()) as progress:
        yield counted(store.outcomes(since=begin, until=end, opened=opened), partial(progress, "decisions"), total)


def write_records(out: Path, outcomes: Iterable[Outcome]) -> int:
    """Write whole records as JSON Lines, to a file of their owner's alone that appears whole or not at all; how many
    decisions.
    """
    from classifier.files import atomic_write
    from classifier.outcomes.lines import to_line

    count = 0
    with atomic_write(out, private=True) as draft, draft.open("w", encoding="utf-8") as file:
        for outcome in outcomes:
            file.write(to_line(outcome.decision))
            file.writelines(map(to_line, outcome.feedback))
            count += 1
    return count


def _expect_records(path: Path) -> None:
    """Refuse a file that is no import before any is stored; an empty one is."""
    from classifier.errors import InputError
    from classifier.outcomes.lines import from_lines

    broken: list[bytes] = []
    try:
        with path.open("rb") as file:
            if any(from_lines([line], broken.append) for line in file if line.strip()):
                return
    except FileNotFoundError:
        raise InputError(f"{path}: found no such file, expected JSON Lines of records; check the path") from None
    if broken:
        raise InputError(f"{path}: found no line that is a record, expected what export --records or a spill wrote")


def _import_file(store: OutcomeStore, path: Path, console: Console, progress: Callable[[int, int], None]) -> None:
    from itertools import islice

    from rich.markup import escape

    from classifier.errors import InputError
    from classifier.outcomes.lines import from_lines

    broken: list[bytes] = []
    count = done = 0
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            while lines := list(islice(file, _BATCH)):
                records = from_lines((line for line in lines if line.strip()), broken.append)
                if records:
                    store.write(records)
                count, done = count + len(records), done + sum(map(len, lines))
                progress(done, size)
    except ValueError as error:
        raise InputError(f"{path}: {error}, expected records that export --records wrote") from None
    left = f"; {len(broken):,} lines that are no records left out" if broken else ""
    console.print(f"Read {escape(str(path))}: {count:,} records{left}.")


if __name__ == "__main__":
    main()
