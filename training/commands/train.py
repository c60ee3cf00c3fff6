"""The `train-router` command: a thin skin over `training.pipeline`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training.commands.command import Command, prose, run_command
from training.commands.options import MARGIN, MODELS, MODELS_VARIABLE

if TYPE_CHECKING:
    from classifier.router import Router
    from training.certify.rule import Target
    from training.prepare.data import DataOptions, RoutingData
    from training.retrain import Retrained, Store

HELP = prose("""
Learn from tables of outcomes which tier is the cheapest adequate one for a request, and write a routing artifact.

[bold]Examples[/]

  [cyan]train-router data.csv[/]
  Learn from one table; write models/router.safetensors, which predict_model() then finds.

  [cyan]train-router monday.parquet tuesday.jsonl --monthly-spend 10000[/]
  Several tables at once; say what the router means for a spend of $10,000 a month.

  [cyan]train-router evals.csv --price mixtral=0.6,0.6 --price gpt-4=10,30[/]
  Tiers that router.toml does not know, with their prices in USD per 1M tokens (input, output).

  [cyan]train-router evals.csv --tier cheap=claude-haiku-4-5 --tier dear=claude-opus-4-6[/]
  The columns score__cheap and score__dear are these models of the menu.

  [cyan]train-router ratings.csv --adequate-at 0.8 --max-quality-loss 0.01[/]
  An answer is good enough from a score of 0.8; lose at most 1% of the reference's good answers.

  [cyan]train-router chats.csv --column prompt=question[/]
  The table calls its prompt column "question".

  [cyan]train-router --store sqlite:///outcomes.db --half-life 30d[/]
  Learn from what a cascade observed; keep the result as a candidate, and put it into use if it proves no worse.

  [cyan]train-router --store sqlite:///outcomes.db evals.csv --no-promote[/]
  From both; somebody decides later (tierwise-models judge, promote).

[bold]Tables[/] are CSV, TSV, JSON Lines or Parquet (.gz too) and are told apart by their columns:

  wide: prompt, score__<tier> for each tier (0 to 1, empty where unknown); optional task, max_tokens, cost__<tier>,
  tokens_out__<tier>, response__<tier> (the answers, which a gate is learned from), messages, group, timestamp

  labelled: prompt, tier (the cheapest adequate one)

  long: prompt, model, score; optional cost

  pairwise: prompt, model_a, model_b, winner

[bold]Exit codes[/]: 0 done; 1 failure; 2 bad usage or bad input.
""")

_TABLES = "Tables and their reading"
_QUALITY = "What is good enough"
_OUTPUT = "What comes out"
_OUTCOMES = "Learning from a router in use"


class CertifyPer(StrEnum):
    """What a promise of quality is kept for."""

    ALL = "all"
    TASK = "task"


app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


@app.command(cls=Command, help=HELP)
def train_router(
    tables: Annotated[list[Path] | None, typer.Argument(help="Outcome tables.", show_default=False)] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where the artifact goes. Default: models/router.safetensors; with --store, among the versions only.",
            show_default=False,
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    outcomes: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="URL",
            help="An outcome store: sqlite:///FILE or postgresql://...",
            show_default=False,
            rich_help_panel=_OUTCOMES,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Only outcomes from this time on (ISO 8601, UTC).", show_default=False, rich_help_panel=_OUTCOMES
        ),
    ] = None,
    half_life: Annotated[
        str | None,
        typer.Option(
            metavar="AGE",
            help="An outcome of this age counts half as much as a new one: 30d, 12h, 8w. Default: all count alike.",
            show_default=False,
            rich_help_panel=_OUTCOMES,
        ),
    ] = None,
    models: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            envvar=MODELS_VARIABLE,
            help="Folder that keeps the versions.",
            rich_help_panel=_OUTCOMES,
        ),
    ] = MODELS,
    margin: Annotated[
        float,
        typer.Option(
            help="Quality, in points of 0..1, that it may lose against the router in use and still count as no worse.",
            rich_help_panel=_OUTCOMES,
        ),
    ] = MARGIN,
    no_promote: Annotated[
        bool,
        typer.Option("--no-promote", help="Put nothing into use, whatever the test says.", rich_help_panel=_OUTCOMES),
    ] = False,
    monthly_spend: Annotated[
        float | None,
        typer.Option(
            min=0, help="USD spent a month without routing; shown beside every figure.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a report for whoever decides, as one HTML file.", show_default=False, rich_help_panel=_OUTPUT
        ),
    ] = None,
    no_prompts: Annotated[
        bool,
        typer.Option(
            "--no-prompts", help="Show no prompts, nor words from them, in the report.", rich_help_panel=_OUTPUT
        ),
    ] = False,
    show_prompts: Annotated[
        bool,
        typer.Option(
            "--show-prompts",
            help="Show prompts of the store's requests in the report and the JSON file, which else do not.",
            rich_help_panel=_OUTCOMES,
        ),
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the figures as JSON; - prints them.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Ship the learned router even where it beats no floor.", rich_help_panel=_OUTPUT),
    ] = False,
    fastest: Annotated[
        bool, typer.Option("--fastest", help="Only the linear model: the quickest decisions.", rich_help_panel=_OUTPUT)
    ] = False,
    best: Annotated[
        bool, typer.Option("--best", help="More and slower trees: the best decisions.", rich_help_panel=_OUTPUT)
    ] = False,
    keep_estimator: Annotated[
        Path | None,
        typer.Option(help="Also write the fitted model as a joblib pickle, for notebooks.", rich_help_panel=_OUTPUT),
    ] = None,
    adequate_at: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="An answer is adequate from this score. Default: when it is no worse than the reference's.",
            show_default=False,
            rich_help_panel=_QUALITY,
        ),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="How far below the reference's score is still no worse.", rich_help_panel=_QUALITY
        ),
    ] = 0.0,
    reference: Annotated[
        str | None,
        typer.Option(
            help="The tier used without routing. Default: the one with the best mean score.",
            show_default=False,
            rich_help_panel=_QUALITY,
        ),
    ] = None,
    max_quality_loss: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Quality that may be lost, as a share of the reference's.", rich_help_panel=_QUALITY
        ),
    ] = 0.02,
    absolute: Annotated[
        bool,
        typer.Option("--absolute", help="Count the loss in points of score instead.", rich_help_panel=_QUALITY),
    ] = False,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="Confidence of that promise.", rich_help_panel=_QUALITY)
    ] = 0.95,
    certify_per: Annotated[
        CertifyPer,
        typer.Option(
            help="Keep that promise for all requests taken together, or for each task by itself: a task "
            "that cannot be certified, or that the table does not have, then goes to the reference.",
            rich_help_panel=_QUALITY,
        ),
    ] = CertifyPer.ALL,
    menu_file: Annotated[
        Path | None,
        typer.Option(
            "--menu",
            help="Menu of tiers. Default: $TIERWISE_CONFIG, ./router.toml, or the packaged one.",
            show_default=False,
            rich_help_panel=_TABLES,
        ),
    ] = None,
    tier: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=MODEL",
            help="A tier of the tables is this tier or model.",
            show_default=False,
            rich_help_panel=_TABLES,
        ),
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=IN,OUT",
            help="A tier's prices, USD per 1M tokens.",
            show_default=False,
            rich_help_panel=_TABLES,
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OURS=YOURS", help="Another name for a column.", show_default=False, rich_help_panel=_TABLES
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Refuse a table with any bad row instead of skipping it.", rich_help_panel=_TABLES
        ),
    ] = False,
    tokens: Annotated[
        str,
        typer.Option(
            help="How tokens are counted: auto (tiktoken if a vocabulary is on this machine), estimate, or "
            "an encoding.",
            rich_help_panel=_TABLES,
        ),
    ] = "auto",
    keywords_file: Annotated[
        Path | None,
        typer.Option(
            "--keywords",
            help="Keyword groups to use instead of the packaged ones.",
            show_default=False,
            rich_help_panel=_TABLES,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Makes a run reproducible to the byte (the artifact then bears no date).", show_default=False
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Parallel workers; -1 is one a core.")] = -1,
) -> None:
    """Train (typer shows `HELP`)."""
    from dataclasses import replace
    from functools import partial

    import joblib
    from rich.markup import escape

    from classifier.artifact import read_artifact
    from classifier.catalog import load_menu
    from classifier.errors import InputError
    from classifier.gates.stored import inherit_gate
    from classifier.keywords import dump_keywords, load_keywords
    from classifier.pointer import POINTER
    from classifier.router import TRAINED_ARTIFACT, Router
    from classifier.tokens import resolve_tokens, token_counter
    from training.certify.ledger import LEDGER
    from training.certify.rule import Target
    from training.challenge.contest import in_use
    from training.commands.judge import hold_contest, promotion_rule
    from training.commands.show_contest import show_contest
    from training.commands.show_store import show_store
    from training.commands.show_training import progress_bars, show_data, show_result
    from training.commands.terminal import Terminal, say_next
    from training.commands.values import (
        columns_of,
        days,
        expect_folder,
        moment,
        pairs,
        price_pair,
        printed,
        store_url,
        write_json,
    )
    from training.compile import compile_artifact, summary
    from training.drift.words import headline as drift_headline
    from training.feedback.labels import LabelOptions
    from training.gate.train import add_gate
    from training.learners.linear import LinearLearner
    from training.learners.presets import Effort, learners_for
    from training.learners.task_means import TaskMeansLearner
    from training.pipeline import train
    from training.prepare.adequacy import Adequacy
    from training.prepare.data import DataOptions, prepare
    from training.report import report_data, report_json, write_report
    from training.report.unseen import UnseenTask, leave_tasks_out
    from training.retrain import (
        Retrained,
        changed_world,
        keep_candidate,
        provenance,
        read_store,
        running_reference,
    )
    from training.tables import read_tables

    if fastest and best:
        raise InputError("--fastest and --best are given both, expected at most one of them")
    effort = Effort.FASTEST if fastest else Effort.BEST if best else Effort.BALANCED
    console = Terminal(stderr=printed(json_file))
    outcomes = store_url(outcomes, tables)
    _check_sources(tables, outcomes, since, half_life)
    expect_folder("--report", report)
    expect_folder("--json", json_file)
    expect_folder("--keep-estimator", keep_estimator)
    rule = promotion_rule(margin)
    # Tables are evaluation sets; a store holds what users wrote.
    prompts = not no_prompts and (outcomes is None or show_prompts)
    label_options = LabelOptions(half_life=None if half_life is None else days("--half-life", half_life))
    options = DataOptions(
        adequacy=Adequacy(adequate_at, tolerance),
        reference=reference,
        models=pairs("--tier", tier, "NAME=MODEL"),
        prices={name: price_pair(name, text) for name, text in pairs("--price", price, "NAME=IN,OUT").items()},
        tokens=resolve_tokens(tokens),
        jobs=jobs,
    )
    token_counter(options.tokens)
    menu, keywords = load_menu(menu_file), load_keywords(keywords_file)
    columns, begin = columns_of(column), moment("--since", since)
    running: Router | None = None
    store: Store | None = None
    if outcomes is not None:
        running = Router.load(in_use(models))
        menu = running.menu if menu_file is None else menu
    with progress_bars(console) as progress:
        table = read_tables(tables, columns, strict=strict, progress=partial(progress, "reading")) if tables else None
        if outcomes is not None and running is not None:
            store = read_store(
                outcomes,
                menu,
                keywords,
                tables=table,
                models=options.models,
                since=begin,
                options=label_options,
                progress=partial(progress, "outcomes"),
            )
            table, options = store.table, replace(options, reference=reference or running_reference(running, store))
        assert table is not None
        data = prepare(table, menu, keywords, options, progress=partial(progress, "features"))
    show_data(console, data)
    if store is not None:
        show_store(console, store)
    target = Target(max_quality_loss, confidence, not absolute, certify_per is CertifyPer.TASK)
    path = out or TRAINED_ARTIFACT
    folder = models if store is not None and out is None else path.parent
    chosen = {"seed": seed or 0, "effort": str(effort), "keywords": dump_keywords(keywords)}
    target = _as_a_try(folder, data, target, options, chosen)
    if target.attempt is None and not data.logged.all():
        console.print(
            escape(
                f"Warning: the ledger {folder / LEDGER} cannot be written, so nobody counts this try: rely on the "
                "first certificate made on these rows only, or make the folder writable."
            ),
            style="yellow",
        )
    learners = learners_for(effort)
    if store is not None and store.kept.by_task:
        learners = {"task means": TaskMeansLearner(LinearLearner())}
    with progress_bars(console) as progress:
        training = train(
            data,
            menu,
            learners,
            target,
            seed=seed or 0,
            jobs=jobs,
            force=force,
            progress=progress,
        )
        training = add_gate(training, learners, keywords, jobs=jobs, progress=progress)
        told = {} if store is None else provenance(store, training, label_options)
        unseen: tuple[UnseenTask, ...] = ()
        if report is not None or json_file is not None:
            unseen = leave_tasks_out(
                training, learners[training.model.learner], jobs=jobs, progress=partial(progress, "unseen tasks")
            )
    show_result(console, training, monthly_spend)
    compiled = partial(
        compile_artifact,
        training,
        keywords,
        options.tokens,
        dated=seed is None,
        provenance=told,
        inherited=None if running is None else inherit_gate(running.artifact, data.names),
    )
    if store is None or out is not None:
        compiled(path)
    retrained: Retrained | None = None
    if store is not None and running is not None and outcomes is not None:
        kept = keep_candidate(training, models, compiled)
        path = kept.path if out is None else out
        found = hold_contest(models, outcomes, rule, promoting=not no_promote, prompts=prompts)
        retrained = Retrained(kept, found, changed_world(store, running))
        console.print()
        show_contest(console, found, monthly_spend)
        if retrained.drift is not None and retrained.drift.drifted:
            console.print(f"[yellow]{escape(drift_headline(retrained.drift))}[/]", highlight=False)
    if report is not None or json_file is not None:
        read = read_artifact(path)
        figures = report_data(
            training,
            keywords,
            monthly_spend=monthly_spend,
            prompts=prompts,
            command=_command(outcomes, store),
            artifact=path,
            digest=read.digest,
            date=read.header["training"].get("date"),
            unseen_tasks=unseen,
        )
        if report is not None:
            write_report(figures, report, () if retrained is None else retrained.sections(monthly_spend))
            console.print(f"Wrote {escape(str(report))}: open it in a browser.")
        if json_file is not None:
            more = {} if retrained is None else retrained.figures()
            write_json(json_file, {**summary(training), **told, **more, "report": report_json(figures)})
    if keep_estimator is not None:
        joblib.dump(training.model, keep_estimator)
    console.print(escape(f"Wrote {path} ({path.stat().st_size / 2**20:.1f} MiB): {training.shipped.name}."))
    if path == TRAINED_ARTIFACT and (MODELS / POINTER).is_file():
        console.print(
            f"[yellow]{MODELS / POINTER} says what is in use here, and that is another artifact. To use this one: "
            f"tierwise models add {path} --promote[/]"
        )
    say_next(_next_step(path, retrained))


def _as_a_try(
    folder: Path, data: RoutingData, target: Target, options: DataOptions, chosen: Mapping[str, Any]
) -> Target:
    """The target with this run's share of the error: all that certify on the same rows share it.

    ``chosen``: what else decides how the certificate turns out.
    """
    if data.logged.all():
        return target
    from dataclasses import asdict, replace

    from training.certify.ledger import enter_try

    entered = enter_try(folder, data, {**asdict(replace(options, jobs=1)), **asdict(target), **chosen})
    return target if entered is None else replace(target, share=entered.share, attempt=entered.number)


def _next_step(path: Path, retrained: Retrained | None) -> str:
    """What usually follows."""
    if retrained is None:
        return f"tierwise models add {path} --promote"
    promoted = retrained.contest.promoted is not None
    return "tierwise models show" if promoted else "tierwise models judge, once more outcomes are in"


def _command(outcomes: str | None, store: Store | None) -> str:
    """The command line, without a password in the store's URL."""
    given = [part if store is None else part.replace(str(outcomes), store.name) for part in sys.argv[1:]]
    return shlex.join(["tierwise" if given[:1] == ["train"] else "train-router", *given])


def _check_sources(tables: list[Path] | None, outcomes: str | None, since: str | None, half_life: str | None) -> None:
    from classifier.errors import InputError

    if not tables and outcomes is None:
        raise InputError(
            "found neither tables nor --store, expected one of them; name a table of outcomes or the "
            "URL of an outcome store"
        )
    for option, given in (("--since", since), ("--half-life", half_life)):
        if given is not None and outcomes is None:
            raise InputError(f"{option} is about outcomes of a router in use, found no --store; name their store")


def main() -> None:
    """Entry point."""
    run_command(app, "train-router")


if __name__ == "__main__":
    main()
