"""What a learned gate sees of an answer: the one definition that training and runtime share.

The terms are those that `classifier.features` finds in a request with the answer's text, the task label is the tier
that answered, and the dense features are

- `classifier.gates.ANSWER_FEATURES`, as signed logarithms,
- what the router expected of this tier and of the reference before anything was answered, as logits, and their gap,
- for each tier of the ladder, whether an answer of that tier to the same request says the same: 1 yes, 0 no.

What is not known is NaN; `fill_unknown` puts the training rows' mean there, so that it speaks neither for nor against.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import normalise_label
from classifier.features import FeatureExtractor, Features
from classifier.gates.agreement import claim
from classifier.gates.answer import Answer
from classifier.gates.features import ANSWER_FEATURES, answer_features
from classifier.model import logit
from classifier.request import Request

EVIDENCE_VERSION = 2


def evidence_names(ladder: Sequence[str]) -> tuple[str, ...]:
    """Names of the dense features, in order; ``ladder`` are the learned tiers."""
    expected = ("expected of the tier", "expected of the reference", "expected gap")
    return (*ANSWER_FEATURES, *expected, *(f"says the same as {tier}" for tier in ladder))


def answer_numbers(answer: Answer) -> NDArray[np.float64]:
    """(len(ANSWER_FEATURES),): the answer by itself, NaN where something is not known."""
    with np.errstate(over="ignore", invalid="ignore"):  # log-probabilities far beyond what any model gives
        values = np.fromiter(answer_features(answer).values(), np.float64, len(ANSWER_FEATURES))
    signed: NDArray[np.float64] = np.copysign(np.log1p(np.abs(values)), values)
    return signed


def expected_numbers(own: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) from the qualities (n,) that the router expects of the answering tier and of the reference."""
    first, second = logit(own), logit(reference)
    return np.stack([first, second, first - second], axis=-1)


def agreements(answer: Answer, others: Mapping[int, Answer], tiers: int) -> NDArray[np.float64]:
    """(tiers,): 1 where the other answer, by place of its tier, says the same, 0 where it does not, else NaN."""
    found = np.full(tiers, np.nan)
    said = claim(answer) if others else None
    if said is not None:
        for place, other in others.items():
            found[place] = float(claim(other) == said)
    return found


def judged_features(
    answer: Answer,
    expected: tuple[float, float],
    agreed: NDArray[np.float64],
    extract: FeatureExtractor,
) -> Features:
    """All a gate sees of one answer; never raises, whatever the texts.

    Parameters
    ----------
    expected : the qualities that the router expects of the answering tier and of the reference.
    agreed : from `agreements`.
    extract : finds the terms; how it counts tokens makes no difference.
    """
    read = extract(Request(answer.text))
    own, reference = np.array(expected)
    dense = np.concatenate([answer_numbers(answer), expected_numbers(own, reference), agreed])
    return Features(read.terms, read.word_terms, dense, normalise_label(answer.tier), read.tokens)


def fill_unknown(dense: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Dense features (..., d) with the training rows' means (d,) for what is NaN."""
    return np.where(np.isnan(dense), means, dense)
