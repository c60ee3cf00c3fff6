"""Rows of a table that a router in use observed, with what was seen of them."""

from __future__ import annotations

from dataclasses import dataclass

from training.log.observed import Observed
from training.tables import Logged


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LoggedRows(Logged):
    """`Logged` rows, and the log that they come from.

    Attributes
    ----------
    observed : what was seen, a row for each logged row in their order; its tiers are called as the table's.
    """

    observed: Observed
