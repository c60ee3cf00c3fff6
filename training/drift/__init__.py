"""Whether the world has changed since a router was trained, by what its cascade saw.

watched.py    a log -> what is watched            findings.py  alarms in words
ranks.py      values -> conformal p-values        estimates.py means and differences with intervals
evidence.py   p-values -> evidence                tables.py    expected and seen, by tier, task, verdict and time
monitor.py    all of it -> alarms                 movement.py  which features moved (PSI)
rhythm.py     traffic of day and night            prices.py    today's prices and the artifact's
look.py       a store's outcomes -> all that is   section.py   that as HTML, with charts.py; page.py as one file
              shown: data.py, by gather.py        console.py   that in the terminal; words.py, what both say alike
"""

from training.drift.monitor import Drift, DriftOptions, Track, monitor

__all__ = ["Drift", "DriftOptions", "Track", "monitor"]
