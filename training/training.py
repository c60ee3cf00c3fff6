"""What a training run finds out, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import Menu
from classifier.gates.stored import CascadePromise
from classifier.model import Expectations
from classifier.novelty import NoveltyScale
from training.certify.certify import Rung
from training.certify.rule import ChosenRule, RuleView, Target
from training.certify.scorer import RowScorer
from training.learners.fit import FittedModel
from training.learners.support import SupportFit
from training.measure.evaluate import MixComparison, Outcomes, Result
from training.prepare.data import RoutingData
from training.prepare.split import Split

ONE_TIER_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Shipped:
    """What the artifact will do.

    Attributes
    ----------
    strategy : "learned", or a floor: "always" or "length".
    name : the same in words.
    always : tier of strategy "always".
    thresholds : of strategy "length".
    """

    strategy: str
    name: str
    always: str | None = None
    thresholds: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class TrainedGate:
    """A learned gate and what it is worth.

    Attributes
    ----------
    model : two outputs: quality of the judged answer, and of the reference's to the same request.
    tiers : places of the tiers whose answers it has learned about.
    scores : (n, t) of every answer of the data judged by itself, those that it was fitted on cross-fitted; NaN where
        there is no answer; not cut at 1.
    promise : of the cascade, and at which setting.
    rung : the certificate behind it.
    result : the cascade on the test rows, every call paid for.
    """

    model: FittedModel
    tiers: tuple[int, ...]
    scores: NDArray[np.float64]
    promise: CascadePromise
    rung: Rung
    result: Result


@dataclass(frozen=True, slots=True)
class Training:
    """Everything a training run found out.

    Attributes
    ----------
    menu : the artifact's menu.
    scorer : the fitted model, and what the rule sees of rows through it.
    rule : the learned rule and its certificates.
    mix : the learned router against a random mix of the same cost, on predictions that no fitted weight has seen.
    shipped : what the artifact will do.
    results : every way of routing on the test rows; the one that is shipped is ``result``.
    test : the test rows' outcomes; ``predicted`` is what the model expected of them, ``expected`` the rule's view of
        that, ``peers`` what other learners expected, ``chosen`` (m,) the tier that what is shipped picks.
    never_chosen : positions of tiers that are never worth their price.
    cross_fitted : what models that did not see them expected of the rows for fitting.
    filled : scores that were never observed and stand as the model's expectation in the figures; ``lost`` : those that
        count as 0, since they are missing not by chance.
    large : (n,) rows of groups too large to be certified, which count as lost wherever they leave the reference.
    runs : rows next to each other are far more alike than others, and no groups are given.
    gate : the learned gate, where the tables have answers; see `training.gate`.
    """

    data: RoutingData
    menu: Menu
    split: Split
    scorer: RowScorer
    rule: ChosenRule
    mix: MixComparison
    shipped: Shipped
    results: tuple[Result, ...]
    result: Result
    test: Outcomes
    cross_fitted: Expectations
    predicted: Expectations
    expected: RuleView
    peers: Mapping[str, RuleView]
    chosen: NDArray[np.int64]
    never_chosen: tuple[int, ...]
    filled: int
    lost: int
    large: NDArray[np.bool_]
    runs: bool
    thresholds: tuple[int, int]
    seed: int
    gate: TrainedGate | None = None

    @property
    def model(self) -> FittedModel:
        """The fitted model."""
        return self.scorer.model

    @property
    def novelty(self) -> NoveltyScale:
        """What tells requests unlike all training requests."""
        return self.scorer.novelty

    @property
    def reference_cost(self) -> float:
        """Mean USD of a reference call on the rows that the model was fitted on."""
        return self.scorer.reference_cost

    @property
    def support(self) -> SupportFit | None:
        """Where tiers with gaps were observed; None: no tier has any."""
        return self.scorer.support

    @property
    def target(self) -> Target:
        """The promise asked for."""
        return self.rule.target

    @property
    def promises(self) -> bool:
        """Whether quality is promised of what is shipped, and could be lost."""
        if self.shipped.strategy == "learned":
            return self.rule.certified
        return self.shipped.always != self.data.names[self.data.reference]

    @property
    def learned_won(self) -> bool:
        """Learning kept its promise and beat the random mix."""
        return self.rule.certified and self.mix.better

    @property
    def crowded(self) -> str | None:
        """The tier that nearly all requests go to, or None."""
        most = int(np.argmax(self.result.shares))
        return self.data.names[most] if self.result.shares[most] >= ONE_TIER_SHARE else None


def shipped_menu(training: Training) -> Menu:
    """The artifact's menu, with the length rule's thresholds where that is what is shipped."""
    thresholds = training.shipped.thresholds
    menu = training.menu
    return menu if thresholds is None else replace(menu, length=replace(menu.length, thresholds=thresholds))
