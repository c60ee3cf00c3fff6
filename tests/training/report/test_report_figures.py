from __future__ import annotations

import pytest

from training.report import figures
from training.report.data import RangedFigure


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.1234, "12.3%"), (0.0, "0.0%"), (-1e-9, "0.0%"), (-3.457, "\u2212345.7%"), (float("nan"), "unknown")],
)
def test_percent(share: float, text: str) -> None:
    assert figures.percent(share) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (12345.6, "$12,346"),
        (99.994, "$99.99"),
        (2.5, "$2.50"),
        (0.0, "$0.00"),
        (0.2219, "$0.222"),
        (0.000182, "$0.000182"),
        (-3.2, "\u2212$3.20"),
    ],
)
def test_usd(amount: float, text: str) -> None:
    assert figures.usd(amount) == text


def test_ranges_are_spelled_out() -> None:
    assert figures.percent_range(RangedFigure(0.1, -0.05, 0.2)) == "\u22125.0% to 20.0%"
    assert figures.usd_range(RangedFigure(1, 0.5, 2000)) == "$0.500 to $2,000"


def test_small_words() -> None:
    assert figures.plural(1, "row") == "1 row"
    assert figures.plural(1200, "row") == "1,200 rows"
    assert figures.points(0.0207) == "+0.021"
    assert figures.points(-0.0207) == "\u22120.021"
    assert figures.score(1.0) == "1"
    assert figures.score(0.0) == "0"
    assert figures.score(0.8304) == "0.83"
    assert figures.fixed(0.04) == "0.040"
