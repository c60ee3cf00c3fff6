import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.cascade.budget import Budget
from classifier.errors import InputError


def test_limits_are_in_all_and_for_each_key():
    budget = Budget(total=1.0, per_key=0.6)
    assert not budget.reserve("a", 0.61)
    assert budget.reserve("a", 0.5)
    assert not budget.reserve("a", 0.2)
    assert not budget.reserve("b", 0.55)
    assert budget.reserve("b", 0.5)
    assert (budget.spent("a"), budget.spent("b"), budget.spent_in_all) == (0.5, 0.5, 1.0)


def test_what_was_set_aside_too_much_is_given_back():
    budget = Budget(per_key=1.0)
    budget.add(None, 0.9)
    budget.add(None, 0.1 - 0.9)
    assert budget.spent() == pytest.approx(0.1)


@given(st.lists(st.tuples(st.sampled_from([None, "a", "b"]), st.floats(0, 1)), max_size=50))
def test_threads_lose_nothing(amounts):
    budget = Budget()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda each: budget.add(*each), amounts))
    assert budget.spent_in_all == pytest.approx(sum(amount for _, amount in amounts))
    assert budget.reserve("a", 1e9)


def test_threads_do_not_overspend_together():
    budget = Budget(total=10.0)
    with ThreadPoolExecutor(8) as threads:
        reserved = list(threads.map(lambda _: budget.reserve("a", 1.0), range(200)))
    assert reserved.count(True) == 10


def test_a_stream_collected_while_the_lock_is_held_does_not_wait_for_itself():
    budget = Budget(total=1.0)
    with budget._lock:
        budget.add("a", 0.5)
    assert budget.spent("a") == 0.5


@pytest.mark.parametrize(
    "limits", [{"total": 0}, {"per_key": -1.0}, {"total": float("nan")}, {"per_key": float("inf")}]
)
def test_limits_are_checked(limits):
    with pytest.raises(InputError, match="expected USD, a number above 0"):
        Budget(**limits)


def test_the_policy_is_checked():
    with pytest.raises(InputError, match="when_reached is 'stop'; expected 'cheapest' or 'refuse'"):
        Budget(total=1.0, when_reached="stop")


@pytest.mark.slow
def test_very_many_keys_cost_no_more_than_a_few():
    def seconds(budget):
        began = time.perf_counter()
        for _ in range(2000):
            budget.reserve("key-1", 1e-9)
        return time.perf_counter() - began

    few, many = Budget(total=1e9, per_key=1e6), Budget(total=1e9, per_key=1e6)
    for number in range(500_000):
        many.add(f"key-{number}", 0.001)
    # A sum over all keys would take a thousand times as long.
    assert seconds(many) < 20 * seconds(few) + 0.05
    assert many.spent_in_all == pytest.approx(500.0)


def test_keys_that_have_spent_nothing_take_no_room():
    budget = Budget()
    for number in range(1000):
        budget.add(f"key-{number}", 0.1)
        budget.add(f"key-{number}", -0.1)
    assert len(budget._spent) == 0
    assert budget.spent_in_all == pytest.approx(0.0)


def test_keys_beyond_those_that_are_counted_share_an_account():
    budget = Budget(per_key=1.0, most_keys=2)
    for key in ("a", "b", "c"):
        assert budget.reserve(key, 0.6)
    assert not budget.reserve("d", 0.6)
    assert (budget.spent("a"), budget.spent("c"), budget.spent("d")) == (0.6, 0.6, 0.6)
    assert budget.spent_in_all == pytest.approx(1.8)
    with pytest.raises(InputError, match="most_keys is 0; expected a whole number of 1 or more"):
        Budget(most_keys=0)
