"""The scale of scores, judged by all of them: 0..1, stars from 1 to 5, 0..10, 0..100, -1..1.

What lies at the low end decides how much of the best tier's quality another one keeps, so a scale is taken for certain
only where the scores themselves show both ends.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.errors import InputError
from training.tables.words import folded_word

_FEW = 2
_FEW_SHARE = 0.002
_LEAST = 20
_END = r"([+-]?\d{0,20}\.?\d{1,20})"
_RANGE = re.compile(r"\s{0,9}" + _END + r"\s{0,9}(?:\.{2,3}|:|to)\s{0,9}" + _END + r"\s{0,9}", re.ASCII)
_NEAR_TOP = 90.0
_MOST_ONES = 0.1


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """What scores run between, and what words stand for that are not known.

    Attributes
    ----------
    low, high : scores that mean 0 and 1.
    words : word, folded -> score on this scale; empty but where a user says so.
    """

    low: float = 0.0
    high: float = 1.0
    words: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"

    @property
    def is_unit(self) -> bool:
        """Whether it is 0..1."""
        return (self.low, self.high) == (0.0, 1.0)

    def unit(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values brought to 0..1; NaN where they lie outside of the scale."""
        if not self.is_unit:
            values = (values - self.low) / (self.high - self.low)
        return np.where((values >= 0) & (values <= 1), values, np.nan)


UNIT = ScoreScale()


@dataclass(frozen=True, slots=True)
class UnsureScale:
    """Scores that may be on several scales.

    Attributes
    ----------
    found : what there is, in words. likely : the scale that it may be.
    """

    found: str
    likely: ScoreScale


def parse_scale(text: str) -> ScoreScale:
    """The scale that a text such as "1..5" names, or words and what they stand for: "A=1,B=0.5,C=0".

    Raises
    ------
    InputError : it is neither, or its low end is not below its high end.

    >>> parse_scale("1..5"), parse_scale("great=1, poor=0").words
    (ScoreScale(low=1.0, high=5.0, words=()), (('great', 1.0), ('poor', 0.0)))
    """
    found = _RANGE.fullmatch(text)
    if found and float(found[1]) < float(found[2]):
        return ScoreScale(float(found[1]), float(found[2]))
    words = [part.partition("=") for part in text.split(",")]
    try:
        meaning = {folded_word(word): float(score) for word, equals, score in words if equals}
    except ValueError:
        meaning = {}
    if len(meaning) == len(words) and all(0 <= score <= 1 and word for word, score in meaning.items()):
        return ScoreScale(words=tuple(meaning.items()))
    raise InputError(
        f"scale: found {text!r}, expected its two ends, low first, such as 1..5, or words and their scores from 0 to "
        "1, such as good=1,fair=0.5,bad=0"
    )


def judge_scale(values: NDArray[np.float64]) -> ScoreScale | UnsureScale:
    """The scale of all scores of a file.

    Parameters
    ----------
    values : (n,), finite, n at least 1; what words and percentages stand for is not among them.
    """
    outside = int(np.count_nonzero((values < 0) | (values > 1)))
    if outside <= max(_FEW, _FEW_SHARE * len(values)) and outside < len(values):
        return UNIT
    low, high = float(values.min()), float(values.max())
    found = _described(values, low, high)
    likely = _likely(low, high)
    certain = len(values) >= _LEAST and (
        _is_signed(values, low, high) if low < 0 else _is_certain(values, low, high, likely)
    )
    return likely if certain else UnsureScale(found, likely)


def _is_signed(values: NDArray[np.float64], low: float, high: float) -> bool:
    """Whether scores are certainly on -1..1: not where -1 may be what stands for a failed call."""
    fractions = bool(np.any((values < 0) & (values > -1)))
    return low >= -1 and 0 < high <= 1 and (fractions or not np.any((values >= 0) & (values < 1)))


def _is_certain(values: NDArray[np.float64], low: float, high: float, likely: ScoreScale) -> bool:
    positive = int(np.count_nonzero(values))
    ones = int(np.count_nonzero(values == 1))
    if high > 10:
        # Right and wrong, or fractions, beside percentages: some rows are on another scale than others.
        mixed = np.any((values > 0) & (values < 1)) or ones > _MOST_ONES * positive
        mostly = int(np.count_nonzero(values > 1)) >= positive / 2
        return _NEAR_TOP <= high <= 100 and mostly and not mixed
    if low == 0 and 2 * ones > positive:
        return False
    return (low, high) == (likely.low, likely.high) and likely.high in (5.0, 10.0)


def _likely(low: float, high: float) -> ScoreScale:
    if low < 0:
        return (
            ScoreScale(-1.0, 1.0) if low >= -1 and high <= 1 else ScoreScale(math.floor(low), max(math.ceil(high), 1.0))
        )
    tops = (5.0, 10.0, 100.0) if high > 3 else ()
    top = next((top for top in tops if high <= top), float(math.ceil(high)))
    return ScoreScale(1.0 if low >= 1 and top <= 10 else 0.0, top)


def _described(values: NDArray[np.float64], low: float, high: float) -> str:
    kind = "whole numbers" if np.array_equal(values, np.round(values)) else "numbers"
    inside = float(np.mean((values >= 0) & (values <= 1)))
    share = f", {inside:.0%} of them from 0 to 1" if 0 < inside < 1 else ""
    return f"{kind} from {low:g} to {high:g}{share}"
