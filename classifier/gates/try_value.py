"""What trying a tier first is worth: how often its answer is kept, and how good it is then, by what the router expects.

The value of an option to stop is the mean, over what may come, of stopping where that is better and going on where not
(Chow, Robbins & Siegmund, "Great Expectations: The Theory of Optimal Stopping", 1971). What may come is taken from
answers that the gate did not see in fitting, to requests of which the router expected about as much.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

MOST_BINS = 10
_ANSWERS_PER_BIN = 50


@dataclass(frozen=True, slots=True)
class TryValue:
    """Of one tier at one threshold, by bins of the gap that the router expects: its quality less the reference's.

    Attributes
    ----------
    edges : (b - 1,) rising gaps that part the bins.
    kept : (b,) share of the answers that are kept.
    gain : (b,) mean of the gap that the gate expects of an answer, 0 counted for those that are not kept.
    """

    edges: tuple[float, ...]
    kept: tuple[float, ...]
    gain: tuple[float, ...]

    def worth(
        self, expected: NDArray[np.float64], reference: NDArray[np.float64], later: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(n,): quality less price of what comes of trying the tier; the price of the try itself is not in it.

        Parameters
        ----------
        expected, reference : (n,) qualities that the router expects of the tier and of the reference.
        later : (n,) what going on is worth: quality less price.
        """
        place = np.searchsorted(np.array(self.edges), expected - reference, side="right")
        kept, gain = np.array(self.kept)[place], np.array(self.gain)[place]
        result: NDArray[np.float64] = kept * reference + gain + (1.0 - kept) * later
        return result

    def worth_of_one(self, expected: float, reference: float, later: float) -> float:
        """`worth` of a single request."""
        place = bisect_right(self.edges, expected - reference)
        kept = self.kept[place]
        return kept * reference + self.gain[place] + (1.0 - kept) * later


def make_try_value(before: NDArray[np.float64], after: NDArray[np.float64], threshold: float) -> TryValue:
    """The try_value of a tier from answers that the gate did not see, m of them.

    Parameters
    ----------
    before, after : (m,) the gap that the router expected, and the one that the gate expects; answers are kept where
        ``1 + after`` reaches the threshold.
    """
    bins = max(1, min(MOST_BINS, len(before) // _ANSWERS_PER_BIN))
    edges = np.unique(np.quantile(before, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, before, side="right")
    kept = 1.0 + after >= threshold
    count = np.maximum(np.bincount(place, minlength=len(edges) + 1), 1)
    share = np.bincount(place, weights=kept, minlength=len(edges) + 1) / count
    gain = np.bincount(place, weights=np.where(kept, after, 0.0), minlength=len(edges) + 1) / count
    return TryValue(_numbers(edges), _numbers(share), _numbers(gain))


def _numbers(values: ArrayLike) -> tuple[float, ...]:
    return tuple(np.asarray(values, np.float64).tolist())
