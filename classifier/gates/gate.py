"""Gates: is this answer good enough to be kept, or must a dearer tier answer?

A gate does no input or output of its own. `Gate.steps` is a generator: where a gate needs another call it yields an
`Ask`, and whoever runs it, in synchronous or asynchronous code, makes the call and sends the `Answer` back (or throws
in what the call raised). An awaitable that it yields is awaited, and its result sent back. It returns a `Verdict`.

    gate = Finished() & NotEmpty() & (Agreement(k=2) | Judge("medium"))

A gate that raises has not passed; what that means is for whoever runs it.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from classifier.gates.answer import Answer


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate says of an answer.

    Attributes
    ----------
    gate : the gate's name.
    score : 0..1, how likely the answer is adequate as far as this gate can tell.
    passed : whether the answer may be kept.
    reason : a few words; never from the prompt or the answer.
    parts : the verdicts that this one was made from, in the order in which they were reached.
    """

    gate: str
    score: float
    passed: bool
    reason: str
    parts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """Another call that a gate needs.

    Attributes
    ----------
    purpose : what for.
    tier : who is to be asked; None: the tier that gave the answer.
    arguments : of a chat-completions call, without ``model``.
    """

    purpose: Literal["judge", "agreement"]
    tier: str | None
    arguments: Mapping[str, Any] = field(repr=False)


Steps: TypeAlias = Generator[Ask | Awaitable[Any], Any, Verdict]


class Gate(ABC):
    """Base of all gates; ``a & b`` passes when both do, ``a | b`` when one does."""

    name: str

    @abstractmethod
    def steps(self, answer: Answer) -> Steps:
        """Judge an answer, yielding what must be asked or awaited on the way."""

    def needs(self) -> Mapping[str, Any]:
        """Arguments that the call whose answer is judged should carry."""
        return {}

    def verdict(self, score: float, passed: bool, reason: str) -> Verdict:
        """A verdict in this gate's name."""
        return Verdict(self.name, score, passed, reason)

    def __and__(self, other: Gate) -> Gate:
        return AllOf((self, other))

    def __or__(self, other: Gate) -> Gate:
        return AnyOf((self, other))


class SimpleGate(Gate):
    """A gate that decides by itself."""

    @abstractmethod
    def judge(self, answer: Answer) -> Verdict:
        """Judge an answer."""

    def steps(self, answer: Answer) -> Steps:
        """Judge an answer; asks nothing."""
        yield from ()
        return self.judge(answer)


class _Composition(Gate):
    """Gates tried in order until one decides."""

    sign: str

    def __init__(self, gates: tuple[Gate, ...]) -> None:
        """Compose at least one gate; compositions of the same kind among them are taken apart."""
        if not gates:
            raise TypeError("a composition has no gates, expected at least one")
        self.gates: tuple[Gate, ...] = tuple(
            part for gate in gates for part in (gate.gates if isinstance(gate, type(self)) else (gate,))
        )
        self.name = f" {self.sign} ".join(
            f"({gate.name})" if isinstance(gate, _Composition) else gate.name for gate in self.gates
        )

    def needs(self) -> Mapping[str, Any]:
        """What its gates need, together; of two that differ on one argument the later has its way."""
        return {name: value for gate in self.gates for name, value in gate.needs().items()}

    def _try_until(self, passed: bool, answer: Answer) -> Generator[Ask | Awaitable[Any], Any, tuple[Verdict, ...]]:
        """The verdicts up to the first that passes (or, for False, fails)."""
        verdicts: list[Verdict] = []
        for gate in self.gates:
            verdicts.append((yield from gate.steps(answer)))
            if verdicts[-1].passed == passed:
                break
        return tuple(verdicts)


class AllOf(_Composition):
    """Passes when every gate does. They are tried in order, and none after the first that fails.

    Cheap gates go first, so that no judge is paid for an empty answer. The score is the lowest of those reached.
    """

    sign = "&"

    def steps(self, answer: Answer) -> Steps:
        """Judge by each gate in turn, until one fails."""
        parts = yield from self._try_until(False, answer)
        last = parts[-1]
        reason = "every gate passed" if last.passed else f"{last.gate}: {last.reason}"
        return Verdict(self.name, min(part.score for part in parts), last.passed, reason, parts)


class AnyOf(_Composition):
    """Passes when one gate does. They are tried in order, and none after the first that passes.

    The score is the highest of those reached.
    """

    sign = "|"

    def steps(self, answer: Answer) -> Steps:
        """Judge by each gate in turn, until one passes."""
        parts = yield from self._try_until(True, answer)
        last = parts[-1]
        reason = f"{last.gate}: {last.reason}" if last.passed else "no gate passed"
        return Verdict(self.name, max(part.score for part in parts), last.passed, reason, parts)


def run_gate(gate: Gate, answer: Answer, respond: Callable[[Ask], Answer] | None = None) -> Verdict:
    """Judge an answer here and now.

    Parameters
    ----------
    gate, answer : what is to be judged, and by what.
    respond : answers what the gate asks, such as from stored answers; what it raises is thrown into the gate.

    Raises
    ------
    TypeError : the gate needs an upstream and there is no ``respond``, or it needs something awaited.
    """
    steps = gate.steps(answer)
    try:
        wanted = next(steps)
        while True:
            if respond is None or not isinstance(wanted, Ask):
                raise _unanswerable(gate, wanted)
            try:
                reply = respond(wanted)
            except Exception as error:
                wanted = steps.throw(error)
            else:
                wanted = steps.send(reply)
    except StopIteration as end:
        verdict: Verdict = end.value
        return verdict
    finally:
        steps.close()


def _unanswerable(gate: Gate, wanted: Ask | Awaitable[Any]) -> TypeError:
    if inspect.iscoroutine(wanted):
        wanted.close()  # or Python warns that it was never awaited
    need = "another call" if isinstance(wanted, Ask) else "something awaited"
    return TypeError(f"gate {gate.name} needs {need}, which run_gate was given no means for; run it in a cascade")
