"""What is noted of a version: a small JSON file beside the artifact."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from classifier.artifact import Artifact

FIGURES = ("saving", "kept", "quality", "cost")
_CHARS = 300


@dataclass(frozen=True, slots=True)
class PromotionVerdict:
    """What came of the last time that a candidate was judged.

    Attributes
    ----------
    time : when, UTC.
    against : name of the version that was in use; the artifact's file where none was.
    promote : it may take over.
    reasons : in sentences.
    rows, moved : requests that it was judged on, and how many of them it sends elsewhere.
    figures : "quality" and "cost" (USD a request), candidate minus the one in use, each with its 95% interval as "_low"
        and "_high"; "quality_at_least" and "saving_at_least", what was shown under repeated looks. Fewer where unknown.
    """

    time: datetime
    against: str
    promote: bool
    reasons: tuple[str, ...] = ()
    rows: int = 0
    moved: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The verdict in few words."""
        return f"{'passed' if self.promote else 'not proven'} on {self.rows:,} requests"


@dataclass(frozen=True, slots=True)
class Note:
    """Where a version comes from, and why it is kept.

    Attributes
    ----------
    time : when it was kept, UTC.
    origin : tables or stores that it was learned from.
    rows : rows that it was learned, chosen and tested on; None: unknown.
    figures : of what the artifact ships, on its test rows: "saving" and "kept" as shares of the reference's cost and
        quality, "quality" (0..1) and "cost" (USD a request); fewer where they are unknown.
    why : in a sentence, for people.
    learned_until : time of the last outcome that it was learned from, UTC; None: it was not learned from outcomes.
    verdict : of the last time that it was judged; None: it never was.
    """

    time: datetime
    origin: tuple[str, ...] = ()
    rows: int | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    why: str = ""
    learned_until: datetime | None = None
    verdict: PromotionVerdict | None = None


def note_of(
    artifact: Artifact,
    *,
    why: str = "",
    origin: Sequence[str] | None = None,
    time: datetime | None = None,
    learned_until: datetime | None = None,
) -> Note:
    """A note from what an artifact says of its training.

    Parameters
    ----------
    origin : None: the tables that its training lists.
    time : None: now.
    learned_until : aware; None: what the artifact's training says of it, if anything.
    """
    training = training_of(artifact)
    learned = learned_until or moment_of(training.get("learned_until"))
    parts = training.get("rows")
    counts = [count for count in parts.values() if type(count) is int] if isinstance(parts, dict) else []
    tables = training.get("tables")
    named = [str(table.get("file")) for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
    shipped = shipped_result(artifact)
    return Note(
        time=(time or datetime.now(UTC)).astimezone(UTC),
        origin=tuple(map(one_line, named if origin is None else origin)),
        rows=sum(counts) if counts else None,
        figures={name: float(shipped[name]) for name in FIGURES if type(shipped.get(name)) in (int, float)},
        why=one_line(why),
        learned_until=None if learned is None else learned.astimezone(UTC),
    )


def training_of(artifact: Artifact) -> dict[str, Any]:
    """An artifact's training summary; empty where it has none."""
    found = artifact.header.get("training")
    return found if isinstance(found, dict) else {}


def shipped_result(artifact: Artifact) -> dict[str, Any]:
    """The figures of what the artifact ships, on its test rows; empty where it has none."""
    training = training_of(artifact)
    results = training.get("test")
    shipped = [
        result
        for result in (results if isinstance(results, list) else [])
        if isinstance(result, dict) and result.get("name") == training.get("shipped")
    ]
    return shipped[0] if shipped else {}


def dump_note(note: Note) -> bytes:
    """A note as JSON."""
    fields = json.dumps(asdict(note), indent=2, ensure_ascii=False, default=datetime.isoformat)
    return (fields + "\n").encode()


def load_note(path: Path, time: datetime) -> Note:
    """A version's note; one that is missing or damaged says nothing but the version's time."""
    try:
        fields = json.loads(path.read_bytes())
        return Note(
            time=datetime.fromisoformat(fields["time"]).astimezone(UTC),
            origin=_lines(fields["origin"]),
            rows=None if fields["rows"] is None else int(fields["rows"]),
            figures=_numbers(fields["figures"]),
            why=one_line(str(fields["why"])),
            learned_until=moment_of(fields.get("learned_until")),
            verdict=_verdict(fields.get("verdict")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return Note(time)


def _verdict(fields: Any) -> PromotionVerdict | None:
    if fields is None:
        return None
    return PromotionVerdict(
        time=datetime.fromisoformat(fields["time"]).astimezone(UTC),
        against=one_line(str(fields["against"])),
        promote=bool(fields["promote"]),
        reasons=_lines(fields["reasons"]),
        rows=int(fields["rows"]),
        moved=int(fields["moved"]),
        figures=_numbers(fields["figures"]),
    )


def _lines(texts: Any) -> tuple[str, ...]:
    return tuple(one_line(str(text)) for text in texts)


def _numbers(fields: Any) -> dict[str, float]:
    return {str(name): float(value) for name, value in fields.items()}


def moment_of(text: Any) -> datetime | None:
    """An aware time written as ISO 8601; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
        return None if found.tzinfo is None else found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def one_line(text: str) -> str:
    """A text on one line, of bounded length, and with nothing in it that a terminal would obey."""
    line = "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))
    return line if len(line) <= _CHARS else line[: _CHARS - 3] + "..."
