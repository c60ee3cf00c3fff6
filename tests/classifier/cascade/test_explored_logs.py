"""What is learned from the log of a cascade that explores is right on average."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from openai.types.chat import ChatCompletion

from classifier import Router
from classifier.cascade.calls import Call
from classifier.cascade.candidate import Candidate
from classifier.cascade.engine import Engine
from classifier.cascade.recording import decision_record
from classifier.cascade.route import find_route
from classifier.cascade.run import Policy
from classifier.gates import Check
from classifier.outcomes import Outcome
from classifier.request import Request
from tests.helpers.requests import TIERS, made_table
from training.challenge.estimators import ips, log_of_starts, picks
from training.log.observed import Observed, observe

POLICY = Policy(Check(lambda answer: answer.text == "good", name="exact"), explore=0.2, audit=0.1)
ROWS, LOGS = 120, 25


class Upstream:
    """Requests of which every tier's answer is known: 1 good, 0 bad."""

    def __init__(self) -> None:
        self.requests, quality, _ = made_table(ROWS, seed=11)
        self.quality = np.nan_to_num(quality, nan=1.0)

    def log(self, router: Router, candidate: Router | None, seed: int) -> Observed:
        """What a cascade's store shows after it has answered every request."""
        outcomes: list[Outcome] = []
        engine = Engine(
            router,
            POLICY,
            candidate=None if candidate is None else Candidate(lambda: candidate, lambda: 0.0),
            record=lambda run: outcomes.append(Outcome(decision_record(run))),
            random=Random(seed),
            clock=lambda: 0.0,
        )
        for row, request in enumerate(self.requests):
            self._answer(engine, row, request)
        return observe(outcomes, router.menu)

    def _answer(self, engine: Engine, row: int, request: Request) -> None:
        steps = engine.steps({"messages": [{"role": "user", "content": request.text}]}, task=request.task)
        wanted = next(steps)
        while True:
            assert isinstance(wanted, Call)
            good = self.quality[row, TIERS.index(wanted.tier.name)]
            try:
                wanted = steps.send(completion("good" if good else "bad"))
            except StopIteration:
                return


def completion(text: str) -> ChatCompletion:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return ChatCompletion.model_validate(
        {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    )


def starts(router: Router, requests: Sequence[Request]) -> NDArray[np.int64]:
    """(n,) where the cascade would begin if it did not explore."""
    decisions = (router.route(messages=[{"role": "user", "content": each.text}], task=each.task) for each in requests)
    return np.array([find_route(each, POLICY.odds).places[0] for each in decisions])


@pytest.mark.slow
def test_the_candidates_value_is_estimated_without_bias(router: Router, cheaper: Router) -> None:
    upstream = Upstream()
    rows, place = np.arange(ROWS), starts(cheaper, upstream.requests)
    planned = starts(router, upstream.requests)
    assert 0.1 < (place != planned).mean() < 0.6
    truth = upstream.quality[rows, place].mean()
    estimates, variances = [], []
    for seed in range(LOGS):
        observed = upstream.log(router, cheaper, seed)
        assert (observed.planned == planned).all()
        assert observed.start_chance.sum(axis=1) == pytest.approx(np.ones(ROWS))
        assert np.array_equal(observed.start_chance[rows, observed.start], observed.propensity)
        assert np.array_equal(observed.explored, observed.start != planned)
        assert (observed.audit_share == 0.1).all()
        assert set(observed.asked.checks) == {"exact"}
        chance = observed.start_chance[rows, place]
        assert (chance > 0).all()
        variances.append((upstream.quality[rows, place] * (1 - chance) / chance).sum() / ROWS**2)
        log = log_of_starts(observed, observed.verdict)
        estimates.append(ips(log, picks(place, len(observed.tiers))).value)
    error = np.sqrt(np.sum(variances)) / LOGS
    assert error < 0.05
    assert np.mean(estimates) == pytest.approx(truth, abs=4 * error)
    assert abs(truth - upstream.quality[rows, planned].mean()) > 4 * error


def test_a_candidate_is_seen_far_more_often_where_it_differs(router: Router, cheaper: Router) -> None:
    upstream = Upstream()
    differs = starts(cheaper, upstream.requests) != starts(router, upstream.requests)
    place = starts(cheaper, upstream.requests)[differs]
    directed, even = (upstream.log(router, candidate, 0).start_chance[differs] for candidate in (cheaper, None))
    found, without = (np.take_along_axis(each, place[:, None], axis=1).mean() for each in (directed, even))
    assert found > 0.25
    assert without < 0.1
