"""The verdict in words: whether to switch the router on, what is promised, and what is off."""

from __future__ import annotations

from collections.abc import Iterator

from training.report.assumptions import assumptions, doubts, independent
from training.report.data import RunVerdict
from training.report.figures import count, percent, plural, points, score
from training.report.offer import offered, offers_cascade
from training.training import Training

_MUCH_FILLED = 0.2


def verdict(training: Training) -> RunVerdict:
    """Judge a training run."""
    mood, word = _mood(training)
    assumed = tuple(assumptions(training)) if training.promises else ()
    return RunVerdict(mood, word, headline(training), promise(training), tuple(warnings(training)), assumed)


def headline(training: Training) -> str:
    """What is shipped, in one sentence with its two figures."""
    result, reference = training.result, _reference(training)
    if offers_cascade(training):
        cascade = offered(training)
        return (
            f"The cascade with its learned gate saves {percent(cascade.saving)} and keeps {percent(cascade.kept)} of "
            f"{reference}\u2019s quality. The router alone saves {percent(result.saving)}."
        )
    if training.shipped.always == reference:
        return f"Nothing cheaper than always {reference} could be shown to keep its quality."
    learned = "The learned router" if training.rule.estimated is None else "By estimate, the learned router"
    name = {"learned": learned, "length": "The length rule, tuned,"}.get(
        training.shipped.strategy, f"Always {training.shipped.always}"
    )
    saved = f"saves {percent(result.saving)}" if result.saving >= 0 else f"costs {percent(-result.saving)} more"
    return f"{name} {saved} and keeps {percent(result.kept)} of {reference}\u2019s quality."


def promise(training: Training) -> str:
    """What is certified of what is shipped, in one sentence."""
    if training.gate is not None and offers_cascade(training):
        return (
            f"With {percent(training.gate.promise.confidence, 0)} confidence, the cascade loses at most "
            f"{_loss(training)}: router and gate were certified together on {independent(training.gate.rung)} that "
            f"nothing was learned from. The router alone: {_lower_first(_router_promise(training))}"
        )
    return _router_promise(training)


def _router_promise(training: Training) -> str:
    reference, target, rung = _reference(training), training.target, training.rule.asked
    if training.shipped.always == reference:
        return f"Every request still goes to {reference}: no quality can be lost, and no money is saved."
    if training.shipped.strategy == "learned" and not training.rule.certified:
        if training.rule.estimated is not None:
            return (
                "No quality is promised: what a router in use observes certifies nothing. The setting is the cheapest "
                f"that is estimated to lose at most {_loss(training)}. The model\u2019s own expectation fills in for "
                "outcomes that were not observed, so the intervals here are too narrow. The comparison with the router "
                "in use decides."
            )
        return "No quality is promised: the learned router could not be certified."
    if training.shipped.strategy == "learned" and target.per_task:
        kept = sum(rung.rule is not None for rung in training.rule.tasks.values())
        return (
            f"With {percent(target.confidence, 0)} confidence, at most {_loss(training)} is lost on any task: "
            f"{plural(kept, 'task')} certified by itself, all other requests go to {reference}."
        )
    promised = (
        f"With {percent(target.confidence, 0)} confidence, at most {_loss(training)} is lost: "
        f"certified on {independent(rung)} that nothing was learned from"
    )
    if training.shipped.strategy == "learned":
        lost = percent(rung.loss) if target.relative else f"{score(rung.loss)} points"
        return f"{promised}, on which {lost} was lost." if rung.loss > 0 else f"{promised}, on which nothing was lost."
    return f"{promised}."


def warnings(training: Training) -> Iterator[str]:
    """What someone who decides must know first, a sentence or two each."""
    for doubt in doubts(training):
        yield doubt[0].upper() + doubt[1:]
    if training.rule.estimated is None:
        yield from _not_certified(training)
        yield from _not_better(training)
    yield from _doubtful_figures(training)
    if training.crowded is not None and training.shipped.always is None:
        share = percent(max(training.result.shares), 0)
        yield f"{share} of the requests go to one tier, {training.crowded}: the router then changes little."


def _mood(training: Training) -> tuple[str, str]:
    result = training.result
    if training.rule.estimated is not None:
        return "caution", "To be judged on new requests"
    if training.shipped.strategy == "learned":
        if not training.learned_won:
            return "stop", "Shipped against the evidence"
        if offers_cascade(training) and offered(training).saving_interval.low > 0:
            return "good", "Worth switching on, with its gate"
        if training.crowded is not None or result.saving_interval.low <= 0:
            return "caution", "Worth little"
        return "good", "Worth switching on"
    if training.shipped.always == _reference(training):
        return "stop", "Not worth switching on yet"
    return "caution", "A fixed rule is enough"


def _not_certified(training: Training) -> Iterator[str]:
    if training.rule.certified:
        return
    needed = training.rule.asked.rows_needed
    more = (
        f"About {count(needed)} rows for choosing the rule would be needed, if what was seen persists."
        if needed
        else "More rows would not change that as things stand."
    )
    yield (
        f"No learned rule could be certified to lose at most {_loss(training)} with "
        f"{percent(training.target.confidence, 0)} confidence on {count(training.rule.asked.requests)} rows. {more}"
    )


def _not_better(training: Training) -> Iterator[str]:
    mix = training.mix
    if mix.gain == mix.interval.low == mix.interval.high == 0:
        yield f"The safest learned rule sends every request to {_reference(training)}."
    elif not mix.better:
        settled = (
            f"About {count(mix.rows_needed)} rows would settle it."
            if mix.rows_needed
            else "More rows would not change that."
        )
        yield (
            "The learned router is not better than a random mix of tiers at the same cost: its quality differs by "
            f"{points(mix.gain)} ({points(mix.interval.low)} to {points(mix.interval.high)}). {settled}"
        )
    if not training.learned_won:
        if training.shipped.strategy == "learned":
            yield "The learned router is shipped all the same, as --force asked."
        else:
            yield f"What is shipped instead is the best rule without learning: {training.shipped.name}."


def _doubtful_figures(training: Training) -> Iterator[str]:
    result, target = training.result, training.target
    base = training.test.quality[:, training.test.reference].mean()
    lost = 1 - result.kept if target.relative else float(base) - result.quality
    if training.learned_won and lost > target.loss:
        shown = percent(lost) if target.relative else f"{score(lost)} points"
        yield f"On the test rows {shown} of quality was lost, more than promised; look at the intervals below."
    if training.shipped.strategy == "learned" and result.saving_interval.low <= 0:
        yield "The interval of the saving reaches down to zero."
    filled = training.filled / training.test.quality.size
    if filled > _MUCH_FILLED:
        yield (
            f"{percent(filled, 0)} of the test scores were never observed; "
            "the model\u2019s own expectation stands for them in these figures."
        )


def _reference(training: Training) -> str:
    return training.data.names[training.data.reference]


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _loss(training: Training) -> str:
    target = training.target
    if target.relative:
        return f"{percent(target.loss)} of {_reference(training)}\u2019s quality"
    return f"{score(target.loss)} points of quality"
