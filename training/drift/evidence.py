"""Evidence that a stream of p-values is no longer uniform, valid however often one looks: an e-detector.

A bet is a density f on (0, 1). With independent uniform p-values the Shiryaev-Roberts statistic

    R_n = (R_{n-1} + 1) * f(p_n),    R_0 = 0,

adds up the capital of one who begins to bet at each row. R_n - n is a martingale, so that R reaches c within n rows
with probability n / c at most (Doob), and on average not before row c. The mean over several bets has the same
properties (Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", 2022; on
conformal p-values: Vovk et al., "Retrain or not retrain: conformal test martingales for change-point detection", COPA
2021).

The bets are that the odds of p <= s have risen or fallen by 1.6, for some edges s. That is best where a share changes
of which s was the usual value. Where no edges are given, there are eleven, and bets besides that very small or very
large p have become common, with densities 0.5 / sqrt(p) and 2 p and their mirror images.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_EDGES = np.array([0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
_ODDS = (1 / 1.6, 1.6)
_POWERS = (0.5, 2.0)
_SMALLEST = 1e-12

_Float = NDArray[np.float64]


def log_evidence(ranks: _Float, edges: _Float | None = None) -> _Float:
    """(m,) logarithm of the mean of R over all bets, after each row.

    Parameters
    ----------
    ranks : (m,) p-values in order of time.
    edges : (m, b) within (0, 1), for each row by what is known of it before its outcome; None: as said above.
    """
    total = np.full(len(ranks), -np.inf)
    bets = 0
    for gains in _log_bets(ranks, edges):
        capital = np.cumsum(gains)
        before = np.concatenate(([0.0], capital))[: len(ranks)]
        total = np.logaddexp(total, capital + np.logaddexp.accumulate(-before))
        bets += 1
    evidence: _Float = total - np.log(bets)
    return evidence


def changed_at(ranks: _Float, edges: _Float | None = None) -> int:
    """Where the change most likely began: the row from which on the best bet has won most up to the last row."""
    most, begin = -np.inf, 0
    for gains in _log_bets(ranks, edges):
        later = np.cumsum(gains[::-1])[::-1]
        place = int(np.argmax(later))
        if later[place] > most:
            most, begin = float(later[place]), place
    return begin


def _log_bets(ranks: _Float, edges: _Float | None) -> Iterator[_Float]:
    """(m,) logarithms of each bet's density at the p-values."""
    columns = np.broadcast_to(_EDGES, (len(ranks), len(_EDGES))) if edges is None else edges
    for edge in columns.T:
        for odds in _ODDS:
            mass = edge * odds / (1.0 - edge + edge * odds)
            yield np.log(np.where(ranks <= edge, mass / edge, (1.0 - mass) / (1.0 - edge)))
    if edges is not None:
        return
    for side in (ranks, 1.0 - ranks):
        logs = np.log(np.maximum(side, _SMALLEST))
        for power in _POWERS:
            yield np.log(power) + (power - 1.0) * logs
