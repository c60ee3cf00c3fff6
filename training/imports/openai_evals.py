"""OpenAI evals: the records of ``oaieval`` (JSON Lines), and output items of the Evals API.

``oaieval`` writes events: what a model was asked and said (``sampling``), and how that was judged (``match``,
``metrics``), brought together by their sample's number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from training.imports.calls import Item, ScoredCall, Tool, Unanswered
from training.imports.content import Content
from training.imports.requests import answer_of, asked, at, first, name_of
from training.imports.scores import number
from training.tables import Source

_EVENT = frozenset({"run_id", "event_id", "sample_id", "type", "data"})
_ITEM = frozenset({"sample", "results"})
_CHOSEN = "correct"


def _matches(content: Content) -> bool:
    if content.format == "csv":
        return False
    head = content.head
    if any(record.keys() >= _EVENT or at(record, "spec", "completion_fns") is not None for record in head):
        return True
    return any(_is_item(item) for item in _items(content)[:8])


def _read(content: Content) -> Iterator[Item]:
    items = _items(content)
    if items:
        for row, item in enumerate(items, 1):
            yield _item(Source(content.file, row), item)
    else:
        yield from _events(content)


def _items(content: Content) -> list[Any]:
    """Output items: a page of them as the API sends it, or one on each line."""
    if content.format == "json" and content.document:
        page = at(content.document, "data")
        return page if isinstance(page, list) and any(map(_is_item, page)) else []
    if not any(map(_is_item, content.head)):
        return []
    return [record for _, record in content.records()]


def _is_item(item: Any) -> bool:
    return isinstance(item, dict) and (
        item.get("object") == "eval.run.output_item" or (item.keys() >= _ITEM and "datasource_item" in item)
    )


def _item(source: Source, item: Any) -> Item:
    sample, graders = at(item, "sample"), at(item, "results")
    if at(sample, "error", "code") or not graders:
        return Unanswered(source)
    scores = {}
    for grader in graders if isinstance(graders, list) else []:
        name = name_of(at(grader, "name")) or "grader"
        scores[name] = first(at(grader, "score"), at(grader, "passed"))
    return ScoredCall(
        source,
        name_of(at(sample, "model")),
        asked(at(sample, "input"), {"max_tokens": at(sample, "max_completion_tokens")}),
        {**scores, "passed": _passed(at(item, "status"))},
        tokens_out=at(sample, "usage", "completion_tokens"),
        response=answer_of(at(sample, "output")),
        timestamp=at(item, "created_at"),
    )


def _passed(status: Any) -> float | None:
    return {"pass": 1.0, "fail": 0.0}.get(str(status))


def _events(content: Content) -> Iterator[Item]:
    """Events of a run, sample by sample; several runs may stand one after the other."""
    runs: dict[Any, Any] = {}
    samples: dict[tuple[Any, Any], dict[str, Any]] = {}
    for source, record in content.records():
        spec = at(record, "spec")
        if spec is not None:
            runs[name_of(at(spec, "run_id"))] = spec
            continue
        name, data = name_of(at(record, "sample_id")), at(record, "data")
        if name is None or not isinstance(data, dict):
            continue
        run = name_of(at(record, "run_id"))
        sample = samples.setdefault((run, name), {"source": source, "scores": {}})
        _take(sample, at(record, "type"), data)
    for (run, _), sample in samples.items():
        yield _sample(sample, runs.get(run))


def _take(sample: dict[str, Any], kind: Any, data: dict[str, Any]) -> None:
    if kind == "sampling" and "prompt" not in sample:
        sample |= {"prompt": data.get("prompt"), "sampled": data.get("sampled"), "usage": data.get("usage")}
    elif kind == "match":
        sample["scores"].setdefault(_CHOSEN, data.get("correct"))
    elif kind == "metrics":
        sample["scores"] |= {name: value for name, value in data.items() if number(value) is not None}


def _sample(sample: dict[str, Any], spec: Any) -> Item:
    if "prompt" not in sample:
        return Unanswered(sample["source"])
    model = at(spec, "completion_fns", 0)
    return ScoredCall(
        sample["source"],
        name_of(model),
        asked(sample["prompt"]),
        sample["scores"],
        tokens_out=at(sample["usage"], "completion_tokens"),
        response=answer_of(sample["sampled"]),
        task=first(name_of(at(spec, "base_eval")), name_of(at(spec, "eval_name"))),
    )


OPENAI_EVALS = Tool("OpenAI evals", _matches, _read, main="passed", scoring="run an eval that judges the answers")
