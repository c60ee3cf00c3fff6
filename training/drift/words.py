"""How findings are told, in the terminal and on the page alike."""

from __future__ import annotations

from datetime import UTC, datetime

from training.drift.data import DriftReport, FeatureShift, Finding
from training.drift.movement import LITTLE, MUCH
from training.drift.streams import COST, JUDGED
from training.report.figures import fixed, percent, usd

_SURE = 1e-9
_ABOVE_NOISE = 3.0


def headline(report: DriftReport) -> str:
    """The result in one sentence."""
    if report.rows <= report.baseline and not report.findings:
        return "Too early to tell."
    if not report.findings:
        return "Nothing has changed, as far as the outcomes tell."
    kinds = dict.fromkeys(finding.kind for finding in report.findings)
    return f"Changed: {', '.join(_KINDS[kind] for kind in kinds)}."


_KINDS = {
    "requests": "what is asked",
    "quality": "how good answers are",
    "gate": "what the gate lets pass",
    "cost": "what calls cost",
    "price": "prices",
}


def advice(report: DriftReport) -> str:
    """When it began, and what to do about all of it."""
    if not report.findings:
        return promise(report)
    each = [finding.remedy for finding in report.findings]
    first_steps = dict.fromkeys(step for remedy in each for step in remedy[:-1])
    last_steps = dict.fromkeys(remedy[-1] for remedy in each)
    first = next((finding for finding in report.findings if finding.since is not None), None)
    begun = "" if first is None or first.since is None else f"The first change began about {moment(first.since)}. "
    return f"{begun}What to do: {'; '.join((*first_steps, *last_steps))}."


def when(finding: Finding) -> str | None:
    """When it began, and how sure that it did; None for what is no matter of time."""
    if finding.since is None or finding.since_row is None or finding.alarm_row is None:
        return None
    return (
        f"since about {moment(finding.since)} (request {finding.since_row + 1:,}), alarm at request "
        f"{finding.alarm_row + 1:,}; {odds(finding.chance)}"
    )


def odds(chance: float | None) -> str:
    """A bound on a probability in words."""
    if chance is None:
        return "no chance is known"
    if chance < _SURE:
        return "by chance less than once in a billion logs like this"
    return f"by chance at most once in {1 / chance:,.0f} logs like this" if chance <= 0.5 else "it may well be chance"


def promise(report: DriftReport) -> str:
    """What can be relied on."""
    return (
        "While nothing changes, a false alarm comes within n requests with a probability of at most "
        f"n / {1 / report.level:,.0f}, however often one looks."
    )


def moment(seconds: float) -> str:
    """A time."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def moved_far(report: DriftReport) -> tuple[FeatureShift, ...]:
    """The features that moved more than a little, and more than by chance."""
    return tuple(each for each in report.moved if each.psi >= LITTLE and each.psi > _ABOVE_NOISE * each.noise)


def how_far(moved: FeatureShift) -> str:
    """A feature's movement in a word."""
    return "much" if moved.psi >= MUCH else "somewhat" if moved.psi >= LITTLE else "little"


def amount(moved: FeatureShift, value: float | None) -> str:
    """A feature's mean."""
    if value is None:
        return ""
    if moved.unit == "share":
        return percent(value)
    if moved.unit == "usd":
        return usd(value)
    return f"{value:,.3g}" if moved.unit == "number" else fixed(value)


def stream_name(what: str, tier: str | None) -> str:
    """What was watched, by a short name."""
    if tier is not None:
        return f"cost of {tier}" if what == COST else f"answers of {tier}"
    return "audits and feedback" if what == JUDGED else what
