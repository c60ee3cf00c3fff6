"""What comes before any routing: the best tier against today's, and what graded scores leave to decide."""

from __future__ import annotations

import numpy as np
import pytest

from training.measure.evaluate import Outcomes, cheapest_adequate, is_graded
from training.prepare.adequacy import Adequacy, adequacy_effects
from training.report.data import RangedFigure
from training.report.today import BestTier, best_tier_sentence

COSTS = np.tile([1.0, 5.0, 30.0], (4, 1))


def outcomes(quality: list[list[float]], reference: int = 1) -> Outcomes:
    scores = np.array(quality)
    rows = len(scores)
    return Outcomes(scores, COSTS[:rows], np.arange(rows), np.ones(rows, np.int64), (None,) * rows, reference)


def best(low: float, times: float) -> str:
    return best_tier_sentence(BestTier("sonnet", "opus", 0.8, 0.7, RangedFigure(0.1, low, 0.2), 300, times))


def test_a_better_and_cheaper_tier_ends_the_use_of_todays() -> None:
    said = best(0.01, 5.0)
    assert said.startswith("Stop using opus: sonnet is better and 5.0 times cheaper")
    assert "mean score 0.800 against 0.700" in said


def test_a_difference_that_may_be_chance_is_no_reason_to_stop() -> None:
    assert "Stop" not in best(-0.01, 5.0)
    assert "try sonnet in place of opus" in best(-0.01, 5.0)
    assert "which may be chance, and is 2.0 times dearer" in best(-0.01, 0.5)


def test_adequacy_by_a_threshold_counts_what_no_tier_reaches_as_the_cheapest() -> None:
    scores = np.array([[0.9, 1.0, 1.0], [0.2, 0.3, 0.1], [0.2, 0.9, 1.0], [0.85, 0.9, 1.0]])
    effects = adequacy_effects(scores, COSTS, 1, Adequacy(at=0.8))
    assert len(effects) == 3
    (chosen,) = [effect for effect in effects if effect.rule == Adequacy(at=0.8)]
    assert chosen.adequate == (0.5, 0.75, 0.75)
    assert chosen.saving == pytest.approx(1 - (1 + 1 + 5 + 1) / 20)


def test_more_tolerance_never_saves_less() -> None:
    scores = np.random.default_rng(0).uniform(size=(50, 3))
    effects = adequacy_effects(scores, np.tile([1.0, 5.0, 30.0], (50, 1)), 1, Adequacy())
    strict, lenient, _ = effects
    assert (strict.rule.tolerance, lenient.rule.tolerance) == (0.0, 0.1)
    assert 0 <= strict.saving <= lenient.saving < 1


def test_an_oracle_of_grades_makes_up_for_a_little_here_with_a_little_there() -> None:
    graded = outcomes([[0.79, 0.8, 0.8], [0.9, 0.8, 0.8], [0.79, 0.8, 0.8], [0.1, 0.8, 0.8]])
    assert is_graded(graded.quality)
    assert cheapest_adequate(graded).tolist() == [0, 0, 0, 1]
    right_or_wrong = outcomes([[0, 1, 1], [1, 0, 1], [1, 1, 1], [0, 0, 1]])
    assert not is_graded(right_or_wrong.quality)
    assert cheapest_adequate(right_or_wrong).tolist() == [1, 0, 0, 0]


def test_an_oracle_of_grades_keeps_the_references_mean() -> None:
    random = np.random.default_rng(1)
    quality = random.uniform(size=(200, 3))
    rows = Outcomes(quality, random.uniform(1, 9, (200, 3)), np.arange(200), np.ones(200, np.int64), (None,) * 200, 2)
    chosen = cheapest_adequate(rows)
    assert quality[np.arange(200), chosen].mean() >= quality[:, 2].mean() - 1e-9
