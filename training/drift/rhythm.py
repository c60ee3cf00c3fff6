"""Traffic that has a rhythm, such as day and night: compared by whole periods.

Neighbouring requests of such traffic are alike, which looks like a change to a test that takes them to come in no
particular order. Within a whole period their order tells nothing of a change that lasts. So they are put in a random
order within each period, the same one at every look, and a period counts when it is over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.drift.ranks import tie_breaks


def by_periods(time: NDArray[np.float64], period: float) -> NDArray[np.int64]:
    """Places of the rows of all whole periods, period after period, in a random order within each.

    Parameters
    ----------
    time : (n,) seconds, rising. period : seconds, above 0; the first one begins with the first row. One is over when a
        row of a later one is there.
    """
    if not len(time):
        return np.empty(0, np.int64)
    periods = np.floor((time - time[0]) / period).astype(np.int64)
    order = np.lexsort((tie_breaks("rhythm", len(time)), periods))
    whole: NDArray[np.int64] = order[periods[order] < periods[-1]]
    return whole
