"""Which requests a challenger sends elsewhere than the champion, what was seen of them, and what speaks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import Menu
from classifier.explain import TASK, WORDING
from classifier.features import Features
from classifier.router import Router
from classifier.traits import dense_traits, said_of
from training.challenge.starts import Starts, feature_kind, features_of
from training.log.observed import Observed

_EXPLAINED = 20
_REASONS = 4
_EXAMPLES = 3
_PROMPT_CHARS = 300
_LEAST = 0.01

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the log shows of cascades that began at a tier.

    Attributes
    ----------
    requests : how many began there.
    quality, cost : mean quality of the answers given, 0..1, and mean USD; None where there are none.
    """

    requests: int
    quality: float | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class Believed:
    """Mean expectations of one artifact for both tiers; None where it says nothing of one.

    Attributes
    ----------
    quality_before, quality_after : 0..1. cost_before, cost_after : USD of a call.
    """

    quality_before: float | None
    quality_after: float | None
    cost_before: float | None
    cost_after: float | None


@dataclass(frozen=True, slots=True)
class Moved:
    """Requests of one task whose cascades begin at another tier.

    Attributes
    ----------
    before, after : tiers of today's menu. task : a label; None: none was given.
    requests : how many. share : of all that were compared, 0..1.
    seen_before, seen_after : of these requests, those that the log began at either tier.
    by_champion, by_challenger : what either expects of these requests.
    reasons : what speaks for the tier after rather than the one before, strongest first: a feature in words that quote
        nothing, and what it adds to the log odds in which the challenger differs from the champion, on average.
    examples : decisions' ids. prompts : how these requests begin, where that was asked for.
    """

    before: str
    after: str
    task: str | None
    requests: int
    share: float
    seen_before: Seen
    seen_after: Seen
    by_champion: Believed
    by_challenger: Believed
    reasons: tuple[tuple[str, float], ...]
    examples: tuple[str, ...]
    prompts: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One of the two: its router, and where it begins."""

    router: Router
    starts: Starts


def find_moves(
    observed: Observed,
    menu: Menu,
    champion: Side,
    challenger: Side,
    quality: _Float,
    cost: _Float,
    *,
    prompts: bool,
) -> tuple[Moved, ...]:
    """Moves by tiers and task, the largest first.

    Parameters
    ----------
    observed : rows of which both starts are known.
    quality, cost : (n, t) of the whole cascades that began at each tier (`cascade_values`).
    prompts : show how some of the requests begin, where the store keeps that.
    """
    groups: dict[tuple[int, int, str], list[int]] = {}
    starts = zip(champion.starts.place.tolist(), challenger.starts.place.tolist(), observed.asked.tasks, strict=True)
    for row, (before, after, task) in enumerate(starts):
        if before != after:
            groups.setdefault((before, after, task or ""), []).append(row)
    listed = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return tuple(
        Moved(
            before=observed.tiers[before],
            after=observed.tiers[after],
            task=task or None,
            requests=len(rows),
            share=len(rows) / len(observed),
            seen_before=_seen(quality[rows, before], cost[rows, before]),
            seen_after=_seen(quality[rows, after], cost[rows, after]),
            by_champion=_believed(champion.starts, rows, before, after),
            by_challenger=_believed(challenger.starts, rows, before, after),
            reasons=_reasons(observed, menu, champion.router, challenger.router, rows[:_EXPLAINED], before, after),
            examples=tuple(observed.asked.ids[row] for row in rows[:_EXAMPLES]),
            prompts=_prompts(observed, rows[:_EXAMPLES]) if prompts else (),
        )
        for (before, after, task), rows in listed
    )


def _seen(quality: _Float, cost: _Float) -> Seen:
    return Seen(int((~np.isnan(cost)).sum()), _mean(quality), _mean(cost))


def _believed(starts: Starts, rows: Sequence[int], before: int, after: int) -> Believed:
    quality, cost = starts.quality[rows], starts.cost[rows]
    return Believed(_mean(quality[:, before]), _mean(quality[:, after]), _mean(cost[:, before]), _mean(cost[:, after]))


def _mean(values: _Float) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _prompts(observed: Observed, rows: Sequence[int]) -> tuple[str, ...]:
    requests = [observed.asked.requests[row] for row in rows]
    return tuple(request.text[:_PROMPT_CHARS] for request in requests if request is not None)


def _reasons(
    observed: Observed, menu: Menu, champion: Router, challenger: Router, rows: Sequence[int], before: int, after: int
) -> tuple[tuple[str, float], ...]:
    pair = _learned_places(challenger, menu, before, after)
    if pair is None:
        return ()
    features = [features_of(challenger, observed, row) for row in rows]
    speaks = _margins(challenger, features, *pair)
    spoke = _learned_places(champion, menu, before, after)
    if spoke is not None and feature_kind(champion) == feature_kind(challenger):
        speaks = speaks - _margins(champion, features, *spoke)
    above = np.mean([each.dense for each in features], axis=0) > challenger.model.weights.dense_mean
    task, terms, *dense = speaks.tolist()
    named, rest = said_of(dense_traits(challenger.keywords), dense, above.tolist())
    ordered = sorted([(TASK, task), (WORDING, terms + rest), *named], key=lambda reason: -reason[1])
    return tuple(reason for reason in ordered[:_REASONS] if reason[1] > _LEAST)


def _learned_places(router: Router, menu: Menu, *tiers: int) -> tuple[int, int] | None:
    """Where the router's model has two tiers of today's menu; None where it has not learned about one."""
    learned = [menu.counterpart(tier) for tier in router.learned_tiers]
    wanted = [menu.tiers[place] for place in tiers]
    if not all(tier in learned for tier in wanted):
        return None
    return learned.index(wanted[0]), learned.index(wanted[1])


def _margins(router: Router, features: Sequence[Features], before: int, after: int) -> _Float:
    """What task, words and dense features add to the logit of one tier minus another's; means over requests."""
    rows = []
    for each in features:
        parts = router.model.contributions(each)
        stacked = np.concatenate([parts.task[None], parts.terms.sum(axis=0, keepdims=True), parts.dense])
        rows.append(stacked[:, after] - stacked[:, before])
    means: _Float = np.mean(rows, axis=0)
    return means
