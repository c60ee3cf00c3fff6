"""Outcomes that a log does not show, by what it shows of the same request.

A dear tier is mostly seen where a cheaper one failed, and requests like that are hard for it as well. Some requests are
easier than their features tell, for all tiers alike: with u this easiness, standard normal, and z_t the log-odds of
tier t's answer by the features,

    logit P(y_t = 1 | u) = sqrt(1 + c * s^2) * (a_t + b_t * z_t) + s * u,    c = (16 * sqrt(3) / (15 * pi))^2

This is Rasch's model of items and persons ("Probabilistic Models for Some Intelligence and Attainment Tests", 1960)
with features. The root leaves P(y_t = 1) near sigmoid(a_t + b_t * z_t) (Zeger, Liang and Albert, "Models for
Longitudinal Data", Biometrics 44, 1988). What was seen of a request, verdicts or outcomes, says how easy it is, and
that says what its other tiers would have done. Whether a tier was tried depends on the request and on verdicts alone,
so the likelihood of what was seen needs no word about it (Rubin, "Inference and Missing Data", Biometrika 63, 1976). It
is integrated over u by quadrature and maximized (Bock and Aitkin, "Marginal Maximum Likelihood Estimation of Item
Parameters", Psychometrika 46, 1981), with normal priors.

How far easiness spreads, s, a log itself hardly tells: z has been learned where cheaper tiers had failed, and so
explains what u would. But it is much the same on tables with every outcome (`benchmarks/easiness.py` prints it), so its
prior is narrow. Of a tier with few rows z is drawn towards the reference's, so that a tier hardly ever tried is not
taken to be better than the reference by luck.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from classifier.model import logit, sigmoid

SPREAD = 2.3
_SPREAD_DEVIATION = 0.1  # of its logarithm
_SHIFT_DEVIATION = 1.0
_SLOPE_DEVIATION = 0.22
_BORROWED_ROWS = 200.0
_LEAST = 0.02
_LEAST_LIKELIHOOD = 1e-12
_BLOCK = 20_000  # rows at once: memory
_SHRINK = (16.0 * np.sqrt(3.0) / (15.0 * np.pi)) ** 2
_NODES, _node_weights = np.polynomial.hermite_e.hermegauss(15)  # Gauss and Hermite's, for a standard normal variable
_PRIOR = _node_weights / _node_weights.sum()

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Easiness:
    """How requests' easiness shows in t tiers' answers.

    Attributes
    ----------
    shift, slope : (t,) a and b as above.
    spread : s, log-odds that one standard deviation of easiness is worth.
    """

    shift: _Float
    slope: _Float
    spread: float

    @property
    def scale(self) -> float:
        """What log-odds at u = 0 are stretched by."""
        return float(np.sqrt(1.0 + _SHRINK * self.spread**2))

    def chances(self, logits: _Float, nodes: _Float) -> _Float:
        """P(adequate), (n, t, k), of logits (n, t) at k values of u."""
        return sigmoid((self.scale * (self.shift + self.slope * logits))[:, :, None] + self.spread * nodes)


def complete_outcomes(likelihood: _Float, expected: _Float, reference: int, weights: _Float | None = None) -> _Float:
    """Adequacy (n, t) to expect of each tier's answer, given all that was seen of the request.

    Parameters
    ----------
    likelihood : (n, t, 2) of what was seen of an answer, if it is inadequate and if it is adequate; alike where nothing
        was. Tiers in price order.
    expected : (n, t) adequacy expected of the requests alone, by models that did not see the row.
    reference : place of the reference tier.
    weights : (n,) rows' worth of each row, such as by its age; None: one each.
    """
    logits = _logits(likelihood, expected, reference)
    counts = np.ones(len(logits)) if weights is None else weights
    easiness = fit_easiness(likelihood, logits, counts)
    filled = np.empty_like(expected)
    for rows in _blocks(len(logits)):
        chances = easiness.chances(logits[rows], _NODES)
        seen = _seen(likelihood[rows], chances)
        adequate = likelihood[rows, :, 1, None] * chances / seen
        filled[rows] = np.einsum("ntk,nk->nt", adequate, _posterior(seen)[0])
    return np.clip(filled, 0.0, 1.0)


def fit_easiness(
    likelihood: _Float, logits: _Float, counts: _Float, *, spread: float = SPREAD, deviation: float = _SPREAD_DEVIATION
) -> Easiness:
    """The easiness that makes what was seen most likely.

    Parameters
    ----------
    likelihood : (n, t, 2), see `complete_outcomes`. logits : (n, t) z as above. counts : (n,) rows' worth of each row.
    spread, deviation : where it is expected, and the standard deviation of its logarithm around that.
    """
    tiers = logits.shape[1]
    centre = np.concatenate([np.zeros(tiers), np.ones(tiers), [np.log(spread)]])
    deviations = np.repeat([_SHIFT_DEVIATION, _SLOPE_DEVIATION, deviation], [tiers, tiers, 1])

    def loss(values: _Float) -> tuple[float, _Float]:
        distance = (values - centre) / deviations
        found, gradient = _loss(values, likelihood, logits, counts)
        return found + float(distance @ distance) / 2, gradient + distance / deviations

    values = optimize.minimize(loss, centre, jac=True, method="L-BFGS-B").x
    return _easiness(values)


def _easiness(values: _Float) -> Easiness:
    tiers = len(values) // 2
    return Easiness(values[:tiers], values[tiers:-1], float(np.exp(values[-1])))


def _loss(values: _Float, likelihood: _Float, logits: _Float, counts: _Float) -> tuple[float, _Float]:
    """Minus the log-likelihood, and its gradient by shifts, slopes and the spread's logarithm."""
    easiness = _easiness(values)
    total, gradient = 0.0, np.zeros(len(values))
    for rows in _blocks(len(logits)):
        z, count = logits[rows], counts[rows]
        chances = easiness.chances(z, _NODES)
        seen = _seen(likelihood[rows], chances)
        posterior, evidence = _posterior(seen)
        total -= float(count @ evidence)
        gap = (likelihood[rows, :, 1] - likelihood[rows, :, 0])[:, :, None]
        # By the logit at each node.
        slopes = gap * chances * (1.0 - chances) / seen * posterior[:, None, :] * count[:, None, None]
        by_logit = slopes.sum(axis=2)
        by_spread = (
            by_logit * (easiness.shift + easiness.slope * z) * _SHRINK * easiness.spread / easiness.scale
            + slopes @ _NODES
        )
        gradient -= np.concatenate(
            [
                easiness.scale * by_logit.sum(axis=0),
                easiness.scale * (by_logit * z).sum(axis=0),
                [easiness.spread * by_spread.sum()],
            ]
        )
    return total, gradient


def _seen(likelihood: _Float, chances: _Float) -> _Float:
    """(n, t, k): likelihood of what was seen of each answer at each node."""
    inadequate, adequate = likelihood[:, :, 0, None], likelihood[:, :, 1, None]
    return np.maximum(inadequate + (adequate - inadequate) * chances, _LEAST_LIKELIHOOD)


def _posterior(seen: _Float) -> tuple[_Float, _Float]:
    """Of each node given all answers, (n, k), and the log-likelihood, (n,)."""
    logs = np.log(seen).sum(axis=1)
    most = logs.max(axis=1, keepdims=True)
    joint = np.exp(logs - most) * _PRIOR
    total = joint.sum(axis=1, keepdims=True)
    return joint / total, (np.log(total) + most)[:, 0]


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(begin, begin + _BLOCK) for begin in range(0, rows, _BLOCK))


def _logits(likelihood: _Float, expected: _Float, reference: int) -> _Float:
    """(n, t) of what is expected of each tier, drawn towards the reference's where that was seen more often."""
    logits = logit(np.clip(expected, _LEAST, 1.0 - _LEAST))
    rows = (likelihood[:, :, 0] != likelihood[:, :, 1]).sum(axis=0)
    own = np.where(rows >= rows[reference], 1.0, rows / (rows + _BORROWED_ROWS))
    found: _Float = own * logits + (1.0 - own) * logits[:, [reference]]
    return found
