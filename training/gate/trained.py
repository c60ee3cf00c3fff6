"""What comes out of training a gate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.gates.stored import CascadePromise
from training.certify.certify import Rung
from training.learners.fit import FittedModel
from training.measure.evaluate import Result


@dataclass(frozen=True, slots=True)
class TrainedGate:
    """A learned gate and what it is worth.

    Attributes
    ----------
    model : two outputs: quality of the judged answer, and of the reference's to the same request.
    tiers : places of the tiers whose answers it has learned about.
    scores : (n, t) of every answer of the data judged by itself, those that it was fitted on cross-fitted; NaN where
        there is no answer; not cut at 1.
    promise : of the cascade, and at which setting.
    rung : the certificate behind it.
    result : the cascade on the test rows, every call paid for.
    """

    model: FittedModel
    tiers: tuple[int, ...]
    scores: NDArray[np.float64]
    promise: CascadePromise
    rung: Rung
    result: Result
