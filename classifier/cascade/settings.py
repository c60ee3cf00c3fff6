"""What a cascade is made with."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack, cast

from openai import AsyncOpenAI, OpenAI

from classifier.cascade.background import CLOSE_TIMEOUT, LeftOut
from classifier.cascade.budget import Budget
from classifier.cascade.candidate import make_candidate
from classifier.cascade.engine import Engine
from classifier.cascade.limits import AnswerLimits
from classifier.cascade.recording import OutcomeSink, Recorder
from classifier.cascade.route import GateRates, Odds
from classifier.cascade.run import Policy
from classifier.cascade.transport import guarded
from classifier.errors import InputError
from classifier.gates import AllOf, Gate, LearnedGate, SecondOpinion, default_gate
from classifier.gates.stored import CascadeSetting, has_gate
from classifier.router import Router
from classifier.shared import shared_router

if TYPE_CHECKING:
    from classifier.outcomes import OutcomeStore


class Options(TypedDict, total=False):
    """Keyword arguments of `Cascade` and `AsyncCascade`.

    router : default: the shared one of `classifier.predict_model`.
    gate : what an answer must pass to be kept; default: `classifier.gates.default_gate`, and the learned gate where the
        router's artifact has one that is certified.
    rates : how often the gate passes good and bad answers, which decides whether trying a tier is worth it; default: a
        learned gate's own odds, else those of a gate that lets three quarters of the bad answers pass.
    start : "router" (default): where the router's expectations say that it is worth most; "cheapest"; or a tier's name.
    deadline : seconds for all of a request's calls together, 600 by default; for a stream, until it says something, and
        from each chunk to the next. A ``timeout`` given with the request takes its place. None: the client's own limit
        for each call.
    retries : how often the last tier is asked again, after a pause, when nothing else is left; 2 by default.
    store : a `classifier.outcomes.OutcomeStore` or its URL; None: nothing is kept.
    explore : share of the requests that begin at another tier than the chosen one, drawn at random among those whose
        expected quality is at least ``explore_floor`` (0.9) of the reference's.
    candidate : an artifact that may come into use: a path, such as ``models/candidate`` (a pointer that retraining
        writes and empties; it may be missing, and is looked at every few seconds), a `Router`, or one that is watched.
        Where it would begin elsewhere, requests explore that start, whatever ``explore_floor`` is; the share that
        explores stays ``explore``. One that is broken, missing or slow is as none.
    explore_directed : part of ``explore`` that is spent so, 0.75 by default and below 1; the rest is drawn as without.
    audit : share of the answers passed by the gate for which the reference is asked as well, in the background, so that
        the gate's false-pass rate is known. ``audit_gate`` judges both; without one they are compared.
    budget : spend limits.
    limits : how large an answer may be, see `AnswerLimits`; what is larger is malformed, and another tier is asked.
    close_timeout : seconds, 10 by default, that closing the cascade, or the end of a process that does not, waits for
        audits, and as many for outcomes; audits that are not done by then are left out, and counted.
    stream_optimistically : with ``stream=True``, stream the first tier's answer without waiting for the gate, whose
        verdict is then only recorded.
    """

    router: Router | None
    gate: Gate | None
    rates: GateRates | None
    start: str
    deadline: float | None
    retries: int
    store: OutcomeSink | str | None
    explore: float
    explore_floor: float
    candidate: Router | str | Path | None
    explore_directed: float
    audit: float
    audit_gate: Gate | None
    budget: Budget | None
    limits: AnswerLimits
    close_timeout: float
    stream_optimistically: bool


_NUMBER = (int, float)
_NONE = type(None)
_KINDS: dict[str, tuple[type, ...]] = {
    "router": (Router, _NONE),
    "gate": (Gate, _NONE),
    "rates": (GateRates, _NONE),
    "start": (str,),
    "deadline": (*_NUMBER, _NONE),
    "retries": (int,),
    "store": (object,),
    "explore": _NUMBER,
    "explore_floor": _NUMBER,
    "candidate": (Router, str, Path, _NONE),
    "explore_directed": _NUMBER,
    "audit": _NUMBER,
    "audit_gate": (Gate, _NONE),
    "budget": (Budget, _NONE),
    "limits": (AnswerLimits,),
    "close_timeout": _NUMBER,
    "stream_optimistically": (bool,),
}
Client = TypeVar("Client", OpenAI, AsyncOpenAI)


class Settings:
    """The parts that both cascades work with.

    Attributes
    ----------
    engine, recorder : decide on requests and tell the store of them.
    limits, close_timeout : see `Options`.
    left_out : counts the audits that were drawn and not done.
    store : None: nothing is kept.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        """Check the options and make the parts.

        Raises
        ------
        InputError : a number is out of range, ``start`` is no tier, or the store's URL is wrong.
        ArtifactError : no router was given, and the shared one cannot be loaded.
        """
        _check(options)
        self.limits = options.get("limits") or AnswerLimits()
        self.close_timeout = options.get("close_timeout", CLOSE_TIMEOUT)
        self.left_out = LeftOut()
        given = options.get("store")
        self.owns_store = isinstance(given, str)
        self.store = _opened(given) if isinstance(given, str) else _usable(given)
        router = options.get("router") or shared_router()
        gate = options.get("gate") or _usual_gate(router)
        defaults = Policy(gate)
        policy = Policy(
            gate=gate,
            odds=options.get("rates") or _odds(gate),
            start=options.get("start", defaults.start),
            deadline=options.get("deadline", defaults.deadline),
            retries=options.get("retries", defaults.retries),
            explore=options.get("explore", defaults.explore),
            explore_floor=options.get("explore_floor", defaults.explore_floor),
            explore_directed=options.get("explore_directed", defaults.explore_directed),
            audit=options.get("audit", defaults.audit),
            audit_gate=options.get("audit_gate"),
            budget=options.get("budget"),
            stream_optimistically=options.get("stream_optimistically", False),
        )
        self.recorder = Recorder(self.store)
        self.engine = Engine(
            router,
            policy,
            candidate=make_candidate(options.get("candidate"), router),
            record=self.recorder if self.store is not None else None,
        )
        self.engine.check_start()

    def record_feedback(self, outcome: str | None, score: float, tier: str | None) -> None:
        """Tell the store how good an answer was.

        Raises
        ------
        InputError : there is no store, there is no id, or the score is not from 0 to 1.
        """
        if self.store is None:
            raise InputError("this cascade keeps no outcomes; give it a store, such as store='sqlite:///outcomes.db'")
        if not isinstance(outcome, str):
            raise InputError(
                f"feedback: found {outcome!r} as the outcome's id; expected CascadeResult.id or outcome_id()"
            )
        self.store.record_feedback(outcome, score, tier=tier)

    def close(self) -> None:
        """Finish what the cascade's own store has not yet written, as far as that goes in time."""
        if self.owns_store:
            cast("OutcomeStore", self.store).close(self.close_timeout)


def usual_odds(router: Router) -> Odds:
    """What a cascade that is made with a router alone takes the odds of a try to be, see `find_route`."""
    return _odds(_usual_gate(router))


def _odds(gate: Gate) -> Odds:
    return _learned_odds(gate) or Policy(gate).odds


def _usual_gate(router: Router) -> Gate:
    """The gate for someone who gives none."""
    if not has_gate(router.artifact):
        return default_gate()
    learned = LearnedGate.load(router)
    return default_gate() & learned if learned.promise.usable else default_gate()


def _learned_odds(gate: Gate) -> CascadeSetting | None:
    """What may come of a try by a learned gate that every answer has to pass; None where there is none."""
    if isinstance(gate, SecondOpinion):
        return _learned_odds(gate.gate)
    if isinstance(gate, LearnedGate):
        return gate.promise.setting
    parts = gate.gates if isinstance(gate, AllOf) else ()
    return next((odds for odds in map(_learned_odds, parts) if odds is not None), None)


def own_client(client: Client, kind: type[Client], limits: AnswerLimits) -> Client:
    """A client without retries of its own, whose calls keep deadlines and limits, see `classifier.cascade.transport`.

    Raises
    ------
    InputError : it is of another kind.
    """
    if not isinstance(client, kind):
        raise InputError(f"client: found {type(client).__name__}, expected openai.{kind.__name__}")
    return client.with_options(max_retries=0, http_client=cast(Any, guarded(client._client, limits)))


def own_clients(clients: Mapping[str, Client] | None, settings: Settings, kind: type[Client]) -> dict[str, Client]:
    """The clients of tiers that have their own, by the tier's name; raises as `own_client`, and for a tier unknown."""
    found = {}
    router = settings.engine.router
    for name, each in (clients or {}).items():
        tier = router.menu.find(name)
        if tier is None:
            names = ", ".join(tier.name for tier in router.tiers)
            raise InputError(f"clients: '{name}' is no tier; expected one of: {names}")
        found[tier.name] = own_client(each, kind, settings.limits)
    return found


def _check(options: Options) -> None:
    for name, value in options.items():
        if name not in _KINDS:
            raise InputError(f"'{name}' is no option of a cascade; expected one of: {', '.join(_KINDS)}")
        if not isinstance(value, _KINDS[name]):
            raise InputError(f"{name}: found {_shown(value)}, expected {_wanted(_KINDS[name])}")
    shares = {
        "explore": options.get("explore", 0.0),
        "explore_floor": options.get("explore_floor", 0.0),
        "audit": options.get("audit", 0.0),
    }
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise InputError(f"{name} is {share}; expected a share from 0 to 1, such as 0.02")
    directed = options.get("explore_directed", 0.0)
    if not 0 <= directed < 1:
        raise InputError(f"explore_directed is {directed}; expected a part from 0 to below 1, such as 0.75")
    deadline, retries = options.get("deadline"), options.get("retries", 0)
    if deadline is not None and not (isfinite(deadline) and deadline > 0):
        raise InputError(f"deadline is {deadline}; expected seconds, a number above 0, or None")
    close_timeout = options.get("close_timeout", 0.0)
    if not (isfinite(close_timeout) and close_timeout >= 0):
        raise InputError(f"close_timeout is {close_timeout}; expected seconds, a number of 0 or more")
    if retries < 0:
        raise InputError(f"retries is {retries}; expected a whole number of 0 or more")


def _usable(store: OutcomeSink | None) -> OutcomeSink | None:
    if store is not None and not hasattr(store, "record"):
        raise InputError(f"store: found {_shown(store)}, expected an OutcomeStore or its URL (sqlite:///outcomes.db)")
    return store


def _opened(url: str) -> OutcomeSink:
    from classifier.outcomes import OutcomeStore

    return OutcomeStore(url)


def _shown(value: object) -> str:
    """A value in few words: of a class, that it is one."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def _wanted(kinds: tuple[type, ...]) -> str:
    names = [("a number" if kind is float else kind.__name__) for kind in kinds if kind not in (int, _NONE)]
    return " or ".join([*(names or ["a whole number"]), *(["None"] if _NONE in kinds else [])])
