"""The whole way from prepared data to what is shipped: split, fit, choose, evaluate, decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import Menu
from classifier.errors import InputError
from classifier.model import Expectations
from training.certify.certify import certify_ladder
from training.certify.comparison import LEARNED, NEIGHBOURS, TUNED_LENGTH, baselines, compare, length_ladder
from training.certify.proof import choose_on_frequent, provable_rows
from training.certify.rule import (
    FLOORS_SHARE,
    CertifyingRows,
    ChosenRule,
    RuleView,
    Target,
    choose_rule,
    estimate_rule,
    never_chosen,
    order_rules,
    price_weights,
)
from training.certify.scorer import RowScorer, outcomes_of, request_sizes
from training.certify.traffic import come_in_runs, too_large
from training.feedback.labels import LabelOptions, faded
from training.feedback.learn import completed_labels
from training.feedback.table import LEAST_LABELS
from training.learners.fit import FittedModel, fit_model
from training.learners.learner import Learner
from training.learners.neighbours import Neighbours
from training.learners.support import SupportFit, fit_support
from training.measure.evaluate import (
    MixComparison,
    Outcomes,
    compare_to_mix,
    length_choice,
    tune_thresholds,
)
from training.prepare.data import RoutingData
from training.prepare.missing import LEAST_MISSING
from training.prepare.split import SHARES, Split, is_timed, split_rows
from training.prepare.tiers import menu_for
from training.progress import StageProgress
from training.training import Shipped, Training

LEAST_ROWS = 5
_OF_LEVEL = 0.5  # about what the test of the loss asked for gets of the error; rows of certain parts are left out, too


def train(
    data: RoutingData,
    menu: Menu,
    learners: Mapping[str, Learner],
    target: Target,
    *,
    seed: int,
    jobs: int,
    force: bool,
    progress: StageProgress | None = None,
) -> Training:
    """Fit on one part of the rows, choose the rule on a second, evaluate on a third.

    Parameters
    ----------
    force : ship the learned router even where it does not beat the floors.

    Raises
    ------
    InputError : rows hang together in so few groups that they cannot be dealt to three parts.
    """
    learned = learn_rule(data, learners, target, seed=seed, jobs=jobs, progress=progress)
    split, rule, fit_rows, chosen_rows = learned.split, learned.rule, learned.fitted_on[1], learned.chosen_on[1]
    predicted = learned.scorer.predict(split.test)
    expected, test = learned.scorer.view_with_outcomes(split.test, predicted)
    run_menu = menu_for(menu, data.tiers)
    ladder = length_ladder(run_menu, data.names)
    thresholds = tune_thresholds(fit_rows, ladder, target.loss if target.relative else 0.0)
    mix = learned.against_mix(seed)
    choices = baselines(data.names, test, run_menu, thresholds)
    routed = rule.choose(expected, test.tasks)
    peers = {NEIGHBOURS: _neighbours(data, split.fit, split.test)}
    results = compare(choices, routed, test, seed, peers=peers)
    shipped = Shipped("learned", LEARNED)
    if not force and not (rule.certified and mix.better) and rule.estimated is None:
        shipped = _best_floor(data, chosen_rows, learned.proof, ladder, thresholds, target)
    return Training(
        data=data,
        menu=run_menu,
        split=split,
        scorer=learned.scorer,
        rule=rule,
        mix=mix,
        shipped=shipped,
        results=results,
        result=next(result for result in results if result.name == shipped.name),
        test=test,
        cross_fitted=learned.cross_fitted,
        predicted=predicted,
        expected=expected,
        peers=peers,
        chosen=choices.get(shipped.name, routed),
        never_chosen=never_chosen(price_weights(learned.fitted_on[0].cost), learned.chosen_on[0]),
        filled=int((np.isnan(data.quality) & ~data.lost)[split.test].sum()),
        lost=int(data.lost[split.test].sum()),
        large=learned.large,
        runs=_come_in_runs(data),
        thresholds=thresholds,
        seed=seed,
    )


@dataclass(frozen=True, slots=True)
class LearnedRule:
    """A fitted model and the rule that was chosen for it, before it is compared with anything.

    Attributes
    ----------
    cross_fitted : what models that did not see them expected of the rows for fitting.
    scorer : what the rule sees of rows.
    fitted_on, chosen_on : the rows for fitting and for choosing: what the rule decided by, and what happened.
    large : (n,) rows of groups too large to be certified.
    proof : what the certificates rest on.
    """

    split: Split
    model: FittedModel
    cross_fitted: Expectations
    scorer: RowScorer
    fitted_on: tuple[RuleView, Outcomes]
    chosen_on: tuple[RuleView, Outcomes]
    large: NDArray[np.bool_]
    proof: CertifyingRows
    rule: ChosenRule

    def against_mix(self, seed: int) -> MixComparison:
        """The rule against a random mix of the same cost, on predictions that no fitted weight has seen."""
        rows = _joined(self.fitted_on[1], self.chosen_on[1])
        expected = self.fitted_on[0].joined(self.chosen_on[0])
        return compare_to_mix(self.rule.choose(expected, rows.tasks), rows, seed=seed)


def learn_rule(
    data: RoutingData,
    learners: Mapping[str, Learner],
    target: Target,
    *,
    seed: int,
    jobs: int = 1,
    progress: StageProgress | None = None,
) -> LearnedRule:
    """Split the rows, fit on one part, choose and certify the rule on another; the test rows are not looked at.

    Raises
    ------
    InputError : as `train`.
    """
    large = _too_large(data, target)
    dealt = split_rows(data.groups, _times(data, seed), seed=seed)
    split = _after_what_was_learned(choose_on_frequent(dealt, data, large), data)
    _refuse_thin(split, data)
    fit = split.fit
    model, cross_fitted = fit_model(
        learners,
        data.fit_rows(fit),
        *_targets(data, fit, next(iter(learners.values())), jobs),
        weights=_ages(data, fit),
        jobs=jobs,
        progress=partial(progress, "fitting") if progress else None,
    )
    reference_cost = float(data.costs[fit, data.reference].mean())
    scorer = RowScorer.of(data, model, fit, reference_cost, _support(data, fit, jobs))
    foreseen = scorer.predict(split.choose)
    fitted_on, chosen_on = (
        scorer.view_with_outcomes(fit, cross_fitted),
        scorer.view_with_outcomes(split.choose, foreseen),
    )
    path = order_rules(price_weights(fitted_on[0].cost), *fitted_on)
    proof = _certifying(scorer, split, large, chosen_on[0], path)
    rule = choose_rule(path, *chosen_on, target, proof)
    if data.logged.any():
        told = _joined(_corrected(data, fit, cross_fitted), _corrected(data, split.choose, foreseen))
        rule = estimate_rule(rule, fitted_on[0].joined(chosen_on[0]), told)
    return LearnedRule(split, model, cross_fitted, scorer, fitted_on, chosen_on, large, proof, rule)


def _targets(
    data: RoutingData, fit: NDArray[np.int64], learner: Learner, jobs: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Quality and adequacy to fit on; of logged rows, what was not seen is filled in from what was."""
    quality, adequate = data.quality[fit], data.adequate[fit]
    logged = data.logged
    own, log = np.flatnonzero(logged[fit]), data.table.logged
    if log is None or data.observed is None or not len(own):
        return quality, adequate
    rows = fit[own]
    seen = data.observed.rows((np.cumsum(logged) - 1)[rows])
    labels = completed_labels(
        learner, seen, data.fit_rows(rows), options=LabelOptions(half_life=log.half_life), jobs=jobs
    )
    # Of what was not tried, the data may show something for sure: tiers may be nested. And of a tier that was hardly
    # tried at all, the log says nothing beside what tables do.
    implied = ~np.isnan(quality[own]) & ~seen.tried
    told = seen.tried.sum(axis=0) >= LEAST_LABELS
    quality[own] = np.where(implied | ~told, quality[own], labels.values)
    unasked = np.isnan(adequate[own]).all(axis=0) & told  # the reference, where adequacy is relative to it
    adequate[own] = np.where(unasked, np.nan, quality[own])
    return quality, adequate


def _ages(data: RoutingData, fit: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """(n, t) weights of the rows to fit on, by their age alone; None: all are worth the same."""
    logged = data.table.logged
    if logged is None or logged.half_life is None:
        return None
    weights = np.ones((len(data), data.quality.shape[1]))
    weights[logged.rows] = faded(data.table.timestamps[logged.rows], logged.half_life)[:, None]
    return weights[fit]


def _neighbours(data: RoutingData, fit: NDArray[np.int64], test: NDArray[np.int64]) -> RuleView:
    """What the nearest rows say of the test rows; it knows mean costs only."""
    quality = Neighbours.fit(data.matrix.rows(fit), data.quality[fit]).predict(data.matrix.rows(test))
    means = data.costs[fit].mean(axis=0)
    share = np.tile(means / means[data.reference], (len(test), 1))
    return RuleView(quality, share, np.zeros(len(test), bool), data.reference)


def _refuse_thin(split: Split, data: RoutingData) -> None:
    smallest = min(len(split.fit), len(split.choose), len(split.test))
    if smallest < LEAST_ROWS:
        files = ", ".join(summary.path for summary in data.table.files)
        raise InputError(
            f"{files}: the rows form {len(np.unique(data.groups)):,} groups of like prompts, too few for fitting, "
            f"choosing and testing apart (the smallest part has {smallest} rows, expected at least {LEAST_ROWS}); "
            "add other prompts, or check the group column"
        )


def _support(data: RoutingData, fit: NDArray[np.int64], jobs: int) -> SupportFit | None:
    """Where tiers with gaps were observed; a router in use observes a tier where it tries it with some probability."""
    observed = ~np.isnan(data.quality)
    logged = data.logged
    if data.observed is not None:
        observed[logged] = data.observed.tried | (data.observed.chance > 0)
    gone = (~observed[fit]).sum(axis=0)
    own = set(data.gaps) | (set(range(observed.shape[1])) if logged.any() else set())
    gaps = tuple(tier for tier in sorted(own) if tier != data.reference and gone[tier] >= LEAST_MISSING)
    if not gaps:
        return None
    return fit_support(data.matrix, observed, fit, data.groups, gaps, logged=bool(logged.any()), jobs=jobs)


def _too_large(data: RoutingData, target: Target) -> NDArray[np.bool_]:
    """(n,): rows of groups too large to stand for others of their kind; none where most rows are in such groups, or a
    router in use observed them, of which nothing is certified anyway."""
    large, own = np.zeros(len(data), bool), ~data.logged
    if own.any():
        large[own] = too_large(
            data.groups[own], target.loss, int(SHARES[1] * own.sum()), _OF_LEVEL * (1 - target.level)
        )
    return large if 2 * large.sum() <= own.sum() else np.zeros(len(data), bool)


def _come_in_runs(data: RoutingData) -> bool:
    """Whether a table's rows come in runs, by time where it is known, and nobody says what belongs together."""
    own = np.flatnonzero(~data.logged)
    if any(data.table.groups[row] is not None for row in own):
        return False
    times = data.table.timestamps[own]
    order = own[np.argsort(times, kind="stable")] if is_timed(times) else own
    return come_in_runs(data.matrix.terms, order, data.groups, data.matrix.tasks)


def _certifying(
    scorer: RowScorer,
    split: Split,
    large: NDArray[np.bool_],
    chosen_on: RuleView,
    path: NDArray[np.float64],
) -> CertifyingRows:
    """The rows that the certificates of a path rest on."""
    data = scorer.data
    picked = {data.reference, *np.unique([chosen_on.choose(*setting) for setting in path]).tolist()}
    proof = provable_rows(data, split, large, tuple(picked))
    return CertifyingRows(
        expected=scorer.view(proof.rows, scorer.predict(proof.rows)),
        quality=proof.values(data.quality),
        tasks=[data.matrix.tasks[row] for row in proof.rows],
        groups=proof.groups,
        sizes=request_sizes(data, proof.rows),
    )


def _times(data: RoutingData, seed: int) -> NDArray[np.float64]:
    """(n,): when rows were seen. Beside a log, rows without a time are spread over its time at random: they may be
    fitted on, chosen on and tested on."""
    times = data.table.timestamps
    logged = data.logged
    if not logged.any():
        return times
    drawn = np.random.default_rng(seed).uniform(times[logged].min(), times[logged].max(), len(times))
    return np.where(np.isnan(times), drawn, times)


def _after_what_was_learned(split: Split, data: RoutingData) -> Split:
    """The split, without the logged rows for fitting or choosing that are as late as those for testing.

    Later repetitions of an early prompt are among them. Whatever is learned is older than what it is tested on, in this
    run and on what is logged after it.
    """
    logged, times = data.logged, data.table.timestamps
    tested = split.test[logged[split.test]]
    if not len(tested):
        return split
    late = logged & (times >= times[tested].min())
    return replace(split, fit=split.fit[~late[split.fit]], choose=split.choose[~late[split.choose]])


def _corrected(data: RoutingData, rows: NDArray[np.int64], predicted: Expectations) -> Outcomes:
    """Rows whose qualities are right on average where they were observed by choice, though no single one is.

    Expected quality plus what was seen beyond it, by the inverse probability of seeing it (doubly robust: Dudik,
    Langford and Li, "Doubly Robust Policy Evaluation and Learning", ICML 2011).
    """
    found = outcomes_of(data, rows, predicted)
    assert data.weights is not None
    ages = _ages(data, rows)
    inverse = data.weights[rows] if ages is None else data.weights[rows] / ages
    return replace(found, quality=predicted.quality + inverse * (found.quality - predicted.quality))


def _joined(first: Outcomes, second: Outcomes) -> Outcomes:
    return Outcomes(
        quality=np.concatenate([first.quality, second.quality]),
        costs=np.concatenate([first.costs, second.costs]),
        groups=np.concatenate([first.groups, second.groups]),
        sizes=np.concatenate([first.sizes, second.sizes]),
        tasks=first.tasks + second.tasks,
        reference=first.reference,
    )


def _best_floor(
    data: RoutingData,
    rows: Outcomes,
    proof: CertifyingRows,
    ladder: list[int],
    thresholds: tuple[int, int],
    target: Target,
) -> Shipped:
    """The cheapest rule without learning, by ``rows``, that is certified to keep the promise; else the reference."""
    always_reference = Shipped("always", f"always {data.names[data.reference]}", always=data.names[data.reference])
    if not len(proof):
        return always_reference
    floors = {
        Shipped("always", f"always {name}", always=name): (np.full(len(rows), tier), np.full(len(proof), tier))
        for tier, name in enumerate(data.names)
    }
    tuned = Shipped("length", TUNED_LENGTH, thresholds=thresholds)
    floors[tuned] = length_choice(rows.sizes, thresholds, ladder), length_choice(proof.sizes, thresholds, ladder)
    costs = {floor: float(rows.costs[np.arange(len(rows)), chosen].mean()) for floor, (chosen, _) in floors.items()}
    # The floors are as many tests beside the learned rule's: each is held to its share of the error (Bonferroni).
    confidence = 1 - FLOORS_SHARE * (1 - target.level) / len(floors)
    for floor in sorted(floors, key=costs.__getitem__):
        (rung,) = certify_ladder(
            *proof.scores(floors[floor][1][:, None]),
            targets=(target.loss,),
            confidence=confidence,
            relative=target.relative,
            groups=proof.groups,
            left=floors[floor][1][:, None] != proof.expected.reference,
        )
        if rung.rule is not None or floor == always_reference:
            return floor
    return always_reference
