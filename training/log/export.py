"""Outcomes -> the wide table that `train-router` reads.

A tier's score is, by the first of these that there is: the user's feedback on its answer (any source but "audit"; the
latest of each source, averaged), the audit's, the gates' verdict (1 passed, 0 not). A tier that was never tried, or
whose answer nobody looked at, has no score. ``decision``, ``propensity``, where a cost comes from, cached and reasoning
tokens stand beside what `train-router` reads. A cost that is an estimate is left out: it would teach what was expected.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from classifier.errors import InputError
from classifier.files import atomic_write
from classifier.outcomes import Outcome
from classifier.outcomes.records import ANSWERING, AUDIT, ESTIMATED, AttemptRecord
from training.tables.formulas import guarded

FORMATS = (".csv", ".jsonl", ".parquet")

_REQUEST: dict[str, type[pl.DataType]] = {
    "decision": pl.String,
    "prompt": pl.String,
    "messages": pl.String,
    "task": pl.String,
    "max_tokens": pl.Int64,
    "timestamp": pl.String,
    "group": pl.String,
    "tools": pl.String,
    "response_format": pl.String,
    "propensity": pl.Float64,
}
_REFUSED = re.compile("[\x00\ud800-\udfff]")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the decisions.

    Attributes
    ----------
    rows : written.
    without_prompt : left out since their requests were not kept.
    without_score : left out since nobody looked at an answer.
    """

    rows: int
    without_prompt: int
    without_score: int


def table_columns(tiers: Sequence[str], responses: bool) -> dict[str, type[pl.DataType]]:
    """Names and types of the columns; with the tiers' answers where ``responses``."""
    measures: dict[str, type[pl.DataType]] = {
        "score": pl.Float64,
        "cost": pl.Float64,
        "source_of_cost": pl.String,
        "tokens_out": pl.Int64,
        "cached_tokens": pl.Int64,
        "reasoning_tokens": pl.Int64,
    }
    if responses:
        measures["response"] = pl.String
    return {**_REQUEST, **{f"{name}__{tier}": kind for name, kind in measures.items() for tier in tiers}}


def tier_scores(outcome: Outcome, gate_scores: bool = False) -> dict[str, float]:
    """Each tier's score, 0..1, as the module's first lines say.

    Parameters
    ----------
    gate_scores : take the gates' own score instead of their verdict; one out of 0..1 is none.
    """
    scores = feedback_scores(outcome, audit=False)
    others = [feedback_scores(outcome, audit=True), _gate_scores(outcome, gate_scores)]
    for other in others:
        scores = {**other, **scores}
    return scores


def table_row(outcome: Outcome, gate_scores: bool = False) -> Row:
    """One row of the table: the cells that are known, lists and objects native."""
    decision = outcome.decision
    row: Row = {
        "decision": decision.id,
        "prompt": decision.prompt,
        "messages": decision.messages,
        "task": decision.task,
        "max_tokens": decision.max_tokens,
        "timestamp": decision.time.isoformat(),
        "group": decision.prompt_hash,
        "tools": decision.tools,
        "response_format": decision.response_format,
        "propensity": decision.propensity,
    }
    for attempt in decision.attempts:
        if attempt.purpose in ANSWERING:
            row |= {f"{name}__{attempt.tier}": value for name, value in _measured(attempt).items()}
    row |= {f"score__{tier}": score for tier, score in tier_scores(outcome, gate_scores).items()}
    return {name: value for name, value in row.items() if value is not None}


def _measured(attempt: AttemptRecord) -> Row:
    """What is known of a call; of a cost that is an estimate only that it is one."""
    found = {
        "cost": None if attempt.cost_source == ESTIMATED else attempt.cost,
        "source_of_cost": attempt.cost_source,
        "tokens_out": attempt.tokens_out,
        "cached_tokens": attempt.tokens_cached,
        "reasoning_tokens": attempt.tokens_reasoning,
        "response": attempt.response,
    }
    return {name: value for name, value in found.items() if value is not None}


def write_table(
    out: Path,
    outcomes: Iterable[Outcome],
    tiers: Sequence[str],
    *,
    responses: bool = False,
    gate_scores: bool = False,
) -> Written:
    """Write the rows that can be learned from to a CSV, JSON Lines or Parquet file, which appears whole or not at all,
    for its owner alone.

    Half surrogate pairs, which no file can hold, become U+FFFD, and so does NUL but in JSON Lines.

    Raises
    ------
    InputError : the extension is another, or there is no such row.
    """
    check_format(out, FORMATS)
    counts = {"rows": 0, "without_prompt": 0, "without_score": 0}

    def rows() -> Iterator[Row]:
        for outcome in outcomes:
            row = table_row(outcome, gate_scores)
            if "prompt" not in row and "messages" not in row:
                counts["without_prompt"] += 1
            elif not any(name.startswith("score__") for name in row):
                counts["without_score"] += 1
            else:
                counts["rows"] += 1
                yield row

    writer = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}[out.suffix]
    with atomic_write(out, private=True) as draft:
        writer(draft, rows(), table_columns(tiers, responses))
        written = Written(**counts)
        if not written.rows:
            raise InputError(_nothing(written))
    return written


def check_format(out: Path, formats: Sequence[str]) -> None:
    """Refuse a file by its extension.

    Raises
    ------
    InputError : it is none of the formats.
    """
    if out.suffix not in formats:
        raise InputError(f"{out}: found extension {out.suffix or 'none'}, expected one of {', '.join(formats)}")


def _nothing(written: Written) -> str:
    if written.without_prompt and not written.without_score:
        return (
            f"export: prompts were not kept of any of the {written.without_prompt:,} decisions, expected some to learn "
            'from; record with OutcomeStore(keep="prompt"), or use --records'
        )
    if written.without_prompt or written.without_score:
        return (
            f"export: none of {written.without_prompt + written.without_score:,} decisions has both its prompt and a "
            "score, expected some; record feedback, audits or gates' verdicts"
        )
    return "export: found no decisions, expected some; check the store, and from when to when"


def feedback_scores(outcome: Outcome, *, audit: bool) -> dict[str, float]:
    """By tier, the latest score of each source, averaged: those of audits, or all others."""
    latest: dict[str, dict[str, float]] = {}
    for each in outcome.feedback:  # oldest first
        tier = each.tier or outcome.decision.answered
        if tier is not None and (each.source == AUDIT) == audit:
            latest.setdefault(tier, {})[each.source] = each.score
    return {tier: math.fsum(scores.values()) / len(scores) for tier, scores in latest.items()}


def _gate_scores(outcome: Outcome, own: bool) -> dict[str, float]:
    scores = {}
    for attempt in outcome.decision.attempts:
        value = attempt.score if own else attempt.passed
        if attempt.purpose in ANSWERING and value is not None and 0 <= value <= 1:
            scores[attempt.tier] = float(value)
    return scores


def _write_csv(draft: Path, rows: Iterable[Row], columns: Mapping[str, Any]) -> None:
    with draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(map(_writable, columns))
        writer.writerows([guarded(_cell(row.get(name))) for name in columns] for row in rows)


def _write_jsonl(draft: Path, rows: Iterable[Row], columns: Mapping[str, Any]) -> None:
    with draft.open("w", encoding="utf-8") as file:
        for row in rows:
            found = {name: row[name] for name in columns if name in row}
            file.write(_writable(json.dumps(found, ensure_ascii=False)) + "\n")


def _write_parquet(draft: Path, rows: Iterable[Row], columns: Mapping[str, Any]) -> None:
    """By way of JSON Lines, which polars turns into Parquet a piece at a time."""
    lines = draft.with_suffix(".lines")
    try:
        _write_jsonl(lines, ({name: _cell(value) for name, value in row.items()} for row in rows), columns)
        schema = {_writable(name): kind for name, kind in columns.items()}
        if lines.stat().st_size:
            pl.scan_ndjson(lines, schema=schema).sink_parquet(draft)
    finally:
        lines.unlink(missing_ok=True)


def _cell(value: Any) -> Any:
    """A value for a table of plain cells: lists and objects as JSON text."""
    if isinstance(value, list | dict | tuple):
        value = json.dumps(value, ensure_ascii=False)
    return _writable(value) if isinstance(value, str) else value


def _writable(text: str) -> str:
    return _REFUSED.sub("\ufffd", text)
