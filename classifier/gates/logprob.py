"""How sure was the model of the tokens it chose?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from classifier.gates.answer import Answer
from classifier.gates.gate import SimpleGate, Verdict
from classifier.gates.options import expect_one_of, expect_share


@dataclass(frozen=True, slots=True)
class MeanLogprob(SimpleGate):
    """Passes an answer whose tokens were likely: the geometric mean of their probabilities reaches a threshold.

    The call must ask for ``logprobs``, which `needs` says. The mean is length-normalised sequence likelihood (Malinin
    and Gales, "Uncertainty Estimation in Autoregressive Structured Prediction", ICLR 2021). What threshold suits
    depends on the model: choose it from answers whose quality is known.

    Parameters
    ----------
    threshold : the least mean probability, 0..1.
    missing : what becomes of an answer without probabilities: "pass" (with a score of 0.5) or "fail".

    Raises
    ------
    ConfigError : an option is out of range.
    """

    threshold: float = 0.8
    missing: Literal["pass", "fail"] = "fail"
    name: str = "mean logprob"

    def __post_init__(self) -> None:
        expect_share("MeanLogprob", "threshold", self.threshold)
        expect_one_of("MeanLogprob", "missing", self.missing, ("pass", "fail"))

    def needs(self) -> Mapping[str, Any]:
        """The log-probabilities of the answer's tokens."""
        return {"logprobs": True}

    def judge(self, answer: Answer) -> Verdict:
        """Compare the mean probability with the threshold."""
        if answer.token_logprobs is None:
            kept = self.missing == "pass"
            return self.verdict(0.5 if kept else 0.0, kept, "the upstream gave no token probabilities")
        score = mean_probability(answer.token_logprobs)
        passed = score >= self.threshold
        return self.verdict(score, passed, f"mean token probability {score:.2f}")


def mean_probability(logprobs: Sequence[float]) -> float:
    """Geometric mean of the probabilities of at least one token, 0..1."""
    return math.exp(math.fsum(logprobs) / len(logprobs))
