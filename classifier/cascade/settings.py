"""What a cascade is made with."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast

from openai import AsyncOpenAI, OpenAI

from classifier.cascade.background import CLOSE_TIMEOUT, LeftOut
from classifier.cascade.candidate import make_candidate
from classifier.cascade.engine import Engine
from classifier.cascade.limits import AnswerLimits
from classifier.cascade.options import Options, check_options, shown
from classifier.cascade.recording import OutcomeSink, Recorder
from classifier.cascade.route import Odds
from classifier.cascade.run import Policy
from classifier.cascade.transport import guarded
from classifier.errors import InputError
from classifier.gates import AllOf, Gate, LearnedGate, SecondOpinion, default_gate
from classifier.gates.stored import CascadeSetting, has_gate
from classifier.router import Router
from classifier.shared import shared_router

if TYPE_CHECKING:
    from classifier.outcomes import OutcomeStore


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
        check_options(options)
        self.limits = options.get("limits") or AnswerLimits()
        self.close_timeout = options.get("close_timeout", CLOSE_TIMEOUT)
        self.left_out = LeftOut()
        given = options.get("store")
        self.owns_store = isinstance(given, str)
        self.store = _opened(given) if isinstance(given, str) else _usable(given)
        router = options.get("router") or shared_router()
        gate = options.get("gate") or _usual_gate(router)
        chosen = {each.name: options[each.name] for each in fields(Policy) if each.name in options}  # type: ignore[literal-required]
        policy = Policy(**{**chosen, "gate": gate, "odds": options.get("rates") or _odds(gate)})
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
    if router.digest is None or not has_gate(router.artifact):
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


def client_of_tiers(clients: Mapping[str, Client] | None, settings: Settings) -> dict[str, Client]:
    """The user's own clients of tiers that have their own, by the tier's name."""
    menu = settings.engine.router.menu
    tiers = [(menu.find(name), each) for name, each in (clients or {}).items()]
    return {tier.name: each for tier, each in tiers if tier is not None}


def homes_of(clients: Mapping[str, OpenAI | AsyncOpenAI], common: OpenAI | AsyncOpenAI) -> dict[str, Hashable]:
    """By tier, whose account its client of its own uses, where that is another than the common client's."""
    homes = {name: _account(each) for name, each in clients.items()}
    return {name: home for name, home in homes.items() if home != _account(common)}


def _account(client: OpenAI | AsyncOpenAI) -> Hashable:
    return str(client.base_url), client.api_key, client.organization, client.project


def own_clients(clients: Mapping[str, Client] | None, settings: Settings, kind: type[Client]) -> dict[str, Client]:
    """The clients of tiers that have their own, by the tier's name; raises as `own_client`, and for a tier unknown."""
    found = {}
    router = settings.engine.router
    for name, each in (clients or {}).items():
        tiers = router.menu.sharing(name)
        if not tiers:
            names = ", ".join(tier.name for tier in router.tiers)
            raise InputError(f"clients: '{name}' is no tier; expected one of: {names}")
        own = own_client(each, kind, settings.limits)
        found.update(dict.fromkeys((tier.name for tier in tiers), own))
    return found


def _usable(store: OutcomeSink | None) -> OutcomeSink | None:
    if store is not None and not hasattr(store, "record"):
        raise InputError(f"store: found {shown(store)}, expected an OutcomeStore or its URL (sqlite:///outcomes.db)")
    return store


def _opened(url: str) -> OutcomeSink:
    from classifier.outcomes import OutcomeStore

    return OutcomeStore(url)
