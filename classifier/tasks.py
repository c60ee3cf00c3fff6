"""The task table: a tier by the caller's task label."""

from __future__ import annotations

from classifier.catalog import Menu, normalise_label


def canonical_task(task: str | None, menu: Menu) -> str | None:
    """The menu's label for a task ("TL;DR" -> "summarization"), or None where it has none."""
    label = normalise_label(task)
    if label is None or label in menu.task_table:
        return label
    label = menu.task_aliases.get(label)
    return label if label in menu.task_table else None


def task_tier(task: str | None, menu: Menu) -> str | None:
    """The tier's name that the table gives a task; for an unknown task, or none, the menu's ``task_default``.

    None means that the length rule decides.
    """
    label = canonical_task(task, menu)
    return menu.task_default if label is None else menu.task_table[label]
