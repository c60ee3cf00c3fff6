"""What `train-router` shows in a terminal: what it understood, then what the router is worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from classifier.escapes import for_terminal
from classifier.prices import plain_amount
from training.commands.table import figures, names, show_table, words
from training.learners.weights import weighted_mean
from training.measure.evaluate import Result, is_graded
from training.prepare.adequacy import adequacy_effects
from training.prepare.data import RoutingData
from training.progress import StageProgress
from training.report.assumptions import assumptions, doubts, independent
from training.report.data import TodaySummary
from training.report.ladder import ladder_steps
from training.report.offer import offer_first, offered, offers_cascade
from training.report.today import best_tier, best_tier_sentence, reference_spend, saving_today, today_summary
from training.report.untaken import why_not_taken
from training.tables import OutcomeTable
from training.training import TrainedGate, Training

_LISTED_TASKS = 8
_LISTED_PROBLEMS = 8
_FEW_TIERS = 4


@contextmanager
def progress_bars(console: Console) -> Iterator[StageProgress]:
    """A bar a stage, drawn while the block runs; gone from the terminal afterwards."""
    columns = (
        TextColumn("{task.description:<12}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        known: dict[str, TaskID] = {}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in known:
                known[stage] = bars.add_task(for_terminal(stage), total=total)
            bars.update(known[stage], completed=done, total=total)

        yield advance


def show_data(console: Console, data: RoutingData) -> None:
    """What was understood of the tables."""
    table = data.table
    for summary in table.files:
        left_out = summary.rows_read - summary.rows_kept
        console.print(
            f"[bold]{escape(summary.path)}[/]: {summary.rows_kept:,} rows, {summary.form} form"
            + (f", [yellow]{left_out:,} left out[/]" if left_out else "")
            + (f", {summary.repeats:,} repeated outcomes averaged" if summary.repeats else "")
            + (f"; ignored columns: {escape(', '.join(summary.ignored))}" if summary.ignored else "")
        )
        for note in summary.notes:
            console.print(f"  {escape(note)}")
        for hint in summary.hints:
            console.print(f"  [yellow]{escape(hint)}[/]")
    _show_problems(console, table)
    _show_tiers(console, data)
    _show_adequacy(console, data)
    tasks = Counter(task or "(none)" for task in data.matrix.tasks)
    listed = ", ".join(f"{escape(task)} {count:,}" for task, count in tasks.most_common(_LISTED_TASKS))
    more = f" and {len(tasks) - _LISTED_TASKS} more" if len(tasks) > _LISTED_TASKS else ""
    console.print(f"Tasks: {listed}{more}")
    repeated = len(data) - len(np.unique(data.groups))
    if repeated:
        console.print(
            f"Duplicates: {repeated:,} rows repeat another row's prompt, nearly or exactly, or share its group. Such "
            "rows are never split between training and testing."
        )
    _show_costs(console, data)


def show_result(console: Console, training: Training, monthly_spend: float | None, *, today: str | None = None) -> None:
    """The verdict first, then every way of routing beside it.

    Parameters
    ----------
    monthly_spend : USD a month; None: no figure is a month's.
    today : name of the tier that it is spent on; None: the reference.

    Raises
    ------
    InputError : no tier has the name ``today``.
    """
    against_today = today_summary(training, today, monthly_spend)
    console.print()
    first = best_tier(training.data, today)
    if first is not None:
        console.print(f"[bold green]{escape(best_tier_sentence(first))}[/]")
    for line in _warnings(training):
        console.print(f"[bold yellow]Warning:[/] {escape(line)}")
    console.print(f"[bold green]{escape(headline(training, None if against_today else monthly_spend))}[/]")
    if against_today is not None:
        console.print(f"[bold green]{escape(_today_headline(against_today, monthly_spend))}[/]")
    _show_comparison(console, training, reference_spend(training, monthly_spend, today), today)
    if training.gate is not None:
        console.print(escape(_cascade_promise(training, training.gate)))
    console.print(escape(_promise(training)))
    _show_assumptions(console, training)
    _show_ladder(console, training)
    _show_tasks(console, training)
    if training.never_chosen:
        never = ", ".join(training.data.names[tier] for tier in training.never_chosen)
        console.print(f"[yellow]Never worth its price on these rows, so no rule picks it: {escape(never)}[/]")
    if training.lost:
        console.print(f"{training.lost:,} unobserved test scores count as lost in these figures.")
    if training.filled:
        console.print(f"{training.filled:,} unobserved test scores are filled in with the model's expectation.")


def _show_comparison(console: Console, training: Training, spend: float | None, today: str | None) -> None:
    """Every way of routing, what the columns mean, and why rows that look better were not taken."""
    tiers, offer = training.data.names, offered(training)
    of_whom = f"; shares are of {' / '.join(tiers)}" if len(tiers) <= _FEW_TIERS else ""
    console.print(escape(f"\nOn {len(training.test):,} test rows that nothing was learned from{of_whom}:"))
    show_comparison(console, offer_first(training), offer, tiers, spend, today=_savings_today(training, today))
    console.print(
        escape(
            f"saved and kept: cost and mean score against always {tiers[training.data.reference]}. "
            "oracle: knows every answer beforehand, as no router can."
        ),
        highlight=False,
    )
    reasons = why_not_taken(training)
    if reasons:
        console.print("[bold]Rows that look better, and why they were not taken[/]")
    for name, clause in reasons.items():
        console.print(Padding(escape(f"{name}: {clause}"), (0, 0, 0, 2)), highlight=False)


def _savings_today(training: Training, today: str | None) -> dict[str, float] | None:
    """What each way of routing saves against the tier that is used today; None where no tier is named."""
    savings = {result.name: saving_today(training, result, today) for result in training.results}
    return None if today is None else {name: saving for name, saving in savings.items() if saving is not None}


def _today_headline(today: TodaySummary, monthly_spend: float | None) -> str:
    """The same against the tier that is used today."""
    saving, kept = today.saving, today.kept
    sign, said = (1, "saves {}") if saving.value >= 0 else (-1, "costs {} more")
    low, high = sorted((sign * saving.low, sign * saving.high))
    sentence = (
        f"Against always {today.tier}, which you use today, it {said.format(f'{sign * saving.value:.1%}')} "
        f"[{low:.1%}, {high:.1%}] at {kept.value:.1%} [{kept.low:.1%}, {kept.high:.1%}] of its quality"
    )
    if monthly_spend is not None:
        sentence += f": ${today.spend:,.0f} a month become ${today.spend * (1 - saving.value):,.0f}"
    return sentence + "."


def headline(training: Training, monthly_spend: float | None) -> str:
    """The verdict in one sentence."""
    result, data = offered(training), training.data
    reference = data.names[data.reference]
    if training.shipped.always == reference:
        return f"No saving: the router always picks {reference}, the tier you would use without it."
    name = f"certified {result.name}," if offers_cascade(training) else training.shipped.name
    sentence = (
        f"{'by estimate, ' if training.rule.estimated is not None else ''}{name} saves "
        f"{result.saving:.1%} "
        f"[{result.saving_interval.low:.1%}, {result.saving_interval.high:.1%}] of the cost of always {reference} "
        f"{_kept(training)} of its quality, on {len(training.test):,} test rows"
    )
    if monthly_spend is not None:
        sentence += f": ${monthly_spend:,.0f} a month become ${monthly_spend * (1 - result.saving):,.0f}"
    return sentence[0].upper() + sentence[1:] + "."


def _kept(training: Training) -> str:
    """The quality kept; where much is not observed but expected, an interval would claim too much."""
    result = offered(training)
    if training.rule.estimated is not None:
        return f"at about {result.kept:.1%} (unobserved scores are the model's own expectation)"
    return f"at {result.kept:.1%} [{result.kept_interval.low:.1%}, {result.kept_interval.high:.1%}]"


def _warnings(training: Training) -> Iterator[str]:
    yield from doubts(training)
    mix, rule = training.mix, training.rule
    if rule.estimated is not None:
        yield (
            f"nothing is certified: {_why_not(training)}. Its setting is the cheapest that is estimated to lose at "
            f"most {_loss(training)}. Quality below uses the model's own expectation for scores that were not observed."
        )
        yield from _crowding(training)
        return
    if not rule.certified:
        loss = _loss(training)
        needed = (
            f"about {rule.asked.rows_needed:,} rows for choosing the rule would be needed"
            if rule.asked.rows_needed
            else "more rows would not change that as things stand"
        )
        whole = f"on {rule.asked.requests:,} rows"
        if training.target.per_task:
            whole = f"for any task by itself, the largest having {rule.asked.rows:,} rows for choosing"
        yield (
            f"no learned rule could be certified to lose at most {loss} of quality "
            f"with {training.target.confidence:.0%} confidence {whole}; {needed}."
        )
    if not mix.better:
        rows = (
            f"about {mix.rows_needed:,} rows would settle it" if mix.rows_needed else "more rows would not change that"
        )
        yield (
            "the learned router is not better than a random mix of tiers at the same cost: quality "
            f"{mix.gain:+.4f} [{mix.interval.low:+.4f}, {mix.interval.high:+.4f}]; {rows}."
        )
    if not training.learned_won:
        if training.shipped.strategy == "learned":
            yield "it is shipped all the same, as --force asks."
        else:
            yield (
                f"the best rule without learning is shipped instead: {training.shipped.name} "
                "(--force ships the learned router)."
            )
    yield from _crowding(training)


def _why_not(training: Training) -> str:
    rows = training.rule.rung.rows
    if rows:
        return f"the {rows:,} rows of the tables, which score all tiers, are too few or speak against it"
    return "a router in use never observes all tiers of one request"


def _loss(training: Training) -> str:
    return f"{training.target.loss:.1%}" if training.target.relative else f"{training.target.loss:g} points"


def _crowding(training: Training) -> Iterator[str]:
    if training.crowded is not None:
        share = max(training.result.shares)
        yield (
            f"{share:.0%} of the requests go to one tier, {training.crowded}: "
            "the router then changes little. Look at the table below before switching it on."
        )


def _cascade_promise(training: Training, gate: TrainedGate) -> str:
    promise, reference = gate.promise, training.data.names[training.data.reference]
    loss = f"{promise.target:.1%} of {reference}'s quality" if promise.relative else f"{promise.target:g} points"
    learned = ", ".join(training.data.names[tier] for tier in gate.tiers)
    sentence = f"A gate was learned from the answers of {learned}. It checks an answer before it is kept. "
    if promise.certified:
        return sentence + (
            f"Router and gate are certified together on {independent(gate.rung)} kept apart for it: with "
            f"{promise.confidence:.0%} confidence the cascade loses at most {loss} (observed {gate.rung.loss:.2%}). "
            f"It keeps answers that the gate scores at least {promise.setting.threshold:.2f}."
        )
    needed = f"; about {gate.rung.rows_needed:,} rows for choosing would be needed" if gate.rung.rows_needed else ""
    return sentence + f"No cascade could be certified to lose at most {loss}{needed}."


def _promise(training: Training) -> str:
    rung, target, data = training.rule.asked, training.target, training.data
    if not training.promises:
        return ""
    if training.shipped.strategy != "learned":
        return (
            f"Certified on the rows for choosing: with {target.confidence:.0%} confidence {training.shipped.name} "
            f"loses at most {_loss(training)} of {data.names[data.reference]}'s quality."
        )
    loss = (
        f"{target.loss:.1%} of {data.names[data.reference]}'s quality" if target.relative else f"{target.loss:g} points"
    )
    return (
        (
            f"Certified for each task by itself, on rows kept apart for it: with {target.confidence:.0%} confidence at "
            f"most {loss} is lost on any. "
            if target.per_task
            else f"Certified on {independent(rung)} kept apart for it: with {target.confidence:.0%} confidence at most "
            f"{loss} is lost (observed {rung.loss:.2%}). "
        )
        + f"Better than a random mix at the same cost by {training.mix.gain:+.3f} "
        f"[{training.mix.interval.low:+.3f}, {training.mix.interval.high:+.3f}] in quality."
    )


def _show_assumptions(console: Console, training: Training) -> None:
    """What the promise rests on; nothing where none is made."""
    if not training.promises:
        return
    console.print("[bold]The promise assumes[/]")
    for line in assumptions(training):
        console.print(Padding(escape(line), (0, 0, 0, 2)), highlight=False)


def _show_ladder(console: Console, training: Training) -> None:
    """What else is certified, and can be asked for at run time."""
    steps = list(ladder_steps(training))
    if not steps:
        return
    reference = training.data.names[training.data.reference]
    rows = []
    for step in steps:
        loss = f"{step.target:.3f}" + (" *" if step.target == training.target.loss else "  ")
        needed = f"needs about {step.rows_needed:,} rows" if step.rows_needed else "more rows would not help"
        kept = (
            (f"{step.saving:.1%}", f"{step.kept:.1%}", "")
            if step.certified
            else ("", "", f"only {reference} ({needed})")
        )
        rows.append((loss, *kept))
    console.print("Certified for other losses, too, which a caller may ask for (* is the default):")
    show_table(console, (figures("max_quality_loss"), figures("cost saved"), figures("quality kept"), words("")), rows)


def _show_tasks(console: Console, training: Training) -> None:
    """For which tasks the promise is certified by itself, too."""
    if training.shipped.strategy != "learned" or not training.rule.tasks:
        return
    kept: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    for task in training.rule.tasks:
        kept[training.rule.task_keeps(task)].append(task)
    parts = [
        f"{heading}: {_some(kept[holds])}"
        for holds, heading in ((True, "yes"), (False, "no"), (None, "too few rows to tell"))
        if kept[holds]
    ]
    otherwise = (
        "Other tasks go to the reference."
        if training.target.per_task
        else "For the other tasks the promise holds only for all requests taken together."
    )
    every = len(kept[True]) == len(training.rule.tasks)
    console.print(escape(f"Certified for the task by itself? {'; '.join(parts)}.{'' if every else ' ' + otherwise}"))


def _some(tasks: list[str]) -> str:
    more = len(tasks) - _LISTED_TASKS
    return ", ".join(tasks[:_LISTED_TASKS]) + (f" and {more} more" if more > 0 else "")


def _show_tiers(console: Console, data: RoutingData) -> None:
    judged_by = "by what was observed, weighted" if data.logged.all() else str(data.adequacy)
    means = weighted_mean(data.scores, data.weights, np.nan)
    adequate = weighted_mean(data.adequate, data.weights, np.nan)
    rows = [
        (
            tier.name + (" (reference)" if place == data.reference else ""),
            f"${data.costs[:, place].mean():.6f}",
            f"{means[place]:.3f}",
            "unknown" if np.isnan(adequate[place]) else f"{adequate[place]:.1%}",
            f"{(~np.isnan(data.scores[:, place])).sum():,}",
            tier.model,
        )
        for place, tier in enumerate(data.tiers)
    ]
    columns = (names("tier"), *map(figures, ("mean cost", "mean score", "adequate", "rows")), words("model"))
    show_table(console, columns, rows, title=f"Tiers, cheapest first (adequate: {judged_by})")


def _show_adequacy(console: Console, data: RoutingData) -> None:
    """Where scores are grades, what the choice of what is good enough comes to: the answer depends on it."""
    own = ~data.logged
    if not own.any() or not is_graded(data.scores[own]):
        return
    rows, marks = [], []
    for place, effect in enumerate(adequacy_effects(data.scores[own], data.costs[own], data.reference, data.adequacy)):
        rule = effect.rule
        option = f"--tolerance {rule.tolerance:g}" if rule.at is None else f"--adequate-at {rule.at:g}"
        shares = "/".join("-" if share != share else f"{share * 100:.0f}" for share in effect.adequate)
        rows.append((str(rule), option, shares, f"{effect.saving:.1%}"))
        marks += [place] if rule == data.adequacy else []
    tiers = " / ".join(data.names) if len(data.names) <= _FEW_TIERS else "each tier"
    console.print(escape(f"Scores are grades. What is good enough decides what can be saved (adequate: {tiers}):"))
    columns = (words("adequate when"), words("option"), figures("adequate %"), figures("saves at most"))
    show_table(console, columns, rows, marked=marks)


def _show_costs(console: Console, data: RoutingData) -> None:
    if len(set(data.cost_sources)) == 1:
        console.print(escape(f"Costs: {data.cost_sources[0]}"))
        return
    for name, source in zip(data.names, data.cost_sources, strict=True):
        console.print(escape(f"Costs of {name}: {source}"))


def _show_problems(console: Console, table: OutcomeTable) -> None:
    for problem in table.problems[:_LISTED_PROBLEMS]:
        console.print(f"  [yellow]{escape(str(problem))}[/]")
    rest = len(table.problems) - _LISTED_PROBLEMS
    if rest > 0:
        rows = ", ".join(str(problem.row) for problem in table.problems[_LISTED_PROBLEMS : _LISTED_PROBLEMS + 20])
        console.print(f"  [yellow]and {rest:,} more, in rows {rows}{' ...' if rest > 20 else ''}[/]")


def show_comparison(
    console: Console,
    results: Sequence[Result],
    marked: Result,
    tiers: tuple[str, ...],
    monthly_spend: float | None,
    *,
    today: Mapping[str, float] | None = None,
) -> None:
    """Ways of routing, a line each; ``marked`` is the one that matters.

    Parameters
    ----------
    monthly_spend : USD a month that the reference alone costs.
    today : share of the cost of the tier that is used today that each saves, by name: one more column.
    """
    few = len(tiers) <= _FEW_TIERS
    rows = [
        (
            result.name,
            plain_amount(result.cost * 1000),
            f"{result.saving:.1%}",
            f"{result.quality:.4f}",
            f"{result.kept:.1%}",
            "" if today is None else f"{today[result.name]:.1%}",
            "" if monthly_spend is None else f"{monthly_spend * (1 - result.saving):,.0f}",
            "/".join(f"{share * 100:.0f}" for share in result.shares) if few else _busiest(result, tiers),
        )
        for result in results
    ]
    headings = ("$/1,000", "saved", "quality", "kept", "saved today", "$/month")
    shares = figures("shares %") if few else words("most requests go to")
    marks = [place for place, result in enumerate(results) if result is marked]
    show_table(console, (words("way of routing"), *map(figures, headings), shares), rows, marked=marks)


def _busiest(result: Result, names: tuple[str, ...]) -> str:
    """The tiers with the largest shares, in words."""
    order = sorted(range(len(names)), key=lambda place: -result.shares[place])
    return ", ".join(
        f"{names[place]} {result.shares[place]:.0%}"
        for place in order[: _FEW_TIERS - 1]
        if result.shares[place] >= 0.005
    )
