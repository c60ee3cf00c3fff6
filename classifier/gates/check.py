"""A gate from a function of the user's own."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from classifier.gates.answer import Answer
from classifier.gates.gate import Gate, Steps, Verdict
from classifier.gates.options import expect_share

Opinion: TypeAlias = bool | float | Verdict

_NUMBERS = (int, float, np.integer, np.floating)


@dataclass(frozen=True, slots=True)
class Check(Gate):
    """Judges by a function, synchronous or asynchronous, of the `Answer`.

    Parameters
    ----------
    function : returns whether the answer passes, or a score from 0 to 1, or a `Verdict`. Anything else, a score out of
        range or NaN fails the answer, with a reason that says so. What it raises is left to whoever runs the gate.
    threshold : the least score that passes.
    name : by default the function's.

    Raises
    ------
    ConfigError : the threshold is out of range.
    """

    function: Callable[[Answer], Opinion | Awaitable[Opinion]]
    threshold: float = 0.5
    name: str = ""

    def __post_init__(self) -> None:
        expect_share("Check", "threshold", self.threshold)
        if not self.name:
            named = getattr(self.function, "__name__", "")
            object.__setattr__(self, "name", named if named.isidentifier() else "check")

    def steps(self, answer: Answer) -> Steps:
        """Call the function, and have its result awaited where it is awaitable."""
        opinion: Any = self.function(answer)
        if inspect.isawaitable(opinion):
            opinion = yield opinion
        return self._read(opinion)

    def _read(self, opinion: Any) -> Verdict:
        if isinstance(opinion, (bool, np.bool_)):
            return self.verdict(float(opinion), bool(opinion), "the check passed" if opinion else "the check failed")
        if isinstance(opinion, Verdict):
            sound = _is_share(opinion.score) and isinstance(opinion.passed, bool)
            return opinion if sound else self._unsound("a verdict whose score is not from 0 to 1")
        if not isinstance(opinion, _NUMBERS):
            return self._unsound(type(opinion).__name__)
        if not _is_share(opinion):
            return self._unsound("a number that is not from 0 to 1")
        score = float(opinion)
        return self.verdict(score, score >= self.threshold, f"scored {score:.2f}")

    def _unsound(self, found: str) -> Verdict:
        reason = f"the check returned {found}, expected a bool, a number from 0 to 1 or a Verdict"
        return self.verdict(0.0, False, reason)


def _is_share(value: Any) -> bool:
    return isinstance(value, _NUMBERS) and bool(0 <= value <= 1)
