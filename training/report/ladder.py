"""What each rung of the certificate buys: the ladder of quality losses with the savings of the test rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from training.measure.evaluate import evaluate, fixed_weights
from training.training import Training


@dataclass(frozen=True, slots=True)
class LadderStep:
    """One rung of the certificate: what may be lost, and what that buys.

    Attributes
    ----------
    target : quality that may be lost; a share of the reference's where ``relative``, else points.
    certified : a rule cheaper than the reference keeps the promise.
    saving, cost_share, kept : on the test rows, against the reference.
    rows_needed : for choosing the rule, where not certified; None: more rows would not change that.
    """

    target: float
    relative: bool
    certified: bool
    saving: float
    cost_share: float
    kept: float
    rows_needed: int | None


def ladder_steps(training: Training, *, shipped_only: bool = True) -> Iterator[LadderStep]:
    """The steps by ascending loss, as the artifact offers them at run time.

    There are none where a floor is shipped, each task has a setting of its own, or nothing can be certified since a
    router in use observed the rows.

    Parameters
    ----------
    shipped_only : False: also the steps of a learned router that is not shipped.
    """
    if training.target.per_task or training.rule.estimated is not None:
        return
    if shipped_only and training.shipped.strategy != "learned":
        return
    test, tiers = training.test, training.test.quality.shape[1]
    for rung in training.rule.ladder:
        if rung.rule is None:
            yield LadderStep(rung.target, rung.relative, False, 0.0, 1.0, 1.0, rung.rows_needed)
            continue
        setting = training.rule.path[rung.rule]
        chosen = training.expected.choose(setting.price_weight, setting.reference_bonus)
        result = evaluate("", fixed_weights(chosen, tiers), test, seed=training.seed)
        yield LadderStep(rung.target, rung.relative, True, result.saving, 1 - result.saving, result.kept, None)
