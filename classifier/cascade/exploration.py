"""Where a request that explores begins: at any other start alike, and more often where a candidate would begin.

A share e of the requests is to explore. A candidate, an artifact that may come into use, would begin at another tier
than the router in use with a share d of them. How the two compare shows only there, so most of e, the part c, is
spent there. A request begins at each of its k other starts with probability u / k, and, where the candidate would begin
at one of these, there with probability p more:

    p = min(c * e / d, (1/2 - e) / (1 - d)),    u = e - d * p.

On average d * p + u = e is explored, and less where requests have no other start. The second term of p keeps p + u, the
chance that a disagreement is explored, at 1/2 or below; where e is above that already, nothing is directed. With c
below 1, u is above 0 and so is every other start's probability.

d is not known: it is estimated from the requests before (`Account`). Where it rises, the estimate lags behind, and p is
held back so that of n requests never more than e * n + 10 are expected to explore. All that goes into a request's
probabilities was known before its draw, and none of it from what was drawn or answered: they are exactly those of the
draw.

Other starts are the tiers of which the router in use expects enough quality, and the candidate's, of which the
candidate expects enough: in question is which of the two is right. Before anyone has trained, all tiers are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from threading import Lock

from classifier.cascade.candidate import Candidate, Opinion
from classifier.cascade.fork import renew_in_child
from classifier.cascade.route import StartDraw, TierOrder, open_places, route_from
from classifier.cascade.run import Policy
from classifier.decision import Decision

_MOST = 0.5
_MEMORY = 2000  # requests
_UNSEEN = 10  # requests that count as disagreements before any was seen: little is spent until d is known
_BURST = 10.0
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Account:
    """What was seen of a candidate, and what was spent on it.

    Attributes
    ----------
    pair : digests of the artifact in use, None: there is none, and of the candidate.
    requests : that were counted, up to some thousands.
    share : of them where the two would begin elsewhere, 0..1: the mean of the first, then an exponentially fading one;
        too large rather than too small at the beginning.
    overspent : requests expected to explore beyond their share, from -`_BURST` to `_BURST`.
    """

    pair: tuple[str | None, str]
    requests: int = 0
    share: float = 1.0
    overspent: float = 0.0

    def after(self, differs: bool, beyond: float) -> Account:
        """The same after one more request; ``beyond``: the probability that it explores, less the share that is to."""
        requests = min(self.requests + 1, _MEMORY)
        share = self.share + (differs - self.share) / (requests + _UNSEEN)
        return Account(self.pair, requests, share, max(self.overspent + beyond, -_BURST))


class Explorer:
    """Lets routes begin elsewhere, by one policy; threads may share it."""

    def __init__(self, policy: Policy, candidate: Candidate | None, random: Random) -> None:
        """Prepare; ``candidate`` None: all other starts are alike."""
        self._policy, self._candidate, self._random = policy, candidate, random
        self._account: Account | None = None
        self._renew()
        renew_in_child(self._renew)

    def _renew(self) -> None:
        """In a child process, no thread holds the lock."""
        self._lock = Lock()

    def explore(self, route: TierOrder, decision: Decision) -> TierOrder:
        """The same route, or one that begins at another tier that was drawn."""
        policy = self._policy
        if policy.explore <= 0:
            return route
        opinion = None if self._candidate is None else self._candidate.ask(decision, policy)
        planned = route.places[0]
        others = other_starts(decision, planned, policy.explore_floor)
        if opinion is None and not others:
            return route
        if opinion is None:
            chances = start_chances(planned, others, policy.explore)
        else:
            with self._lock:
                chances = self._directed(decision, opinion, planned, others)
        place = _drawn(chances, self._random)
        places = route.places if place == planned else route_from(decision, policy.odds, place)
        return TierOrder(places, StartDraw(planned, chances, None if opinion is None else opinion.digest))

    def _directed(self, decision: Decision, opinion: Opinion, planned: int, others: Sequence[int]) -> dict[int, float]:
        """By place, the probability that the route begins there, where there is a candidate; counts the request."""
        policy, pair = self._policy, (decision.loaded.digest, opinion.digest)
        account = self._account
        if account is None or account.pair != pair:
            account = Account(pair)
        wanted = None if opinion.place == planned else opinion.place
        if wanted is not None and wanted not in others:
            others = [*others, wanted]
        more, even = split(policy.explore, policy.explore_directed, account.share)
        more = min(more, max(_BURST - account.overspent - even, 0.0))
        chances = start_chances(planned, others, even, wanted, more)
        self._account = account.after(wanted is not None, 1.0 - chances[planned] - policy.explore)
        return chances


def other_starts(decision: Decision, planned: int, floor: float) -> list[int]:
    """Places of other tiers whose expected quality is at least this share of the reference's.

    Before anyone has trained no quality is expected, and any tier may turn out to be good enough.
    """
    others, quality = [place for place in open_places(decision) if place != planned], decision.prediction.quality
    if decision.loaded.learned is None:
        return others
    least = floor * quality[decision.loaded.reference]
    return [place for place in others if quality[place] >= least]


def split(explore: float, directed: float, share: float) -> tuple[float, float]:
    """Probabilities p and u as above: by how much a start that a candidate wants is raised, and that of all others.

    Parameters
    ----------
    explore : share of the requests that begin elsewhere, above 0 and up to 1.
    directed : part of it for what the candidate wants, 0 or more and below 1.
    share : of the requests where it wants another start, 0..1.
    """
    more = min(directed * explore / max(share, _LEAST), (_MOST - explore) / max(1.0 - share, _LEAST))
    more = max(more, 0.0)
    return more, explore - share * more


def start_chances(
    planned: int, others: Sequence[int], even: float, wanted: int | None = None, more: float = 0.0
) -> dict[int, float]:
    """By place, the probability that a route begins there; the sum is 1.

    Parameters
    ----------
    even : of the other starts together. more : of ``wanted``, one of them, beside its part of ``even``.
    """
    if not others:
        return {planned: 1.0}
    chances = {place: even / len(others) + (more if place == wanted else 0.0) for place in others}
    return {planned: max(1.0 - sum(chances.values()), 0.0), **chances}


def _drawn(chances: Mapping[int, float], random: Random) -> int:
    places = list(chances)
    number = bisect_right(list(accumulate(chances.values())), random.random())
    return places[min(number, len(places) - 1)]
