"""Task by task: those it learned from, and those it never saw."""

from __future__ import annotations

from training.report.charts import tier_key
from training.report.data import ReportData
from training.report.figures import count, percent
from training.report.markup import Column, Html, join, prose, table, user
from training.report.sections.cells import capital, tier_shares, with_range

_CERTIFIED = {True: "yes", False: "no", None: ""}


def tasks(data: ReportData) -> Html:
    """What is shipped, task by task."""
    if not data.tasks:
        return Html()
    certificates = any(task.certified is not None for task in data.tasks)
    columns = [
        Column("Task"),
        Column("Test rows", "number"),
        Column("Requests per tier", "bar"),
        Column("Quality kept", "number"),
        Column("Cost saved", "number"),
        *([Column("Certified")] if certificates else []),
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
        prose(f"{capital(data.shipped)}, on the tasks with most rows; few rows make wide intervals."),
        tier_key(data.names),
        table("Tasks", columns, rows),
    )


def unseen_tasks(data: ReportData) -> Html:
    """What happens on a task that the router never saw."""
    if not data.unseen_tasks:
        return Html()
    columns = [
        Column("Task left out"),
        Column("Rows", "number"),
        Column("Quality kept", "number"),
        Column("Cost saved", "number"),
    ]
    rows = [(user(task.name), count(task.rows), percent(task.kept), percent(task.saving)) for task in data.unseen_tasks]
    return join(
        prose(
            "For each line a router was trained on all tasks but one and then used on that one: what to expect when "
            "requests of a new kind arrive."
        ),
        table("Tasks that were left out of training", columns, rows),
    )
