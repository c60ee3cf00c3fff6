from pathlib import Path

import pytest
from hostile_answers import CPU_SECONDS, make_case, measure_many

CASES = 200


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures by what Linux says of a process")
def test_no_hostile_answer_crashes_hangs_or_bloats():
    found = measure_many(CASES, seed=1, processes=1)
    assert [each.case for each in found] == list(range(CASES))
    assert [each for each in found if each.crashed] == []
    # Twice the time, since tests share the machine.
    assert [each for each in found if each.cpu_seconds > 2 * CPU_SECONDS or each.is_large()] == []


def test_cases_are_the_same_every_time():
    assert make_case(7, 1) == make_case(7, 1) != make_case(8, 1)
    assert {make_case(case, 1)[0] for case in range(100)} == {"code", "prose", "json", "judge", "calls"}
