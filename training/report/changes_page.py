"""What changed, as one self-contained file, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from training.challenge.challenge import Challenge
from training.challenge.contest import Contest
from training.report.challenge_words import headline, mood
from training.report.markup import tag, user
from training.report.page import plain, whole_page
from training.report.sections.changes import changes_section

Named = tuple[str, Challenge]


def changes_html(
    champion: str, judged: Sequence[Named], said: str, *, date: datetime, monthly_spend: float | None = None
) -> str:
    """The page of some challengers that were judged against one champion: those that pass first, then the newest.

    Parameters
    ----------
    champion : its name. judged : challengers' names and what came of them, oldest first.
    said : what was done, in a sentence.
    monthly_spend : as in `changes_section`.
    """
    alone = len(judged) == 1
    header = tag(
        "header",
        tag("p", "Champion and challenger \u00b7 ", user(champion), f" \u00b7 {date:%Y-%m-%d}", class_="eyebrow"),
        None if alone else tag("h1", _title(judged)),
        tag("p", said, class_="lead"),
    )
    newest = judged[::-1]
    ordered = sorted(newest, key=lambda named: not named[1].promotion.promote)
    parts = [
        tag(
            "section",
            None if alone else tag("h2", user(name)),
            changes_section(found, monthly_spend, heading="h1" if alone else "h3"),
            id=f"challenger-{number}",
        )
        for number, (name, found) in enumerate(ordered, start=1)
    ]
    return whole_page("Champion and challenger", header, *parts)


def challenge_json(found: Challenge) -> dict[str, Any]:
    """A challenge as plain data, with the verdict in words."""
    figures: dict[str, Any] = plain(asdict(found))
    return {"verdict": mood(found)[1], "headline": headline(found), **figures}


def contest_json(found: Contest) -> dict[str, Any]:
    """A contest as plain data."""
    return {
        "champion": found.champion,
        "promoted": None if found.promoted is None else found.promoted.name,
        "pending": None if found.candidate is None else found.candidate.name,
        "remarks": list(found.remarks),
        "judged": [{"version": one.version.name, **challenge_json(one.challenge)} for one in found.judged],
    }


def _title(judged: Sequence[Named]) -> str:
    passed = sum(found.promotion.promote for _, found in judged)
    if not judged:
        return "There is no candidate to judge."
    return f"{passed or 'None'} of {len(judged)} candidates may take over."
