"""Why a way of routing that looks better on the test rows was not taken: one clause each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training.certify.certify import Rung, certify_ladder
from training.certify.comparison import LEARNED, MIX, NEIGHBOURS, ORACLE, baselines
from training.certify.proof import provable_rows
from training.certify.rule import FLOORS_SHARE, against
from training.measure.evaluate import Outcomes, Result
from training.report.figures import percent, score
from training.report.offer import offered
from training.training import Training

_SAME_SAVING = 0.01
_ROUNDING = 1e-9
_NO_ROWS = "not certified: no row has every score that this takes"


def why_not_taken(training: Training) -> dict[str, str]:
    """A clause by the name of each way of routing that looks better than what comes first.

    One looks better that saves more, or that keeps more quality and saves about as much.
    """
    return {result.name: _clause(training, result) for result in _look_better(training)}


def _look_better(training: Training) -> Iterator[Result]:
    offer = offered(training)
    for result in training.results:
        more = result.saving > offer.saving + _ROUNDING
        better = result.kept > offer.kept + _ROUNDING and result.saving > offer.saving - _SAME_SAVING
        if (more or better) and result.name not in (offer.name, training.result.name):
            yield result


def _clause(training: Training, result: Result) -> str:
    if result.name == ORACLE:
        return "not a router: it knows every answer beforehand"
    lost, target = _lost(training, result), training.target
    if lost > target.loss:
        return f"breaks the promise on these rows: {_amount(training, lost)} lost"
    if training.gate is not None and result.name == training.gate.result.name:
        return _uncertified(training, training.gate.rung)
    if result.name == LEARNED:
        return _why_not_learned(training)
    if result.name == MIX:
        return _why_not_mixed(training)
    if result.name.startswith(NEIGHBOURS):
        return "not certified: its setting is picked in hindsight, on these rows"
    return _why_not_fixed(training, result.name)


def _lost(training: Training, result: Result) -> float:
    """Quality lost against the reference on the test rows, in the target's unit."""
    if training.target.relative:
        return 1 - result.kept
    return float(training.test.quality[:, training.test.reference].mean()) - result.quality


def _amount(training: Training, loss: float) -> str:
    return percent(loss) if training.target.relative else f"{score(loss)} points"


def _uncertified(training: Training, rung: Rung) -> str:
    if not rung.rows:
        return _NO_ROWS
    return (
        f"not certified at {_amount(training, rung.target)}: {_amount(training, rung.upper_bound)} possible"
        if rung.upper_bound > rung.target
        else f"not certified at {_amount(training, rung.target)}"
    )


def _why_not_learned(training: Training) -> str:
    if training.rule.certified:
        return "not shown to beat a random mix of tiers at the same cost"
    if training.target.per_task:
        return f"not certified at {_amount(training, training.target.loss)} for any task"
    return _uncertified(training, training.rule.asked)


def _why_not_mixed(training: Training) -> str:
    if training.mix.better:
        return f"not learned: loses to the learned router by {score(training.mix.gain)} on the other rows"
    return "not certified: its shares are picked in hindsight, on these rows"


def _why_not_fixed(training: Training, name: str) -> str:
    if training.data.logged.all():
        return _NO_ROWS
    rung = _fixed_rung(training, name)
    if rung is None:
        return _NO_ROWS
    if rung.rule is None:
        return _uncertified(training, rung)
    if training.shipped.strategy != "learned":
        return f"keeps the promise, too, but {training.shipped.name} is the cheapest that is tested for shipping"
    if training.learned_won:
        return "not learned: keeps the promise, too, but a learned router that keeps it goes first"
    return "keeps the promise, too, but is set aside: the learned router is shipped as asked"


def _fixed_rung(training: Training, name: str) -> Rung | None:
    """The certificate of a rule without learning, held to the same share of the error as those that may be shipped."""
    data, tiers = training.data, len(training.data.names)
    every = _fixed_choices(training, name)
    needed = sorted({data.reference, *np.unique(every).tolist()})
    proof = provable_rows(data, training.split, training.large, needed)
    if not len(proof.rows):
        return None
    chosen = every[proof.rows]
    reference, reached = against(proof.values(data.quality), chosen, data.reference)
    (rung,) = certify_ladder(
        reference,
        reached[:, None],
        targets=(training.target.loss,),
        confidence=1 - FLOORS_SHARE * (1 - training.target.level) / (tiers + 1),
        relative=training.target.relative,
        groups=proof.groups,
        left=(chosen != data.reference)[:, None],
    )
    return rung


def _fixed_choices(training: Training, name: str) -> NDArray[np.int64]:
    """(n,): the tier that a rule without learning picks for every row."""
    data = training.data
    outcomes = Outcomes(
        quality=data.quality,
        costs=data.costs,
        groups=data.groups,
        sizes=np.array([request.chars + (request.max_tokens or 0) for request in data.table.requests], np.int64),
        tasks=tuple(data.matrix.tasks),
        reference=data.reference,
    )
    return baselines(data.names, outcomes, training.menu, training.thresholds)[name]
