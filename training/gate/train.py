"""A gate for a trained router: fitted, certified together with it, and tested, each on the rows kept for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from classifier.gates.stored import CascadePromise, CascadeSetting
from classifier.keywords import KeywordGroups
from classifier.model import Expectations
from training.certify.certify import Rung, certify_ladder
from training.certify.proof import provable_rows
from training.certify.rule import RuleView, Target
from training.certify.scorer import RowScorer
from training.gate.answers import read_answers
from training.gate.cascade import CascadeReplay, Pair, make_path, pass_rates, replay
from training.gate.fit import as_table, fit_gate, judge_answers
from training.learners.learner import Learner
from training.measure.evaluate import Outcomes, Result, evaluate_totals, fixed_weights
from training.prepare.data import RoutingData
from training.prepare.missing import find_missing
from training.progress import StageProgress
from training.training import TrainedGate, Training

CASCADE = "cascade, learned gate"
_BEFORE_ORACLE = -1


def add_gate(
    training: Training,
    learners: Mapping[str, Learner],
    keywords: KeywordGroups,
    *,
    jobs: int = 1,
    progress: StageProgress | None = None,
) -> Training:
    """The same training with a learned gate and one more way of routing in its results, where the tables have answers.

    A gate belongs to a learned router: where a floor is shipped, nothing is added.
    """
    data, fit = training.data, training.split.fit
    if training.shipped.strategy != "learned":
        return training
    reading = partial(progress, "answers") if progress else None
    answers = read_answers(data, keywords, jobs=jobs, progress=reading)
    if answers is None or not len(answers.of(fit)):
        return training
    answers = answers.part(np.flatnonzero(np.isin(answers.places, answers.of(fit).tiers)))
    before = _expected_before(training)
    model, cross_fitted = fit_gate(
        learners,
        answers.of(fit),
        before,
        data,
        jobs=jobs,
        progress=partial(progress, "gate") if progress else None,
    )
    judged = judge_answers(model, answers.alone().evidence(before, data.reference))
    judged[np.isin(answers.rows, fit)] = cross_fitted
    scores = as_table(answers, judged, len(data))
    certified = _certify(training, scores, jobs)
    if certified is None:
        return training
    promise, rung = certified
    done = replay_on_test(training, promise, scores)
    result = evaluate_replay(done, training.test, seed=training.seed)
    results = (*training.results[:_BEFORE_ORACLE], result, *training.results[_BEFORE_ORACLE:])
    return replace(training, results=results, gate=TrainedGate(model, answers.tiers, scores, promise, rung, result))


def replay_on_test(training: Training, promise: CascadePromise, scores: NDArray[np.float64]) -> CascadeReplay:
    """What the cascade of a promise does on the test rows.

    Parameters
    ----------
    scores : (n, t) the gate's, of all rows of the data.
    """
    setting, names = promise.setting, training.data.names
    try_values = {names.index(name): try_value for name, try_value in setting.try_values.items()}
    pair = Pair(setting.price_weight, setting.threshold, try_values)
    return replay(pair, training.expected, scores[training.split.test], training.test)


def evaluate_replay(done: CascadeReplay, rows: Outcomes, *, seed: int) -> Result:
    """A cascade as a way of routing; its cost counts the answers that were thrown away, its shares those kept."""
    weights = fixed_weights(done.kept, rows.quality.shape[1])
    return evaluate_totals(CASCADE, weights, done.cost, done.quality, rows, seed=seed)


def certify_pairs(
    path: Sequence[Pair],
    expected: RuleView,
    scores: NDArray[np.float64],
    rows: Outcomes,
    target: Target,
) -> tuple[Pair, Rung, float]:
    """The cheapest pair of a path that keeps the promise on ``rows``, which nothing was fitted on.

    Fixed-sequence testing along the path (`training.certify.certify`), on the quality that each pair reaches. Where a
    score of an answer that was looked at, or the quality of the one that was kept, is not known (NaN), the answer is
    lost.

    Parameters
    ----------
    scores : (n, t) the gate's.

    Returns
    -------
    The pair (the first, where none is certified), its certificate, and its mean cost as a share of the reference's.
    """
    done = [replay(pair, expected, scores, rows) for pair in path]
    reference, reached = zip(*(_with_losses(each, rows) for each in done), strict=True)
    (rung,) = certify_ladder(
        np.stack(reference, axis=1),
        np.stack(reached, axis=1),
        targets=(target.loss,),
        confidence=target.level,
        relative=target.relative,
        groups=rows.groups,
        left=np.stack([~each.known | (each.kept != rows.reference) for each in done], axis=1),
    )
    chosen = rung.rule or 0
    return path[chosen], rung, float(done[chosen].cost.mean() / rows.costs[:, rows.reference].mean())


def _with_losses(done: CascadeReplay, rows: Outcomes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) scores of the reference and of the cascade, what is not known counted against it."""
    reference = rows.quality[:, rows.reference]
    own = done.known & (done.kept == rows.reference)
    base = np.where(np.isnan(reference), np.where(own, 0.0, 1.0), reference)
    return base, np.where(done.known, np.nan_to_num(done.quality), 0.0)


def _answered(data: RoutingData, scores: NDArray[np.float64], jobs: int) -> NDArray[np.bool_]:
    """(n,): rows without answers that are missing by chance; those that are not count as lost."""
    judged = scores[:, ~np.isnan(scores).all(axis=0)]
    own = np.flatnonzero(~data.logged)
    texts = [data.table.requests[row].text for row in own.tolist()]
    gaps = find_missing(data.matrix.rows(own), judged[own], data.groups[own], texts, jobs=jobs)
    chance = [gap.tier for gap in gaps if gap.by_chance]
    answered: NDArray[np.bool_] = np.equal(np.isnan(judged[:, chance]).sum(axis=1), 0)
    return answered


def _certify(training: Training, scores: NDArray[np.float64], jobs: int) -> tuple[CascadePromise, Rung] | None:
    """The promise of the cascade, tested on what a certificate of the router rests on, answers included."""
    split, target = training.split, training.target
    scorer = training.scorer
    path = make_path(*_seen(scorer, split.fit, scores, training.cross_fitted))
    data = training.data
    proof = provable_rows(data, split, training.large, range(len(data.names)), _answered(data, scores, jobs))
    if not path or not proof.own:
        return None
    expected, rows = scorer.view_with_outcomes(proof.rows)
    rows = replace(rows, quality=proof.values(data.quality), groups=proof.groups)
    pair, rung, cost = certify_pairs(path, expected, proof.values(scores), rows, target)
    rates = pass_rates(scores[split.fit], training.data.quality[split.fit], pair.threshold)
    named = {training.data.names[tier]: try_value for tier, try_value in pair.try_values.items()}
    setting = CascadeSetting(pair.price_weight, pair.threshold, cost, rates.adequate, rates.inadequate, named)
    return CascadePromise(setting, target.loss, target.relative, target.confidence, rung.rule is not None), rung


def _seen(
    scorer: RowScorer, rows: NDArray[np.int64], scores: NDArray[np.float64], predicted: Expectations | None = None
) -> tuple[RuleView, NDArray[np.float64], Outcomes]:
    expected, outcomes = scorer.view_with_outcomes(rows, predicted)
    return expected, scores[rows], outcomes


def _expected_before(training: Training) -> NDArray[np.float64]:
    """(n, t): what the router expects of every request, of those it was fitted on by models that did not see them."""
    expected = training.model.predict(training.data.matrix).quality
    expected[training.split.fit] = training.cross_fitted.quality
    return expected
