"""A file's content -> the tool that wrote it, and its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from classifier.errors import TableError
from training.imports.alpaca_eval import ALPACA_EVAL, ALPACA_OUTPUTS
from training.imports.arena import ARENA
from training.imports.braintrust import BRAINTRUST
from training.imports.calls import Tool
from training.imports.content import Content, NotReadableError, Together
from training.imports.helicone import HELICONE
from training.imports.inspect_ai import INSPECT
from training.imports.langfuse import LANGFUSE
from training.imports.langsmith import LANGSMITH
from training.imports.litellm import LITELLM
from training.imports.lm_eval import LM_EVAL
from training.imports.openai_evals import OPENAI_EVALS
from training.imports.opentelemetry import OPENTELEMETRY
from training.imports.promptfoo import PROMPTFOO
from training.imports.scores import STANDARD, Survey, choose, meant
from training.imports.table import ImportedTable, Reading, items_of
from training.tables import Columns
from training.tables.exports import Export
from training.tables.stored import Stored

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
_SCORED = "score__"
_MOST_MODELS = 5
_MOST_CHARS = 80


def open_exports(
    files: Sequence[Stored], names: Columns, *, requests_only: bool = False
) -> dict[Stored, Export | None]:
    """The files among these that are exports, ready to be read; None for one that only goes with others.

    Parameters
    ----------
    names : the user's names for columns; that of the score may say which kind of score counts.
    requests_only : leave out what models made of the requests, so that logs will do.

    Raises
    ------
    TableError : an export has no scores, or several kinds of score and nobody said which one counts.
    """
    sorted_in = {tool.name: Together() for tool in TOOLS}
    for stored in files:
        _sort_in(stored, names, sorted_in)
    of_tools = [stored for each in sorted_in.values() for stored in (*each.answers, *each.beside)]
    exports: dict[Stored, Export | None] = {}
    for tool in TOOLS:
        own = sorted_in[tool.name]
        if own.answers and requests_only:
            exports.update(_readable(Reading(tool, own, None), STANDARD))
        elif own.answers:
            exports.update(_opened(tool, own, names, lenient=len(of_tools) < len(files)))
        elif own.beside:
            raise TableError(
                f"{own.beside[0].name}: found results of {tool.name} without the answers that they are about, expected "
                f"both; name the file with the answers, too, or {tool.scoring}"
            )
        exports.update(dict.fromkeys(own.beside))
    return exports


def _sort_in(stored: Stored, names: Columns, files: Mapping[str, Together]) -> None:
    """Find the tool that wrote a file; a table in one of the known forms is nobody's, whoever wrote it."""
    try:
        content = Content(stored)
        if _is_table(content.keys, names):
            return
        tool = next((tool for tool in TOOLS if tool.matches(content)), None)
        if tool is not None:
            files[tool.name].answers += (stored,)
            return
        tool = next((tool for tool in TOOLS if tool.companion(content)), None)
        if tool is not None:
            files[tool.name].beside += (stored,)
    except (NotReadableError, TableError, RecursionError):
        return  # the tables' own readers say what is wrong with it


def _is_table(keys: frozenset[str], names: Columns) -> bool:
    """Whether names are those of a table. Those of the long form are common words, no mark of one."""
    if names.prompt not in keys and names.messages not in keys:
        return False
    scored = names.tier in keys or any(key.startswith(_SCORED) for key in keys)
    return scored or {names.model_a, names.model_b, names.winner} <= keys


def _opened(tool: Tool, together: Together, names: Columns, lenient: bool) -> dict[Stored, Export]:
    survey = Survey()
    for stored in together.answers:
        content = Content(stored)
        content.together = together
        survey.add(content.file, items_of(tool, content))
        _refuse_without_scores(tool, survey, content.file)
    chosen = choose(survey, names.score, tool.main, lenient)
    is_named = bool(meant(names.score, survey.names)) and names.score not in _taken()
    column = names.score if is_named else STANDARD
    return _readable(Reading(tool, together, chosen), column)


def _readable(reading: Reading, score: str) -> dict[Stored, Export]:
    """The files of a tool, whose scores stand in a column of that name."""
    names, tool = replace(Columns(), score=score), reading.tool.name
    return {stored: Export(ImportedTable(stored, reading, score), tool, names) for stored in reading.together.answers}


def _taken() -> frozenset[str]:
    """Names that the column of a score can't have: those of the other columns."""
    return frozenset(Columns.__dataclass_fields__) - {STANDARD} | {"tokens_out", "response"}


def _refuse_without_scores(tool: Tool, survey: Survey, file: str) -> None:
    calls, models = survey.calls[file], survey.models[file]
    if survey.scored[file] and (models or tool.pairwise):
        return
    if not calls:
        raise TableError(
            f"{file}: found an export of {tool.name} without answers (calls failed, or none ran), expected answers "
            "with scores; export another run"
        )
    if survey.scored[file]:
        raise TableError(
            f"{file}: found {calls:,} answers in an export of {tool.name} and no model that gave them, expected its "
            "name with each; export the calls of models, too (docs/imports.md says where the name is looked for)"
        )
    named = ", ".join(name[:_MOST_CHARS] for name in islice(models, _MOST_MODELS))
    by = f" by {named}{', ...' if len(models) > _MOST_MODELS else ''}" if models else ""
    odd = f"; what it has as scores says no number: {', '.join(survey.odd[file])}" if survey.odd[file] else ""
    raise TableError(
        f"{file}: found a log of {tool.name} without scores ({calls:,} answers{by}{odd}), expected a score for each "
        f"answer; {tool.scoring}, or collect answers of each tier to these requests and score them (docs/imports.md)"
    )
