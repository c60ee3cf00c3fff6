"""Exchanges the artifact that a router decides by while it runs: no restart, and no request waits or fails.

A thread looks every few seconds at the file's identity (path, device, inode, size, time of change), which costs some
microseconds. What is new is read, checked and tried beside the old one; then one reference is exchanged. Each call is
answered wholly by the artifact that was in use when it began, and a `Decision` keeps that artifact.

A file that cannot be used is tried again at the next look, since it may be in the midst of being copied; if it is still
the same then, it is refused with one warning. So is falling back on the menu's rules because the artifact is gone.
Before anyone has trained, the rules route until the first artifact is there. The thread does not keep the router alive,
and starts anew in a forked process.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

from classifier.artifact import read_artifact
from classifier.choosing import pick_tier
from classifier.errors import ArtifactError, InputError
from classifier.escapes import for_terminal
from classifier.loaded import InUse, Loaded, LoadOptions, make_ready, tell_rules_route
from classifier.locate import locate
from classifier.request import Request

_log = logging.getLogger(__name__)

TRIAL = Request("A short request.")
_SKIPPED_LOOKS = 60  # after a file was refused: reading it costs time, and memory or a disk may have been short

Identity = tuple[str | int, ...]


class ArtifactWatch:
    """Looks at the place of an artifact, and exchanges the artifact in use when another is there.

    Attributes
    ----------
    in_use : holds the artifact in use.
    refused : why the file that is in place is not in use; None: it is.
    """

    def __init__(
        self,
        path: str | Path | None,
        options: LoadOptions,
        interval: float,
        on_change: Callable[[Loaded, Loaded], object] | None = None,
    ) -> None:
        """Load and start to watch; see `classifier.Router.watch`."""
        if not 0 < interval < threading.TIMEOUT_MAX:
            raise InputError(f"interval is {interval:g}; expected a number of seconds above 0, such as 5")
        self.options, self._interval, self._on_change = options, interval, on_change
        self._place, self._folder = path, Path.cwd()
        self._path = self._find()
        self._seen = identity(self._path)  # before it is read: what takes its place meanwhile is seen at the next look
        self.in_use = InUse(self._load(self._path))
        if self._path is None:
            tell_rules_route(self.in_use.loaded)
        self.refused: str | None = None
        self._doubted: tuple[Identity, str] | None = None
        self._refused: tuple[Identity, str] | None = None
        self._skips = 0
        self._start()

    def close(self) -> None:
        """Look no more; the artifact in use stays."""
        _WATCHING.discard(self)
        self._stop.set()

    def refresh(self) -> bool:
        """Look now instead of waiting for the next time; whether another artifact came into use."""
        with self._looking:
            old = self.in_use.loaded
            changed = self._look()
            new = self.in_use.loaded
        if changed:
            _log.info("routing by %s (%s) from now on", for_terminal(new.artifact.source), new.name)
            self._tell(old, new)
        return changed

    def _find(self) -> Path | None:
        """Where the artifact is now, relative to the working directory of the start; None: nowhere."""
        return locate(self._place, self._folder)

    def _load(self, path: Path | None) -> Loaded:
        return make_ready(None if path is None else read_artifact(path), self.options)

    def _start(self) -> None:
        self._looking, self._stop = threading.Lock(), threading.Event()
        stop = self._stop
        reference = weakref.ref(self, lambda _: stop.set())
        _WATCHING.add(self)
        threading.Thread(
            target=_watch, args=(reference, stop, self._interval), name="tierwise-watch", daemon=True
        ).start()

    def _look(self) -> bool:
        """Load what is new; whether there was anything."""
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
        changed = new.digest != self.in_use.loaded.digest
        if changed:
            self.in_use.loaded = new
        self._path, self._seen, self.refused = path, seen, None
        return changed

    def _try(self, path: Path | None) -> Loaded:
        """An artifact made ready, after its first decision."""
        if path is None:
            raise ArtifactError(f"{self._path}: the artifact is gone; put one in its place, or restart to go without")
        new = self._load(path)
        pick_tier(new, TRIAL, new.plan)
        return new

    def _refuse(self, seen: Identity, why: str) -> None:
        if (seen, why) not in (self._doubted, self._refused):
            self._doubted = seen, why
            return
        if (seen, why) != self._refused:
            _log.warning("%s (going on with %s)", for_terminal(why), self.in_use.loaded.name)
        self._refused, self.refused, self._skips = (seen, why), why, _SKIPPED_LOOKS

    def _tell(self, old: Loaded, new: Loaded) -> None:
        if self._on_change is not None:
            try:
                self._on_change(old, new)
            except Exception as error:
                _log.warning("on_change raised %s; the new artifact is in use", type(error).__name__)


_WATCHING: weakref.WeakSet[ArtifactWatch] = weakref.WeakSet()


def _watch(reference: weakref.ref[ArtifactWatch], stop: threading.Event, interval: float) -> None:
    while not stop.wait(interval):
        watch = reference()
        if watch is None:
            return
        watch.refresh()
        del watch  # or the router would live as long as this thread waits


def identity(path: Path | None) -> Identity:
    """What differs when another file is in place, or the file was changed; of none, its path alone."""
    if path is None:
        return ("",)
    try:
        status = os.stat(path)
    except OSError:
        return (str(path),)
    return str(path), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _watch_anew() -> None:
    for watch in list(_WATCHING):
        watch._start()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_watch_anew)
