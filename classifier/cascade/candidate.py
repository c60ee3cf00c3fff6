"""A candidate: an artifact that may come into use, and is asked where it would begin.

Whatever is wrong with it, no request suffers: one that is missing, broken or slow is as none.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from classifier.cascade.route import find_route, open_places
from classifier.cascade.run import Policy
from classifier.decision import Decision
from classifier.errors import NoFeasibleTierError
from classifier.pointer import find_candidate
from classifier.router import Router, WatchedRouter
from classifier.watch import TRIAL, Identity, identity

INTERVAL = 5.0  # seconds between two looks at the file

_SLOW = 0.25  # seconds; a decision takes some hundred microseconds at most
_REST = 60.0  # seconds in which a candidate that was slow or raised is not asked

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a candidate says of a request.

    Attributes
    ----------
    digest : of its artifact.
    place : where it would begin, in the menu of the router in use; None: that one has no such model, has not learned
        about it, or it cannot serve the request.
    """

    digest: str
    place: int | None


class Candidate:
    """Asks the candidate of the moment; threads may share it."""

    def __init__(self, find: Callable[[], Router | None], clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare; ``find`` gives the candidate at once, or None."""
        self._find, self._clock = find, clock
        self._rests_until = -float("inf")

    def ask(self, decision: Decision, policy: Policy) -> Opinion | None:
        """Where the candidate would begin; None: there is none, it is in use itself, or it does not do."""
        began = self._clock()
        if began < self._rests_until:
            return None
        try:
            router = self._find()
            if router is None or router.digest in (None, decision.loaded.digest):
                return None
            opinion = _opinion(router, decision, policy)
        except NoFeasibleTierError:
            return None
        except Exception as error:
            self._rest(f"raised {type(error).__name__}")
            return None
        taken = self._clock() - began
        if taken > _SLOW:
            self._rest(f"took {taken:.2f} s")
            return None
        return opinion

    def _rest(self, why: str) -> None:
        self._rests_until = self._clock() + _REST
        _log.warning("the candidate %s; it is not asked for %.0f s", why, _REST)


class CandidateFile:
    """The candidate that a path names, taken up, changed and dropped while requests go on.

    Every few seconds a request starts a thread that looks, and loads what is new; no request waits for it. A file that
    cannot be used is no candidate until it changes.
    """

    def __init__(
        self,
        path: str | Path,
        load: Callable[[Path], Router],
        *,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look for the first time, in this thread.

        Parameters
        ----------
        path : an artifact or a pointer to it (`classifier.pointer`); relative to the working directory of now.
        load : makes a router of an artifact.
        interval : seconds between two looks.
        """
        self._path, self._load = Path.cwd() / path, load
        self._interval, self._clock = interval, clock
        self._router: Router | None = None
        self._seen: Identity | None = None
        self._look_at = clock() + interval
        self._thread: threading.Thread | None = None
        self.look()

    def __call__(self) -> Router | None:
        """The candidate, as the last look found it."""
        now = self._clock()
        # A thread that a fork left behind is not alive in the child.
        if now >= self._look_at and (self._thread is None or not self._thread.is_alive()):
            self._look_at = now + self._interval
            self._thread = threading.Thread(target=self.look, name="tierwise-candidate", daemon=True)
            self._thread.start()
        return self._router

    def look(self) -> None:
        """Look at the file now; only one thread at a time does."""
        router, seen = None, identity(self._path)
        try:
            path = find_candidate(self._path)
            if path is not None:
                seen = identity(path)
                if seen == self._seen:
                    return
                router = self._load(path)
                router.decide(TRIAL)
        except Exception as error:
            router = None
            if seen != self._seen:
                _log.warning("%s (exploring without a candidate)", str(error) or type(error).__name__)
        if router is not None:
            _log.info("exploring where %s would begin", router.artifact.digest[:12])
        self._router, self._seen = router, seen


def make_candidate(given: Router | str | Path | None, router: Router) -> Candidate | None:
    """The candidate that a cascade was given beside its router; a file is loaded as the router's own would be."""
    if given is None:
        return None
    if isinstance(given, WatchedRouter):
        watched = given
        return Candidate(lambda: watched.current if watched.refused is None else None)
    if isinstance(given, Router):
        plain = given
        return Candidate(lambda: plain)
    return Candidate(CandidateFile(given, router.load_beside if isinstance(router, WatchedRouter) else Router.load))


def _opinion(router: Router, decision: Decision, policy: Policy) -> Opinion:
    own = router.decide(decision.request)
    start = find_route(own, policy.odds, policy.start).places[0]
    same, tiers = decision.loaded.menu.counterpart(router.tiers[start]), decision.loaded.tiers
    place = next((place for place in open_places(decision) if tiers[place] is same), None)
    return Opinion(router.artifact.digest, place)
