"""What is made new in a child process: locks that another thread held, threads, sockets.

A program that makes a cascade and forks (gunicorn with ``--preload``, `multiprocessing`) may use it in every child.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

_renewals: list[WeakMethod[Callable[[], Any]]] = []


def renew_in_child(renew: Callable[[], None]) -> None:
    """Call a method of an object in every child that this process forks, for as long as the object is there."""
    _renewals[:] = [each for each in _renewals if each() is not None]
    _renewals.append(WeakMethod(renew))


def _renew() -> None:
    for each in _renewals:
        renew = each()
        if renew is not None:
            renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
