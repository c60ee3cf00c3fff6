"""How often 95% intervals of off-policy estimates hold the truth, and how far the estimates are from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from feedback_cases import World
from feedback_rounds import AUDIT, EXPLORE, Report
from numpy.typing import NDArray

from training.feedback.estimators import ESTIMATORS, log_of_starts, picks

SHOWN = ("naive", "IPS", "SNIPS", "DR", "SNDR")
_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of one estimator over runs: share of intervals that held the truth, and root mean square error."""

    coverage: float
    error: float


def accuracy(world: World, *, runs: int, report: Report) -> dict[str, Accuracy]:
    """Value a policy that differs from the running one in some requests, on one log a run.

    The running policy is the length rule, the valued one begins a third of the requests, drawn anew each run, one tier
    higher or lower. Values are true outcomes of where routes begin: labels' errors are another matter. The truth is the
    policy's mean over the very requests of the run.
    """
    held: dict[str, list[tuple[bool, float]]] = {name: [] for name in SHOWN}
    for run in range(runs):
        random = np.random.default_rng((17, run))
        part = world.rows(random.choice(len(world), min(_ROWS, len(world)), replace=False))
        starts = part.by_length()
        policy = picks(_moved(starts, part.quality.shape[1], random), part.quality.shape[1])
        observed = part.log(starts, run, explore=5 * EXPLORE, audit=AUDIT).observed
        log = log_of_starts(observed, np.where(observed.started, part.quality, np.nan))
        truth = float((policy * part.quality).sum(axis=1).mean())
        for name in SHOWN:
            found = ESTIMATORS[name](log, policy).estimate()
            held[name].append((found.low <= truth <= found.high, found.value - truth))
        report(run + 1, runs)
    return {
        name: Accuracy(float(np.mean([hit for hit, _ in each])), float(np.sqrt(np.mean([gap**2 for _, gap in each]))))
        for name, each in held.items()
    }


def _moved(starts: NDArray[np.int64], tiers: int, random: np.random.Generator) -> NDArray[np.int64]:
    moving = random.random(len(starts)) < 1 / 3
    step = np.where(starts == 0, 1, np.where(starts == tiers - 1, -1, random.choice([-1, 1], len(starts))))
    return np.where(moving, starts + step, starts)
