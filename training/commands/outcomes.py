"""The `tierwise-outcomes` command: a thin skin over `classifier.outcomes`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from classifier.catalog import load_menu
from classifier.errors import InputError
from classifier.escapes import json_text
from classifier.files import atomic_write
from classifier.outcomes import Outcome, OutcomeStore, Stats
from classifier.outcomes.lines import from_lines, to_line
from classifier.outcomes.stats import Audited, Passes
from classifier.outcomes.store import DEFAULT_URL
from classifier.router import Router
from training.commands.options import age, days, moment, run_command
from training.commands.show_drift import show_drift
from training.commands.show_training import progress_bars
from training.commands.terminal import Terminal
from training.drift.check import check_drift
from training.drift.monitor import BASELINE, LEVEL, DriftOptions
from training.drift.page import drift_json, drift_page
from training.log.export import check_format, write_table
from training.log.observed import observe
from training.progress import counted
from training.report.page import write_page

STORE_VARIABLE = "TIERWISE_OUTCOMES"

_HELP = """
Look into an outcome store, and keep it in order.

[bold]Examples[/]

  [cyan]tierwise-outcomes stats[/]
  What is in outcomes.db of this folder.

  [cyan]tierwise-outcomes export outcomes.parquet --store postgresql://router@db/outcomes[/]
  A table for train-router, from a store on PostgreSQL.

  [cyan]export TIERWISE_OUTCOMES=postgresql://router@db/outcomes[/]
  From here on every command uses this store.

[bold]Exit codes[/]: 0 done; 1 failure; 2 bad usage or bad input; 3 drift (command "drift").
"""
_STATS_HELP = """
What a store holds: decisions, tiers, gates, costs, errors, feedback.

Money is USD. "$ expected" is what the model expected a call to cost, on average, had every request gone to the tier.

[bold]Examples[/]

  [cyan]tierwise-outcomes stats[/]

  [cyan]tierwise-outcomes stats --json --store sqlite:///var/outcomes.db | jq .escalation_rate[/]
"""
_EXPORT_HELP = """
Write the table that train-router reads, or whole records.

A tier's score is the user's feedback, else the audit's, else the gates' verdict. Tiers not tried stay empty.

[bold]Examples[/]

  [cyan]tierwise-outcomes export outcomes.csv && train-router outcomes.csv[/]
  Learn from what the cascade observed.

  [cyan]tierwise-outcomes export march.parquet --since 2026-03-01 --until 2026-04-01[/]
  One month; times are UTC.

  [cyan]tierwise-outcomes export scored.jsonl --scores gate[/]
  The gates' own scores, from 0 to 1, instead of passed and not passed.

  [cyan]tierwise-outcomes export backup.jsonl --records[/]
  Everything, without loss; "import" reads it.
"""
_IMPORT_HELP = """
Store records from files: exports made with --records, and spill files.

What is stored already is passed over, so that importing twice does no harm.

[bold]Examples[/]

  [cyan]tierwise-outcomes import backup.jsonl --store postgresql://router@db/outcomes[/]
  Move to another store.

  [cyan]tierwise-outcomes import --spilled[/]
  Take up what waits on this machine for the store, without waiting for a program to do so.
"""
_PRUNE_HELP = """
Remove old decisions with their attempts and feedback.

Space is used again by new ones; "vacuum" gives it back.

[bold]Examples[/]

  [cyan]tierwise-outcomes prune --older-than 90d --dry-run[/]
  How many would go.

  [cyan]tierwise-outcomes prune --older-than 90d && tierwise-outcomes vacuum[/]
  Remove them, and give their space back to the disk.
"""
_VACUUM_HELP = """
Give the space of what was removed back to the disk.

SQLite writes its file anew for this, which takes as much free space for a while.

[bold]Example[/]

  [cyan]tierwise-outcomes vacuum[/]
"""
_DELETE_HELP = """
Remove decisions for good, with their attempts and feedback.

What arrives of them later, such as an audit, is not stored.

[bold]Example[/]

  [cyan]tierwise-outcomes delete 0195a7c4-93b2-7d52-8f2c-3f0d3a0f8b11[/]
"""

_DRIFT_HELP = """
Has the world changed since the router was trained? For cron.

The requests that the artifact in use decided are taken in order of time.
The first ones show what is usual. Each later one is weighed for a change of what is asked,
of how good answers are, of what the gate lets pass, and of what calls cost.
Prices of router.toml are compared with those that the artifact was trained with.

While nothing changes, a false alarm comes within n requests with a probability of at most
n / 20,000 (--level), however often one looks.
An alarm stays until another artifact decides, or --since leaves out what came before.
Traffic with a rhythm of day and night gives alarms of its own: --rhythm 1d compares whole days.

[bold]Examples[/]

  [cyan]tierwise-outcomes drift[/]
  The requests that the artifact in use decided, from the first to the last.

  [cyan]tierwise-outcomes drift --report drift.html > drift.txt || mail -s drift ops < drift.txt[/]
  For cron; the page shows everything over time.

  [cyan]tierwise-outcomes drift --since 2026-03-01 --baseline 2000[/]
  From March on, by what is usual in the first 2,000 requests of it.

[bold]Exit codes[/]: 0 no drift; 1 failure; 2 bad usage or bad input; 3 drift.
"""

_BATCH = 500
_DRIFTED = 3


class Scores(StrEnum):
    """What a gate says of an answer."""

    VERDICT = "verdict"
    GATE = "gate"


Url = Annotated[
    str,
    typer.Option("--store", metavar="URL", envvar=STORE_VARIABLE, help="The store: sqlite:///FILE or postgresql://..."),
]
Since = Annotated[str | None, typer.Option(help="From this time on (ISO 8601, UTC).", show_default=False)]
Until = Annotated[str | None, typer.Option(help="Before this time.", show_default=False)]

app = typer.Typer(
    help=_HELP, add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False, no_args_is_help=True
)


@app.command(help=_STATS_HELP)
def stats(
    url: Url = DEFAULT_URL,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Show sums (typer shows `_STATS_HELP`)."""
    store = OutcomeStore(url)
    found, waiting = store.stats(), store.spilled()
    if as_json:
        typer.echo(json_text(stats_json(found, waiting)))
    else:
        show_stats(Terminal(), found, waiting)


@app.command(help=_EXPORT_HELP)
def export(
    out: Annotated[Path, typer.Argument(help="A .csv, .jsonl or .parquet file.", show_default=False)],
    url: Url = DEFAULT_URL,
    since: Since = None,
    until: Until = None,
    scores: Annotated[Scores, typer.Option(help="Where only gates judged: their verdict or score.")] = Scores.VERDICT,
    records: Annotated[bool, typer.Option("--records", help="Whole records, as JSON Lines.")] = False,
) -> None:
    """Export (typer shows `_EXPORT_HELP`)."""
    store, console = OutcomeStore(url), Terminal()
    begin, end = moment("--since", since), moment("--until", until)
    if records:
        check_format(out, (".jsonl",))
    total = store.count(since=begin, until=end)
    with progress_bars(console) as progress:
        read = store.outcomes(since=begin, until=end, opened=not records)  # what is sealed leaves as it is
        outcomes = counted(read, partial(progress, "decisions"), total)
        if records:
            count = write_records(out, outcomes)
            console.print(f"Wrote {escape(str(out))}: {count:,} decisions, with all there is to them.")
            return
        known = store.stats()
        tiers = [name for name, tier in known.tiers.items() if tier.tried or tier.feedback is not None]
        written = write_table(out, outcomes, tiers, responses=known.responses > 0, gate_scores=scores is Scores.GATE)
    console.print(f"Wrote {escape(str(out))}: {written.rows:,} rows, tiers {escape(', '.join(tiers))}.")
    if written.without_prompt:
        console.print(f"[yellow]Left out {written.without_prompt:,} decisions whose prompts were not kept.[/]")
    if written.without_score:
        console.print(f"Left out {written.without_score:,} decisions without a score for any tier.")


@app.command("import", help=_IMPORT_HELP)
def import_records(
    files: Annotated[list[Path] | None, typer.Argument(help="JSON Lines of records.", show_default=False)] = None,
    url: Url = DEFAULT_URL,
    spilled: Annotated[bool, typer.Option("--spilled", help="Take up what waits on this machine.")] = False,
) -> None:
    """Import (typer shows `_IMPORT_HELP`)."""
    if not files and not spilled:
        raise InputError("import: found neither files nor --spilled, expected one of them; name a file of records")
    store, console = OutcomeStore(url), Terminal()
    for path in files or []:
        _expect_records(path)
    with progress_bars(console) as progress:
        for path in files or []:
            _import_file(store, path, console, partial(progress, path.name))
    if spilled:
        console.print(f"Took up {store.take_up():,} records that waited.")


@app.command(help=_PRUNE_HELP)
def prune(
    older_than: Annotated[str, typer.Option(metavar="AGE", help="Such as 90d, 12h or 2w.", show_default=False)],
    url: Url = DEFAULT_URL,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many would go.")] = False,
) -> None:
    """Prune (typer shows `_PRUNE_HELP`)."""
    store = OutcomeStore(url)
    before = datetime.now(UTC) - age("--older-than", older_than)
    count = store.count(until=before)  # which is refused where there is no store, while pruning would make one
    count = count if dry_run else store.prune(before)
    Terminal().print(
        f"{'Would remove' if dry_run else 'Removed'} {count:,} decisions before {before:%Y-%m-%d %H:%M} UTC."
    )


@app.command(help=_VACUUM_HELP)
def vacuum(url: Url = DEFAULT_URL) -> None:
    """Vacuum (typer shows `_VACUUM_HELP`)."""
    store = OutcomeStore(url)
    store.count()
    store.vacuum()
    Terminal().print("Done.")


@app.command(help=_DELETE_HELP)
def delete(
    decisions: Annotated[list[str], typer.Argument(help="Ids of decisions.", show_default=False)],
    url: Url = DEFAULT_URL,
) -> None:
    """Delete (typer shows `_DELETE_HELP`)."""
    store, console = OutcomeStore(url), Terminal(soft_wrap=True)
    store.count()
    for decision in decisions:
        there = store.delete(decision)
        console.print(f"{escape(decision)}: {'deleted' if there else 'not stored, and will not be'}", highlight=False)


@app.command(help=_DRIFT_HELP)
def drift(
    url: Url = DEFAULT_URL,
    since: Since = None,
    until: Until = None,
    model: Annotated[
        Path | None, typer.Option(help="The artifact.", show_default="where predict_model finds it")
    ] = None,
    menu: Annotated[Path | None, typer.Option(help="Today's menu.", show_default="router.toml")] = None,
    baseline: Annotated[int, typer.Option(min=1, help="Requests that show what is usual.")] = BASELINE,
    rhythm: Annotated[
        str | None, typer.Option(metavar="PERIOD", help="Compare whole periods, such as 1d or 7d.", show_default=False)
    ] = None,
    level: Annotated[float, typer.Option(help="False alarms a request, at most.")] = LEVEL,
    report: Annotated[Path | None, typer.Option(metavar="HTML", help="Write a page.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Look for drift (typer shows `_DRIFT_HELP`)."""
    if not 0 < level < 1:
        raise InputError(f"--level {level:g}: expected a number above 0 and below 1, such as {LEVEL:g}")
    store, console = OutcomeStore(url), Terminal()
    begin, end = moment("--since", since), moment("--until", until)
    period = None if rhythm is None else timedelta(days=days("--rhythm", rhythm))
    router = Router.load(model, menu=None if menu is None else load_menu(menu))
    total = store.count(since=begin, until=end)
    with progress_bars(console) as progress:
        outcomes = counted(store.outcomes(since=begin, until=end), partial(progress, "decisions"), total)
        options = DriftOptions(baseline, level)
        observed = observe(outcomes, router.menu)
    found = check_drift(observed, router, options, strict=model is not None, rhythm=period)
    if report is not None:
        write_page(drift_page(found), report)
    if as_json:
        typer.echo(json_text(drift_json(found)))
    else:
        show_drift(console, found)
    if found.drifted:
        raise typer.Exit(_DRIFTED)


def main() -> None:
    """Entry point."""
    run_command(app, "tierwise-outcomes")


def write_records(out: Path, outcomes: Iterable[Outcome]) -> int:
    """Write whole records as JSON Lines, to a file of their owner's alone that appears whole or not at all; how many
    decisions.
    """
    count = 0
    with atomic_write(out, private=True) as draft, draft.open("w", encoding="utf-8") as file:
        for outcome in outcomes:
            file.write(to_line(outcome.decision))
            file.writelines(map(to_line, outcome.feedback))
            count += 1
    return count


def stats_json(found: Stats, waiting: int) -> dict[str, Any]:
    """The sums as JSON: `Stats` field by field, its rates, and the records that wait on this machine."""
    figures = asdict(found)
    for name in ("first", "last"):
        figures[name] = None if figures[name] is None else figures[name].isoformat()
    return {**figures, "escalation_rate": found.escalation_rate, "mean_cost": found.mean_cost, "spilled": waiting}


def show_stats(console: Console, found: Stats, waiting: int) -> None:
    """The sums as tables."""
    span = f", {found.first:%Y-%m-%d %H:%M} to {found.last:%Y-%m-%d %H:%M} UTC" if found.first and found.last else ""
    console.print(f"[bold]{found.decisions:,} decisions[/]{span}", highlight=False)
    console.print(
        f"Escalated: {_share(found.escalation_rate)} of those answered; {found.unanswered:,} without an answer; "
        f"{found.explored:,} explored, {found.audited:,} audited; {found.prompts:,} with their prompts",
        highlight=False,
    )
    costs = ", ".join(f"{escape(purpose)} {_usd(cost)}" for purpose, cost in found.cost.items())
    console.print(
        f"Cost of a decision: {_usd(found.mean_cost)}" + (f"; in all: {costs}" if costs else ""), highlight=False
    )
    if waiting:
        console.print(f"[yellow]{waiting:,} records wait on this machine (import --spilled stores them)[/]")
    if found.tiers:
        console.print(_tier_table(found))
    _show_counts(console, "Gate", ("checked", "passed"), {n: _passes(p) for n, p in found.gates.items()})
    _show_counts(console, "Error", ("attempts",), {name: (f"{n:,}",) for name, n in found.errors.items()})
    feedback = {name: (f"{each.count:,}", f"{each.mean_score:.3f}") for name, each in found.feedback.items()}
    _show_counts(console, "Feedback", ("count", "mean score"), feedback)
    audits = {tier: _audited(each) for tier, each in found.audits.items()}
    _show_counts(console, "Gates audited", ("passed answers", "false passes", "turned down", "false alarms"), audits)


def _audited(found: Audited) -> tuple[str, ...]:
    """Passed answers that were audited and the share of them that are bad; those turned down, and the good ones."""
    passed, failed = found.passed, found.failed
    return (
        f"{passed.count:,}" if passed else "0",
        _share(found.false_pass_rate) if passed else "",
        f"{failed.count:,}" if failed else "0",
        _share(failed.mean_score) if failed else "",
    )


def _tier_table(found: Stats) -> Table:
    table = _table("Tier", "chosen", "answered", "tried", "failed", "passed", "score", "$ a call", "$ expected", "s")
    for name, tier in found.tiers.items():
        table.add_row(
            escape(name),
            *(f"{count:,}" for count in (tier.chosen, tier.answered, tier.tried, tier.failed)),
            _passes(tier.verdicts)[1],
            "" if tier.feedback is None else f"{tier.feedback:.3f}",
            _usd(tier.mean_cost),
            _usd(tier.expected_cost),
            "" if tier.mean_latency is None else f"{tier.mean_latency:.2f}",
        )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _show_counts(console: Console, first: str, names: Sequence[str], rows: Mapping[str, Sequence[str]]) -> None:
    if rows:
        table = _table(first, *names)
        for name, cells in rows.items():
            table.add_row(escape(name), *cells)
        console.print(table)


def _passes(passes: Passes) -> tuple[str, str]:
    return f"{passes.checked:,}", f"{passes.rate:.1%}" if passes.checked else ""


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _usd(value: float | None) -> str:
    return "" if value is None else f"${value:.4g}"


def _expect_records(path: Path) -> None:
    """Refuse a file that is no import before any is stored; an empty one is."""
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
