"""What to do next, and what a report does not say: plain sentences for the person who decides."""

from __future__ import annotations

from collections.abc import Iterator

from training.report.figures import count, percent, score
from training.report.ladder import LadderStep, ladder_steps
from training.report.offer import offers_cascade
from training.training import Training

_COSTS_KNOWN = "the table's cost column"


def next_steps(training: Training) -> Iterator[str]:
    """What to do, the first thing first."""
    reference = training.data.names[training.data.reference]
    if training.rule.estimated is not None:
        yield "Let the comparison with the router in use decide. It needs requests from after this training."
    elif offers_cascade(training):
        yield (
            "Put the cascade in front of a small share of the traffic first, 5% for example. It asks a cheaper tier, "
            f"lets the gate check the answer, and asks {reference} where the gate is not sure."
        )
    elif training.shipped.strategy == "learned" and training.learned_won:
        yield "Switch the router on for a small share of the traffic first, 5% for example."
    elif training.shipped.strategy == "learned":
        yield "Do not switch the router on: it is shipped only because that was forced."
    elif training.shipped.always == reference:
        yield f"Stay with {reference} for now."
    else:
        yield f"Use \u201c{training.shipped.name}\u201d. It needs no learned router."
    yield from _more_to_certify(training)
    if training.shipped.strategy == "learned":
        yield (
            "Keep an outcome store, so that the cascade or the router records what it observes. Train again from it "
            "when a month of requests is there."
        )
    if training.never_chosen:
        names = ", ".join(training.data.names[tier] for tier in training.never_chosen)
        yield f"Consider a menu without {names}: on these rows no setting of the router ever picks it."
    if any(source != _COSTS_KNOWN for source in training.data.cost_sources):
        yield "Add the real cost of each call to the table. Some costs here are estimates."


def limits(training: Training) -> Iterator[str]:
    """What the figures do not cover."""
    reference = training.data.names[training.data.reference]
    yield (
        f"How it does on other requests. All figures come from {count(len(training.data))} rows; new tasks, languages "
        "or users may behave differently."
    )
    if training.promises and not training.target.per_task:
        yield (
            "What happens to a single request. The promise is about the average: some answers will be worse than "
            f"{reference}\u2019s, and a single task may lose more."
        )
    yield "Whether the scores are right. If the table calls a poor answer good, so does every figure here."
    yield "How fast answers come. Waiting time and rate limits are not measured" + (
        ", and a cascade that asks twice takes longer." if offers_cascade(training) else "."
    )
    yield "What comes after a change. A new model version, a new price or longer answers change the figures."
    yield (
        "Which row of the comparison would win next time. The best of several on the same rows looks better than it is."
    )


def _more_to_certify(training: Training) -> Iterator[str]:
    """How to get a promise, where none is given for the loss asked for."""
    rule = training.rule
    if rule.certified or rule.estimated is not None:
        return
    if rule.asked.rows_needed:
        yield (
            f"Score more requests on every tier. About {count(rule.asked.rows_needed)} rows for choosing the rule are "
            f"needed; there are {count(rule.asked.requests)}."
        )
    step = _next_certified(training)
    if step is not None:
        loss = percent(step.target) if step.relative else f"{score(step.target)} points"
        yield f"Or accept a larger loss: at most {loss} lost is certified, and saves {percent(step.saving)}."


def _next_certified(training: Training) -> LadderStep | None:
    """The least loss above the one asked for that is certified and saves something."""
    return next(
        (
            step
            for step in ladder_steps(training, shipped_only=False)
            if step.certified and step.target > training.target.loss and step.saving > 0
        ),
        None,
    )
