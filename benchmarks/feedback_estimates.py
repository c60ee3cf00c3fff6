"""How often 95% intervals of off-policy estimates hold the truth, and how far the estimates are from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from feedback_cases import World
from feedback_promotion import make_challenger
from feedback_rounds import AUDIT, Report

from training.challenge.estimators import ESTIMATORS, log_of_starts, picks

SHOWN = ("naive", "IPS", "SNIPS", "DR", "SNDR")
_ROWS = 2_000
_EXPLORE = 0.1


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of one estimator over runs: share of intervals that held the truth, and root mean square error."""

    coverage: float
    error: float


def accuracy(world: World, *, runs: int, report: Report) -> dict[str, Accuracy]:
    """Value a policy that differs from the running one in some requests, on one log a run.

    The running policy is the length rule; the valued one begins a share of the requests that are alike elsewhere, drawn
    anew each run (`feedback_promotion.make_challenger`), and 10% of the requests explore. Values are true outcomes of
    where routes begin: labels' errors are another matter. The truth is the policy's mean over the requests of the run.
    """
    held: dict[str, list[tuple[bool, float]]] = {name: [] for name in SHOWN}
    for run in range(runs):
        random = np.random.default_rng((17, run))
        part = world.rows(random.choice(len(world), min(_ROWS, len(world)), replace=False))
        starts = part.by_length()
        policy = picks(make_challenger(part, starts, random), part.quality.shape[1])
        observed = part.log(starts, run, explore=_EXPLORE, audit=AUDIT).observed
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
