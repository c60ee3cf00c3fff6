"""Where a router's cascades would have begun for logged requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.cascade.route import find_route
from classifier.cascade.settings import usual_odds
from classifier.catalog import Menu, Tier
from classifier.decision import Decision
from classifier.errors import NoFeasibleTierError
from classifier.features import Features
from classifier.request import Request
from classifier.router import Router
from training.log.observed import Observed

HASHED = "only a hash of the request is kept"
SEALED = "their features are of another version, or sealed with a key that is not at hand ($TIERWISE_STORE_KEY)"
FOREIGN = "the features that are kept are of another kind than the artifact's"
UNSERVED = "no tier of the artifact can serve the request"

_CHUNK = 2000

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Starts:
    """Where n cascades begin, in places of today's menu of t tiers.

    Attributes
    ----------
    place : (n,); -1: unknown.
    problems : (n,) why it is; empty where it is known.
    quality, cost : (n, t) what the router expects of every tier, 0..1 and USD; NaN where it says nothing.
    """

    place: NDArray[np.int64]
    problems: tuple[str, ...]
    quality: _Float
    cost: _Float

    def rows(self, places: NDArray[np.int64]) -> Starts:
        """Some rows, in the order given."""
        problems = tuple(self.problems[place] for place in places)
        return Starts(self.place[places], problems, self.quality[places], self.cost[places])


def find_starts(router: Router, observed: Observed, menu: Menu, kinds: Mapping[str, Any]) -> Starts:
    """Where the router would begin, with the odds that a cascade of its own takes by default.

    Rows logged under its own artifact say where it meant to begin. Others are decided anew, by the request or by the
    features that are kept of it.

    Parameters
    ----------
    menu : today's, whose tiers are the columns of ``observed``; tiers are matched by model and arguments.
    kinds : by the digests of artifacts, "" where rules decided, the kind of features that rows were logged with
        (`feature_kind`).
    """
    places = np.array([_place(menu, tier) for tier in router.tiers])
    rows, tiers, odds = len(observed), len(menu.tiers), usual_odds(router)
    found = np.full(rows, -1)
    quality, cost = np.full((rows, tiers), np.nan), np.full((rows, tiers), np.nan)
    problems = [""] * rows
    learned = places[: len(router.learned_tiers)]
    known, sources = learned >= 0, learned[learned >= 0]
    for row, decision in _decisions(router, observed, kinds):
        if isinstance(decision, str):
            problems[row] = decision
            continue
        start = find_route(decision, odds).places[0]
        found[row] = places[start]
        if found[row] < 0:
            problems[row] = f"it would go to {router.tiers[start].model}, which is not of today's menu"
        quality[row, sources] = np.array(decision.prediction.quality)[known]
        cost[row, sources] = np.array(decision.costs)[known]
    for row in np.flatnonzero(_own(router, observed)).tolist():
        found[row], problems[row] = observed.planned[row], ""
    return Starts(found, tuple(problems), quality, cost)


def feature_kind(router: Router) -> Any:
    """What features of two artifacts have to share to mean the same."""
    return router.loaded.feature_kind


def features_of(router: Router, observed: Observed, row: int) -> Features:
    """What the router's model sees of a row whose request, or whose features of its kind, are kept."""
    request = observed.asked.requests[row]
    if request is not None:
        return router.features(request)
    kept = observed.asked.features[row]
    assert isinstance(kept, Features)
    return kept


def tell_problems(observed: int, problems: Sequence[str]) -> tuple[str, ...]:
    """Sentences on rows that are left out, the most frequent first.

    Parameters
    ----------
    observed : rows that there were. problems : one a row; empty where it is used.
    """
    return tuple(
        f"{count:,} of {observed:,} requests are left out: {problem}"
        for problem, count in Counter(filter(None, problems)).most_common()
    )


def _place(menu: Menu, tier: Tier) -> int:
    same = menu.counterpart(tier)
    return -1 if same is None else menu.tiers.index(same)


def _own(router: Router, observed: Observed) -> NDArray[np.bool_]:
    """(n,): the row says where the router itself meant to begin."""
    digests = np.array([digest == router.digest for digest in observed.artifacts])
    own: NDArray[np.bool_] = digests[observed.artifact] & (observed.planned >= 0)
    return own


def _decisions(router: Router, observed: Observed, kinds: Mapping[str, Any]) -> Iterator[tuple[int, Decision | str]]:
    """Rows with the router's decision, or why there is none."""
    waiting: list[tuple[int, Request]] = []
    for row, (request, kept) in enumerate(zip(observed.asked.requests, observed.asked.features, strict=True)):
        if request is not None:
            waiting.append((row, request))
            if len(waiting) == _CHUNK:
                yield from _routed(router, waiting)
                waiting = []
        elif kept is None:
            yield row, HASHED
        elif not isinstance(kept, Features):
            yield row, SEALED
        elif kinds.get(observed.artifacts[observed.artifact[row]] or "") != feature_kind(router):
            yield row, FOREIGN
        else:
            yield row, _decided(router, kept)
    yield from _routed(router, waiting)


def _routed(router: Router, waiting: Sequence[tuple[int, Request]]) -> Iterator[tuple[int, Decision | str]]:
    requests = [request for _, request in waiting]
    try:
        found: list[Decision | str] = [*router.route_many(requests)]
    except NoFeasibleTierError:  # one of them has none; the others have
        found = [_decided(router, request) for request in requests]
    yield from zip((row for row, _ in waiting), found, strict=True)


def _decided(router: Router, asked: Request | Features) -> Decision | str:
    try:
        return router.decide(asked) if isinstance(asked, Request) else router.decide_on(asked)
    except NoFeasibleTierError:
        return UNSERVED
