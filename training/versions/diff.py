"""In what two artifacts differ."""

from __future__ import annotations

from dataclasses import dataclass

from classifier.router import Router
from training.versions.facts import facts


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes
    ----------
    part, name : as in `training.versions.facts.facts`.
    before, after : what each says; None where one says nothing of it.
    """

    part: str
    name: str
    before: str | None
    after: str | None


def diff(before: Router, after: Router) -> list[Change]:
    """What the artifact of ``after`` says otherwise than that of ``before``; the learned weights are not looked at."""
    old, new = facts(before), facts(after)
    return [
        Change(part, name, old.get(part, {}).get(name), new.get(part, {}).get(name))
        for part in {**old, **new}
        for name in {**old.get(part, {}), **new.get(part, {})}
        if old.get(part, {}).get(name) != new.get(part, {}).get(name)
    ]
