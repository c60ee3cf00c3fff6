"""From rows to what the rule decides by: expected quality and cost, novelty, and where tiers were observed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.model import Expectations, LinearWeights
from classifier.novelty import NOVEL, NoveltyScale
from training.certify.rule import RuleView
from training.learners.fit import FittedModel
from training.learners.novelty import fit_novelty, novelty_scores
from training.learners.support import SupportFit
from training.measure.evaluate import Outcomes
from training.prepare.data import RoutingData


@dataclass(frozen=True, slots=True)
class RowScorer:
    """A fitted model that says what the rule sees of rows, beside what happened on them.

    Attributes
    ----------
    weights : the model's linear part, by which novelty is measured.
    reference_cost : mean USD of a reference call.
    support : where tiers with gaps were observed; None: no tier has any.
    """

    data: RoutingData
    model: FittedModel
    weights: LinearWeights
    novelty: NoveltyScale
    reference_cost: float
    support: SupportFit | None = None

    @classmethod
    def of(
        cls,
        data: RoutingData,
        model: FittedModel,
        fit: NDArray[np.int64],
        reference_cost: float,
        support: SupportFit | None = None,
    ) -> RowScorer:
        """The scorer of a model that was fitted on the rows ``fit``."""
        weights = model.linear.weights()
        novelty = fit_novelty(data.matrix.rows(fit), data.groups[fit], weights)
        return cls(data, model, weights, novelty, reference_cost, support)

    def predict(self, rows: NDArray[np.int64]) -> Expectations:
        """What the fitted model expects of rows that it did not see."""
        return self.model.predict(self.data.matrix.rows(rows))

    def view_with_outcomes(
        self, rows: NDArray[np.int64], predicted: Expectations | None = None
    ) -> tuple[RuleView, Outcomes]:
        """What the rule sees of rows, and what happened on them.

        ``predicted`` : what a model that did not see the rows expects; None: ask the fitted one."""
        if predicted is None:
            predicted = self.predict(rows)
        return self.view(rows, predicted), outcomes_of(self.data, rows, predicted)

    def view(self, rows: NDArray[np.int64], predicted: Expectations) -> RuleView:
        """What the rule decides by, with what a model expects of the rows."""
        novel = novelty_scores(self.data.matrix.rows(rows), self.novelty, self.weights) > NOVEL
        unsupported = None if self.support is None else self.support.unsupported[rows]
        return RuleView(
            predicted.quality, predicted.cost / self.reference_cost, novel, self.data.reference, unsupported
        )


def outcomes_of(data: RoutingData, rows: NDArray[np.int64], predicted: Expectations) -> Outcomes:
    """Rows to evaluate on, complete: see `RoutingData.completed`."""
    return Outcomes(
        quality=data.completed(rows, predicted.quality),
        costs=data.costs[rows],
        groups=data.groups[rows],
        sizes=request_sizes(data, rows),
        tasks=tuple(data.matrix.tasks[row] for row in rows),
        reference=data.reference,
    )


def request_sizes(data: RoutingData, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """(m,) characters plus max_tokens of some rows."""
    requests = [data.table.requests[row] for row in rows]
    return np.array([request.chars + (request.max_tokens or 0) for request in requests], np.int64)
