"""A training run from tables and outcomes to an artifact: all that the command ``tierwise train`` does, for Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from classifier.artifact import read_artifact
from classifier.catalog import Menu, load_menu
from classifier.errors import InputError
from classifier.gates.stored import StoredGate, inherit_gate
from classifier.keywords import KeywordGroups, dump_keywords, load_keywords
from classifier.locate import TRAINED_ARTIFACT, models_folder
from classifier.outcomes import OutcomeStore
from classifier.router import Router
from classifier.tokens import AUTO, resolve_tokens, token_counter
from training.certify.ledger import LEDGER, enter_try
from training.certify.rule import Target
from training.challenge.challenge import Challenge
from training.challenge.contest import Contest, hold_contest, router_in_use
from training.challenge.sequential import PromotionRule
from training.compile import compile_artifact, keep_candidate, provenance, summary
from training.drift.check import check_drift
from training.drift.data import DriftReport
from training.drift.page import drift_json
from training.drift.section import drift_section
from training.feedback.labels import LabelOptions
from training.feedback.store import ReadStore, read_store
from training.gate.train import add_gate
from training.imports import open_exports
from training.learners.learner import Learner
from training.learners.linear import LinearLearner
from training.learners.presets import Effort, learners_for
from training.learners.task_means import TaskMeansLearner
from training.pipeline import train
from training.prepare.adequacy import Adequacy
from training.prepare.checks import check_jobs, check_spend, checked_options
from training.prepare.data import DataOptions, RoutingData, prepare
from training.progress import Progress, StageProgress
from training.report import ReportData, report_data, report_json, write_report
from training.report.changes_page import contest_json
from training.report.markup import Html
from training.report.sections import Heading
from training.report.sections.changes import changes_section
from training.report.summary import summary_html
from training.report.unseen import UnseenTask, leave_tasks_out
from training.tables import Columns, OutcomeTable, ReadOptions, read_tables
from training.training import Training
from training.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """What a run can be told; every default is the command's.

    Attributes
    ----------
    columns : names of the tables' columns, where they differ from the standard ones.
    models : a tier of the tables -> tier or model of the menu.
    prices : a tier of the tables -> USD per 1M tokens, in and out.
    strict : refuse the first bad row or cell instead of leaving it out.
    reading : what the tables do not say themselves: scales, scores' columns, orders of dates, ...
    menu : the menu of tiers, or its file; None: ``$TIERWISE_CONFIG``, ``router.toml``, or the packaged one; with
        outcomes, that of the artifact in use.
    keywords : the keyword groups, or their file; None: the packaged ones.
    tokens : how tokens are counted: "auto", "estimate", or an encoding of tiktoken.
    adequacy : when an answer is good enough.
    reference : the tier used without routing; None: the one with the best mean score, or with outcomes that in use.
    target : the promise to certify.
    effort : how hard to try.
    min_rows : rows that a term must occur in to be kept; more make a smaller artifact.
    force : ship the learned router even where it beats no rule without learning.
    seed : makes the run reproducible to the byte, and the artifact bears no date; None: as 0, dated.
    counted : whether the ledger beside the artifact counts this run among the tries on its rows, which share the error.
    jobs : parallel workers; -1 is one a core.
    since : only outcomes from this aware time on.
    labels : how outcomes become labels.
    promotion : what a candidate has to show before it comes into use.
    promote : put a candidate that has shown it into use.
    out : where the artifact goes; None: ``router.safetensors`` in that folder, with outcomes among the versions only.
    versions : folder of the versions, and of the pointer to the one in use; None: ``$TIERWISE_MODELS``, else
        ``models``.
    show_prompts : whether reports may quote prompts and words from them; None: of tables yes, of a store no.
    provenance : further fields for the artifact's training summary; plain data.
    """

    columns: Columns = field(default_factory=Columns)
    models: Mapping[str, str] = field(default_factory=dict)
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    strict: bool = False
    reading: ReadOptions = field(default_factory=ReadOptions)
    menu: Menu | str | Path | None = None
    keywords: KeywordGroups | str | Path | None = None
    tokens: str = AUTO
    adequacy: Adequacy = field(default_factory=Adequacy)
    reference: str | None = None
    target: Target = field(default_factory=Target)
    effort: Effort = Effort.BALANCED
    min_rows: int = 2
    force: bool = False
    seed: int | None = None
    counted: bool = True
    jobs: int = -1
    since: datetime | None = None
    labels: LabelOptions = field(default_factory=LabelOptions)
    promotion: PromotionRule = field(default_factory=PromotionRule)
    promote: bool = True
    out: str | Path | None = None
    versions: str | Path | None = None
    show_prompts: bool | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what would else be found out after everything has been read.

        Raises
        ------
        InputError : a number is out of range, the effort is none, or the time has no zone.
        """
        for name, number, least in (("seed", self.seed or 0, 0), ("min_rows", self.min_rows, 1)):
            if not isinstance(number, int) or number < least:
                raise InputError(f"{name}: found {number!r}, expected a whole number of {least} or more")
        check_jobs(self.jobs)
        if self.effort not in tuple(Effort):
            raise InputError(f"effort: found {self.effort!r}, expected one of {', '.join(Effort)}")
        if self.since is not None and self.since.tzinfo is None:
            raise InputError(f"since: found {self.since}, a time without a zone; add one, such as tzinfo=UTC")

    @property
    def folder(self) -> Path:
        """Where versions are kept."""
        return models_folder() if self.versions is None else Path(self.versions)

    @property
    def path(self) -> Path:
        """Where an artifact goes that is no candidate."""
        return self.folder / TRAINED_ARTIFACT.name if self.out is None else Path(self.out)


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What a run learns from.

    Attributes
    ----------
    data : the rows, ready to learn from.
    menu, keywords : that they were prepared with. options : of the preparation.
    outcomes : the store's URL; store : what it taught; running : the router in use. None: there are no outcomes.
    """

    data: RoutingData
    menu: Menu
    keywords: KeywordGroups
    options: DataOptions
    outcomes: str | None = None
    store: ReadStore | None = None
    running: Router | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Retrained:
    """What a run on outcomes came to.

    Attributes
    ----------
    version : the new candidate.
    contest : of it, and of the others that are pending, with what is in use.
    drift : what has changed since that began to decide; None: the store does not show it deciding.
    """

    version: Version
    contest: Contest
    drift: DriftReport | None

    @property
    def challenge(self) -> Challenge | None:
        """What came of the new candidate's."""
        return next((one.challenge for one in self.contest.judged if one.version.name == self.version.name), None)

    def sections(self, monthly_spend: float | None) -> list[tuple[Heading, Html]]:
        """What the report says of it."""
        found = []
        if self.challenge is not None:
            found.append((Heading("changes", "What changes"), changes_section(self.challenge, monthly_spend)))
        if self.drift is not None:
            found.append((Heading("drift", "Has the world changed?"), drift_section(self.drift)))
        return found

    def figures(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "version": self.version.name,
            "contest": contest_json(self.contest),
            "drift": None if self.drift is None else drift_json(self.drift),
        }


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """What was read, learned, certified and compared, and where the artifact is.

    Attributes
    ----------
    options : that the run was told.
    inputs : what it learned from.
    training : what it found out.
    artifact : the file; digest : of what is in it; date : ISO, None in reproducible runs.
    retrained : of a run with outcomes, the candidate and what came of it; None: there were none.
    """

    options: TrainOptions
    inputs: Inputs
    training: Training
    artifact: Path
    digest: str
    date: str | None
    retrained: Retrained | None = None

    def __repr__(self) -> str:
        saving = f"saves {self.training.result.saving:.1%}, keeps {self.training.result.kept:.1%}"
        return f"Run({self.training.shipped.name!r}: {saving} on {len(self.training.test):,} test rows)"

    def _repr_html_(self) -> str:
        return summary_html(self.training)

    @property
    def is_counted(self) -> bool:
        """Whether the ledger counts this run's try, where it should."""
        wanted = self.options.counted and not self.inputs.data.logged.all()
        return self.training.target.attempt is not None or not wanted

    @property
    def ledger(self) -> Path:
        """The ledger that counts the tries on these rows."""
        return _models_folder(self.inputs, self.options) / LEDGER

    @property
    def shows_prompts(self) -> bool:
        """Whether reports quote prompts: tables are evaluation sets, a store holds what users wrote."""
        return _shows_prompts(self.options, self.inputs)

    @cached_property
    def unseen_tasks(self) -> tuple[UnseenTask, ...]:
        """What routers that were learned without a task do on it; learning them takes a while."""
        return self.leave_tasks_out()

    def leave_tasks_out(self, progress: Progress | None = None) -> tuple[UnseenTask, ...]:
        """The same, saying how far it is; `unseen_tasks` has it from then on."""
        learner = _learners(self.options, self.inputs)[self.training.model.learner]
        found = leave_tasks_out(self.training, learner, jobs=self.options.jobs, progress=progress)
        self.__dict__["unseen_tasks"] = found
        return found

    def figures(
        self, *, monthly_spend: float | None = None, today: str | None = None, command: str | None = None
    ) -> ReportData:
        """Everything that the report shows, as values.

        Parameters
        ----------
        monthly_spend : USD spent a month without routing; None: money is shown per 1,000 requests.
        today : the tier that it is spent on; None: the reference.
        command : the command line that was run, to be shown.

        Raises
        ------
        InputError : no tier has the name ``today``, or the spend is no number of 0 or more.
        """
        check_spend(monthly_spend)
        return report_data(
            self.training,
            self.inputs.keywords,
            monthly_spend=monthly_spend,
            today=today,
            prompts=self.shows_prompts,
            command=command,
            artifact=self.artifact,
            digest=self.digest,
            date=self.date,
            unseen_tasks=self.unseen_tasks,
        )

    def report(
        self,
        path: str | Path,
        *,
        monthly_spend: float | None = None,
        today: str | None = None,
        command: str | None = None,
    ) -> None:
        """Write the report for whoever decides, one HTML file; parameters and errors as in `figures`.

        Raises
        ------
        OSError : it cannot be written; an older file stays as it was.
        """
        figures = self.figures(monthly_spend=monthly_spend, today=today, command=command)
        write_report(figures, Path(path), () if self.retrained is None else self.retrained.sections(monthly_spend))

    def to_dict(
        self, *, monthly_spend: float | None = None, today: str | None = None, command: str | None = None
    ) -> dict[str, Any]:
        """The same figures as plain data that any JSON writer takes; parameters and errors as in `figures`."""
        figures = self.figures(monthly_spend=monthly_spend, today=today, command=command)
        learned_from = _provenance(self.options, self.inputs, self.training)
        retrained = {} if self.retrained is None else self.retrained.figures()
        return {**summary(self.training), **learned_from, **retrained, "report": report_json(figures)}


def train_router(
    tables: str | Path | Sequence[str | Path] = (),
    outcomes: str | None = None,
    options: TrainOptions | None = None,
    *,
    progress: StageProgress | None = None,
) -> Run:
    """Learn which tier is the cheapest adequate one, certify what that keeps, and write the artifact.

    Parameters
    ----------
    tables : files of outcomes, patterns, folders or ``-``, which is standard input; see `training.tables`.
    outcomes : URL of an outcome store, whose log is learned from beside the tables or alone.
    progress : called with a stage's name, how much of it is done, and how much there is.

    Returns
    -------
    The run; ``run.report(path)`` writes the report, ``run.artifact`` is where the artifact is.

    Raises
    ------
    InputError : there is neither a table nor a store, or one of them, or an option, cannot be used.
    StoreError : the store cannot be read. RouterError : another program is changing the versions.
    OSError : the artifact cannot be written; an older one stays as it was.
    """
    options = checked_options(options, TrainOptions)
    return learn_from(read_inputs(tables, outcomes, options, progress=progress), options, progress=progress)


def read_inputs(
    tables: str | Path | Sequence[str | Path],
    outcomes: str | None,
    options: TrainOptions,
    *,
    progress: StageProgress | None = None,
) -> Inputs:
    """The first half of `train_router`: read, and prepare the rows; parameters and errors as there."""
    if not tables and outcomes is None:
        raise InputError(
            "found neither tables nor an outcome store, expected one of them; name a table of outcomes or the URL of "
            "an outcome store"
        )
    tables = [tables] if isinstance(tables, str | Path) else tables
    said = partial(partial, progress) if progress else lambda _: None
    given, keywords = options.menu, options.keywords
    menu = given if isinstance(given, Menu) else load_menu(given)
    keywords = keywords if isinstance(keywords, KeywordGroups) else load_keywords(keywords)
    preparing = _data_options(options)
    running = None if outcomes is None else router_in_use(options.folder)
    table = _read(tables, options, said("reading")) if tables else None
    store: ReadStore | None = None
    if outcomes is not None and running is not None:
        menu = running.menu if given is None else menu
        store = read_store(
            outcomes,
            menu,
            keywords,
            tables=table,
            models=options.models,
            since=options.since,
            options=options.labels,
            progress=said("outcomes"),
        )
        table = store.table
        preparing = replace(preparing, reference=options.reference or _reference_in_use(running, store))
    assert table is not None
    data = prepare(table, menu, keywords, preparing, progress=said("features"))
    return Inputs(data, menu, keywords, preparing, outcomes, store, running)


def _read(tables: Sequence[str | Path], options: TrainOptions, progress: Progress | None) -> OutcomeTable:
    return read_tables(
        tables,
        options.columns,
        strict=options.strict,
        options=options.reading,
        progress=progress,
        exports=open_exports,
    )


def learn_from(inputs: Inputs, options: TrainOptions, *, progress: StageProgress | None = None) -> Run:
    """The second half of `train_router`: learn, certify, write; errors as there."""
    learners = _learners(options, inputs)
    target = _as_a_try(inputs, options)
    training = train(
        inputs.data,
        inputs.menu,
        learners,
        target,
        seed=options.seed or 0,
        jobs=options.jobs,
        force=options.force,
        progress=progress,
    )
    training = add_gate(training, learners, inputs.keywords, jobs=options.jobs, progress=progress)
    compiled = partial(
        compile_artifact,
        training,
        inputs.keywords,
        inputs.options.tokens,
        dated=options.seed is None,
        provenance=_provenance(options, inputs, training),
        inherited=_inherited_gate(inputs),
    )
    path = options.path
    if inputs.store is None or options.out is not None:
        compiled(path)
    retrained: Retrained | None = None
    if inputs.store is not None and inputs.running is not None:
        folder = options.folder
        kept = keep_candidate(training, folder, compiled)
        path = path if options.out is not None else kept.path
        found = hold_contest(
            folder,
            OutcomeStore(inputs.store.url),
            options.promotion,
            promoting=options.promote,
            prompts=_shows_prompts(options, inputs),
        )
        retrained = Retrained(kept, found, _changed_world(inputs.store, inputs.running))
    read = read_artifact(path)
    return Run(options, inputs, training, path, read.digest, read.header["training"].get("date"), retrained)


def _data_options(options: TrainOptions) -> DataOptions:
    tokens = resolve_tokens(options.tokens)
    token_counter(tokens)  # an unknown name is an error now, not after all has been read
    return DataOptions(
        adequacy=options.adequacy,
        reference=options.reference,
        models=options.models,
        prices=options.prices,
        tokens=tokens,
        jobs=options.jobs,
    )


def _learners(options: TrainOptions, inputs: Inputs) -> Mapping[str, Learner]:
    if inputs.store is not None and inputs.store.kept.by_task:
        return {"task means": TaskMeansLearner(LinearLearner())}
    return learners_for(options.effort, min_rows=options.min_rows)


def _as_a_try(inputs: Inputs, options: TrainOptions) -> Target:
    """The target with this run's share of the error: all runs that certify on the same rows share it."""
    if inputs.data.logged.all() or not options.counted:
        return options.target
    chosen = {
        **asdict(replace(inputs.options, jobs=1)),
        **asdict(options.target),
        "seed": options.seed or 0,
        "effort": str(options.effort),
        "keywords": dump_keywords(inputs.keywords),
    }
    entered = enter_try(_models_folder(inputs, options), inputs.data, chosen)
    return options.target if entered is None else replace(options.target, share=entered.share, attempt=entered.number)


def _models_folder(inputs: Inputs, options: TrainOptions) -> Path:
    """Where the artifact goes, whose certificates share a ledger."""
    if inputs.store is not None and options.out is None:
        return options.folder
    return options.path.parent


def _provenance(options: TrainOptions, inputs: Inputs, training: Training) -> dict[str, Any]:
    told = {} if inputs.store is None else provenance(inputs.store, training, options.labels)
    return {**told, **options.provenance}


def _shows_prompts(options: TrainOptions, inputs: Inputs) -> bool:
    return inputs.store is None if options.show_prompts is None else options.show_prompts


def _inherited_gate(inputs: Inputs) -> StoredGate | None:
    """The learned gate of the artifact in use, where there is one that fits the data."""
    if inputs.running is None or inputs.running.digest is None:
        return None
    return inherit_gate(inputs.running.artifact, inputs.data.names)


def _reference_in_use(running: Router, store: ReadStore) -> str | None:
    """The reference of the router in use, where the store knows enough of it; None: the data shall say."""
    reference = running.tiers[running.loaded.reference].name
    return reference if reference in store.table.tiers else None


def _changed_world(store: ReadStore, running: Router) -> DriftReport | None:
    """What has changed since the router in use began to decide; None where the store does not show it deciding."""
    try:
        return check_drift(store.signal.observed, running, strict=True)
    except InputError:
        return None
