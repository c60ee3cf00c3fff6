"""A router that takes up a new artifact while it runs: no restart, and no request waits or fails.

A thread looks every few seconds at the file's identity (path, device, inode, size, time of change), which costs some
microseconds. What is new is read, checked and tried beside the old one; then one reference is exchanged. Each call is
answered wholly by the router that was in force when it began, and a `Decision` keeps that router.

A file that cannot be used is tried again at the next look, since it may be in the midst of being copied; if it is still
the same then, it is refused with one warning. So is falling back on the artifact that ships with the package because
one's own is gone. The thread does not keep the router alive, and begins anew in a forked process.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Self

from classifier.errors import ArtifactError, InputError
from classifier.escapes import for_terminal
from classifier.pointer import follow
from classifier.request import Request
from classifier.router import Router, find_artifact, shipped_artifact

_log = logging.getLogger(__name__)

TRIAL = Request("A short request.")
_SKIPPED_LOOKS = 60  # after a file was refused: reading it costs time, and memory or a disk may have been short

Identity = tuple[str | int, ...]


def finder(path: str | Path | None) -> Callable[[], Path]:
    """What finds the artifact anew at each call; relative to the working directory of now, whatever it is then."""
    here = Path.cwd()
    return lambda: find_artifact(here) if path is None else follow(here / path)


class WatchedRouter(Router):
    """A `Router` that `Router.watch` made: everything a router has is that of the artifact in force.

    Several calls may be answered by several artifacts. Take `current` for some that belong together.

    Attributes
    ----------
    current : the router in force.
    refused : why the file that is in place is not in force; None: it is.
    """

    # Not Router's own initialisation: this one has a router instead of being one.
    def __init__(
        self,
        find: Callable[[], Path],
        load: Callable[[Path], Router],
        interval: float,
        on_change: Callable[[Router, Router], object] | None = None,
    ) -> None:
        """Load and begin to watch; see `Router.watch`.

        Parameters
        ----------
        find : where the artifact is; raises ArtifactError where that cannot be told.
        load : the router of an artifact.
        """
        if not 0 < interval < threading.TIMEOUT_MAX:
            raise InputError(f"interval is {interval:g}; expected a number of seconds above 0, such as 5")
        self._find, self._load, self._interval, self._on_change = find, load, interval, on_change
        self._path = find()
        self._seen = identity(self._path)  # before it is read: what takes its place meanwhile is seen at the next look
        self.current = load(self._path)
        self.refused: str | None = None
        self._doubted: tuple[Identity, str] | None = None
        self._refused: tuple[Identity, str] | None = None
        self._skips = 0
        self._start()

    def __repr__(self) -> str:
        return f"WatchedRouter({self.current.artifact.source!r}, digest={self.current.artifact.digest[:12]!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Look no more; the artifact in force stays."""
        _WATCHING.discard(self)
        self._stop.set()

    def load_beside(self, path: Path) -> Router:
        """A router of another artifact, with the menu and wishes that all get here; raises as `Router.load`."""
        return self._load(path)

    def refresh(self) -> bool:
        """Look now instead of waiting for the next time.

        Returns
        -------
        Whether another artifact came into force.
        """
        with self._looking:
            old = self.current
            changed = self._look()
            new = self.current
        if changed:
            _log.info("routing by %s (%s) from now on", for_terminal(new.artifact.source), new.artifact.digest[:12])
            self._tell(old, new)
        return changed

    def _start(self) -> None:
        self._looking, self._stop = threading.Lock(), threading.Event()
        stop = self._stop
        reference = weakref.ref(self, lambda _: stop.set())
        _WATCHING.add(self)
        threading.Thread(
            target=_watch, args=(reference, stop, self._interval), name="tierwise-watch", daemon=True
        ).start()

    def _look(self) -> bool:
        """Take up what is new; whether there was anything."""
        seen: Identity = ()
        try:
            path = self._find()
            seen = identity(path)
            if seen == self._seen:
                self.refused = None
                return False
            if self._refused is not None and seen == self._refused[0] and self._skips > 0:
                self.refused, self._skips = self._refused[1], self._skips - 1
                return False
            new = self._try(path)
        except Exception as error:  # whatever is wrong with it, requests go on
            self._refuse(seen, str(error) or type(error).__name__)
            return False
        changed = new.artifact.digest != self.current.artifact.digest
        if changed:
            self.current = new
        self._path, self._seen, self.refused = path, seen, None
        return changed

    def _try(self, path: Path) -> Router:
        """The router of an artifact, after its first decision."""
        if path == shipped_artifact() != self._path:
            raise ArtifactError(f"{self._path}: the artifact is gone; put one in its place, or restart to go without")
        new = self._load(path)
        new.decide(TRIAL)
        return new

    def _refuse(self, seen: Identity, why: str) -> None:
        if (seen, why) not in (self._doubted, self._refused):
            self._doubted = seen, why
            return
        if (seen, why) != self._refused:
            _log.warning("%s (going on with %s)", for_terminal(why), self.current.artifact.digest[:12])
        self._refused, self.refused, self._skips = (seen, why), why, _SKIPPED_LOOKS

    def _tell(self, old: Router, new: Router) -> None:
        if self._on_change is not None:
            try:
                self._on_change(old, new)
            except Exception as error:
                _log.warning("on_change raised %s; the new artifact is in force", type(error).__name__)


# Every access asks the router in force, at a cost of some tens of nanoseconds.
DELEGATED = (
    *("artifact", "keywords", "learned_tiers", "menu", "model", "novelty", "plan", "rule", "strategy", "tiers"),
    *(
        "decide",
        "decide_on",
        "features",
        "forecast",
        "forecast_of",
        "predict_model",
        "predict_models",
        "route",
        "route_many",
    ),
)
for _name in DELEGATED:
    _doc = f"`Router.{_name}` of the router in force."
    setattr(WatchedRouter, _name, property(attrgetter(f"current.{_name}"), doc=_doc))

_WATCHING: weakref.WeakSet[WatchedRouter] = weakref.WeakSet()


def _watch(reference: weakref.ref[WatchedRouter], stop: threading.Event, interval: float) -> None:
    while not stop.wait(interval):
        watched = reference()
        if watched is None:
            return
        watched.refresh()
        del watched  # or it would live as long as this thread waits


def identity(path: Path) -> Identity:
    """What differs when another file is in place, or the file was changed; of none, its path alone."""
    try:
        status = os.stat(path)
    except OSError:
        return (str(path),)
    return str(path), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _watch_anew() -> None:
    for watched in list(_WATCHING):
        watched._start()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_watch_anew)
