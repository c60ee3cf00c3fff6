"""What verdicts tell a learner: the chance that an answer is adequate, from how the gate treats right and wrong ones.

With a = P(pass | adequate), which is assumed, and b = P(pass | inadequate), requests that expect adequacy p pass with

    v = b + (a - b) * p,    so    p = (v - b) / (a - b),

and a verdict moves p by Bayes' rule. A learner of verdicts estimates v; the rest is this formula (learning under noise
that depends on the class: Natarajan, Dhillon, Ravikumar and Tewari, "Learning with Noisy Labels", NIPS 2013).

Audits say what b is. They are few, and one gate judges all tiers' answers: so they are first taken together for a b of
all tiers, then each tier's own move it, against `_POOLED_ROWS` that found what all tiers' say. An error in a common b
scales the tiers' gains over each other; errors in a rate of their own would shift them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.log.observed import Observed

_GRID = np.linspace(0.005, 0.9, 180)
_PRIOR_ROWS, _PRIOR_RATE = 2.0, 0.3
_POOLED_ROWS = 100.0
_FEW = 20
_LEAST_GAP = 0.05
_LEAST = 0.02

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Passing:
    """How often a gate passes answers.

    Attributes
    ----------
    adequate : P(pass | adequate), of all tiers' answers.
    inadequate : (t,) P(pass | inadequate), below it.
    """

    adequate: float
    inadequate: _Float

    def expected(self, passing: _Float) -> _Float:
        """P(adequate) of requests that pass with probability ``passing``; (n, t) both."""
        chance = (passing - self.inadequate) / (self.adequate - self.inadequate)
        return np.clip(chance, _LEAST, 1.0 - _LEAST)

    def likelihood(self, verdict: _Float) -> _Float:
        """P(verdict | inadequate) and P(verdict | adequate), (n, t, 2); ones where there is no verdict (1, 0, NaN)."""
        rates = np.stack([self.inadequate, np.full(len(self.inadequate), self.adequate)], axis=-1)
        given = verdict[:, :, None]
        found: _Float = np.where(np.isnan(given), 1.0, np.where(given > 0.5, rates, 1.0 - rates))
        return found


def passing_rates(observed: Observed, pass_adequate: float) -> Passing:
    """How a log's gate treats right and wrong answers.

    Parameters
    ----------
    pass_adequate : how often it is assumed to pass adequate ones, above 0 and below 1.

    Raises
    ------
    ValueError : ``pass_adequate`` is out of range.
    """
    if not 0 < pass_adequate < 1:
        raise ValueError(f"found pass_adequate {pass_adequate}; expected above 0 and below 1")
    judged = (~np.isnan(observed.verdict)).sum(axis=0)
    share = (np.nansum(observed.verdict, axis=0) + 0.5) / (judged + 1.0)
    audits = np.where(observed.verdict == 1, observed.audit, np.nan)
    audited, good = (~np.isnan(audits)).sum(axis=0), np.nansum(audits, axis=0)
    grid = _GRID[pass_adequate - _GRID >= _LEAST_GAP]
    if not len(grid):
        return Passing(pass_adequate, np.full(len(share), pass_adequate / 2))
    common = _common(grid, pass_adequate, judged, share, audited, good)
    usual = _adequate_share(common, pass_adequate, share)
    right = (_POOLED_ROWS * usual * pass_adequate / _passing(usual, pass_adequate, common) + good) / (
        _POOLED_ROWS + audited
    )
    adequate = np.clip(right * share / pass_adequate, _LEAST, 1.0 - _LEAST)
    own = (share - pass_adequate * adequate) / (1.0 - adequate)
    return Passing(pass_adequate, np.clip(own, grid[0], grid[-1]))


def _common(
    grid: _Float,
    pass_adequate: float,
    judged: NDArray[np.int64],
    share: _Float,
    audited: NDArray[np.int64],
    good: _Float,
) -> float:
    """Posterior mean of one b for all tiers, by verdicts and audits of passed answers."""
    enough = judged >= _FEW
    rate = grid[:, None]
    adequate = _adequate_share(rate, pass_adequate, share)
    passing = _passing(adequate, pass_adequate, rate)
    right = np.clip(pass_adequate * adequate / passing, 1e-3, 1.0 - 1e-3)
    fit = good * np.log(right) + (audited - good) * np.log(1.0 - right)
    fit = fit + judged * (share * np.log(passing) + (1.0 - share) * np.log(1.0 - passing))
    log = fit[:, enough].sum(axis=1)
    log = log + _PRIOR_ROWS * (_PRIOR_RATE * np.log(grid) + (1.0 - _PRIOR_RATE) * np.log(1.0 - grid))
    weight = np.exp(log - log.max())
    return float(weight @ grid / weight.sum())


def _adequate_share(rate: _Float | float, pass_adequate: float, share: _Float) -> _Float:
    return np.clip((share - rate) / (pass_adequate - rate), _LEAST, 1.0 - _LEAST)


def _passing(adequate: _Float, pass_adequate: float, rate: _Float | float) -> _Float:
    return pass_adequate * adequate + rate * (1.0 - adequate)
