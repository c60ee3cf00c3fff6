"""Whether the world has changed since a router was trained, by what its cascade saw.

watched.py    a log -> what is watched         shifts.py    what changed, before and after, in words
ranks.py      values -> conformal p-values     movement.py  which features moved (PSI)
evidence.py   p-values -> evidence             tables.py    what is expected and what is seen, by tier and task
monitor.py    all of it -> alarms              prices.py    today's prices and the artifact's
gather.py     a log -> `DriftReport`, plain    section.py   `DriftReport` -> HTML, with charts.py, and
data.py       values                           page.py      as one file
cli.py        the command
"""

from training.drift.monitor import Drift, DriftOptions, Track, monitor

__all__ = ["Drift", "DriftOptions", "Track", "monitor"]
