"""What a look for drift found, in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from training.commands.table import figures, names, show_table
from training.drift.data import DriftReport, TierView
from training.drift.words import amount, headline, how_far, moment, moved_far, promise, when
from training.report.data import RangedFigure

_LISTED = 6
_FIGURES = ("answers", "passed", "usual", "adequate: expected", "seen", "cost / expected", "before")
_COLUMNS = (names("tier"), *map(figures, _FIGURES))


def show_drift(console: Console, report: DriftReport) -> None:
    """The findings first, then the figures they rest on."""
    named = "" if report.artifact is None else f" by artifact {report.artifact[:12]}"
    console.print(
        f"{report.rows:,} requests decided{named}, {moment(report.first)} to {moment(report.last)}; "
        f"the first {min(report.baseline, report.rows):,} show what is usual",
        highlight=False,
    )
    style = "bold red" if report.findings else "bold green"
    console.print(f"[{style}]{escape(headline(report))}[/]", highlight=False)
    for finding in report.findings:
        console.print(f"\n[bold]{finding.kind}[/]: {escape(finding.sentence)}", highlight=False)
        for line in filter(None, (when(finding), f"what to do: {'; '.join(finding.remedy)}")):
            console.print(f"  {escape(line)}", highlight=False)
    if any(tier.answers or tier.cost for tier in report.tiers):
        show_table(
            console,
            _COLUMNS,
            [(tier.name, *_cells(tier)) for tier in report.tiers],
            title=f"Lately: from request {report.split + 1:,} on",
        )
    for moved in moved_far(report)[:_LISTED]:
        means = f": {amount(moved, moved.before)} before, {amount(moved, moved.after)} lately" if moved.unit else ""
        console.print(f"Moved {how_far(moved)} (PSI {moved.psi:.2f}): {escape(moved.what + means)}", highlight=False)
    for note in report.notes:
        console.print(f"[yellow]{escape(note[:1].upper() + note[1:])}[/]", highlight=False)
    console.print(escape(promise(report)), highlight=False)


def _cells(tier: TierView) -> tuple[str, ...]:
    return (
        f"{tier.answers:,}",
        _share(tier.passes),
        "" if tier.usual is None else f"{tier.usual:.1%}",
        "" if tier.expected is None else f"{tier.expected:.1%}",
        _share(tier.adequate),
        _times(tier.cost),
        _times(tier.cost_before),
    )


def _share(found: RangedFigure | None) -> str:
    return "" if found is None else f"{found.value:.1%} [{found.low:.0%}, {found.high:.0%}]"


def _times(found: RangedFigure | None) -> str:
    return "" if found is None else f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"
