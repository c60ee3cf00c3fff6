"""What a gate's verdict is worth: how often answers that it passed, or failed, are adequate, by audits.

Audits are drawn at random among the answers that were kept. For passed answers they are a fair sample. Failed answers
are audited only where they were the last on their route; those that were followed by a dearer tier's never are.

The rates are posterior means of beta-binomial models in two steps: all tiers together are shrunk towards what the
assumed gate rates say by Bayes' rule, worth `_PRIOR_ROWS` audits, and each tier towards all together, worth
`_POOLED_ROWS` (Efron and Morris, "Data Analysis Using Stein's Estimator and Its Generalizations", JASA 70, 1975).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from classifier.cascade.route import GateRates
from training.feedback.observed import Observed

_PRIOR_ROWS = 5.0
_POOLED_ROWS = 10.0
_FEW = 20
_USUALLY_ADEQUATE = 0.7  # where no artifact said what it expects

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """A share for each of t tiers.

    Attributes
    ----------
    value, low, high : (t,) posterior mean and 95% interval, 0..1.
    audits : (t,) answers that it was seen on.
    """

    value: _Float
    low: _Float
    high: _Float
    audits: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class GateTruth:
    """How far a gate can be believed.

    Attributes
    ----------
    passed, failed : P(adequate | the gate passed the answer) and P(adequate | it did not): 1 minus the false-pass rate,
        and the false-fail rate.
    notes : a sentence for each rate that rests on few audits.
    """

    passed: Rates
    failed: Rates
    notes: tuple[str, ...]

    def adequate(self, verdict: _Float) -> _Float:
        """Expected adequacy of answers, (n, t), given verdicts (1, 0, NaN where there is none)."""
        expected: _Float = np.where(verdict > 0.5, self.passed.value, self.failed.value)
        return np.where(np.isnan(verdict), np.nan, expected)


def gate_truth(observed: Observed, assumed: GateRates | None = None) -> GateTruth:
    """What the audits of a log say of its gate.

    Parameters
    ----------
    assumed : what to believe of the gate where audits are few; None: what a cascade assumes.
    """
    assumed = assumed or GateRates()
    expected = observed.expected[observed.tried & ~np.isnan(observed.expected)]
    usual = float(expected.mean()) if len(expected) else _USUALLY_ADEQUATE
    truths, notes = [], list[str]()
    for passed in (True, False):
        good = assumed.pass_adequate if passed else 1.0 - assumed.pass_adequate
        bad = assumed.pass_inadequate if passed else 1.0 - assumed.pass_inadequate
        both = usual * good + (1.0 - usual) * bad
        prior = usual * good / both if both > 0 else usual
        audited = ~np.isnan(observed.audit) & ~observed.by_audit & (observed.verdict == float(passed))
        truths.append(_shrunk(np.where(audited, observed.audit, np.nan), prior))
        notes += _notes(observed, truths[-1].audits, passed, prior)
    return GateTruth(truths[0], truths[1], tuple(notes))


def _shrunk(scores: _Float, prior: float) -> Rates:
    """Rates of the columns of (n, t) scores, NaN where not audited."""
    audits, sums = (~np.isnan(scores)).sum(axis=0), np.nansum(scores, axis=0)
    pooled = (_PRIOR_ROWS * prior + sums.sum()) / (_PRIOR_ROWS + audits.sum())
    good = _POOLED_ROWS * pooled + sums
    bad = np.maximum(_POOLED_ROWS + audits - good, 1e-9)
    good = np.maximum(good, 1e-9)
    low, high = stats.beta.ppf([[0.025], [0.975]], good, bad)
    return Rates(good / (good + bad), low, high, audits)


def _notes(observed: Observed, audits: NDArray[np.int64], passed: bool, prior: float) -> list[str]:
    kind = "passed" if passed else "failed"
    judged = (observed.verdict == float(passed)).sum(axis=0)
    if not judged.any():
        return []
    if not audits.any():
        return [f"no answer that {kind} was audited: {prior:.0%} of them are assumed to be adequate"]
    return [
        f"{name}: {audits[tier]} of {judged[tier]:,} answers that {kind} were audited; "
        f"their rate leans on all tiers' {audits.sum()} audits"
        for tier, name in enumerate(observed.tiers)
        if judged[tier] and audits[tier] < _FEW
    ]
