"""Training runs that reports are made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifier.catalog import default_menu
from classifier.keywords import KeywordGroups, load_keywords
from tests.helpers.tables import outcome_rows, write_csv
from training.certify.rule import Target
from training.learners.presets import Effort, learners_for
from training.pipeline import train
from training.prepare.adequacy import Adequacy
from training.prepare.data import DataOptions, prepare
from training.report import ReportData, report_data
from training.tables import Columns, read_tables
from training.training import Training

ATTACK = '<script>alert(1)</script><img src="https://evil.example/x.png" onerror="alert(2)">\u202e&amp;"\'\x01'
WITHIN_FIVE_PERCENT, RELATIVE = Target(0.05), Adequacy()
HOSTILE_TIERS = ("<b>cheap</b>", 'mid" onmouseover="alert(3)', "dear</style><script>alert(4)</script>")


@dataclass(frozen=True)
class Run:
    """A training run and the keyword groups that it was made with."""

    training: Training
    keywords: KeywordGroups

    def report(self, **options: Any) -> ReportData:
        return report_data(self.training, self.keywords, **options)


def run(table: Path, target: Target = WITHIN_FIVE_PERCENT, adequacy: Adequacy = RELATIVE) -> Run:
    keywords = load_keywords()
    options = DataOptions(adequacy=adequacy, jobs=1)
    data = prepare(read_tables([table], Columns()), default_menu(), keywords, options)
    learners = learners_for(Effort.FASTEST)
    training = train(data, default_menu(), learners, target, seed=0, jobs=1, force=False)
    return Run(training, keywords)


def write_bare(folder: Path) -> Path:
    """Two tiers, no tasks, and the cheaper tier is the better one; the dearer costs six times as much."""
    rows = [
        {
            "prompt": row["prompt"],
            "score__lavish": row["score__haiku"],
            "cost__lavish": row["cost__opus"],
            "score__thrifty": row["score__opus"],
            "cost__thrifty": row["cost__sonnet"],
        }
        for row in outcome_rows(200)
    ]
    return write_csv(folder / "bare.csv", rows)


def write_hostile(folder: Path) -> Path:
    """A table whose names, tasks and prompts would run or fetch something if unescaped; with gaps and bad rows."""
    rows = []
    for number, row in enumerate(outcome_rows(300)):
        spoiled: dict[str, Any] = {
            "prompt": f"{row['prompt']} {ATTACK}",
            "task": f"{row['task']} {ATTACK}",
            "<i>useless</i>": "x",
        }
        for name, tier in zip(HOSTILE_TIERS, ("haiku", "sonnet", "opus"), strict=True):
            spoiled[f"score__{name}"] = "" if number % 11 == 0 and tier == "haiku" else row[f"score__{tier}"]
            spoiled[f"cost__{name}"] = row[f"cost__{tier}"]
        rows.append(spoiled)
    rows[5]["prompt"] = ""
    rows[7][f"score__{HOSTILE_TIERS[0]}"] = "<svg onload=alert(5)>"
    return write_csv(folder / "<u>hostile&.csv", rows)
