"""Traffic of day and night: no alarm by whole days, but one for what lasts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from drift_world import changing_log
from hypothesis import given
from hypothesis import strategies as st

from training.drift import monitor
from training.drift.rhythm import by_periods
from training.log.observed import Observed

DAY = 86_400.0


def daily(later: float = 0.0, seed: int = 1) -> Observed:
    """Six days, a request a minute: by day mostly "chat", by night mostly "code"; more "code" after three days."""
    log = changing_log(6 * 1440 + 1, seed)
    hour = np.arange(len(log)) // 60
    share = np.where(hour % 24 < 12, 0.2, 0.8) + later * (hour >= 72)
    code = np.random.default_rng(seed).random(len(log)) < share
    tasks = tuple(("chat", "code")[each] for each in code.astype(int))
    unknown = np.full(log.expected.shape, np.nan)  # which went with the tasks that the log had
    return replace(log, asked=replace(log.asked, tasks=tasks), expected=unknown)


def test_day_and_night_are_an_alarm_but_not_by_whole_days() -> None:
    log = daily()
    assert monitor(log).alarm is not None
    places = by_periods(log.time, DAY)
    assert len(places) == 6 * 1440
    assert monitor(log.rows(places)).alarm is None


def test_a_change_that_lasts_is_found_by_whole_days() -> None:
    log = daily(later=0.15)
    drift = monitor(log.rows(by_periods(log.time, DAY)))
    assert drift.alarms[0].watched.what == "tasks"
    assert drift.alarm is not None
    assert 3 * 1440 < drift.alarm < 4 * 1440


@given(st.lists(st.floats(0, 1e6), max_size=40).map(sorted), st.floats(10, 1e6), st.integers(0, 40))
def test_periods_follow_each_other_and_stay_as_they_are(times: list[float], period: float, fewer: int) -> None:
    time = np.array(times)
    places = by_periods(time, period)
    assert len(set(places.tolist())) == len(places)
    if len(places):
        numbers = np.floor((time[places] - time[0]) / period)
        assert (np.diff(numbers) >= 0).all()
        assert numbers[-1] < np.floor((time[-1] - time[0]) / period)
    before = by_periods(time[: max(len(time) - fewer, 0)], period)
    np.testing.assert_array_equal(before, places[: len(before)])
