"""Limits on what a process, or one key of its callers, may spend."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from math import isfinite

from classifier.errors import InputError

CHEAPEST, REFUSE = "cheapest", "refuse"


@dataclass(slots=True)
class Budget:
    """Spend limits, counted from when it is made; cascades and threads may share one.

    What a call is expected to cost is set aside before it is made and settled after, so that requests at the same time
    do not overspend together.

    Attributes
    ----------
    total : USD for all requests; None: no limit.
    per_key : USD for each key; None: no limit. Requests without a key share one.
    when_reached : "cheapest": the cheapest tier that can serve the request answers, whatever it costs, and nothing is
        escalated; "refuse": `classifier.BudgetExceededError`.

    Raises
    ------
    InputError : a limit is not a number above 0, or ``when_reached`` is neither.
    """

    total: float | None = None
    per_key: float | None = None
    when_reached: str = CHEAPEST
    _spent: dict[str | None, float] = field(default_factory=lambda: defaultdict(float), init=False, repr=False)
    # Reentrant, since a stream that is collected while the lock is held gives back what was set aside for it.
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("total", "per_key"):
            limit = getattr(self, name)
            if limit is not None and not (isinstance(limit, int | float) and isfinite(limit) and limit > 0):
                raise InputError(f"budget: {name} is {limit}; expected USD, a number above 0")
        if self.when_reached not in (CHEAPEST, REFUSE):
            raise InputError(f"budget: when_reached is '{self.when_reached}'; expected '{CHEAPEST}' or '{REFUSE}'")

    def spent(self, key: str | None = None) -> float:
        """USD spent or set aside by one key."""
        with self._lock:
            return self._spent.get(key, 0.0)

    @property
    def spent_in_all(self) -> float:
        """USD spent or set aside by all keys."""
        with self._lock:
            return sum(self._spent.values())

    def reserve(self, key: str | None, cost: float) -> bool:
        """Set ``cost`` USD aside where that stays within the limits; whether it did."""
        with self._lock:
            within = self.total is None or sum(self._spent.values()) + cost <= self.total
            within = within and (self.per_key is None or self._spent.get(key, 0.0) + cost <= self.per_key)
            if within:
                self._spent[key] += cost
            return within

    def add(self, key: str | None, cost: float) -> None:
        """Count ``cost`` USD as spent; a negative amount gives back what was set aside too much."""
        with self._lock:
            self._spent[key] += cost
