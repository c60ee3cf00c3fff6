"""What a report shows, as plain values: numbers, names and tuples of them, ready for HTML and for JSON."""

from __future__ import annotations

from dataclasses import dataclass

from training.report.ladder import LadderStep
from training.report.unseen import UnseenTask


@dataclass(frozen=True, slots=True)
class RangedFigure:
    """A figure with its 95% bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """Whether to switch the router on.

    Attributes
    ----------
    mood : "good", "caution" or "stop".
    word : the verdict in a few words.
    sentence : what it rests on.
    promise : what is certified, in a sentence.
    warnings : what is off, most important first.
    assumptions : what must be true for the promise to hold, a sentence each; empty where nothing is promised.
    """

    mood: str
    word: str
    sentence: str
    promise: str
    warnings: tuple[str, ...]
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MoneySummary:
    """USD without and with what is shipped; ``unit`` is "a month" or "per 1,000 requests"."""

    unit: str
    before: float
    after: RangedFigure


@dataclass(frozen=True, slots=True)
class TodaySummary:
    """What comes first in the report, against the tier that the money is spent on today.

    Attributes
    ----------
    spend : USD spent on it, in the unit of `MoneySummary`.
    saving, kept : share of its cost saved, of its quality kept.
    """

    tier: str
    spend: float
    saving: RangedFigure
    kept: RangedFigure


@dataclass(frozen=True, slots=True)
class TierSummary:
    """One tier in the data: mean score, share of adequate answers (None: unknown), mean USD a call, rows observed."""

    name: str
    model: str
    score: float
    adequate: float | None
    cost: float
    cost_source: str
    rows: int
    never_chosen: bool


@dataclass(frozen=True, slots=True)
class RouteSummary:
    """One way of routing on the test rows.

    Attributes
    ----------
    kind : "learned", "oracle" or "baseline".
    shipped : it is what the artifact does by itself.
    cost : mean USD a request.
    saving, kept : share of the reference's cost saved, of its quality kept.
    shares : share of the requests per tier.
    offered : it is certified and saves more than what is shipped, and so comes first.
    why_not : where it looks better than what comes first, why it was not taken.
    saving_today : share of the cost of today's tier saved; None where no tier is named.
    """

    name: str
    kind: str
    shipped: bool
    cost: float
    quality: float
    saving: RangedFigure
    kept: RangedFigure
    shares: tuple[float, ...]
    offered: bool = False
    why_not: str | None = None
    saving_today: float | None = None


@dataclass(frozen=True, slots=True)
class CurveData:
    """Cost-quality curves, as shares of the reference's cost and quality.

    Attributes
    ----------
    learned : (cost, quality) of the learned router at every price weight.
    mix : corners of the best random mixes of tiers.
    peers : other learned routers' curves, by name.
    cost_at : (quality, least cost on the learned curve that reaches it, None where none does).
    average : mean quality of the learned curve over all costs (AIQ), ``mix_average`` the same of the mixes; None where
        all tiers cost the same.
    gap_recovered : APGR; None where there are more than two tiers, or the dearer is no better.
    calls_for : (share of the gap, share of calls to the dearer tier that recovers it) (CPT); empty likewise.
    """

    learned: tuple[tuple[float, float], ...]
    mix: tuple[tuple[float, float], ...]
    peers: tuple[tuple[str, tuple[tuple[float, float], ...]], ...]
    cost_at: tuple[tuple[float, float | None], ...]
    average: float | None
    mix_average: float | None
    gap_recovered: float | None
    calls_for: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """What is shipped, on the test rows of one task.

    ``certified`` says whether the promise is certified for the task by itself; None where too few rows tell.
    """

    name: str
    rows: int
    shares: tuple[float, ...]
    saving: RangedFigure
    kept: RangedFigure
    certified: bool | None = None


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Test rows with like predictions: mean predicted, mean observed and its 95% interval."""

    predicted: float
    observed: RangedFigure
    rows: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """Predicted against observed for one tier.

    Attributes
    ----------
    measure : "score" or "adequacy".
    error : expected calibration error (ECE).
    chance : what perfectly calibrated predictions would show on so few rows.
    """

    tier: str
    measure: str
    error: float
    chance: float
    rows: int
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of test rows by cheapest adequate tier (first index) and chosen tier; ``left_out`` lacked a score."""

    counts: tuple[tuple[int, ...], ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class LearnedFeature:
    """A feature and how much it moves decisions: the standard deviation of what it adds to the log odds.

    Attributes
    ----------
    weight : positive where more of it speaks for the cheaper tier.
    rows : training rows that have it; None where every row has some of it.
    """

    name: str
    weight: float
    rows: int | None


@dataclass(frozen=True, slots=True)
class LearnedGroup:
    """Features of one kind, the strongest on either side."""

    name: str
    for_cheaper: tuple[LearnedFeature, ...]
    for_reference: tuple[LearnedFeature, ...]


@dataclass(frozen=True, slots=True)
class Learned:
    """What the linear part of the model learned about a cheaper tier against the reference.

    Attributes
    ----------
    learner : name of the learner that won.
    trees : it has trees beside the linear part, which no words describe.
    words_left_out : words are pieces of prompts and were not asked for.
    parts : how much each kind of feature moves decisions, all of the kind together.
    """

    learner: str
    cheaper: str
    trees: bool
    words_left_out: bool
    parts: tuple[LearnedFeature, ...]
    groups: tuple[LearnedGroup, ...]


@dataclass(frozen=True, slots=True)
class MistakeCase:
    """One test row on which the router did badly.

    Attributes
    ----------
    file, row : where it stands; data rows are counted from 1.
    chosen, better : the tier that was chosen, and the one that should have been.
    expected : what the model expected of the chosen tier's score.
    prompt : an excerpt, or None where prompts are left out.
    """

    file: str
    row: int
    task: str | None
    chosen: str
    better: str
    chosen_score: float
    better_score: float
    chosen_cost: float
    better_cost: float
    expected: float
    prompt: str | None


@dataclass(frozen=True, slots=True)
class Mistakes:
    """The worst rows, and how many there are of each kind among ``rows`` test rows."""

    rows: int
    lost_rows: int
    overpaid_rows: int
    overpaid_share: float
    lost: tuple[MistakeCase, ...]
    overpaid: tuple[MistakeCase, ...]


@dataclass(frozen=True, slots=True)
class FileNotes:
    """One input file."""

    name: str
    form: str
    rows_read: int
    rows_kept: int
    repeats: int
    ignored: tuple[str, ...]
    hints: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """Rows or cells that could not be used for the same reason.

    Attributes
    ----------
    rows : numbers of the first ones; 0 stands for the whole column.
    """

    file: str
    column: str | None
    found: str
    expected: str
    skipped: bool
    count: int
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DataNotes:
    """What was read, and what of it could not be used."""

    files: tuple[FileNotes, ...]
    problems: tuple[ProblemKind, ...]
    rows: int
    duplicates: int
    missing_scores: int
    filled: int
    lost: int


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How to get the same again; ``price_weight`` and ``reference_bonus`` are the learned rule's parameters."""

    command: str | None
    seed: int
    artifact: str | None
    digest: str | None
    date: str | None
    versions: tuple[tuple[str, str], ...]
    price_weight: float
    reference_bonus: float
    fit_rows: int
    choose_rows: int
    test_rows: int
    split_by: str


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that a report shows; tiers are in price order.

    Attributes
    ----------
    reference : the tier that is used without routing.
    shipped : what the artifact does, in words.
    target : quality that may be lost by default, in the unit of ``ladder``.
    gain : quality of the learned router above that of a random mix of tiers of the same cost, in points.
    test_rows : how many rows the figures come from.
    ladder, unseen_tasks : empty where they were not worked out.
    today : where it is known which tier the money is spent on today.
    next_steps : what to do, in sentences, the first thing first. limits : what the report does not say, in sentences.
    """

    tiers: tuple[TierSummary, ...]
    reference: str
    shipped: str
    target: float
    test_rows: int
    verdict: RunVerdict
    money: MoneySummary
    gain: RangedFigure
    routes: tuple[RouteSummary, ...]
    curve: CurveData
    ladder: tuple[LadderStep, ...]
    tasks: tuple[TaskSummary, ...]
    unseen_tasks: tuple[UnseenTask, ...]
    reliability: tuple[Reliability, ...]
    confusion: Confusion | None
    learned: Learned
    mistakes: Mistakes | None
    notes: DataNotes
    reproduction: Reproduction
    today: TodaySummary | None = None
    next_steps: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The tiers' names."""
        return tuple(tier.name for tier in self.tiers)

    @property
    def route(self) -> RouteSummary:
        """The way of routing that is shipped."""
        return next(route for route in self.routes if route.shipped)

    @property
    def offer(self) -> RouteSummary:
        """The way of routing that comes first: the certified cascade where it saves more, else what is shipped."""
        return next((route for route in self.routes if route.offered), self.route)
