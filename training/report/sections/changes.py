"""What changes when a challenger takes the champion's place, and whether it may."""

from __future__ import annotations

from training.challenge.challenge import Challenge
from training.challenge.moves import Moved, Seen
from training.challenge.values import Compared
from training.report.challenge_charts import evidence_chart, quality_and_money
from training.report.challenge_words import (
    TOLD,
    ChallengeMoney,
    basis,
    headline,
    money_of,
    mood,
    task_name,
    why,
    within,
)
from training.report.charts import value_bar
from training.report.figures import UNKNOWN, count, percent, plural, points, score, usd
from training.report.markup import Html, HtmlColumn, join, note, prose, table, tag, user

_LISTED = 12
_REMEDIES = 3
_MEASURES = (
    ("quality", "Quality of the answers given"),
    ("start_quality", "Quality of the first tier\u2019s answer"),
    ("cost", "USD per 1,000 requests"),
)


def changes_section(found: Challenge, monthly_spend: float | None = None, *, heading: str = "h3") -> Html:
    """A challenge from the verdict down to its notes.

    Parameters
    ----------
    monthly_spend : USD that the champion costs a month; None: money is per 1,000 requests.
    heading : the element of the verdict's sentence.
    """
    colour, word = mood(found)
    return join(
        _said(found.left_out, "warnings", "Requests left out"),
        tag("p", word, class_=f"verdict {colour}"),
        tag(heading, headline(found, monthly_spend)),
        prose(basis(found)),
        tag("ul", *(tag("li", reason) for reason in found.promotion.reasons), class_="facts", aria_label="Reasons"),
        _figures(found, money_of(found, monthly_spend)),
        _evidence(found),
        _moves(found),
        _gaps(found),
        _notes(found),
    )


def _said(sentences: tuple[str, ...], class_: str, label: str) -> Html | None:
    if not sentences:
        return None
    return tag("ul", *(tag("li", sentence) for sentence in sentences), class_=class_, aria_label=label)


def _figures(found: Challenge, money: ChallengeMoney | None) -> Html | None:
    quality = found.of("quality")
    if quality is None or money is None or not found.moved:
        return None
    return join(
        tag(
            "section",
            tag("h3", "Quality and money"),
            quality_and_money(
                found,
                (quality.champion, quality.challenger),
                (money.champion, money.challenger),
                money.unit,
                usd,
            ),
        ),
        note(
            "95% intervals. Those of quality reach as far as the gate may be mistaken. The differences are what "
            "counts: both are valued on the same requests."
        ),
        _differences(quality, money),
        tag("details", tag("summary", "By every estimator"), _estimates(found)),
    )


def _differences(quality: Compared, money: ChallengeMoney) -> Html:
    """Challenger minus champion; what counts, since both are valued on the same requests."""
    entries = (
        ("Difference in quality", points(quality.difference.value), within(quality.difference, points)),
        (f"Difference in USD {money.unit}", usd(money.difference.value), within(money.difference, usd)),
        ("Effective requests", f"{quality.difference.effective_rows:,.0f}", "what the log is worth for the difference"),
    )
    return tag(
        "dl",
        *(
            tag("div", tag("dt", name), tag("dd", tag("b", figure), tag("span", under)))
            for name, figure, under in entries
        ),
        class_="figures",
    )


def _estimates(found: Challenge) -> Html:
    assert found.values is not None
    columns = [
        HtmlColumn("Measure"),
        HtmlColumn("Estimator"),
        HtmlColumn("Champion", "number"),
        HtmlColumn("Challenger", "number"),
        HtmlColumn("Difference", "number"),
        HtmlColumn("Effective requests", "number"),
    ]
    rows: list[tuple[object, ...]] = []
    for measure, title in _MEASURES:
        in_usd = measure == "cost"
        for each in getattr(found.values, measure):
            effective = f"{each.difference.effective_rows:,.0f}"
            sides = (each.champion, each.challenger, each.difference)
            rows.append(
                (title, each.estimator, *(_cell(side.value, side.low, side.high, in_usd) for side in sides), effective)
            )
    return table("Estimates with 95% intervals", columns, rows)


def _cell(value: float, low: float, high: float, in_usd: bool) -> Html:
    factor, form = (1000.0, usd) if in_usd else (1.0, lambda number: f"{number:.3f}".replace("-", "\u2212"))
    known = abs(low) != float("inf") and abs(high) != float("inf")
    range_ = f"{form(low * factor)} to {form(high * factor)}" if known else UNKNOWN
    return join(tag("span", form(value * factor)), tag("small", range_))


def _evidence(found: Challenge) -> Html | None:
    if not found.looks or not found.moved:
        return None
    needed = found.promotion.rows_needed
    return tag(
        "section",
        tag("h3", "The evidence as requests came in"),
        prose(
            "The line is what has been shown of the difference in quality, at the least, with every doubt turned "
            "against the challenger. It may be looked at after every request, and never takes back what it has shown."
        ),
        tag("figure", evidence_chart(found)),
        None if needed is None else note(f"About {count(needed)} requests like these would show it to be no worse."),
    )


def _moves(found: Challenge) -> Html | None:
    if not found.moves:
        return None
    columns = [
        HtmlColumn("From \u2192 to"),
        HtmlColumn("Task"),
        HtmlColumn("Requests", "number"),
        HtmlColumn("Share", "bar"),
        HtmlColumn("Seen before", "bar"),
        HtmlColumn("Seen after", "bar"),
    ]
    rows = [
        (
            join(user(move.before), " \u2192 ", user(move.after)),
            user(task_name(move.task)),
            count(move.requests),
            join(tag("span", percent(move.share)), value_bar(move.share)),
            _seen(move.seen_before),
            _seen(move.seen_after),
        )
        for move in found.moves[:_LISTED]
    ]
    rest = found.moves[_LISTED:]
    return tag(
        "section",
        tag("h3", "Which requests go elsewhere"),
        prose(
            "Where a request\u2019s cascade begins. Quality and cost are means over those of these requests that the "
            "log began at the one tier, or at the other, to the end of their cascades."
        ),
        table("Requests that go elsewhere, by tiers and task", columns, rows),
        note(f"And {plural(sum(move.requests for move in rest), 'request')} in {plural(len(rest), 'smaller group')}.")
        if rest
        else None,
        tag("h3", "Why"),
        tag("ol", *map(_reason, found.moves[:TOLD]), class_="cases"),
    )


def _seen(seen: Seen) -> Html:
    if not seen.requests:
        return tag("span", "never")
    quality = UNKNOWN if seen.quality is None else score(seen.quality)
    cost = "" if seen.cost is None else f", {usd(seen.cost * 1000)} per 1,000"
    return join(tag("span", quality), tag("small", f"{plural(seen.requests, 'request')}{cost}"))


def _reason(move: Moved) -> Html:
    return tag(
        "li",
        tag(
            "p",
            tag("b", user(move.before), " \u2192 ", user(move.after)),
            ", ",
            user(task_name(move.task)),
            f", {plural(move.requests, 'request')}",
        ),
        *(tag("p", sentence) for sentence in why(move)),
        *(tag("blockquote", prompt, dir="auto") for prompt in move.prompts),
        tag("p", "for example ", ", ".join(move.examples), class_="where"),
    )


def _gaps(found: Challenge) -> Html | None:
    if not found.gaps and found.promotion.rows_needed is None and not found.promotion.unseen:
        return None
    mends = [str(remedy) for remedy in found.remedies[-_REMEDIES:]]
    return tag(
        "section",
        tag("h3", "Where the log is too thin"),
        _said(tuple(map(str, found.gaps[:_LISTED])), "facts", "Gaps")
        or prose("Every tier that the two pick was tried for every task, though not often enough to decide."),
        prose("What would mend it: ", "; ".join(mends), ".") if mends else None,
    )


def _notes(found: Challenge) -> Html:
    """What the figures rest on, for whoever wants to know exactly."""
    entries = [
        ("Learned until", f"{found.learned_until:%Y-%m-%d %H:%M} UTC"),
        ("Champion", "the menu\u2019s rules" if found.champion is None else tag("code", found.champion)),
        ("Challenger", tag("code", found.challenger)),
        *(("Note", sentence) for sentence in found.notes),
    ]
    listed = [join(tag("dt", name), tag("dd", value)) for name, value in entries]
    return tag("details", tag("summary", "What it rests on"), tag("dl", *listed, class_="method"))
