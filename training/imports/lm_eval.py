"""lm-evaluation-harness: ``lm_eval --log_samples --output_path DIR`` writes ``samples_TASK_DATE.jsonl`` and, beside
it, ``results_DATE.json``, which says which model answered.

A document is scored once for each filter, in rows of their own; the kinds of score are named as in the results file:
``exact_match,strict-match``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import PurePath
from typing import Any

from classifier.errors import TableError
from training.imports.calls import AskedRequest, Item, ScoredCall, Tool
from training.imports.content import Content, Together
from training.imports.requests import asked_text, at, first, json_text, name_of, text_of
from training.imports.scores import number
from training.tables import Source
from training.tables.stored import Stored, unpacked

_KEYS = frozenset({"doc_id", "doc", "target", "arguments", "resps"})
_RESULTS = frozenset({"results", "configs", "versions", "n-shot"})
# What a sample has beside its metrics; old versions do not list these.
_OWN = _KEYS | {"filtered_resps", "filter", "metrics", "doc_hash", "prompt_hash", "target_hash"}
_DATED = re.compile(r"(?P<name>.+?)_(?P<date>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:[.-]\d+)?)")
_MOST_BYTES = 2**26  # of a results file


def _matches(content: Content) -> bool:
    return content.format != "csv" and content.keys >= _KEYS


def _is_results(content: Content) -> bool:
    return content.format == "json" and content.document.keys() >= _RESULTS


def _read(content: Content) -> Iterator[Item]:
    run = _run_of(content)
    calls: dict[tuple[Any, str], ScoredCall] = {}
    scores: dict[tuple[Any, str], dict[str, Any]] = {}
    for source, record in content.records():
        key = (name_of(at(record, "doc_id")), _digest(record))
        found = _scores(record, run.lower)
        if key not in calls:
            scores[key] = found
            calls[key] = _call(source, record, run, scores[key], key)
        elif not found.keys() & scores[key].keys():
            scores[key].update(found)  # another filter of the same answer
        else:
            yield _call(source, record, run, found, key)  # another answer to the same document
    yield from calls.values()


def _call(source: Source, record: Any, run: _Run, scores: dict[str, Any], key: tuple[Any, str]) -> ScoredCall:
    arguments = at(record, "arguments")
    request = first(at(arguments, "gen_args_0"), at(arguments, 0))
    context, settings = at(request, "arg_0"), at(request, "arg_1")
    if isinstance(request, list):  # versions before 0.4.3
        context, settings = at(request, 0), at(request, 1)
    if isinstance(context, list) and len(context) == 1:  # a chat, which is text in a tuple of its own
        context = context[0]
    prompt = asked_text(context)
    return ScoredCall(
        source,
        run.model,
        AskedRequest(prompt.prompt, prompt.messages, max_tokens=at(settings, "max_gen_toks")),
        scores,
        response=text_of(at(record, "resps", 0, 0)),
        task=run.task,
        same=("lm-evaluation-harness", run.task, *key),
    )


def _scores(record: Any, lower: frozenset[str]) -> dict[str, Any]:
    """Metric and filter -> value, as results files name them; metrics of which less is better are no scores."""
    listed = at(record, "metrics")
    names = listed if isinstance(listed, list) else [name for name in record if name not in _OWN]
    kind = name_of(at(record, "filter"))
    held = {name: record.get(name) for name in names if isinstance(name, str) and name not in lower}
    return {f"{name},{kind}" if kind else name: value for name, value in held.items() if number(value) is not None}


def _digest(record: Any) -> str:
    """What the document is known by: models that are asked in chat templates of their own still share it."""
    document = json_text([at(record, "doc"), at(record, "target")])
    return sha256(document.encode("utf-8", "replace")).hexdigest()


# --- which model answered


@dataclass(frozen=True, slots=True)
class _Run:
    """What is known of the run that wrote a file: the model, the task, the metrics of which less is better."""

    model: str | None
    task: str | None
    lower: frozenset[str] = frozenset()


def _run_of(content: Content) -> _Run:
    """From the results file of the same date, else from the names of the file and its folder."""
    models = content.together.models
    if content.stored not in models:
        models.update(_runs(content.together))
    run = models[content.stored]
    assert isinstance(run, _Run)
    return run


def _runs(together: Together) -> dict[Stored, _Run]:
    dated = {stored: found for stored in together.answers if (found := _DATED.fullmatch(_stem(stored)))}
    results = {stored: _results(stored, found["date"], together) for stored, found in dated.items()}
    results |= {stored: _only_results(stored, together) for stored in together.answers if results.get(stored) is None}
    runs = {stored: _dated_run(stored, dated[stored]["name"], results[stored]) for stored in dated}
    _refuse_namesakes({stored: run for stored, run in runs.items() if results[stored] is None})
    named = _named_runs([stored for stored in together.answers if stored not in dated])
    told = {stored: model for stored in named if (model := _model_of(results[stored])) is not None}
    return runs | {stored: replace(run, model=told.get(stored, run.model)) for stored, run in named.items()}


def _stem(stored: Stored) -> str:
    """The name without endings, and without what all names of samples begin with."""
    return PurePath(stored.name).name.split(".json")[0].removeprefix("samples_")


def _dated_run(stored: Stored, task: str, results: Any) -> _Run:
    model = _model_of(results)
    higher = at(results, "higher_is_better", task)
    lower = [name for name, better in higher.items() if better is False] if isinstance(higher, dict) else []
    folder = PurePath(stored.name).parent.name or stored.path.resolve().parent.name
    return _Run(model or folder.replace("__", "/") or None, task, frozenset(lower))


def _refuse_namesakes(runs: Mapping[Stored, _Run]) -> None:
    """Refuse to take two runs of a task for one model's only because they lie in one folder."""
    owners: dict[tuple[str | None, str | None], Stored] = {}
    for stored, run in runs.items():
        other = owners.setdefault((run.model, run.task), stored)
        if other is not stored:
            raise TableError(
                f"{stored.name}: found samples of task {run.task} like {PurePath(other.name).name}, and nothing that "
                "says which model answered, expected the results_*.json of each beside it; copy it there, or put the "
                "samples of each model in a folder named after it"
            )


def _named_runs(files: Sequence[Stored]) -> dict[Stored, _Run]:
    """Of files that were named by hand: the names of files about the same documents differ in the model."""
    groups: dict[str, list[Stored]] = {}
    for stored in files:
        head = Content(stored).head
        groups.setdefault(_digest(head[0]) if head else "", []).append(stored)
    return {stored: run for group in groups.values() for stored, run in _told_apart(group).items()}


def _told_apart(files: Sequence[Stored]) -> dict[Stored, _Run]:
    words = [_stem(stored).split("_") for stored in files]
    begin = _shared(words)
    end = _shared([each[begin:][::-1] for each in words])
    if len(files) == 1:  # nothing to compare with: by custom the model comes last
        begin, end = len(words[0]) - 1, 0
    runs = {}
    for stored, each in zip(files, words, strict=True):
        stop = len(each) - end
        task = "_".join(each[:begin] + each[stop:])
        runs[stored] = _Run("_".join(each[begin:stop]) or _stem(stored), task or None)
    return runs


def _shared(words: Sequence[Sequence[str]]) -> int:
    """How many words all begin with."""
    differ = (place for place, each in enumerate(zip(*words, strict=False)) if len(set(each)) > 1)
    return next(differ, min(map(len, words)))


def _results(stored: Stored, date: str, together: Together) -> Any:
    """The results file of that date: one that was named, or the one in the same folder."""
    name = f"results_{date}.json"
    named = (each for each in together.beside if PurePath(each.name).name == name)
    beside = stored.path.with_name(name)
    try:
        return _loaded(next(named, None) or unpacked(beside, str(beside))[0])
    except TableError:
        return None


def _only_results(stored: Stored, together: Together) -> Any:
    """Of the results files that were named and lie in the same folder the one that ends alike, or the only one."""
    folder = PurePath(stored.name).parent
    near = [each for each in together.beside if PurePath(each.name).parent == folder]
    alike = [each for each in near if _stem(stored).endswith(_stem(each).removeprefix("results"))]
    found = alike if len(near) > 1 else near
    return _loaded(found[0]) if len(found) == 1 else None


def _loaded(results: Stored) -> Any:
    try:
        with results.open() as stream:
            return json.loads(stream.read(_MOST_BYTES))
    except (TableError, ValueError, RecursionError):
        return None


def _model_of(results: Any) -> str | None:
    told = (at(results, "model_name"), _in_arguments(results), at(results, "config", "model"))
    return name_of(first(*told))


def _in_arguments(results: Any) -> Any:
    """The model of ``--model_args pretrained=MODEL,...``."""
    arguments = at(results, "config", "model_args")
    if isinstance(arguments, str):
        arguments = dict(part.split("=", 1) for part in arguments.split(",") if "=" in part)
    return first(*(name_of(at(arguments, key)) for key in ("model", "pretrained", "engine", "path")))


LM_EVAL = Tool(
    "lm-evaluation-harness", _matches, _read, companion=_is_results, scoring="run lm_eval again with --log_samples"
)
