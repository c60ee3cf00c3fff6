import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import ConfigError
from classifier.gates import MeanLogprob, run_gate
from tests.helpers.answers import answer


def test_the_score_is_the_geometric_mean_of_the_probabilities():
    verdict = run_gate(MeanLogprob(threshold=0.5), answer("a b", logprobs=[math.log(0.9), math.log(0.4)]))
    assert verdict.score == pytest.approx(0.6)
    assert verdict.passed
    assert not run_gate(MeanLogprob(threshold=0.7), answer("a b", logprobs=[math.log(0.9), math.log(0.4)])).passed


@pytest.mark.parametrize(("missing", "score", "passed"), [("pass", 0.5, True), ("fail", 0.0, False)])
def test_without_probabilities(missing, score, passed):
    verdict = run_gate(MeanLogprob(missing=missing), answer("a"))
    assert (verdict.score, verdict.passed) == (score, passed)


def test_the_call_must_ask_for_them():
    assert MeanLogprob().needs() == {"logprobs": True}


@given(st.lists(st.floats(), max_size=20))
def test_any_probabilities(logprobs):
    assert 0 <= run_gate(MeanLogprob(), answer("a", logprobs=logprobs)).score <= 1


def test_bad_options():
    with pytest.raises(ConfigError, match="threshold is nan, expected a number from 0 to 1"):
        MeanLogprob(threshold=math.nan)
    with pytest.raises(ConfigError, match="missing is 'skip', expected one of pass, fail"):
        MeanLogprob(missing="skip")
