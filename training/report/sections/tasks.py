"""Task by task: those it learned from, and those it never saw."""

from __future__ import annotations

from training.report.charts import tier_key
from training.report.data import ReportData
from training.report.figures import count, percent, plural
from training.report.markup import Html, HtmlColumn, join, note, prose, table, user
from training.report.sections.cells import capital, tier_shares, with_range

_CERTIFIED = {True: "yes", False: "no", None: "too few rows"}
_LISTED = 12


def tasks(data: ReportData) -> Html:
    """What is shipped, task by task."""
    if not data.tasks:
        return Html()
    certificates = any(task.certified is not None for task in data.tasks)
    columns = [
        HtmlColumn("Task"),
        HtmlColumn("Test rows", "number"),
        HtmlColumn("Requests per tier", "bar"),
        HtmlColumn("Quality kept", "number"),
        HtmlColumn("Cost saved", "number"),
        *([HtmlColumn("Certified")] if certificates else []),
    ]
    rows = [
        (
            user(task.name),
            count(task.rows),
            tier_shares(task.shares, data.names),
            with_range(task.kept),
            with_range(task.saving),
            *([_CERTIFIED[task.certified]] if certificates else []),
        )
        for task in data.tasks
    ]
    return join(
        prose(
            f"{capital(data.shipped)}, on the tasks with most rows; few rows make wide intervals.",
            " A task is certified when the promise holds for it by itself, too: all these certificates hold at once."
            if certificates
            else None,
        ),
        tier_key(data.names),
        table("Tasks", columns, rows),
    )


def unseen_tasks(data: ReportData) -> Html:
    """What happens on a task that the router never saw."""
    if not data.unseen_tasks:
        return Html()
    columns = [
        HtmlColumn("Task left out"),
        HtmlColumn("Rows", "number"),
        HtmlColumn("Quality kept", "number"),
        HtmlColumn("Cost saved", "number"),
        HtmlColumn("Novel", "number"),
    ]
    rows = [
        (user(task.name), count(task.rows), percent(task.kept), percent(task.saving), percent(task.novel, 0))
        for task in data.unseen_tasks[:_LISTED]
    ]
    rest = len(data.unseen_tasks) - _LISTED
    worst = min(data.unseen_tasks, key=lambda task: task.kept)
    return join(
        prose(
            "Each of these tasks was left out of training, alone or with some others, and then routed at the setting "
            "that is shipped: what to expect when requests of a new kind arrive. Nothing is certified there. The last "
            "column is the share of requests that it found unlike all training requests and left to the reference."
        ),
        note("Least quality was kept on ", user(worst.name), f": {percent(worst.kept)}."),
        table("Tasks that were left out of training", columns, rows),
        note(f"{plural(rest, 'smaller task')} not listed.") if rest > 0 else None,
    )
