"""Whatever upstreams do, callers get an answer or an error that they know, in time. Faults: `faulty_upstream`."""

from __future__ import annotations

import pytest

from tests.helpers.faulty_runs import Case, run_all
from tests.helpers.faulty_upstream import FAULTS, LARGE, MIDWAY, OPENING, PLAIN, FaultyUpstream

DEADLINE = 1.0
TOLERANCE = 0.5  # seconds over the deadline
HARMLESS = [name for name in PLAIN if name.startswith(("usage_", "odd_finish", "odd_logprobs", "logprobs_list"))]
HARMLESS += ["infinite_usage", "long_number", "surrogate", "odd_names"]
kinds = pytest.mark.parametrize("awaited", [False, True], ids=["sync", "async"])


@pytest.fixture(scope="module")
def run(router):
    """Runs faults; all must end in time, with errors that callers know.

    Where the machine has more to do than it can, a run may be late, or its time be up before the second tier answers.
    So what failed is run again, by itself.
    """

    def outcomes(names, **how):
        found = run_all(server.base_url, router, [Case(name, **how) for name in names], DEADLINE, 4)
        for place, outcome in enumerate(found):
            unsaid = outcome.case.fault in MIDWAY and not outcome.said
            if failed(outcome) or outcome.unanswered or unsaid:
                (found[place],) = run_all(server.base_url, router, [outcome.case], DEADLINE, 1)
        assert list(filter(failed, found)) == []
        return found

    with FaultyUpstream() as server:
        yield outcomes
        assert server.strayed == []  # no redirect was followed to another port


def failed(outcome):
    return not outcome.documented or outcome.late > TOLERANCE


@pytest.mark.slow
@kinds
def test_a_fault_of_one_tier_is_made_good_by_another(run, awaited):
    assert [each for each in run(PLAIN, stream=False, everywhere=False, awaited=awaited) if each.unanswered] == []


@pytest.mark.slow
@kinds
def test_a_stream_that_fails_before_it_says_something_is_made_good_by_another(run, awaited):
    names = [*OPENING, "silent", "slow_headers", "status_500", "redirect_elsewhere", "page", "bomb_error", "large"]
    assert [each for each in run(names, stream=True, everywhere=False, awaited=awaited) if each.unanswered] == []


@pytest.mark.slow
@kinds
def test_faults_of_every_tier_are_errors_that_callers_know(run, awaited):
    outcomes = run(set(PLAIN) - set(HARMLESS) - set(LARGE), stream=False, everywhere=True, awaited=awaited)
    assert {each.error.partition(":")[0] for each in outcomes if each.case.fault == "silent"} == {"APITimeoutError"}
    assert {each.error.partition(":")[0] for each in outcomes if each.case.fault == "page"} == {"UnreadableAnswerError"}


@pytest.mark.slow
@kinds
def test_a_stream_that_fails_midway_ends_in_time_with_an_error_that_callers_know(run, awaited):
    outcomes = run(MIDWAY, stream=True, everywhere=True, awaited=awaited)
    assert all(each.said for each in outcomes)
    broken = {each.case.fault for each in outcomes if each.error is not None}
    assert broken == set(MIDWAY) - {"then_nothing", "odd_chunks"}


@kinds
def test_what_is_odd_and_still_an_answer_is_given(run, awaited):
    outcomes = run(HARMLESS, stream=False, everywhere=True, awaited=awaited)
    assert [each for each in outcomes if each.error is not None] == []


def test_every_fault_has_one_name():
    assert len(FAULTS) == len(PLAIN) + len(OPENING) + len(MIDWAY)
