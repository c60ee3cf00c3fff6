"""Whether the world has changed since a router was trained, by what its cascade saw.

watched.py    a log -> what is watched            shifts.py    what changed, before and after, in words
ranks.py      values -> conformal p-values        movement.py  which features moved (PSI)
evidence.py   p-values -> evidence                tables.py    expected and seen, by tier, task, verdict and time
monitor.py    all of it -> alarms                 prices.py    today's prices and the artifact's
rhythm.py     traffic of day and night            gather.py    all that is shown: `DriftReport` of data.py
look.py       a store's outcomes -> that          section.py   that -> HTML, with charts.py; page.py as one file
console.py    that in the terminal                words.py     how findings are told
"""

from training.drift.monitor import Drift, DriftOptions, Track, monitor

__all__ = ["Drift", "DriftOptions", "Track", "monitor"]
