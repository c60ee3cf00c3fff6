"""What a look for drift shows, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from training.report.data import RangedFigure


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that has changed.

    Attributes
    ----------
    kind : "requests", "quality", "gate", "cost" or "price".
    what : what was watched. tier : whose; None: of no tier in particular.
    sentence : what changed, from what to what.
    remedy : what to do about it, step by step.
    since, alarm : times (seconds since 1970 UTC) from which on things were probably other than before, and of the
        request at which that was certain enough; None: no matter of time.
    since_row, alarm_row : the same as numbers of requests in the log, from 0.
    chance : the most that evidence as strong may be probable, had nothing changed.
    """

    kind: str
    what: str
    tier: str | None
    sentence: str
    remedy: tuple[str, ...]
    since: float | None = None
    alarm: float | None = None
    since_row: int | None = None
    alarm_row: int | None = None
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class TierView:
    """One tier before and lately; None where nothing is known.

    Attributes
    ----------
    answers_before, answers : of them the gate judged so many.
    passes_before, passes : share that it passed. usual : share that it would have passed lately, had it gone on passing
        requests of each kind as often as before.
    score_before, score : the gate's mean score.
    expected, adequate : mean adequacy of these answers as the artifact expects it, and as it is seen lately: by
        feedback, audits, and verdicts at what they were worth before. gap_before : seen less expected, before.
    cost_before, cost : of a call, as a multiple of the expected cost (geometric mean).
    """

    name: str
    answers_before: int
    answers: int
    passes_before: RangedFigure | None
    passes: RangedFigure | None
    usual: float | None
    score_before: float | None
    score: float | None
    expected: float | None
    adequate: RangedFigure | None
    gap_before: float | None
    cost_before: RangedFigure | None
    cost: RangedFigure | None


@dataclass(frozen=True, slots=True)
class TaskView:
    """One tier's answers to one task lately: mean adequacy as it was expected, and as it is seen."""

    tier: str
    task: str | None
    answers: int
    expected: float
    adequate: RangedFigure


@dataclass(frozen=True, slots=True)
class GateView:
    """What audits say of the gate's verdicts on one tier's answers.

    Attributes
    ----------
    false_pass : share of the passed answers that are inadequate. false_fail : share of the failed ones that are
        adequate. Each before and lately.
    audits : how many audits of passed and failed answers these rest on, before and lately.
    """

    tier: str
    false_pass: tuple[RangedFigure, RangedFigure]
    false_fail: tuple[RangedFigure, RangedFigure]
    audits: tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class FeatureShift:
    """One feature of the requests.

    Attributes
    ----------
    unit : of ``before`` and ``after``, its means: "share", "number", "usd" or "" for what has none.
    psi : population stability index. noise : what it would be on average, had nothing changed.
    """

    what: str
    unit: str
    before: float | None
    after: float | None
    psi: float
    noise: float


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A tier's prices, USD per 1M tokens of input and of output: the artifact's and today's; None: unknown."""

    tier: str
    before: tuple[float | None, float | None]
    now: tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Window:
    """Some neighbouring requests: the middle one's number, how many count, what is seen, and what is usual."""

    row: int
    rows: int
    seen: RangedFigure
    usual: float | None


@dataclass(frozen=True, slots=True)
class Series:
    """One tier's measure over time: "passed", "adequate" or "cost"."""

    tier: str
    measure: str
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """Evidence for one change over time: number of the request, and decimal logarithm of the share of what it takes."""

    what: str
    tier: str | None
    alarm_row: int | None
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All that a look for drift shows.

    Attributes
    ----------
    artifact : digest of the artifact whose requests these are; None: they do not say.
    rows, baseline : requests in all, and those of them that show what is usual.
    level : false alarms within n requests have at most n times this probability.
    first, last : times of the first and the last request.
    split : number of the first request that counts as "lately" in what follows.
    findings : what has changed, the first alarm first; prices last.
    features : what the requests' features were read from: "prompts", "features", or None where neither is kept.
    notes : what else a reader should know, a sentence each.
    """

    artifact: str | None
    rows: int
    baseline: int
    level: float
    first: float
    last: float
    split: int
    findings: tuple[Finding, ...]
    tiers: tuple[TierView, ...]
    tasks: tuple[TaskView, ...]
    gate: tuple[GateView, ...]
    moved: tuple[FeatureShift, ...]
    features: str | None
    prices: tuple[PriceChange, ...]
    evidence: tuple[EvidenceLine, ...]
    series: tuple[Series, ...]
    notes: tuple[str, ...]

    @property
    def drifted(self) -> bool:
        """Whether anything has changed."""
        return bool(self.findings)
