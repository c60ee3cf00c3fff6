"""How often a router that is worse by more than the margin is promoted, and how soon a better or cheaper one is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from feedback_cases import World
from feedback_rounds import AUDIT, EXPLORE, Report
from numpy.typing import NDArray

from training.feedback.estimators import log_of_starts, picks
from training.feedback.gate_truth import gate_truth
from training.feedback.labels import make_labels
from training.feedback.sequential import PromotionRule, cautious_values, judge_promotion

_SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Decisions:
    """Of all rounds.

    Attributes
    ----------
    worse, harmful : rounds with a challenger that was worse by more than the margin, and those where it was promoted.
    others, promoted : rounds with any other challenger, and those where it was promoted.
    """

    worse: int
    harmful: int
    others: int
    promoted: int


def decisions(world: World, *, seeds: int, rounds: int, report: Report) -> Decisions:
    """Made challengers, real logs, the real test.

    A challenger begins a share of the requests (2% to 40%) that are alike, by a random direction of their features, one
    tier elsewhere than the champion does; that share may do better or worse there. Each round has its own challenger and
    its own rows; the cascade explores only where the two differ, half of these requests. The champion is the length
    rule, until a challenger takes its place.
    """
    worse = harmful = others = promoted = 0
    rule = PromotionRule()
    for seed in range(seeds):
        random = np.random.default_rng((29, seed))
        order = random.permutation(len(world))
        champion = world.by_length()
        for number, rows in enumerate(np.array_split(order, rounds)):
            challenger = _challenger(world, champion, random)
            change = _value(world, challenger) - _value(world, champion)
            won = _judged(world.rows(rows), champion[rows], challenger[rows], seed * rounds + number, rule)
            if change < -rule.margin:
                worse, harmful = worse + 1, harmful + won
            else:
                others, promoted = others + 1, promoted + won
            champion = challenger if won else champion
        report(seed + 1, seeds)
    return Decisions(worse, harmful, others, promoted)


def _judged(
    part: World, champion: NDArray[np.int64], challenger: NDArray[np.int64], seed: int, rule: PromotionRule
) -> bool:
    tiers = part.quality.shape[1]
    differ = challenger != champion
    explore = np.where(differ, 0.5, EXPLORE)
    others = np.where(differ[:, None], picks(challenger, tiers) > 0, True)
    observed = part.log(champion, seed, explore=explore, others=others, audit=AUDIT).observed
    after, before = picks(challenger, tiers), picks(champion, tiers)
    truth = gate_truth(observed, part.rates.pass_adequate)
    low, high = (make_labels(observed, each).values for each in truth.bounds())
    values = cautious_values(low, high, after, before)
    return judge_promotion(log_of_starts(observed, values), part.costs, after, before, rule).promote


def _challenger(world: World, champion: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    spread = world.matrix.dense.std(axis=0)
    scaled = (world.matrix.dense - world.matrix.dense.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    score = scaled @ random.normal(size=scaled.shape[1])
    moved = score >= np.quantile(score, 1.0 - random.choice(_SHARES))
    step = random.choice([-1, 1])
    return np.where(moved, np.clip(champion + step, 0, world.quality.shape[1] - 1), champion)


def _value(world: World, chosen: NDArray[np.int64]) -> float:
    return float(world.quality[np.arange(len(world)), chosen].mean())
