"""What changed, from what to what: differences before and after with their intervals, and findings in words.

A difference is taken within groups of like rows and weighted by the groups of the later ones, so that another mix of
groups is no difference (direct standardisation). Its 95% interval is the normal one, and takes the moment of the change
as given; it says how large a change is, while the alarm says that there is one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from classifier.novelty import NOVEL
from training.drift.data import Finding, PriceChange
from training.drift.monitor import Drift, Track
from training.drift.watched import ADEQUACY, ANSWERS, COST, FAILED, JUDGED, NOVELTY, PASSED, SIZE, TASKS, task_codes
from training.feedback.observed import Observed
from training.report.data import Estimate

NO_TASK = "(no task)"
_Z = 1.959964
_LISTED = 3

_RETRAIN = "retrain: train-router --outcomes URL"
_REMEDIES = {
    "requests": (_RETRAIN,),
    "quality": ("look whether the provider has changed the model, or somebody the gate", _RETRAIN),
    "gate": ("audit more answers", _RETRAIN),
    "cost": ("put today's prices into router.toml", _RETRAIN),
    "price": (_RETRAIN,),
}

_Float = NDArray[np.float64]


def mean_share(values: _Float) -> Estimate | None:
    """Mean of values in 0..1 with Wilson's score interval ("Probable Inference", JASA 22, 1927); None: of nothing."""
    count = len(values)
    if not count:
        return None
    mean, square = float(values.mean()), _Z * _Z
    centre = (mean + square / (2 * count)) / (1 + square / count)
    half = _Z / (1 + square / count) * math.sqrt(max(mean * (1 - mean), 0.0) / count + square / (4 * count * count))
    return Estimate(mean, min(max(0.0, centre - half), mean), max(min(1.0, centre + half), mean))


def mean_ratio(logs: _Float) -> Estimate | None:
    """Geometric mean of ratios, given as logarithms, with the normal interval; None: of nothing."""
    if not len(logs):
        return None
    half = _Z * float(logs.std()) / math.sqrt(len(logs))
    mean = float(logs.mean())
    return Estimate(math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def difference(values: _Float, groups: NDArray[np.int64], later: NDArray[np.bool_]) -> Estimate | None:
    """How much larger later values are than earlier ones of their groups; None where no group has both.

    Parameters
    ----------
    values, groups, later : (m,) each.
    """
    _, codes = np.unique(groups, return_inverse=True)
    size = int(codes.max(initial=-1)) + 1
    before, after = (np.bincount(codes[part], minlength=size) for part in (~later, later))
    both = (before > 0) & (after > 0)
    if not both.any():
        return None
    means = [
        np.bincount(codes[part], values[part], size) / np.maximum(count, 1)
        for part, count in ((~later, before), (later, after))
    ]
    left = values - np.where(later, means[1][codes], means[0][codes])
    spread = [float((left[part] ** 2).mean()) for part in (~later, later)]
    weights = after[both] / after[both].sum()
    value = float(weights @ (means[1] - means[0])[both])
    half = _Z * math.sqrt(float((weights**2) @ (spread[0] / before[both] + spread[1] / after[both])))
    return Estimate(value, value - half, value + half)


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
    if stream.what == SIZE:
        before, after = float(stream.values[~later].mean()), float(stream.values[later].mean())
        return (
            f"requests are {_more(found.value, 'dearer', 'cheaper')}: expected to cost ${before:.3g}, now ${after:.3g}"
        )
    if stream.what == NOVELTY:
        novel = [float((stream.values[part] > NOVEL).mean()) for part in (~later, later)]
        return (
            f"requests are {_more(found.value, 'less', 'more')} like those of the training: "
            f"{novel[0]:.1%} of them were unlike any, now {novel[1]:.1%}"
        )
    if stream.what == ADEQUACY:
        before, after = float(stream.values[~later].mean()), float(stream.values[later].mean())
        return f"requests are {_more(found.value, 'easier', 'harder')}: expected adequacy {before:.1%}, now {after:.1%}"
    if stream.what == ANSWERS:
        return _answers(observed, track, found, tier)
    if stream.what == COST:
        ratio, low, high = (math.exp(each) for each in (found.value, found.low, found.high))
        return f"a call of {tier} costs {ratio:.2f} times [{low:.2f}, {high:.2f}] what it did for like requests"
    return f"{_NAMES[stream.what]} are {_more(found.value, 'better', 'worse')} than before: {_points(found)}"


_NAMES = {
    SIZE: "sizes of requests",
    NOVELTY: "requests",
    ADEQUACY: "expectations",
    ANSWERS: "answers",
    COST: "costs",
    JUDGED: "answers, as audits and users judge them,",
    PASSED: "answers that the gate passes, as audits judge them,",
    FAILED: "answers that the gate does not pass, as audits judge them,",
}


def _answers(observed: Observed, track: Track, found: Estimate, tier: str | None) -> str:
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


def _points(found: Estimate) -> str:
    return f"{found.value * 100:+.1f} points [{found.low * 100:+.1f}, {found.high * 100:+.1f}]"
