"""What a gate's verdict is worth: how often answers that it passed, or failed, are adequate, by audits.

Audits are drawn at random among the answers that were kept. For passed answers they are a fair sample. Failed answers
are audited only where they were the last on their route; those that were followed by a dearer tier's never are.

One thing is assumed, how often the gate passes adequate answers ("a"); then with p passed and f failed of a tier's
answers, by Bayes' rule

    P(adequate | failed) = P(adequate | passed) * p / f * (1 - a) / a,

and P(adequate | passed) = P(adequate) * a / p, with the artifact's expectation for P(adequate). That is where rates
start. Audits move them in two steps: all tiers' together, against `_PRIOR_ROWS` audits that found what was expected,
then each tier's own, against `_POOLED_ROWS` that found what all tiers' say (shrinkage as in Efron and Morris, "Data
Analysis Using Stein's Estimator and Its Generalizations", JASA 70, 1975). Intervals are those of the beta posterior.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from classifier.cascade.route import GateRates
from training.log.observed import Observed

_PRIOR_ROWS = 5.0
_POOLED_ROWS = 10.0
_FEW = 20
_LEAST = 0.01  # no expectation is surer
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

    def bounds(self) -> tuple[GateTruth, GateTruth]:
        """The least and the most that verdicts may be worth: the ends of the rates' intervals as rates."""
        low = replace(self, passed=_at(self.passed, self.passed.low), failed=_at(self.failed, self.failed.low))
        high = replace(self, passed=_at(self.passed, self.passed.high), failed=_at(self.failed, self.failed.high))
        return low, high

    def adequate(self, verdict: _Float, expected: _Float | None = None) -> _Float:
        """Expected adequacy of answers, (n, t), given verdicts (1, 0, NaN where there is none).

        Requests that few were expected to be answered well pass a gate more often by its mistake. With ``expected``,
        P(adequate) before the verdict, each answer's odds of being adequate are those expected, times what makes the
        mean over a tier's answers of one verdict the rate of that verdict.

        Parameters
        ----------
        expected : (n, t); where it is NaN, and for None, the tier's rate stands.
        """
        found: _Float = np.where(verdict > 0.5, self.passed.value, self.failed.value)
        found = np.where(np.isnan(verdict), np.nan, found)
        if expected is None:
            return found
        for value, rates in ((1.0, self.passed), (0.0, self.failed)):
            for tier, rate in enumerate(rates.value):
                rows = np.flatnonzero((verdict[:, tier] == value) & ~np.isnan(expected[:, tier]))
                if len(rows):
                    found[rows, tier] = _moved(expected[rows, tier], rate)
        return found


def _at(rates: Rates, value: _Float) -> Rates:
    return replace(rates, value=np.clip(value, 1e-6, 1.0 - 1e-6))


def _moved(chances: _Float, mean: float) -> _Float:
    """Probabilities whose odds are all multiplied by what gives them this mean."""
    odds = special.logit(np.clip(chances, _LEAST, 1.0 - _LEAST))
    far = 2 * special.logit(1.0 - _LEAST) + abs(float(special.logit(mean)))
    step = optimize.brentq(lambda step: float(special.expit(odds + step).mean()) - mean, -far, far)
    moved: _Float = special.expit(odds + step)
    return moved


def gate_truth(observed: Observed, pass_adequate: float = GateRates().pass_adequate) -> GateTruth:
    """What the audits of a log say of its gate.

    Parameters
    ----------
    pass_adequate : how often the gate is assumed to pass adequate answers, above 0 and up to 1.
    """
    judged = ~np.isnan(observed.verdict)
    pass_share = _share(judged, observed.verdict == 1)
    expected = _share(judged & ~np.isnan(observed.expected), observed.expected, _USUALLY_ADEQUATE)
    prior = np.maximum(expected * pass_adequate / pass_share, expected)
    passed = _shrunk(_audits(observed, 1.0), prior)
    odds = pass_share / (1.0 - pass_share) * (1.0 - pass_adequate) / pass_adequate
    failed = _shrunk(_audits(observed, 0.0), passed.value * np.minimum(odds, 1.0))
    return GateTruth(passed, failed, (*_notes(observed, passed, 1.0), *_notes(observed, failed, 0.0)))


def _share(among: NDArray[np.bool_], values: NDArray[Any], otherwise: float = 0.5) -> _Float:
    """(t,) means of values of 0..1, kept from 0 and 1 by half a row of ``otherwise`` each way."""
    total = np.where(among, values, 0.0).sum(axis=0) + otherwise
    means: _Float = total / (among.sum(axis=0) + 1.0)
    return means


def _audits(observed: Observed, verdict: float) -> _Float:
    """(n, t) audits' scores of the answers with a verdict; NaN elsewhere."""
    return np.where(observed.verdict == verdict, observed.audit, np.nan)


def _shrunk(scores: _Float, prior: _Float) -> Rates:
    """Rates of the columns of (n, t) scores, NaN where not audited; (t,) what they start from."""
    prior = np.clip(prior, 1e-3, 1.0 - 1e-3)
    audits, sums = (~np.isnan(scores)).sum(axis=0), np.nansum(scores, axis=0)
    begun = _PRIOR_ROWS * prior.mean()
    common = np.clip(prior * (begun + sums.sum()) / (begun + (audits * prior).sum()), 1e-6, 1.0 - 1e-6)
    good = _POOLED_ROWS * common + sums
    bad = _POOLED_ROWS * (1.0 - common) + audits - sums
    low, high = stats.beta.ppf([[0.025], [0.975]], good, bad)
    return Rates(good / (good + bad), low, high, audits)


def _notes(observed: Observed, rates: Rates, verdict: float) -> list[str]:
    kind, audits = "passed" if verdict else "failed", rates.audits
    judged = (observed.verdict == verdict).sum(axis=0)
    if not judged.any():
        return []
    if not audits.any():
        mean = float(rates.value @ judged) / float(judged.sum())
        return [f"no answer that {kind} was audited: {mean:.0%} of them are assumed to be adequate"]
    return [
        f"{name}: {audits[tier]} of {judged[tier]:,} answers that {kind} were audited; "
        f"their rate leans on all tiers' {audits.sum()} audits"
        for tier, name in enumerate(observed.tiers)
        if judged[tier] and audits[tier] < _FEW
    ]
