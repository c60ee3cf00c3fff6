"""The report's sections, in order: each makes HTML of what it needs, or nothing where that was not worked out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from training.report.data import ReportData
from training.report.markup import Html
from training.report.sections.data import read_data, reproduction
from training.report.sections.evidence import comparison, curve, ladder
from training.report.sections.learned import learned
from training.report.sections.mistakes import mistakes
from training.report.sections.opening import opening
from training.report.sections.predictions import calibration, confusion
from training.report.sections.tasks import tasks, unseen_tasks

__all__ = ["SECTIONS", "Section", "opening"]


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its anchor, its title, and what writes it; an empty body leaves it out."""

    anchor: str
    title: str
    body: Callable[[ReportData], Html]


SECTIONS = (
    Section("curve", "Cost and quality", curve),
    Section("comparison", "Ways of routing", comparison),
    Section("promises", "What can be promised", ladder),
    Section("tasks", "Task by task", tasks),
    Section("unseen", "Tasks it never saw", unseen_tasks),
    Section("calibration", "Do predictions hold?", calibration),
    Section("confusion", "Right tier, wrong tier", confusion),
    Section("learned", "What it learned", learned),
    Section("mistakes", "Worst mistakes", mistakes),
    Section("data", "The data", read_data),
    Section("method", "How to reproduce", reproduction),
)
