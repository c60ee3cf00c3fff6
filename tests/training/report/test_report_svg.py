from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.report.svg import Box, Scale, place_labels

AREA = Box(0, 0, 900, 450)
spots = st.tuples(st.floats(150, 750), st.floats(50, 400))


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.integers(2, 12))
def test_ticks_are_few_and_inside(low: float, span: float, most: int) -> None:
    scale = Scale(low, low + span, 0, 100)
    ticks = scale.ticks(most)
    assert len(ticks) <= most + 1
    assert all(-1e-6 <= scale(tick) <= 100 + 1e-6 for tick in ticks)


def test_a_scale_may_run_downwards() -> None:
    scale = Scale(0.8, 1.0, 400, 10)
    assert scale(0.8) == 400
    assert scale(1.0) == pytest.approx(10)
    assert scale.clamp(0.2) == 0.8
    assert scale.ticks(4) == pytest.approx([0.8, 0.85, 0.9, 0.95, 1.0])


@given(st.lists(spots, min_size=1, max_size=4))
def test_a_few_labels_stay_inside_and_apart(points: list[tuple[float, float]]) -> None:
    placed = place_labels([(point, "name") for point in points], AREA, 12)
    for number, place in enumerate(placed):
        box = place.box
        assert box.overlap(AREA) == pytest.approx((box.right - box.left) * (box.bottom - box.top))
        assert all(box.overlap(other.box) < 1e-6 for other in placed[number + 1 :])


def test_a_label_keeps_off_a_line() -> None:
    line = [(x, 200.0) for x in range(0, 900, 5)]
    (place,) = place_labels([((400.0, 200.0), "on the line")], AREA, 12, line)
    assert not any(place.box.holds(point) for point in line)
