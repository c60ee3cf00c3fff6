"""The learned gate: what an answer's text says of its quality, beside what the router expected of the request.

It is fitted by ``train-router`` on tables with ``response__<tier>`` columns, and travels in the router's artifact.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from classifier.artifact import header_field, read_artifact
from classifier.catalog import normalise_label
from classifier.features import FeatureExtractor, FeatureRows
from classifier.gates.agreement import Agreement
from classifier.gates.answer import Answer
from classifier.gates.evidence import agreements, fill_unknown, judged_features
from classifier.gates.gate import Ask, Gate, SimpleGate, Steps, Verdict
from classifier.gates.options import expect_share
from classifier.gates.stored import CascadePromise, StoredGate, keep_score, load_gate
from classifier.locate import artifact_in_use
from classifier.model import Prediction
from classifier.router import Router
from classifier.tokens import estimate_tokens

_NO_OTHERS: Mapping[str, Answer] = MappingProxyType({})


class LearnedGate(SimpleGate):
    """Judges by what was learned from answers of known quality; threads may share it.

    The score is 1 less the quality that keeping the answer is expected to lose against asking the reference tier:
    P(adequate) for a tier whose answers are never better than the reference's, and higher where they may be. An answer
    of a tier that the gate has not learned about passes with a score of 0.5.

    Attributes
    ----------
    promise : what is certified of router and gate together, and at which setting.
    threshold : the least score that passes.
    """

    name = "learned"

    def __init__(self, router: Router, stored: StoredGate, threshold: float | None = None) -> None:
        """Make a gate for answers to a router's requests; see `load`."""
        if threshold is not None:
            expect_share("LearnedGate", "threshold", threshold)
        self.promise: CascadePromise = stored.promise
        self.threshold = stored.promise.setting.threshold if threshold is None else threshold
        self._router, self._model = router, stored.model
        self._extract = FeatureExtractor(router.keywords, estimate_tokens)
        ladder = [normalise_label(tier.name) for tier in router.learned_tiers]
        self._places = {label: place for place, label in enumerate(ladder)}
        self._known = {normalise_label(tier) for tier in stored.tiers}

    @classmethod
    def load(cls, source: Router | str | Path | None = None, threshold: float | None = None) -> LearnedGate:
        """The gate of a router, of an artifact file, or (None) of the artifact that `predict_model` uses.

        Parameters
        ----------
        threshold : the least score that passes; None: the one certified together with the router's setting.

        Raises
        ------
        ArtifactError : the artifact cannot be used or holds no learned gate.
        ConfigError : the threshold is out of range.
        """
        router = source if isinstance(source, Router) else Router(read_artifact(source or artifact_in_use()))
        return cls(router, _gate_of(router), threshold)

    def judge(self, answer: Answer) -> Verdict:
        """Judge an answer by itself; never raises, whatever its text."""
        return self.judge_beside(answer, _NO_OTHERS)

    def judge_beside(self, answer: Answer, others: Mapping[str, Answer]) -> Verdict:
        """Judge an answer knowing what other tiers, by name, answered to the same request."""
        if normalise_label(answer.tier) not in self._known:
            return self.verdict(0.5, True, "a tier that the gate has not learned about")
        score = float(keep_score(np.array(self.expect(answer, others).quality)))
        return self.verdict(score, score >= self.threshold, f"scored {score:.2f}, expected {self.threshold:.2f}")

    def expect(self, answer: Answer, others: Mapping[str, Answer] = _NO_OTHERS) -> Prediction:
        """What is expected of the answer (first) and of the reference's answer to the same request (second)."""
        _, before, _ = self._router.forecast(answer.request)
        place = self._places[normalise_label(answer.tier)]
        known = {self._places.get(normalise_label(tier), -1): other for tier, other in others.items()}
        agreed = agreements(answer, {at: each for at, each in known.items() if at >= 0}, len(self._places))
        expected = before.quality[place], before.quality[self._router.loaded.reference]
        seen = judged_features(answer, expected, agreed, self._extract)
        rows = FeatureRows(
            seen.terms,
            np.array([0, len(seen.terms)]),
            np.array([seen.word_terms]),
            fill_unknown(seen.dense, self._model.weights.dense_mean)[None],
            (seen.task,),
            np.array([seen.tokens]),
        )
        # One row of the compiled form for many is faster than the single prediction in numpy.
        found = self._model.predict_many(rows)
        return Prediction(found.quality[0].tolist(), found.adequate[0].tolist(), found.cost[0].tolist())


def _gate_of(router: Router) -> StoredGate:
    """The gate of a router's artifact, its tiers called as in the router's menu."""
    names = header_field(router.artifact, "tiers", kind=list)
    return load_gate(router.artifact).renamed(
        {name: tier.name for name, tier in zip(names, router.learned_tiers, strict=True)}
    )


class SecondOpinion(Gate):
    """A `LearnedGate` that also asks another, cheap tier, and takes into account whether it says the same.

    Parameters
    ----------
    gate : what judges.
    tier : who is asked. An answer of this tier itself, or one that has nothing to compare, is judged alone, as is one
        where the call fails.

    It is asked whether or not the answer passes by itself: on real answers (``benchmarks/cascade.py``) finding wrong
    ones among those that pass is worth more than the calls. The certified threshold is that of answers judged alone.
    """

    name = "second opinion"

    def __init__(self, gate: LearnedGate, tier: str) -> None:
        """Compose."""
        self.gate, self.tier = gate, tier

    def steps(self, answer: Answer) -> Steps:
        """Ask where that can help, and judge."""
        wanted = self._question(answer)
        if wanted is None:
            return self._renamed(self.gate.judge(answer))
        try:
            other: Answer = yield wanted
        except Exception:
            return self._renamed(self.gate.judge(answer))
        return self._renamed(self.gate.judge_beside(answer, {self.tier: other}))

    def _question(self, answer: Answer) -> Ask | None:
        if normalise_label(answer.tier) == normalise_label(self.tier):
            return None
        steps = Agreement(k=1, tier=self.tier).steps(answer)
        wanted = next(steps, None)
        steps.close()
        return wanted if isinstance(wanted, Ask) else None

    def _renamed(self, verdict: Verdict) -> Verdict:
        return Verdict(self.name, verdict.score, verdict.passed, verdict.reason, (verdict,))
