"""inspect_ai: logs of ``inspect eval`` (``.eval``), or as JSON (``--log-format json``, ``inspect log dump``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from training.imports.archive import archive_header, archive_samples
from training.imports.calls import AskedRequest, Item, ScoredCall, Tool, Unanswered
from training.imports.content import Content
from training.imports.requests import asked, at, first, name_of, text_of
from training.tables import Source

_KEYS = frozenset({"status", "eval"})
_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}  # correct, partial, incorrect, no answer: as its metrics count
_ATTACHED = "attachment://"


def _matches(content: Content) -> bool:
    if content.format == "eval":
        return True
    return content.format == "json" and content.document.keys() >= _KEYS and bool(at(content.document, "eval", "model"))


def _read(content: Content) -> Iterator[Item]:
    archived = content.format == "eval"
    log = archive_header(content.stored) if archived else content.document
    found = archive_samples(content.stored) if archived else at(log, "samples")
    samples = found if archived or isinstance(found, list) else []
    for row, sample in enumerate(samples, 1):
        yield _item(Source(content.file, row), sample, log)


def _item(source: Source, sample: Any, log: Any) -> Item:
    if at(sample, "error") is not None and not at(sample, "scores"):
        return Unanswered(source)
    run = at(log, "eval")
    model = _model(sample, name_of(at(run, "model")))
    usage = first(at(sample, "model_usage", model or ""), at(sample, "output", "usage"))
    limit = first(at(run, "model_generate_config", "max_tokens"), at(log, "plan", "config", "max_tokens"))
    request = _asked(sample)
    return ScoredCall(
        source,
        model,
        AskedRequest(request.prompt, request.messages, limit),
        _scores(at(sample, "scores"), at(sample, "score")),
        cost=first(at(usage, "total_cost"), at(sample, "total_cost")),
        tokens_out=at(usage, "output_tokens"),
        response=first(_completion(at(sample, "output")), _last_answer(at(sample, "messages"))),
        task=name_of(at(run, "task")),
    )


def _model(sample: Any, model: str | None) -> str | None:
    """The run's model; where that is "none", the one that the task itself asked for."""
    if model is not None and model.split("/")[-1] != "none":
        return model
    used = at(sample, "model_usage")
    return next(iter(used)) if isinstance(used, dict) and len(used) == 1 else name_of(at(sample, "output", "model"))


def _asked(sample: Any) -> AskedRequest:
    """What the model saw before its first answer: solvers add a system message, choices, a template to the input."""
    attached = at(sample, "attachments")
    attached = attached if isinstance(attached, dict) else {}
    given = at(sample, "input")
    messages = at(sample, "messages")
    begin = len(given) if isinstance(given, list) else 0
    seen: list[Any] = []
    for place, message in enumerate(messages if isinstance(messages, list) else []):
        if at(message, "role") == "assistant" and (place >= begin or at(message, "source") == "generate"):
            break
        seen.append(_with_attachments(message, attached))
    given = _with_attachments(given, attached)
    return asked(seen) or (AskedRequest(prompt=text_of(given)) if isinstance(given, str) else asked(given))


def _with_attachments(value: Any, attached: dict[str, Any], depth: int = 4) -> Any:
    """Long contents are kept beside a sample, once each."""
    if isinstance(value, str) and value.startswith(_ATTACHED):
        return attached.get(value.removeprefix(_ATTACHED), value)
    if isinstance(value, list) and depth:
        return [_with_attachments(item, attached, depth - 1) for item in value]
    if isinstance(value, dict) and depth:
        return {key: _with_attachments(item, attached, depth - 1) for key, item in value.items()}
    return value


def _scores(scores: Any, single: Any) -> dict[str, Any]:
    """Scorer -> value; a scorer that gives several has one kind of score for each. Old logs have a single one."""
    held = scores if isinstance(scores, dict) else {"score": single} if single is not None else {}
    kinds: dict[str, Any] = {}
    for name, score in held.items():
        value = at(score, "value")
        if isinstance(value, dict):
            kinds.update({f"{name}.{part}": _value(each) for part, each in value.items()})
        else:
            kinds[str(name)] = _value(value)
    return kinds


def _value(value: Any) -> Any:
    return _LETTERS.get(value, value) if isinstance(value, str) else value


def _completion(output: Any) -> str | None:
    return text_of(at(output, "completion")) or _text(at(output, "choices", 0, "message", "content"))


def _last_answer(messages: Any) -> str | None:
    return _text(at(messages, -1, "content")) if at(messages, -1, "role") == "assistant" else None


def _text(content: Any) -> str | None:
    if isinstance(content, list):
        content = "\n".join(part["text"] for part in content if isinstance(at(part, "text"), str))
    return text_of(content)


INSPECT = Tool("inspect_ai", _matches, _read, scoring="give the task a scorer, or score the log with inspect score")
