"""How often a router that is worse by more than the margin is promoted, and how soon a better or cheaper one is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from feedback_cases import World
from feedback_rounds import AUDIT, EXPLORE, Report
from numpy.typing import NDArray

from training.challenge.estimators import log_of_starts, picks
from training.challenge.sequential import PromotionRule, cautious_values, judge_promotion
from training.feedback.gate_truth import gate_truth
from training.feedback.labels import make_labels
from training.log.observed import Observed

VALUES = ("cautious verdicts", "corrected verdicts", "true outcomes")
_SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Decisions:
    """Of challengers, one a seed, by how the answers were valued.

    Attributes
    ----------
    worse, harmful : challengers that are worse by more than the margin, and those of them that were promoted.
    better, promoted : challengers that are no worse by more than half the margin, and better or cheaper; and those of
        them that were promoted.
    """

    worse: int
    harmful: int
    better: int
    promoted: int


def decisions(world: World, *, seeds: int, rounds: int, report: Report) -> dict[str, Decisions]:
    """Made challengers, real logs, the real test.

    A challenger begins a share of the requests (2% to 40%) that are alike, by a random direction of their features, one
    tier elsewhere than the champion, the length rule, does; they may do better or worse there. After each round it is
    judged on all rows since it was made, until it is promoted or rows end. The cascade explores where the two differ,
    half of these requests.
    """
    found = {kind: np.zeros(4, np.int64) for kind in VALUES}
    rule = PromotionRule()
    for seed in range(seeds):
        random = np.random.default_rng((29, seed))
        part = world.rows(random.permutation(len(world)))
        champion = part.by_length()
        challenger = make_challenger(part, champion, random)
        change = _mean(part.quality, challenger) - _mean(part.quality, champion)
        saves = _mean(part.costs, challenger) < _mean(part.costs, champion)
        worse, better = change < -rule.margin, change > -rule.margin / 2 and (saves or change > 0)
        log = _logged(part, champion, challenger, seed)
        for kind in VALUES:
            won = _ever_promoted(kind, part, log, challenger, champion, rounds, rule)
            found[kind] += [worse, worse and won, better, better and won]
        report(seed + 1, seeds)
    return {kind: Decisions(*counts.tolist()) for kind, counts in found.items()}


def make_challenger(world: World, champion: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """The champion's starts, (n,), moved by one tier for a share of requests that are alike."""
    spread = world.matrix.dense.std(axis=0)
    scaled = (world.matrix.dense - world.matrix.dense.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    score = scaled @ random.normal(size=scaled.shape[1])
    moved = score >= np.quantile(score, 1.0 - random.choice(_SHARES))
    step = random.choice([-1, 1])
    return np.where(moved, np.clip(champion + step, 0, world.quality.shape[1] - 1), champion)


def _logged(part: World, champion: NDArray[np.int64], challenger: NDArray[np.int64], seed: int) -> Observed:
    differ = challenger != champion
    others = np.where(differ[:, None], picks(challenger, part.quality.shape[1]) > 0, True)
    return part.log(champion, seed, explore=np.where(differ, 0.5, EXPLORE), others=others, audit=AUDIT).observed


def _ever_promoted(
    kind: str,
    part: World,
    log: Observed,
    challenger: NDArray[np.int64],
    champion: NDArray[np.int64],
    rounds: int,
    rule: PromotionRule,
) -> bool:
    after, before = (picks(each, part.quality.shape[1]) for each in (challenger, champion))
    for end in np.linspace(0, len(part), rounds + 1).astype(int)[1:]:
        rows = np.arange(end)
        values = _values(kind, part.rows(rows), log.rows(rows), after[rows], before[rows])
        quality = log_of_starts(log.rows(rows), values)
        if judge_promotion(quality, part.costs[rows], after[rows], before[rows], rule).promote:
            return True
    return False


def _values(kind: str, part: World, log: Observed, after: _Float, before: _Float) -> _Float:
    if kind == "true outcomes":
        return np.where(log.started, part.quality, np.nan)
    truth = gate_truth(log, part.rates.pass_adequate)
    if kind == "corrected verdicts":
        return make_labels(log, truth).values
    low, high = (make_labels(log, each).values for each in truth.bounds())
    return cautious_values(low, high, after, before)


def _mean(values: _Float, chosen: NDArray[np.int64]) -> float:
    return float(values[np.arange(len(values)), chosen].mean())
