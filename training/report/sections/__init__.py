"""The report's sections, in order: each makes HTML of what it needs, or nothing where that was not worked out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from training.report.data import ReportData
from training.report.markup import Html
from training.report.sections.advice import limits, next_steps
from training.report.sections.data import read_data, reproduction
from training.report.sections.evidence import comparison, curve, ladder
from training.report.sections.learned import learned
from training.report.sections.mistakes import mistakes
from training.report.sections.opening import opening
from training.report.sections.predictions import calibration, confusion
from training.report.sections.tasks import tasks, unseen_tasks

__all__ = ["SECTIONS", "Heading", "Section", "opening"]


@dataclass(frozen=True, slots=True)
class Heading:
    """A section's anchor and its title."""

    anchor: str
    title: str


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its heading, and what writes it; an empty body leaves it out."""

    heading: Heading
    body: Callable[[ReportData], Html]


SECTIONS = (
    Section(Heading("next", "What to do next"), next_steps),
    Section(Heading("limits", "What this report does not say"), limits),
    Section(Heading("curve", "Cost and quality"), curve),
    Section(Heading("comparison", "Ways of routing"), comparison),
    Section(Heading("promises", "What can be promised"), ladder),
    Section(Heading("tasks", "Task by task"), tasks),
    Section(Heading("unseen", "Tasks it never saw"), unseen_tasks),
    Section(Heading("calibration", "Do predictions hold?"), calibration),
    Section(Heading("confusion", "Right tier, wrong tier"), confusion),
    Section(Heading("learned", "What it learned"), learned),
    Section(Heading("mistakes", "Worst mistakes"), mistakes),
    Section(Heading("data", "The data"), read_data),
    Section(Heading("method", "How to reproduce"), reproduction),
)
