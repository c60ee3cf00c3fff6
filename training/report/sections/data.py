"""What was read, what of it could not be used, and how to get the same again."""

from __future__ import annotations

from collections.abc import Iterator

from training.report.data import FileNotes, ProblemKind, ReportData, TierSummary
from training.report.figures import UNKNOWN, count, percent, plural, score, usd
from training.report.markup import Html, HtmlColumn, join, note, table, tag, user

_LISTED_PROBLEMS = 20


def read_data(data: ReportData) -> Html:
    """Files, tiers, and problems with them."""
    facts = [tag("li", fact) for fact in _facts(data)]
    return join(
        tag("ul", *facts, class_="facts") if facts else None,
        _problems(data.notes.problems),
        _files(data.notes.files),
        _tiers(data.tiers, data.reference),
    )


def reproduction(data: ReportData) -> Html:
    """How to get the same again."""
    made = data.reproduction
    rows = (
        f"{count(made.fit_rows)} to fit and calibrate, {count(made.choose_rows)} to choose the rule, "
        f"{count(made.test_rows)} to test; split by {made.split_by}"
    )
    entries: list[tuple[object, object]] = [
        ("Command", None if made.command is None else tag("code", user(made.command))),
        ("Seed", str(made.seed)),
        ("Rows", rows),
        ("Learned rule", f"price weight {made.price_weight:.4g}, reference bonus {made.reference_bonus:.4g}"),
        ("Date", made.date),
        ("Artifact", None if made.artifact is None else user(made.artifact)),
        ("Artifact digest", None if made.digest is None else tag("code", made.digest)),
        *((join("SHA-256 of ", user(file.name)), tag("code", file.sha256)) for file in data.notes.files),
        ("Versions", ", ".join(f"{name} {version}" for name, version in made.versions)),
    ]
    listed = [join(tag("dt", name), tag("dd", value)) for name, value in entries if value is not None]
    return tag("dl", *listed, class_="method")


def _facts(data: ReportData) -> Iterator[str]:
    found = data.notes
    skipped = sum(file.rows_read - file.rows_kept for file in found.files)
    if skipped:
        yield f"{plural(skipped, 'row')} could not be used and were left out; reasons are listed below."
    if found.duplicates:
        yield (
            f"{plural(found.duplicates, 'row')} repeat or nearly repeat another\u2019s prompt, or share its group; "
            "they stay on one side of the split."
        )
    if found.missing_scores:
        cells = found.rows * len(data.tiers)
        yield (
            f"{count(found.missing_scores)} of {count(cells)} scores were not observed; each tier learned from the "
            f"rows that observed it. On the test rows the model\u2019s expectation stands for {count(found.filled)} "
            f"of them, and {count(found.lost)} that are missing not by chance count as lost."
        )
    for tier in data.tiers:
        if tier.never_chosen:
            yield f"{tier.name} is never worth its price on these rows: no setting picks it."


def _problems(problems: tuple[ProblemKind, ...]) -> Html:
    if not problems:
        return note("Every row and cell could be used.")
    columns = [
        HtmlColumn("File"),
        HtmlColumn("HtmlColumn"),
        HtmlColumn("Found"),
        HtmlColumn("Expected"),
        HtmlColumn("Count", "number"),
        HtmlColumn("Rows"),
    ]
    rows = [
        (
            user(kind.file),
            user(kind.column or "whole row"),
            user(kind.found),
            user(kind.expected),
            f"{count(kind.count)} {'left out' if kind.skipped else 'ignored'}",
            _row_numbers(kind),
        )
        for kind in problems[:_LISTED_PROBLEMS]
    ]
    rest = len(problems) - _LISTED_PROBLEMS
    further = note(f"and {plural(rest, 'further kind')} of problem.") if rest > 0 else None
    return join(table("What could not be used", columns, rows), further)


def _row_numbers(kind: ProblemKind) -> str:
    if not any(kind.rows):
        return "whole column"
    return ", ".join(map(str, kind.rows)) + (", \u2026" if kind.count > len(kind.rows) else "")


def _files(files: tuple[FileNotes, ...]) -> Html:
    columns = [
        HtmlColumn("File"),
        HtmlColumn("Form"),
        HtmlColumn("Rows read", "number"),
        HtmlColumn("Rows left out", "number"),
        HtmlColumn("Repeats averaged", "number"),
        HtmlColumn("Columns ignored"),
    ]
    rows = [
        (
            user(file.name),
            file.form,
            count(file.rows_read),
            count(file.rows_read - file.rows_kept),
            count(file.repeats),
            join(user(", ".join(file.ignored) or "none"), *(tag("small", hint) for hint in file.hints)),
        )
        for file in files
    ]
    return table("Files", columns, rows)


def _tiers(tiers: tuple[TierSummary, ...], reference: str) -> Html:
    columns = [
        HtmlColumn("Tier"),
        HtmlColumn("Model"),
        HtmlColumn("USD per 1,000", "number"),
        HtmlColumn("Mean score", "number"),
        HtmlColumn("Adequate", "number"),
        HtmlColumn("Rows observed", "number"),
        HtmlColumn("Costs from"),
    ]
    rows = [
        (
            join(user(tier.name), tag("span", " reference", class_="mark") if tier.name == reference else None),
            user(tier.model),
            usd(tier.cost * 1000),
            score(tier.score),
            UNKNOWN if tier.adequate is None else percent(tier.adequate),
            count(tier.rows),
            tier.cost_source,
        )
        for tier in tiers
    ]
    return table("Tiers, cheapest first", columns, rows)
