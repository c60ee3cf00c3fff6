"""What the engine of a cascade asks of its driver, and what came of it.

The engine decides and never waits: it yields a `Call` (or an awaitable that a gate gave) and is sent back what came of
it. One driver performs calls with ``openai.OpenAI``, another awaits them with ``openai.AsyncOpenAI``; everything else
is shared.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from openai.types.chat import ChatCompletion

from classifier.catalog import Tier
from classifier.gates import Answer, Verdict
from classifier.prices import UNKNOWN_USAGE, Usage

ANSWER, EXPLORE, AUDIT = "answer", "explore", "audit"


@dataclass(frozen=True, slots=True)
class Call:
    """A chat completion to be asked for; sent back is a `ChatCompletion`, or the client's stream.

    Attributes
    ----------
    tier : whose model is called.
    arguments : of ``chat.completions.create``, without ``model``, ``stream`` and ``timeout``.
    timeout : seconds it may take; None: the client's own limit.
    stream : whether the answer is to be streamed; sent back is a stream that has begun to say something.
    gap : seconds from one chunk of a stream to the next, at most; None: the client's own limit.
    """

    tier: Tier
    arguments: Mapping[str, Any] = field(repr=False)
    timeout: float | None = None
    stream: bool = False
    gap: float | None = None


class NotSentError(Exception):
    """Something went wrong before anything was sent, so it is the caller's and no tier's.

    Attributes
    ----------
    reason : what was raised.
    """

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds to wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Something that a gate wants awaited; sent back is its result. ``timeout``: seconds it may take."""

    awaitable: Awaitable[Any]
    timeout: float | None


Result = TypeVar("Result")
Steps: TypeAlias = Generator[Call | Pause | Wait, Any, Result]


@dataclass(slots=True)
class Attempt:
    """One call and what came of it.

    Attributes
    ----------
    purpose : "answer", "explore" (an answer from a tier that was drawn), "audit", or what a gate asked for: "judge",
        "agreement".
    verdict : the gate's; None where none was asked.
    completion : what came back; None: it failed, or was streamed.
    answer : what is to be judged of it; None: it failed, or is still being streamed.
    tokens_in, tokens_out : as the upstream counts them; None: it does not say.
    usage : the same apart: cached, spoken, reasoning tokens and so on.
    cost : USD, as the upstream names it, else at the menu's prices; None: prices or tokens are unknown.
    cost_source : "upstream" or "usage", by which the cost is known; "estimate": it is not.
    estimated_cost : USD that it is taken to have cost, where the cost is unknown; None: it is known, or nothing is due.
    latency : seconds.
    error : what went wrong, in short ("timeout", "http 429"); None: nothing.
    reserved : USD set aside for it in the budget, while it is under way.
    exception : what it raised.
    """

    purpose: str
    tier: str
    model: str
    verdict: Verdict | None = None
    completion: ChatCompletion | None = field(default=None, repr=False)
    answer: Answer | None = field(default=None, repr=False)
    finish_reason: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    usage: Usage = field(default=UNKNOWN_USAGE, repr=False)
    cost: float | None = None
    cost_source: str | None = None
    estimated_cost: float | None = None
    latency: float = 0.0
    error: str | None = None
    reserved: float = field(default=0.0, repr=False)
    exception: Exception | None = field(default=None, repr=False)
