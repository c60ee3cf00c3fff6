"""How well files that have one model each come together, and why not where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from training.tables.identity import folded_text
from training.tables.outcomes import Collector

_BADLY = 0.5
_HEAD = 60
_LOOKED_AT = 20_000


def join_notes(names: Sequence[str], rows: Sequence[Sequence[int]], out: Collector) -> list[list[str]]:
    """For each file, sentences about how its requests meet those of the files before it.

    Parameters
    ----------
    rows : of each file, the rows of the table that its rows became; empty where each row is one of its own.
    """
    found: list[list[str]] = []
    earlier: set[int] = set()
    for name, each in zip(names, rows, strict=True):
        own = set(each)
        found.append(list(_notes(name, own, earlier, out)) if own and earlier else [])
        earlier |= own
    differ = len(out.known.limits_differ)
    if differ:
        found[-1].append(f"max_tokens differs between the files for {differ:,} prompts, so it is not known there")
    return found


def _notes(name: str, own: set[int], earlier: set[int], out: Collector) -> Iterator[str]:
    shared = own & earlier
    if len(shared) >= _BADLY * len(own):
        return
    why = _why(sorted(own - shared)[:_LOOKED_AT], sorted(earlier - shared)[:_LOOKED_AT], out)
    yield f"only {len(shared):,} of its {len(own):,} prompts are in the files before it: {why}"


def _why(own: Sequence[int], earlier: Sequence[int], out: Collector) -> str:
    """What the prompts that do not meet differ by, where it is always the same."""
    ours = [folded_text(out.requests[row].whole) for row in own]
    theirs = [folded_text(out.requests[row].whole) for row in earlier]
    tests = (
        ("the same texts have another task, system prompt, tools or format there", lambda text: text),
        ("they differ in case or punctuation", _letters),
        ("one of them has more text at the end (a cut or an addition)", lambda text: text[:_HEAD]),
        ("one of them has more text at the beginning (a system prompt or template)", lambda text: text[-_HEAD:]),
    )
    for words, key in tests:
        known = {key(text) for text in theirs}
        if sum(key(text) in known for text in ours) >= _BADLY * len(ours):
            return words
    return "the texts are different ones"


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
