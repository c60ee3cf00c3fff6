import asyncio
import math

import numpy as np
import pytest
from hypothesis import given

from classifier import ConfigError
from classifier.gates import Check, Verdict, run_gate
from tests.helpers.answers import answer
from tests.helpers.requests import json_values

ANSWER = answer("Paris")


def check(returned, **options):
    return run_gate(Check(lambda found: returned, **options), ANSWER)


@pytest.mark.parametrize(
    ("returned", "score", "passed"),
    [
        (True, 1.0, True),
        (False, 0.0, False),
        (np.True_, 1.0, True),
        (0.7, 0.7, True),
        (0.3, 0.3, False),
        (1, 1.0, True),
        (0, 0.0, False),
        (np.float32(0.5), 0.5, True),
        (np.int64(0), 0.0, False),
    ],
)
def test_what_a_function_may_return(returned, score, passed):
    verdict = check(returned)
    assert (verdict.score, verdict.passed) == (score, passed)
    assert type(verdict.score) is float
    assert type(verdict.passed) is bool


def test_a_verdict_is_handed_on():
    mine = Verdict("mine", 0.2, True, "I say so")
    assert check(mine) is mine


@pytest.mark.parametrize(
    ("returned", "found"),
    [
        (None, "NoneType"),
        ("yes", "str"),
        (math.nan, "a number that is not from 0 to 1"),
        (1.5, "a number that is not from 0 to 1"),
        (-1, "a number that is not from 0 to 1"),
        (10**400, "a number that is not from 0 to 1"),
        (Verdict("mine", math.nan, True, ""), "a verdict whose score is not from 0 to 1"),
        (Verdict("mine", "high", True, ""), "a verdict whose score is not from 0 to 1"),
    ],
)
def test_what_it_may_not(returned, found):
    verdict = check(returned)
    assert (verdict.score, verdict.passed) == (0, False)
    assert verdict.reason.startswith(f"the check returned {found}, expected a bool")


@given(json_values)
def test_whatever_it_returns(returned):
    assert 0 <= check(returned).score <= 1


def test_the_threshold():
    assert check(0.7, threshold=0.8).passed is False
    with pytest.raises(ConfigError, match="Check: threshold is 80"):
        Check(bool, threshold=80)


def test_the_function_sees_the_answer():
    assert run_gate(Check(lambda found: found.text == "Paris" and found.tier == "small"), ANSWER).passed


def test_names():
    def mentions_paris(found):
        return True

    assert Check(mentions_paris).name == "mentions_paris"
    assert Check(lambda found: True).name == "check"
    assert Check(mentions_paris, name="paris").name == "paris"
    assert run_gate(Check(mentions_paris), ANSWER).gate == "mentions_paris"


def test_an_asynchronous_function_is_awaited_by_whoever_runs_the_gate():
    async def slowly(found):
        await asyncio.sleep(0)
        return 0.75

    async def drive():
        steps = Check(slowly).steps(ANSWER)
        with pytest.raises(StopIteration) as end:
            steps.send(await next(steps))
        return end.value.value

    assert asyncio.run(drive()).score == 0.75
    with pytest.raises(TypeError, match="gate slowly needs something awaited"):
        run_gate(Check(slowly), ANSWER)


def test_what_the_function_raises_comes_out():
    def broken(found):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_gate(Check(broken), ANSWER)
