"""Versions of the artifact in a terminal, and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from classifier.prices import plain_amount
from classifier.request import Request
from classifier.router import Router
from training.commands.table import figures, names, show_table, words
from training.report.page import plain
from training.tables import Source
from training.versions import Change, Move, Traffic, Version, View, facts
from training.versions.notes import one_line
from training.versions.store import CANDIDATE, CURRENT

Row = tuple[Request, Source]

_EXAMPLES = 3
_PROMPT_CHARS = 80


def show_versions(console: Console, found: Sequence[Version]) -> None:
    """A row a version, the one in use marked."""
    columns = (names("version"), names("state"), *map(figures, ("rows", "saves", "keeps")), words("from"), words("why"))
    marked = [number for number, version in enumerate(found) if version.state == CURRENT]
    show_table(console, columns, list(map(_cells, found)), marked=marked)


def _cells(version: Version) -> tuple[str, ...]:
    note = version.note
    shares = [f"{note.figures[name]:.1%}" if name in note.figures else "" for name in ("saving", "kept")]
    rows = "" if note.rows is None else f"{note.rows:,}"
    why = "; ".join(filter(None, (version.why, _verdict_words(version))))
    return version.name, version.state, rows, *shares, ", ".join(note.origin), why


def _verdict_words(version: Version) -> str:
    verdict = version.note.verdict
    return verdict.words if verdict is not None and version.state == CANDIDATE else ""


def show_artifact(console: Console, path: Path, router: Router, kept: Version | None) -> None:
    """Where an artifact comes from, and what it says of itself."""
    _print(console, f"[bold]{escape(str(path))}[/], digest {router.artifact.digest}")
    if kept is not None:
        origin = f"; from {', '.join(kept.note.origin)}" if kept.note.origin else ""
        why = f": {kept.why}" if kept.why else ""
        _print(console, escape(f"{kept.state}{why}; kept {kept.note.time:%Y-%m-%d %H:%M} UTC{origin}"))
        _show_verdict(console, kept)
    for part, texts in facts(router).items():
        _print(console, f"\n[bold]{escape(part)}[/]")
        show_table(console, (names(""), words("")), [(f"  {name}", text) for name, text in texts.items()])


def _show_verdict(console: Console, version: Version) -> None:
    """What came of the last time that a version was judged."""
    verdict = version.note.verdict
    if verdict is None:
        return
    _print(console, escape(f"Judged {verdict.time:%Y-%m-%d %H:%M} UTC against {verdict.against}: {verdict.words}"))
    for reason in verdict.reasons:
        _print(console, escape(f"- {reason}"))
    rows = [(f"  {name.replace('_', ' ')}", f"{value:+.4g}") for name, value in verdict.figures.items()]
    show_table(console, (names(""), figures("")), rows)


def show_changes(console: Console, changes: Sequence[Change], *, same: bool) -> None:
    """What one artifact says otherwise than another."""
    if not changes:
        _print(console, "The same artifact." if same else "Nothing but the learned weights differs.")
        return
    rows = [(f"{each.part}: {each.name}", each.before or "", each.after or "") for each in changes]
    show_table(console, (words("what"), words("before"), words("after")), rows)


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
    _print(console, f"[bold]{traffic.moved:,} of {traffic.requests:,} requests ({share:.1%}) go to another tier.[/]")
    headings = ("$/1,000 before", "$/1,000 after", "quality before", "quality after")
    expected = (("as the first expects", traffic.by_before), ("as the second expects", traffic.by_after))
    columns = (names("a request, on average"), *map(figures, headings))
    show_table(console, columns, [(whose, *_figures(view)) for whose, view in expected])
    if traffic.moves:
        _show_moves(console, traffic.moves, rows)
    for move in traffic.moves if prompts else ():
        _show_prompts(console, move, rows)


def _show_moves(console: Console, moves: Sequence[Move], rows: Sequence[Row]) -> None:
    several = _several(rows)
    columns = (
        names("from"),
        names("to"),
        *map(figures, ("requests", "$/1,000", "quality")),
        words("rows, for example"),
    )
    cells = [
        (
            move.before,
            move.after,
            f"{len(move.rows):,}",
            *_changes(move),
            ", ".join(_place(source, several) for _, source in _examples(move, rows)),
        )
        for move in moves
    ]
    show_table(console, columns, cells, title="Changes as the second expects them:")


def _show_prompts(console: Console, move: Move, rows: Sequence[Row]) -> None:
    for request, source in _examples(move, rows):
        line = f"{_place(source, _several(rows))}, {move.before} -> {move.after}: {_beginning(request)}"
        _print(console, escape(line))


def _several(rows: Sequence[Row]) -> bool:
    return len({source.file for _, source in rows}) > 1


def _figures(view: View) -> tuple[str, ...]:
    if not view.requests:
        return ("unknown", "", "", "")
    costs = (plain_amount(cost * 1000) for cost in (view.cost_before, view.cost_after))
    return (*costs, f"{view.quality_before:.4f}", f"{view.quality_after:.4f}")


def _changes(move: Move) -> tuple[str, str]:
    view = move.view
    if not view.requests:
        return "unknown", "unknown"
    cost, quality = view.cost_after - view.cost_before, view.quality_after - view.quality_before
    return f"{'' if cost < 0 else '+'}{plain_amount(cost * 1000)}", f"{quality:+.4f}"


def _examples(move: Move, rows: Sequence[Row]) -> list[Row]:
    return [rows[place] for place in move.rows[:_EXAMPLES]]


def _place(source: Source, several: bool) -> str:
    return f"{Path(source.file).name} {source.row}" if several else str(source.row)


def _beginning(request: Request) -> str:
    return one_line(request.text[:_PROMPT_CHARS])


def _view_json(view: View) -> dict[str, Any]:
    return {name: None if isnan(value) else value for name, value in asdict(view).items()}


def _print(console: Console, line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True)


def diff_json(
    paths: tuple[Path, Path],
    routers: tuple[Router, Router],
    changes: Sequence[Change],
    traffic: Traffic | None,
    rows: Sequence[Row],
    *,
    prompts: bool,
) -> dict[str, Any]:
    """Two artifacts' differences as plain data."""
    before, after = (
        {"path": str(path), "digest": router.artifact.digest} for path, router in zip(paths, routers, strict=True)
    )
    return {
        "before": before,
        "after": after,
        "changes": [asdict(change) for change in changes],
        "traffic": None if traffic is None else traffic_json(traffic, rows, prompts=prompts),
    }
