"""Traffic that changes: how soon that is seen, and whether one retraining makes up for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from feedback_cases import World, deal
from feedback_rounds import AUDIT, EXPLORE, Learners, Report, Running, from_all, from_log
from numpy.typing import NDArray

from training.drift.monitor import monitor
from training.log.observed import Observed

BEFORE, LATER = 1_500, 1_500
_DROP = 0.6


@dataclass(frozen=True, slots=True)
class SeenRow:
    """Of streams, one a seed.

    Attributes
    ----------
    mix, quality : share of the streams in which a change of task mix, or a tier's drop in quality, was seen within
        1,000 requests.
    false_alarms, quiet : alarms before anything changed, and requests watched for them after the baseline.
    usual, dropped, retrained, informed : quality and cost of the router's cascades as shares of the reference's: before
        the drop, after it, after one retraining on what was logged since, and after one on every outcome of these rows.
    """

    mix: float
    quality: float
    false_alarms: int
    quiet: int
    usual: tuple[float, float]
    dropped: tuple[float, float]
    retrained: tuple[float, float]
    informed: tuple[float, float]


def shifted(world: World, kind: str, random: np.random.Generator) -> World:
    """Requests drawn with replacement that change after `BEFORE` rows, for another `LATER` rows.

    Parameters
    ----------
    kind : "mix": requests longer than the median, one in ten before, become nine in ten; "quality": the cheapest tier's
        answers that were right stay so with probability 0.4.
    """
    long = world.sizes > np.median(world.sizes)
    first, second = (0.1, 0.9) if kind == "mix" else (0.5, 0.5)
    rows = np.concatenate([_drawn(long, share, count, random) for share, count in ((first, BEFORE), (second, LATER))])
    part = world.rows(rows)
    if kind == "mix":
        return part
    quality = part.quality.copy()
    broken = (np.arange(len(part)) >= BEFORE) & (random.random(len(part)) < _DROP)
    quality[broken, 0] = 0.0
    return replace(part, quality=quality)


def observed_stream(world: World, kind: str, running: Running, seed: int) -> tuple[World, Observed]:
    """A stream of changing traffic and what the cascade of one router logs of it."""
    part = shifted(world, kind, np.random.default_rng((31, seed)))
    starts, expected = running.starts(part)
    return part, part.log(starts, seed, explore=EXPLORE, audit=AUDIT, expected=expected).observed


def drift(world: World, learners: Learners, *, seeds: int, report: Report) -> SeenRow:
    """Watch streams of both kinds, and retrain once after the drop in quality."""
    hits: dict[str, list[bool]] = {"mix": [], "quality": []}
    false_alarms = 0
    kept = []
    for seed in range(seeds):
        traffic, test = deal(world, seed)
        running = from_log(learners, _first_log(traffic, seed), traffic)
        for kind, found in hits.items():
            part, log = observed_stream(test, kind, running, seed)
            alarm = monitor(log).alarm
            early = alarm is not None and alarm < BEFORE
            false_alarms += early
            found.append(alarm is not None and BEFORE <= alarm < BEFORE + 1_000)
        earlier, changed = np.arange(BEFORE), np.arange(BEFORE, BEFORE + LATER)
        learned, held = changed[: LATER // 2], changed[LATER // 2 :]
        renewed, informed = (train(learners, log.rows(learned), part.rows(learned)) for train in (from_log, from_all))
        watched = (running, earlier), (running, held), (renewed, held), (informed, held)
        kept.append([_kept(each, part.rows(rows), seed) for each, rows in watched])
        report(seed + 1, seeds)
    stages = [(float(quality), float(cost)) for quality, cost in np.mean(kept, axis=0)]
    return SeenRow(
        float(np.mean(hits["mix"])),
        float(np.mean(hits["quality"])),
        false_alarms,
        2 * seeds * (BEFORE - 500),
        *stages,
    )


def _first_log(traffic: World, seed: int) -> Observed:
    return traffic.log(traffic.by_length(), seed, explore=EXPLORE, audit=AUDIT).observed


def _kept(running: Running, part: World, seed: int) -> tuple[float, float]:
    """Quality and cost of a router's cascades as shares of the reference's."""
    starts, _ = running.starts(part)
    rows, whole = np.arange(len(part)), (part.quality, part.costs)
    quality, cost = (
        float(each[rows, starts].sum() / all_of[:, part.reference].sum())
        for each, all_of in zip(part.ends(seed), whole, strict=True)
    )
    return quality, cost


def _drawn(long: NDArray[np.bool_], share: float, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    wanted = random.random(count) < share
    return np.where(wanted, random.choice(np.flatnonzero(long), count), random.choice(np.flatnonzero(~long), count))
