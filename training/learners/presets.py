"""Which learners compete: how much decision latency and training time a router may take."""

from __future__ import annotations

from enum import StrEnum

from training.learners.blend import BlendLearner
from training.learners.forest import ForestLearner
from training.learners.learner import Learner
from training.learners.linear import LinearLearner


class Effort(StrEnum):
    """How hard to try."""

    FASTEST = "fastest"
    BALANCED = "balanced"
    BEST = "best"


def learners_for(effort: Effort, *, min_rows: int = 2) -> dict[str, Learner]:
    """Candidates by name, simplest first; the data choose among them (`training.learners.fit.fit_model`).

    Parameters
    ----------
    min_rows : rows that a term must occur in to be kept; more make a smaller artifact.
    """
    linear = LinearLearner(min_rows=min_rows)
    learners: dict[str, Learner] = {"linear": linear}
    if effort is Effort.BALANCED:
        learners["linear and trees"] = BlendLearner(linear)
    if effort is Effort.BEST:
        learners["linear and trees"] = BlendLearner(
            linear, ForestLearner(trees=500, depth=20, min_leaf=3), dimensions=64
        )
    return learners
