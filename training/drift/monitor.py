"""Has the world changed? A log's rows against those before them, one by one, with a bound on false alarms.

Each stream of `training.drift.streams` becomes conformal p-values (`ranks`), and these evidence (`evidence`). A stream
with the share w of the error rate gives alarm when its evidence reaches 1 / (w * level). Half of the rate is for the
tiers' answers, where changes are small and matter most; the other streams share the other half. So while nothing
changes, there is an alarm within the first n rows with probability n * level at most, whatever the streams have to do
with each other (Doob's inequality, and a sum over the streams), and whenever and however often one looks. With the
default, this is 1 in 20,000 rows, and the mean number of rows up to a false alarm is 10,000 at the very least. What is
met in practice is far from both, since many streams have a value for few of the rows only.

"Nothing changes" means that rows come in no particular order (they are exchangeable). In traffic of day and night they
do not: `training.drift.rhythm`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.drift.evidence import changed_at, log_evidence
from training.drift.ranks import label_ranks, tie_breaks, value_ranks
from training.drift.streams import ANSWERS, KINDS, TASKS, Stream, watch
from training.log.observed import Observed

BASELINE = 500
LEVEL = 1 / 20_000

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DriftOptions:
    """How drift is looked for.

    Attributes
    ----------
    baseline : rows from the first that show what is usual; alarms are for later ones.
    level : the most that a false alarm within the first n rows may be probable, divided by n.
    """

    baseline: int = BASELINE
    level: float = LEVEL

    def __post_init__(self) -> None:
        if self.baseline < 1 or not 0 < self.level < 1:
            raise ValueError("expected a baseline of 1 row or more and a level above 0 and below 1")


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One stream's evidence.

    Attributes
    ----------
    watched : the stream.
    rows : (m,) places of its rows after the baseline.
    strength : (m,) logarithm of the evidence over what an alarm takes, after each of these rows; 0 is an alarm.
    alarm : place of the row of its first alarm; None: there was none.
    since : place of the row from which on things were probably other than before; None: no alarm.
    """

    watched: Stream
    rows: NDArray[np.int64]
    strength: _Float
    alarm: int | None
    since: int | None

    @property
    def kind(self) -> str:
        """What has changed: "requests", "quality", "gate" or "cost"."""
        return KINDS[self.watched.what]


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """What came of it.

    Attributes
    ----------
    options : as given.
    tracks : one a stream.
    strength : (n,) the largest of the streams' latest, after each row of the log; 0 is an alarm, -inf nothing.
    """

    options: DriftOptions
    tracks: tuple[Track, ...]
    strength: _Float

    @property
    def alarm(self) -> int | None:
        """Place of the row of the first alarm; None: there was none."""
        return min((track.alarm for track in self.tracks if track.alarm is not None), default=None)

    @property
    def alarms(self) -> tuple[Track, ...]:
        """The streams that gave alarm, the first one first."""
        found = [(track.alarm, number) for number, track in enumerate(self.tracks) if track.alarm is not None]
        return tuple(self.tracks[number] for _, number in sorted(found))

    def by_chance(self, track: Track) -> float:
        """A bound on the probability of evidence as strong as a stream's strongest, had nothing changed."""
        if not len(track.strength):
            return 1.0
        watched = max(len(self.strength) - self.options.baseline, 0)
        return min(1.0, watched * self.options.level * math.exp(-float(track.strength.max())))


def monitor(observed: Observed, options: DriftOptions | None = None, novelty: _Float | None = None) -> Drift:
    """Look for drift in a log of one artifact, row by row in order of time.

    More rows add to what is found and change nothing of it: the first n rows give the same evidence in any longer log.

    Parameters
    ----------
    observed : n rows, in order of time.
    novelty : (n,) as logged, NaN where unknown; None: not watched.
    """
    options = options or DriftOptions()
    streams = watch(observed, novelty)
    answers = sum(stream.what == ANSWERS for stream in streams)
    tracks = tuple(
        _track(stream, options, 2 * (answers if stream.what == ANSWERS else len(streams) - answers))
        for stream in streams
    )
    strength = np.full(len(observed), -np.inf)
    for track in tracks:
        latest = np.searchsorted(track.rows, np.arange(len(observed)), side="right")
        strength = np.maximum(strength, np.concatenate(([-np.inf], track.strength))[latest])
    return Drift(options, tracks, strength)


def _track(stream: Stream, options: DriftOptions, sharing: int) -> Track:
    """The evidence of a stream that has 1 / ``sharing`` of the error rate."""
    shares = tie_breaks(stream.name, len(stream.rows))
    if stream.what == TASKS:
        ranks = label_ranks(stream.values.astype(np.int64), shares)
    else:
        ranks = value_ranks(stream.values, stream.groups, shares)
    later = stream.rows >= options.baseline
    edges = None if stream.edges is None else stream.edges[later]
    rows, ranks = stream.rows[later], ranks[later]
    strength = log_evidence(ranks, edges) - math.log(sharing / options.level)
    reached = np.flatnonzero(strength >= 0)
    if not len(reached):
        return Track(stream, rows, strength, None, None)
    first = int(reached[0])
    upto = slice(0, first + 1)
    since = changed_at(ranks[upto], None if edges is None else edges[upto])
    return Track(stream, rows, strength, int(rows[first]), int(rows[since]))
