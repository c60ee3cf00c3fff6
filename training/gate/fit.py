"""Fitting a gate: the router's own learners, on answers instead of requests."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from training.gate.answers import Answers, filled, known_means
from training.learners.fit import FittedModel, fit_model
from training.learners.learner import Learner
from training.learners.matrix import FeatureMatrix
from training.progress import Progress

_REFERENCE = 1


def fit_gate(
    learners: Mapping[str, Learner],
    answers: Answers,
    expected: NDArray[np.float64],
    quality: NDArray[np.float64],
    adequate: NDArray[np.float64],
    groups: NDArray[np.int64],
    reference: int,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> tuple[FittedModel, NDArray[np.float64]]:
    """Fit on answers to requests of the fitting part; each is seen alone and beside every other answer known.

    Parameters
    ----------
    answers : to fit on, m of them.
    expected, quality, adequate, groups : (n, t) and (n,), of all the data's requests. What the router expects must come
        from models that did not see the row.

    Returns
    -------
    The model, and what models that saw neither the answer nor its group say of each judged alone: (m, 2) expected
    quality of it and of the reference's answer.
    """
    copies = answers.with_others()
    matrix = copies.evidence(expected, reference)
    pairs = np.stack([quality[copies.rows, copies.places], quality[copies.rows, reference]], axis=1)
    good = adequate[copies.rows, copies.places]
    model, cross_fitted = fit_model(
        learners,
        filled(matrix, known_means(matrix)),
        pairs,
        np.stack([good, adequate[copies.rows, reference]], axis=1),
        np.ones_like(pairs),
        groups[copies.rows],
        _REFERENCE,
        jobs=jobs,
        progress=progress,
    )
    return model, cross_fitted.quality[: len(answers)]


def judge_answers(model: FittedModel, matrix: FeatureMatrix) -> NDArray[np.float64]:
    """(m, 2): expected quality of each answer and of the reference's, from what `Answers.evidence` says."""
    return model.predict(filled(matrix, model.linear.space.mean)).quality


def as_table(answers: Answers, quality: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """Scores of answers by request and tier, (n, t), not cut at 1 and NaN where there is no answer.

    Parameters
    ----------
    quality : (m, 2) of each answer and of the reference's.
    """
    scores = np.full((rows, answers.agreed.shape[1]), np.nan)
    scores[answers.rows, answers.places] = 1.0 + quality[:, 0] - quality[:, 1]
    return scores
