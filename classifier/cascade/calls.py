"""What the engine of a cascade asks of its driver, and what came of it.

The engine decides and never waits: it yields a `Call` (or an awaitable that a gate gave) and is sent back what came of
it. One driver performs calls with ``openai.OpenAI``, another awaits them with ``openai.AsyncOpenAI``; everything else
is shared.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

from classifier.arguments import Arguments
from classifier.cascade.limits import AnswerLimits
from classifier.cascade.usage import Bill
from classifier.catalog import Tier
from classifier.gates import Answer, Verdict
from classifier.prices import UNKNOWN_USAGE, Usage
from classifier.request import Request

ANSWER, EXPLORE, AUDIT = "answer", "explore", "audit"


class EventCollector(Protocol):
    """Takes in a stream's events, and knows what they have said so far.

    Attributes
    ----------
    id : by which a later request may refer to the answer; None: by none.
    finish_reason : why the answer ended; None while it has not.
    bill : what the upstream says that the call took and cost, as far as it has said so.
    """

    id: str | None
    finish_reason: str | None

    @property
    def bill(self) -> Bill:
        """See above."""

    def says(self, event: Any) -> bool:
        """Whether an event is part of an answer, after which the stream is the caller's; raises where it failed."""

    def add(self, event: Any) -> bool:
        """Take an event in; whether the caller is to see it."""

    def readable(self, event: Any) -> Any:
        """The event without what a caller would stumble over."""

    def answer(self, tier: str, model: str, request: Request, arguments: Mapping[str, Any]) -> Answer:
        """What was said, as a gate sees it."""


class Api(ABC):
    """One of the ways in which the client asks a model, and what sets it apart from the other.

    Attributes
    ----------
    name, path : of the client's resource, and where it posts to.
    counts_wanted : streams tell token counts only where ``stream_options`` ask for them.
    last : what ends a stream on the network.
    """

    name: ClassVar[str]
    path: ClassVar[str]
    counts_wanted: ClassVar[bool]
    last: ClassVar[bytes]

    @abstractmethod
    def resource(self, client: Any) -> Any:
        """The client's resource."""

    @abstractmethod
    def as_chat(self, arguments: dict[str, Any], earlier: Sequence[Any] = ()) -> Mapping[str, Any]:
        """The arguments as those of a chat completion, which the router, gates and the store read.

        What can be read only once is replaced by a list, in ``arguments`` too.

        Parameters
        ----------
        earlier : messages that the provider keeps, and that the arguments only refer to.
        """

    def earlier(self, arguments: Mapping[str, Any]) -> str | None:
        """Id of what was said earlier, where the provider keeps that; None: the arguments say all."""
        return None

    def references(self, arguments: Mapping[str, Any], answer_id: object) -> Sequence[str]:
        """Ids by which later requests may refer to a conversation that has got this answer."""
        return ()

    def is_final(self, arguments: Mapping[str, Any]) -> bool:
        """Whether the first answer must be the only one: what it changes at the provider cannot be taken back."""
        return False

    @abstractmethod
    def with_needs(self, arguments: Mapping[str, Any], needs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments with what a gate needs, which it says as for a chat completion."""

    @abstractmethod
    def asked(
        self, wanted: Mapping[str, Any], arguments: Mapping[str, Any], as_chat: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The arguments of a call that a gate wants, which it says as for a chat completion.

        Parameters
        ----------
        arguments, as_chat : those of the request in hand, which the gate may want asked again.
        """

    @abstractmethod
    def parse(self, body: bytes, response: Any, call: Call, limits: AnswerLimits) -> Any:
        """What came back, as the client itself would make it.

        Raises
        ------
        MalformedAnswerError : it is no answer. openai.APIStatusError : it says that the call has failed.
        """

    @abstractmethod
    def read(self, completion: Any, *, tier: str, model: str, request: Request, arguments: Mapping[str, Any]) -> Answer:
        """What came back, as a gate sees it.

        Raises
        ------
        MalformedAnswerError : there is nothing that could be judged.
        """

    @abstractmethod
    def of_tier(self, tier: Tier) -> Arguments:
        """What becomes of a call's arguments at a tier, in this API's words."""

    @abstractmethod
    def collector(self, usage_shown: bool) -> EventCollector:
        """Something that takes in the events of a stream."""

    @abstractmethod
    def events(self, completion: Any, usage_shown: bool) -> list[Any]:
        """What came back whole, as the events of a stream that add up to it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call to be made; sent back is a `ChatCompletion` or `Response`, or the client's stream.

    Attributes
    ----------
    tier : whose model is called.
    arguments : of the resource's ``create``, without ``model``, ``stream`` and ``timeout``.
    api : whose resource it is.
    timeout : seconds it may take; None: the client's own limit.
    stream : whether the answer is to be streamed; sent back is a stream that has begun to say something.
    gap : seconds from one chunk of a stream to the next, at most; None: the client's own limit.
    count : whether a stream is to count its tokens, whatever its caller asks for.
    """

    tier: Tier
    arguments: Mapping[str, Any] = field(repr=False)
    api: Api = field(kw_only=True)
    timeout: float | None = None
    stream: bool = False
    gap: float | None = None
    count: bool = True


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
    completion : what came back, a `ChatCompletion` or `Response`; None: it failed, or was streamed.
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
    completion: Any = field(default=None, repr=False)
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
