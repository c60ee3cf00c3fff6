"""A file's content -> the tool that wrote it, and its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from classifier.errors import TableError
from training.imports.alpaca_eval import ALPACA_EVAL, ALPACA_OUTPUTS
from training.imports.arena import ARENA
from training.imports.braintrust import BRAINTRUST
from training.imports.calls import Tool
from training.imports.content import Content, NotReadableError
from training.imports.helicone import HELICONE
from training.imports.inspect_ai import INSPECT
from training.imports.langfuse import LANGFUSE
from training.imports.langsmith import LANGSMITH
from training.imports.litellm import LITELLM
from training.imports.lm_eval import LM_EVAL, is_results
from training.imports.openai_evals import OPENAI_EVALS
from training.imports.opentelemetry import OPENTELEMETRY
from training.imports.promptfoo import PROMPTFOO
from training.imports.scores import STANDARD, Survey, choose
from training.imports.table import ImportedTable, SameRequests
from training.tables import Columns
from training.tables.columns import recognise
from training.tables.exports import Export

# The first that matches reads the file: those with marks of their own stand before those with common words.
TOOLS = (
    INSPECT,
    PROMPTFOO,
    LM_EVAL,
    OPENAI_EVALS,
    OPENTELEMETRY,
    LITELLM,
    HELICONE,
    LANGSMITH,
    BRAINTRUST,
    LANGFUSE,
    ALPACA_EVAL,
    ALPACA_OUTPUTS,
    ARENA,
)
_MOST_MODELS = 5


@dataclass(frozen=True, slots=True)
class _Found:
    content: Content
    tool: Tool


def open_exports(paths: Sequence[Path], names: Columns) -> dict[Path, Export | None]:
    """The files among these that are exports, ready to be read; None for one that only goes with others.

    Parameters
    ----------
    names : the user's names for columns; that of the score may say which kind of score counts.

    Raises
    ------
    TableError : an export has no scores, or several kinds of score and nobody said which one counts.
    """
    recognised = {path: _recognised(path, names) for path in paths}
    found = {path: each for path, each in recognised.items() if each is not None}
    companions = [path for path in paths if path not in found and _is_companion(path)]
    if companions and not any(each.tool is LM_EVAL for each in found.values()):
        raise TableError(
            f"{companions[0]}: found the results file of lm-evaluation-harness, which has means alone, expected "
            "samples; name the samples_*.jsonl beside it, which lm_eval writes with --log_samples"
        )
    lenient = len(found) + len(companions) < len(paths)
    exports: dict[Path, Export | None] = dict.fromkeys(companions)
    for tool in TOOLS:
        own = {path: each.content for path, each in found.items() if each.tool is tool}
        if own:
            exports.update(_opened(tool, own, names, lenient))
    return exports


def _recognised(path: Path, names: Columns) -> _Found | None:
    """The tool that wrote a file; None of a table in one of the known forms, whoever wrote it."""
    content = _content(path)
    if content is None:
        return None
    try:
        tool = next((tool for tool in TOOLS if tool.matches(content)), None)
    except (NotReadableError, TableError):
        return None
    return None if tool is None or _is_plain(content, names) else _Found(content, tool)


def _content(path: Path) -> Content | None:
    try:
        return Content(path) if path.is_file() else None
    except (NotReadableError, OSError):
        return None


def _is_plain(content: Content, names: Columns) -> bool:
    """Whether the tables' own readers know the columns."""
    columns = content.header or tuple(content.keys)
    try:
        return bool(recognise(content.file, columns, names))
    except TableError:
        return False


def _is_companion(path: Path) -> bool:
    content = _content(path)
    try:
        return content is not None and is_results(content)
    except (NotReadableError, TableError):
        return False


def _opened(tool: Tool, files: Mapping[Path, Content], names: Columns, lenient: bool) -> dict[Path, Export]:
    survey = Survey()
    for content in files.values():
        survey.add(content.file, tool.read(content))
        _refuse_without_scores(tool, survey, content.file)
    chosen = choose(survey, names.score, tool.main, lenient)
    same = SameRequests()
    column = names.score if names.score in survey.names and names.score not in _taken() else STANDARD
    return {
        path: Export(
            ImportedTable(path, tool, chosen, same, column),
            "pairwise" if tool.pairwise else "long",
            tool.name,
            replace(Columns(), score=column),
        )
        for path in files
    }


def _taken() -> frozenset[str]:
    """Names that the column of a score can't have: those of the other columns."""
    return frozenset(Columns.__dataclass_fields__) - {STANDARD} | {"tokens_out", "response"}


def _refuse_without_scores(tool: Tool, survey: Survey, file: str) -> None:
    if survey.scored[file]:
        return
    models = [name for name in survey.models[file] if name]
    by = ", ".join(name[:80] for name in models[:_MOST_MODELS]) + (", ..." if len(models) > _MOST_MODELS else "")
    calls = survey.calls[file]
    if not calls:
        raise TableError(
            f"{file}: found an export of {tool.name} without answers (all calls failed, or none ran), expected answers "
            "with scores; export another run"
        )
    raise TableError(
        f"{file}: found a log of {tool.name} without scores ({calls:,} answers{' by ' + by if by else ''}), expected a "
        f"score for each answer; either {tool.scoring}, or collect answers of each tier to these requests and score "
        "them (docs/imports.md, logs without scores)"
    )
