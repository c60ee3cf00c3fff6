"""AlpacaEval: ``annotations.json`` beside a leaderboard: two answers to an instruction and which one is preferred."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from training.imports.calls import Duel, Item, ScoredCall, Tool, Unanswered
from training.imports.content import Content
from training.imports.requests import asked_text, at, name_of, text_of
from training.imports.scores import number

_DUEL = frozenset({"instruction", "generator_1", "generator_2", "preference"})
_OUTPUT = frozenset({"instruction", "output", "generator"})


def _matches(content: Content) -> bool:
    return content.keys >= _DUEL


def _read(content: Content) -> Iterator[Item]:
    for source, record in content.records():
        winner = _winner(at(record, "preference"))
        if winner is None:  # the annotator's answer could not be understood
            yield Unanswered(source, "comparisons without a winner")
            continue
        first, second = (name_of(at(record, f"generator_{place}")) for place in (1, 2))
        request, task = asked_text(at(record, "instruction")), name_of(at(record, "dataset"))
        yield Duel(source, request, first, second, winner, task)


def _winner(preference: Any) -> str | None:
    """From 1 (the first is better) to 2 (the second is); 1.5, and 0 in old files, is a draw."""
    value = number(preference)
    if value is None or not (value == 0 or 1 <= value <= 2):
        return None
    if value in (0, 1.5):
        return "tie"
    return "model_a" if value < 1.5 else "model_b"


def _is_outputs(content: Content) -> bool:
    return content.keys >= _OUTPUT and "generator_1" not in content.keys


def _read_outputs(content: Content) -> Iterator[Item]:
    for source, record in content.records():
        yield ScoredCall(
            source,
            name_of(at(record, "generator")),
            asked_text(at(record, "instruction")),
            {"score": at(record, "score")},  # of whoever added one
            response=text_of(at(record, "output")),
            task=name_of(at(record, "dataset")),
        )


ALPACA_EVAL = Tool("AlpacaEval", _matches, _read, pairwise=True)
ALPACA_OUTPUTS = Tool(
    "AlpacaEval's model outputs", _is_outputs, _read_outputs, scoring="run alpaca_eval and take its annotations.json"
)
