"""What a store teaches, in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from training.feedback.store import ReadStore


def show_store(console: Console, store: ReadStore) -> None:
    """What an outcome store teaches, and what it cannot."""
    labels = ", ".join(f"{count:,} by {source}" for source, count in store.signal.sources.items())
    console.print(escape(f"Answers that can be judged: {labels}"), highlight=False)
    for name, truth in store.signal.gates.items():
        rates = [
            f"{tier} {truth.passed.value[place]:.0%}"
            for place, tier in enumerate(store.signal.observed.tiers)
            if (store.signal.observed.verdict[:, place] == 1).any()
        ]
        if rates:
            console.print(
                escape(f"Of the answers that {name or 'the gate'} passed, adequate are: {', '.join(rates)}"),
                highlight=False,
            )
    for note in store.notes:
        console.print(f"  [yellow]{escape(note)}[/]", highlight=False)
