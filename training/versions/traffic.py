"""Which requests go elsewhere when one artifact takes another's place, and what that is expected to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.decision import Decision
from classifier.request import Request
from classifier.router import Router


@dataclass(frozen=True, slots=True)
class View:
    """What one of the two artifacts expects of both ways of routing.

    Attributes
    ----------
    requests : those whose tiers, chosen before and after, it has learned about both; the means are theirs.
    cost_before, cost_after : mean expected USD a request; NaN where there are no requests.
    quality_before, quality_after : mean expected quality, 0..1; NaN where there are no requests.
    """

    requests: int
    cost_before: float
    cost_after: float
    quality_before: float
    quality_after: float


@dataclass(frozen=True, slots=True)
class Move:
    """Requests that go from one tier to another.

    Attributes
    ----------
    before, after : the tiers' names.
    rows : places of the requests among those given, ascending.
    view : what the later artifact expects of them.
    """

    before: str
    after: str
    rows: tuple[int, ...]
    view: View


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests routed by both artifacts.

    Attributes
    ----------
    requests : how many.
    moves : where some go elsewhere; most requests first.
    by_before, by_after : what the earlier and the later artifact expect of all requests. Each thinks its own choices
        good: only outcomes tell who is right.
    """

    requests: int
    moves: tuple[Move, ...]
    by_before: View
    by_after: View

    @property
    def moved(self) -> int:
        """How many requests go elsewhere."""
        return sum(len(move.rows) for move in self.moves)


def compare_traffic(before: Router, after: Router, requests: Sequence[Request]) -> Traffic:
    """Route requests by both.

    Raises
    ------
    NoFeasibleTierError : no tier of one of them can serve one of the requests.
    """
    old, new = before.route_many(requests), after.route_many(requests)
    pairs = [(was.tier, becomes.tier) for was, becomes in zip(old, new, strict=True)]
    later = _expected(after, new, pairs)
    rows: dict[tuple[str, str], list[int]] = {}
    for row, pair in enumerate(pairs):
        if pair[0] != pair[1]:
            rows.setdefault(pair, []).append(row)
    moves = [Move(*pair, tuple(places), _view(later[places])) for pair, places in rows.items()]
    return Traffic(
        requests=len(pairs),
        moves=tuple(sorted(moves, key=lambda move: (-len(move.rows), move.before, move.after))),
        by_before=_view(_expected(before, old, pairs)),
        by_after=_view(later),
    )


def _expected(router: Router, decisions: Sequence[Decision], pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
    """What a router expects of two tiers for each request: (n, 4) cost and quality before, cost and quality after.

    NaN where it has not learned about a tier.
    """
    places = {tier.name: place for place, tier in enumerate(router.learned_tiers)}
    found = np.full((len(pairs), 4), np.nan)
    for row, (decision, pair) in enumerate(zip(decisions, pairs, strict=True)):
        for column, name in enumerate(pair):
            if name in places:
                place = places[name]
                found[row, 2 * column : 2 * column + 2] = decision.costs[place], decision.prediction.quality[place]
    return found


def _view(expected: NDArray[np.float64]) -> View:
    known = expected[~np.isnan(expected).any(axis=1)]
    if not len(known):
        return View(0, *[float("nan")] * 4)
    cost_before, quality_before, cost_after, quality_after = known.mean(axis=0).tolist()
    return View(len(known), cost_before, cost_after, quality_before, quality_after)
