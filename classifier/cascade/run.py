"""One request on its way through a cascade, and the policy it is treated by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from classifier.cascade.budget import Budget
from classifier.cascade.calls import Api, Attempt
from classifier.cascade.route import GateRates, Odds, TierOrder
from classifier.decision import Decision
from classifier.gates import Gate
from classifier.loaded import Loaded


@dataclass(frozen=True, slots=True)
class Policy:
    """How a cascade treats its requests; `classifier.cascade.options.Options` says what each field means."""

    gate: Gate
    odds: Odds = field(default_factory=GateRates)
    start: str = "router"
    deadline: float | None = 600.0
    retries: int = 2
    explore: float = 0.0
    explore_floor: float = 0.9
    explore_directed: float = 0.75
    audit: float = 0.0
    audit_gate: Gate | None = None
    budget: Budget | None = None
    stream_optimistically: bool = False


@dataclass(slots=True)
class CascadeRun:
    """One request.

    Attributes
    ----------
    id : of its outcome.
    time : when it came, seconds since 1970.
    policy : how it is treated.
    api : by which it came, and its answer is asked for.
    arguments : as its caller gave them.
    as_chat : the same as arguments of a chat completion, with what the provider keeps of the conversation, where known.
    final : the first answer must be the only one, see `Api.is_final`.
    limit : seconds that it may take; None: as long as the client allows.
    ends : when its time is up, by the engine's clock; None: never.
    attempts : every call that was made, in order.
    tried : places of the tiers that were asked for an answer, in order.
    errors : by place, what came of the last call there, where it failed.
    refused : places of the tiers that called the caller's own arguments a bad request.
    kept : the attempt whose answer the caller gets; None while there is none.
    stream : the client's stream, where the answer is one.
    passed : whether a gate passed the answer; None where none had to.
    audited : the reference is to be asked as well.
    recorded : how many of the attempts the outcome store knows of.
    """

    id: str
    time: float
    policy: Policy
    decision: Decision
    route: TierOrder
    api: Api
    arguments: Mapping[str, Any] = field(repr=False)
    as_chat: Mapping[str, Any] = field(repr=False)
    key: str | None
    wants_stream: bool
    final: bool
    limit: float | None
    ends: float | None
    attempts: list[Attempt] = field(default_factory=list)
    tried: list[int] = field(default_factory=list)
    errors: dict[int, Exception] = field(default_factory=dict, repr=False)
    refused: set[int] = field(default_factory=set)
    kept: Attempt | None = None
    stream: Any = field(default=None, repr=False)
    passed: bool | None = None
    audited: bool = False
    recorded: int = 0

    @property
    def loaded(self) -> Loaded:
        """The artifact or the rules that decided: a watched router may use another by now."""
        return self.decision.loaded

    @property
    def completion(self) -> Any:
        """The answer that the caller gets, where it is no stream: a `ChatCompletion` or `Response`."""
        assert self.kept is not None
        assert self.kept.completion is not None
        return self.kept.completion

    def shown(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments of one of its calls as gates see them."""
        return arguments if self.as_chat is self.arguments else self.as_chat

    @property
    def error(self) -> Exception:
        """What to raise where no tier answered: what the tier that was to answer raised, if it was asked."""
        return self.errors.get(self.route.places[-1]) or self.errors[self.tried[-1]]
