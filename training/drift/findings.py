"""Alarms in words: what changed, from what to what, and what to do."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from classifier.novelty import NOVEL
from classifier.prices import plain_amount
from training.drift.data import Finding, PriceChange
from training.drift.estimates import difference
from training.drift.monitor import Drift, Track
from training.drift.streams import (
    ADEQUACY,
    ANSWERS,
    COST,
    FAILED,
    JUDGED,
    NOVELTY,
    PASSED,
    SIZE,
    TASKS,
    Stream,
    task_codes,
)
from training.log.observed import Observed
from training.report.data import RangedFigure

NO_TASK = "(no task)"
_LISTED = 3

_RETRAIN = "retrain: tierwise train --store URL"
_REMEDIES = {
    "requests": (_RETRAIN,),
    "quality": ("look whether the provider has changed the model, or somebody the gate", _RETRAIN),
    "gate": ("audit more answers", _RETRAIN),
    "cost": ("put today's prices into router.toml", _RETRAIN),
    "price": (_RETRAIN,),
}


def findings(observed: Observed, drift: Drift, prices: tuple[PriceChange, ...]) -> tuple[Finding, ...]:
    """What has changed, the first alarm first, and prices."""
    by_alarm = tuple(_finding(observed, drift, track) for track in drift.alarms)
    return (*by_alarm, *map(_price, prices))


def _finding(observed: Observed, drift: Drift, track: Track) -> Finding:
    assert track.alarm is not None
    assert track.since is not None
    tier = None if track.watched.tier is None else observed.tiers[track.watched.tier]
    return Finding(
        kind=track.kind,
        what=track.watched.what,
        tier=tier,
        sentence=_sentence(observed, track, tier),
        remedy=_REMEDIES[track.kind],
        since=float(observed.time[track.since]),
        alarm=float(observed.time[track.alarm]),
        since_row=track.since,
        alarm_row=track.alarm,
        chance=drift.by_chance(track),
    )


def _sentence(observed: Observed, track: Track, tier: str | None) -> str:
    stream = track.watched
    later = stream.rows >= (track.since or 0)
    if stream.what == TASKS:
        return _mix(task_codes(observed)[0], stream.values.astype(np.int64), later)
    found = difference(stream.values, stream.groups, later)
    if found is None:
        return f"{_NAMES[stream.what]} are other than before"
    if stream.what == ANSWERS:
        return _answers(observed, track, found, tier)
    if stream.what == COST:
        ratio, low, high = (math.exp(each) for each in (found.value, found.low, found.high))
        return f"a call of {tier} costs {ratio:.2f} times [{low:.2f}, {high:.2f}] what it did for like requests"
    if stream.what in _REQUESTS:
        return f"requests are {_more(found.value, *_REQUESTS[stream.what])}: {_means(stream, later)}"
    return f"{_NAMES[stream.what]} are {_more(found.value, 'better', 'worse')} than before: {_points(found)}"


_NAMES = {
    SIZE: "expected costs",
    NOVELTY: "requests",
    ADEQUACY: "expectations",
    ANSWERS: "answers",
    COST: "costs",
    JUDGED: "answers, as audits and users judge them,",
    PASSED: "answers that the gate passes, as audits judge them,",
    FAILED: "answers that the gate does not pass, as audits judge them,",
}
_REQUESTS = {
    SIZE: ("dearer", "cheaper"),
    NOVELTY: ("less like those of the training", "more like those of the training"),
    ADEQUACY: ("easier", "harder"),
}


def _means(stream: Stream, later: NDArray[np.bool_]) -> str:
    before, after = (stream.values[part] for part in (~later, later))
    if stream.what == SIZE:
        return f"expected to cost ${plain_amount(before.mean(), 3)}, now ${plain_amount(after.mean(), 3)}"
    if stream.what == NOVELTY:
        return f"{(before > NOVEL).mean():.1%} of them were unlike any, now {(after > NOVEL).mean():.1%}"
    return f"expected adequacy {before.mean():.1%}, now {after.mean():.1%}"


def _answers(observed: Observed, track: Track, found: RangedFigure, tier: str | None) -> str:
    place = track.watched.tier or 0
    rows = track.watched.rows[track.watched.rows >= (track.since or 0)]
    passes = float(observed.verdict[rows, place].mean())
    return (
        f"the gate passes {_more(found.value, 'more', 'fewer')} of {tier}'s answers than before to like requests: "
        f"{passes:.1%}, where {min(max(passes - found.value, 0.0), 1.0):.1%} was usual ({_points(found)})"
    )


def _mix(labels: tuple[str | None, ...], codes: NDArray[np.int64], later: NDArray[np.bool_]) -> str:
    """The labels whose shares changed most."""
    shares = [np.bincount(codes[part], minlength=len(labels)) / max(int(part.sum()), 1) for part in (~later, later)]
    order = np.argsort(-np.abs(shares[1] - shares[0]), kind="stable")[:_LISTED]
    listed = ", ".join(
        f"{NO_TASK if labels[code] is None else labels[code]} from {shares[0][code]:.0%} to {shares[1][code]:.0%}"
        for code in order
    )
    return f"the mix of tasks has changed: {listed}"


def _price(change: PriceChange) -> Finding:
    before, now = (
        "unknown" if prices[0] is None or prices[1] is None else f"${prices[0]:g} in, ${prices[1]:g} out"
        for prices in (change.before, change.now)
    )
    sentence = f"{change.tier}'s prices per 1M tokens are {now}; the artifact was trained with {before}"
    return Finding("price", "prices", change.tier, sentence, _REMEDIES["price"])


def _more(value: float, above: str, below: str) -> str:
    return above if value > 0 else below


def _points(found: RangedFigure) -> str:
    return f"{found.value * 100:+.1f} points [{found.low * 100:+.1f}, {found.high * 100:+.1f}]"
