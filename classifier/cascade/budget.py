"""Limits on what a process, or one key of its callers, may spend."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from math import isfinite

from classifier.cascade.fork import renew_in_child
from classifier.errors import InputError

CHEAPEST, REFUSE = "cheapest", "refuse"

_OTHERS = "\0others"  # the account of keys beyond those that are counted by themselves
_NOTHING = 1e-12  # USD; what is left of sums that cancel


@dataclass(slots=True, weakref_slot=True)
class Budget:
    """Spend limits, counted from when it is made; cascades and threads may share one.

    What a call is expected to cost is set aside before it is made and settled after, so that requests at the same time
    do not overspend together.

    Attributes
    ----------
    total : USD for all requests; None: no limit.
    per_key : USD for each key; None: no limit. Requests without a key share one.
    most_keys : keys that have spent something and are counted by themselves, at some hundred bytes each; further ones
        share one account, and its limit.
    when_reached : "cheapest": the cheapest tier that can serve the request answers, whatever it costs, and nothing is
        escalated; "refuse": `classifier.BudgetExceededError`.

    Raises
    ------
    InputError : a limit is not a number above 0, or ``when_reached`` is neither.
    """

    total: float | None = None
    per_key: float | None = None
    when_reached: str = CHEAPEST
    most_keys: int = 1_000_000
    _spent: dict[str | None, float] = field(default_factory=dict, init=False, repr=False)
    _sum: float = field(default=0.0, init=False, repr=False)
    # Reentrant, since a stream that is collected while the lock is held gives back what was set aside for it.
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("total", "per_key"):
            limit = getattr(self, name)
            if limit is not None and not (isinstance(limit, int | float) and isfinite(limit) and limit > 0):
                raise InputError(f"budget: {name} is {limit}; expected USD, a number above 0")
        if type(self.most_keys) is not int or self.most_keys < 1:
            raise InputError(f"budget: most_keys is {self.most_keys}; expected a whole number of 1 or more")
        if self.when_reached not in (CHEAPEST, REFUSE):
            raise InputError(f"budget: when_reached is '{self.when_reached}'; expected '{CHEAPEST}' or '{REFUSE}'")
        renew_in_child(self._renew)

    def spent(self, key: str | None = None) -> float:
        """USD spent or set aside by one key."""
        with self._lock:
            return self._spent.get(self._account(key), 0.0)

    @property
    def spent_in_all(self) -> float:
        """USD spent or set aside by all keys."""
        with self._lock:
            return self._sum

    def reserve(self, key: str | None, cost: float) -> bool:
        """Set ``cost`` USD aside where that stays within the limits; whether it did."""
        with self._lock:
            within = self.total is None or self._sum + cost <= self.total
            if within and self.per_key is not None:
                within = self._spent.get(self._account(key), 0.0) + cost <= self.per_key
            if within:
                self._count(key, cost)
            return within

    def add(self, key: str | None, cost: float) -> None:
        """Count ``cost`` USD as spent; a negative amount gives back what was set aside too much."""
        with self._lock:
            self._count(key, cost)

    def _count(self, key: str | None, cost: float) -> None:
        """Keep the sums; each takes the same time, however many keys there are."""
        account = self._account(key)
        spent = self._spent.get(account, 0.0) + cost
        self._sum += cost
        if abs(spent) > _NOTHING:
            self._spent[account] = spent
        else:
            self._spent.pop(account, None)

    def _account(self, key: str | None) -> str | None:
        return key if key in self._spent or len(self._spent) < self.most_keys else _OTHERS

    def _renew(self) -> None:
        """In a child process, no thread holds the lock."""
        self._lock = threading.RLock()
