"""What is left of a record that cannot be written, as a line to set aside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from classifier.features import Features
from classifier.outcomes.encoding import dump_json
from classifier.outcomes.lines import to_line
from classifier.outcomes.records import AttemptRecord, DecisionRecord, LateAttempt, Record

_AS_THEY_ARE = ("time", "attempts", "attempt", "features", "sealed")
_LISTS = ("menu", "probabilities", "expected_quality", "expected_cost")


def dead_letter(record: Record, clean: Callable[[Record], Record], why: str) -> bytes:
    """A line like those of a spill file, without the fields that cannot be written, and with why; never raises.

    Parameters
    ----------
    clean : leaves out of a record what must not be kept, and seals; may raise.
    why : without any content.
    """
    for kept in (record, _readable(record)):
        try:
            line = to_line(clean(kept)).encode()
            return line.replace(b"{", b'{"set_aside":' + dump_json(why).encode() + b",", 1)
        except BaseException:  # then without what cannot be written
            continue
    name = record.id if not isinstance(record, LateAttempt) else record.decision
    return (dump_json({"set_aside": why, "id": name if isinstance(name, str) else None}) + "\n").encode()


def _readable(record: Any) -> Any:
    """The record with None in place of what cannot be written."""
    changed: dict[str, Any] = {
        each.name: None
        for each in fields(record)
        if each.name not in _AS_THEY_ARE and not _is_writable(getattr(record, each.name))
    }
    if isinstance(record, LateAttempt):
        changed["attempt"] = _readable(record.attempt)
    if isinstance(record, AttemptRecord) and "gates" in changed:
        changed["gates"] = ()
    if isinstance(record, DecisionRecord):
        changed |= {name: () for name in _LISTS if name in changed}
        changed["attempts"] = tuple(map(_readable, record.attempts))
        if not isinstance(record.features, Features | bytes):
            changed["features"] = None
    return replace(record, **changed)


def _is_writable(value: Any) -> bool:
    try:
        dump_json(value)
    except BaseException:  # a record's own objects may raise anything
        return False
    return True
