"""Gates: is this answer good enough to be kept, or must a dearer tier answer?

A gate does no input or output of its own. `Gate.steps` is a generator: where a gate needs another call it yields an
`Ask`, and whoever runs it, in synchronous or asynchronous code, makes the call and sends the `Answer` back (or throws
in what the call raised). An awaitable that it yields is awaited, and its result sent back. It returns a `Verdict`.

    gate = Finished() & NotEmpty() & (Agreement(k=2) | Judge("medium"))

A gate that raises, or whose call fails, has not passed. Beside others that is its own failure: ``a | b`` asks b then.
Alone, what it means is for whoever runs the gate.
"""

from __future__ import annotations

import inspect
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Literal, TypeAlias

from classifier.errors import RouterError
from classifier.gates.answer import Answer

_log = logging.getLogger(__name__)


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
    failed : the gate could not judge, as it raised or a call of its own failed: nothing is known of the answer.
    """

    gate: str
    score: float
    passed: bool
    reason: str
    parts: tuple[Verdict, ...] = ()
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """Another call that a gate needs.

    Attributes
    ----------
    purpose : what for.
    tier : who is to be asked; None: the tier that gave the answer.
    arguments : of a chat-completions call, without ``model``.
    optional : names of arguments that are the gate's own wish. Where the model refuses one, it is asked without.
    """

    purpose: Literal["judge", "agreement"]
    tier: str | None
    arguments: Mapping[str, Any] = field(repr=False)
    optional: frozenset[str] = frozenset()


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
        return {name: value for gate in self.gates for name, value in needs_of(gate).items()}

    def _try_until(self, passed: bool, answer: Answer) -> Generator[Ask | Awaitable[Any], Any, tuple[Verdict, ...]]:
        """The verdicts up to the first that passes (or, for False, fails)."""
        verdicts: list[Verdict] = []
        for gate in self.gates:
            verdicts.append((yield from _one_of_several(gate, answer)))
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
        return Verdict(self.name, min(part.score for part in parts), last.passed, reason, parts, last.failed)


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
        failed = not last.passed and any(part.failed for part in parts)
        return Verdict(self.name, max(part.score for part in parts), last.passed, reason, parts, failed)


def _one_of_several(gate: Gate, answer: Answer) -> Steps:
    """The verdict of a gate beside others, whose failure is its own."""
    try:
        verdict = yield from gate.steps(answer)
    except Exception as error:
        return failed_verdict(gate, error)
    return sound_verdict(gate, verdict)


def needs_of(gate: Gate) -> Mapping[str, Any]:
    """What a gate needs; nothing where it raises, for then the answer may still be judged without."""
    try:
        return dict(gate.needs())
    except Exception as error:
        _log.warning("gate %s raised %s when asked what it needs", _name_of(gate), type(error).__name__)
        return {}


def _name_of(gate: Gate) -> str:
    return str(getattr(gate, "name", type(gate).__name__))


def sound_verdict(gate: Gate, found: Any) -> Verdict:
    """What a gate returned, if it is a verdict with a score; else one that says that the gate has failed."""
    if isinstance(found, Verdict) and isinstance(found.score, Real) and not math.isnan(found.score):
        return found
    return failed_verdict(gate, TypeError(f"expected a Verdict with a score from 0 to 1, found {type(found).__name__}"))


def failed_verdict(gate: Gate, error: Exception) -> Verdict:
    """The verdict of a gate that raised; a line in the log says so."""
    # Only messages of our own are known to hold nothing of the request.
    detail = f" ({error})" if isinstance(error, RouterError) else ""
    name = _name_of(gate)
    _log.warning("gate %s raised %s%s; it counts as failed", name, type(error).__name__, detail)
    return Verdict(name, 0.0, False, f"the gate raised {type(error).__name__}", failed=True)


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
