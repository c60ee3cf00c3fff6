"""Records as lines of JSON, in spill files and lossless exports.

A line is an object: "format", the number of this form; "kind", which is "decision", "attempt" or "feedback"; and the
record's fields. Times are ISO 8601, bytes base64; attempts stand inside their decision.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any

from classifier.outcomes.encoding import dump_json, load_json
from classifier.outcomes.records import AttemptRecord, DecisionRecord, FeedbackRecord, LateAttempt, Record

FORMAT = 1
_BYTES = ("features", "sealed")


class LineError(ValueError):
    """A line that is no record."""


def to_line(record: Record) -> str:
    """One line, with its line break; raises as `dump_json`, and TypeError where features are not sealed."""
    return dump_json(_to_object(record)) + "\n"


def from_line(line: str | bytes) -> Record:
    """The record of a line.

    Raises
    ------
    LineError : the line is cut, or not of this format; the message holds nothing of it.
    """
    try:
        content = load_json(line.decode() if isinstance(line, bytes) else line)
        if content["format"] != FORMAT:
            raise LineError("another format")
        return _from_object(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise LineError(f"no record: {type(error).__name__}") from None


def from_lines(lines: Iterable[bytes], broken: Callable[[bytes], object]) -> list[Record]:
    """The records of many lines; ``broken`` is told those that are none."""
    records = []
    for line in lines:
        try:
            records.append(from_line(line))
        except LineError:
            broken(line)
    return records


def _to_object(record: Record) -> dict[str, Any]:
    if isinstance(record, LateAttempt):
        return {"format": FORMAT, "kind": "attempt", "decision": record.decision, **values(record.attempt)}
    found = {**values(record), "time": record.time.isoformat()}
    if isinstance(record, FeedbackRecord):
        return {"format": FORMAT, "kind": "feedback", **found}
    for name in _BYTES:
        if found[name] is not None:
            found[name] = b64encode(found[name]).decode()
    return {"format": FORMAT, "kind": "decision", **found, "attempts": [values(each) for each in record.attempts]}


def _from_object(content: dict[str, Any]) -> Record:
    if content["kind"] == "attempt":
        return LateAttempt(str(content["decision"]), attempt_from(content))
    content["time"] = datetime.fromisoformat(content["time"])
    if content["kind"] == "feedback":
        return FeedbackRecord(**_known(FeedbackRecord, content))
    if content["kind"] != "decision":
        raise LineError("another kind")
    for name in _BYTES:
        if content.get(name) is not None:
            content[name] = b64decode(content[name])
    return decision_from(content, tuple(map(attempt_from, content["attempts"])))


def values(record: DecisionRecord | AttemptRecord | FeedbackRecord) -> dict[str, Any]:
    """A record's fields by name, as they are."""
    return {each.name: getattr(record, each.name) for each in fields(record)}


def attempt_from(content: dict[str, Any]) -> AttemptRecord:
    """The attempt with these fields; others are passed over."""
    return AttemptRecord(**{**_known(AttemptRecord, content), "gates": tuple(content["gates"])})


def decision_from(content: dict[str, Any], attempts: tuple[AttemptRecord, ...] = ()) -> DecisionRecord:
    """The decision with these fields; others are passed over."""
    lists = {name: tuple(content[name]) for name in ("menu", "probabilities", "expected_quality", "expected_cost")}
    return DecisionRecord(**{**_known(DecisionRecord, content), **lists, "attempts": attempts})


def _known(kind: type, content: dict[str, Any]) -> dict[str, Any]:
    return {each.name: content[each.name] for each in fields(kind) if each.name in content}
