"""Conversations that a provider keeps, and that requests only refer to.

``previous_response_id`` and ``conversation`` work at the provider that gave the earlier answer, so only tiers that are
reached by the same account can go on. A cascade remembers what it was asked and what it answered, within bounds,
so that the router, gates and the outcome store see the whole of such a conversation. Of one that it does not know
(another process answered, or it was long ago) the router sees too little to pick a cheaper tier than the reference.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from classifier.cascade.fork import renew_in_child
from classifier.decision import Decision
from classifier.errors import InputError, NoFeasibleTierError

_MOST_KEPT = 10_000  # conversations
_MOST_CHARS = 2**24  # of all their messages together
_MOST_OF_ONE = 2**21
_LEAST_CHARS = 64  # that a value counts for, whatever it is


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was said earlier.

    Attributes
    ----------
    tier : that answered.
    messages : without instructions, which hold for one request only; None: it was too much to be remembered.
    """

    tier: str
    messages: Sequence[Any] | None = field(repr=False)


class Conversations:
    """Remembers the latest; threads may share it.

    Attributes
    ----------
    homes : by tier, whose account it is reached by, where that is another than most tiers'.
    """

    def __init__(self) -> None:
        self.homes: Mapping[str, Hashable] = {}
        self._kept: OrderedDict[str, tuple[Earlier, int]] = OrderedDict()
        self._chars = 0
        self._renew()
        renew_in_child(self._renew)

    def find(self, reference: str) -> Earlier | None:
        """What a response's or conversation's id stands for; None: it is not known here."""
        with self._lock:
            found = self._kept.get(reference)
        return None if found is None else found[0]

    def note(self, reference: str, tier: str, messages: Sequence[Any]) -> None:
        """Remember a conversation under the id that the next request of it will refer to."""
        chars = _size(messages)
        kept = Earlier(tier, messages if chars <= _MOST_OF_ONE else None)
        size = chars if kept.messages is not None else _LEAST_CHARS
        with self._lock:
            self._forget(reference)
            self._kept[reference] = kept, size
            self._chars += size
            while len(self._kept) > _MOST_KEPT or self._chars > _MOST_CHARS:
                self._forget(next(iter(self._kept)))

    def at_home(self, decision: Decision, earlier: Earlier | None, model: object) -> Decision:
        """A decision among the tiers that can go on with a conversation.

        Parameters
        ----------
        earlier : what is known of it.
        model : the request's own; where nothing is known, a tier's name says where the conversation is kept.

        Raises
        ------
        InputError : nobody says which of several clients knows the conversation.
        NoFeasibleTierError : no tier that is reached through that client can serve the request.
        """
        if not self.homes:
            return decision
        tiers = decision.loaded.tiers
        named = decision.loaded.menu.find(model) if earlier is None and isinstance(model, str) else None
        if earlier is None and named is None:
            raise InputError(
                "previous_response_id or conversation: this cascade did not answer what it refers to, and its tiers "
                "have several clients; name a tier of the client that did, as in model='opus'"
            )
        home = self.homes.get(earlier.tier if earlier is not None else named.name if named is not None else "")
        feasible = tuple(place for place in decision.feasible if self.homes.get(tiers[place].name) == home)
        if not feasible:
            raise NoFeasibleTierError(
                "no tier that can serve the request is reached through the client that keeps the conversation; send "
                "the whole of it as input"
            )
        position = next((place for place in feasible if place >= decision.position), feasible[-1])
        return replace(decision, feasible=feasible, position=position)

    def _forget(self, reference: str) -> None:
        found = self._kept.pop(reference, None)
        self._chars -= 0 if found is None else found[1]

    def _renew(self) -> None:
        self._lock = threading.Lock()


def _size(messages: Sequence[Any]) -> int:
    """About how many characters messages take; stops where it is too much."""
    chars, waiting = 0, list(messages)
    while waiting and chars <= _MOST_OF_ONE:
        value = waiting.pop()
        chars += len(value) if isinstance(value, str) else _LEAST_CHARS
        if isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
    return chars
