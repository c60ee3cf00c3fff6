"""What the model learned, in words."""

from __future__ import annotations

from training.report.charts import value_bar
from training.report.data import LearnedFeature, LearnedGroup, ReportData
from training.report.figures import fixed, plural
from training.report.markup import Html, join, note, prose, tag, user


def learned(data: ReportData) -> Html:
    """The strongest features for and against a cheaper tier."""
    found = data.learned
    if not found.groups:
        return Html()
    strongest = max((part.weight for part in found.parts), default=1.0)
    parts = [_entry(part, strongest, None) for part in found.parts]
    return join(
        prose(
            _question(data),
            " Features that come together share their weight.",
            " Half of each prediction comes from small decision trees over the same features, which no list describes."
            if found.trees
            else None,
            " Words are left out, as they are pieces of prompts." if found.words_left_out else None,
        ),
        tag("ul", *parts, class_="parts", aria_label="How much each kind of feature moves decisions"),
        *(_group(group, data) for group in found.groups),
    )


def _question(data: ReportData) -> str:
    cheaper = data.learned.cheaper
    measure = (
        "how much each feature moves decisions across requests (standard deviation of what it adds to the log odds)."
    )
    if cheaper == data.reference:
        return f"What speaks for and against {cheaper}\u2019s answer being right: {measure}"
    return f"What speaks for {cheaper} being good enough, and what for needing {data.reference}: {measure}"


def _group(group: LearnedGroup, data: ReportData) -> Html:
    strongest = max(abs(feature.weight) for feature in group.for_cheaper + group.for_reference)
    against = "a better tier" if data.learned.cheaper == data.reference else data.reference
    sides = (
        _side(f"for {data.learned.cheaper}", group.for_cheaper, strongest, "for"),
        _side(f"for {against}", group.for_reference, strongest, "against"),
    )
    return tag("section", tag("h3", group.name), tag("div", *sides, class_="sides"))


def _side(title: str, features: tuple[LearnedFeature, ...], strongest: float, class_: str) -> Html:
    entries = [_entry(feature, strongest, class_) for feature in features]
    return tag("div", tag("h4", title), tag("ul", *entries, class_="parts") if entries else note("nothing"))


def _entry(feature: LearnedFeature, strongest: float, class_: str | None) -> Html:
    rows = None if feature.rows is None else f"in {plural(feature.rows, 'row')}"
    weight = abs(feature.weight)
    return tag(
        "li",
        tag("span", user(feature.name), title=rows),
        value_bar(weight / strongest, class_),
        tag("span", fixed(weight), class_="number"),
    )
