"""promptfoo: ``promptfoo eval -o results.json`` (or .jsonl, .csv), ``promptfoo export eval ID -o results.json``.

In JSON each result has its prompt as it was sent. CSV has the prompt's template in a column's name and its variables in
columns of their own, so it is rendered here; what a template does beside naming variables is left to JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from training.imports.calls import AskedRequest, Item, ScoredCall, Tool, Unanswered
from training.imports.content import Content
from training.imports.requests import asked, asked_text, at, first, name_of, parsed, text_of
from training.tables import Source
from training.tables.formulas import unguarded

_ASSERTION, _ERROR = 1, 2  # ResultFailureReason: an assertion failed, or the call did
_KEYS = frozenset({"provider", "prompt", "success", "score"})
_OUTPUT = re.compile(r"\[(?P<provider>[^\n]+?)\] (?P<label>.*)", re.DOTALL)
_FILE = re.compile(r"[\w./\\-]{1,200}\.(json|ya?ml|txt|md|j2|js|py)(:\w+)?: ")
_VARIABLE = re.compile(r"\{\{-?\s*(\w+)\s*-?\}\}")
_CODE = re.compile(r"\{\{|\{%")
_VERDICT = re.compile(r"\[(PASS|FAIL|ERROR)\]\s*(?:\((?P<score>[\d.]+)\))?")
_STATUSES = {"PASS": 1.0, "FAIL": 0.0}
_STRIPPED = "[prompt stripped]"
_STATUS, _SCORE, _NAMED = "Status", "Score", "Named Scores"


def _matches(content: Content) -> bool:
    if content.format == "csv":
        return bool(_outputs(content.header)) and (_STATUS in content.header or _has_verdicts(content))
    return bool(_results(content)) or any(map(_is_result, content.head))


def _read(content: Content) -> Iterator[Item]:
    if content.format == "csv":
        yield from _read_cells(content)
        return
    results = _results(content)
    reworded = _is_reworded(at(content.document, "results", "prompts"))
    numbered = ((Source(content.file, row), result) for row, result in enumerate(results, 1))
    for source, result in numbered if results else content.records():
        yield _call(source, result, reworded)


def _results(content: Content) -> list[Any]:
    """The results of a document; a list of its own in old versions."""
    found = first(at(content.document, "results", "results"), at(content.document, "results"))
    return found if isinstance(found, list) and any(map(_is_result, found)) else []


def _is_result(record: Any) -> bool:
    return isinstance(record, dict) and record.keys() >= _KEYS and isinstance(record["prompt"], dict)


def _call(source: Source, result: Any, reworded: bool) -> Item:
    response = at(result, "response")
    failed, answer = at(result, "failureReason"), at(response, "output")
    if failed == _ERROR or (answer is None and failed != _ASSERTION):
        return Unanswered(source)
    provider, cached = at(result, "provider"), at(response, "cached") is True
    named = at(result, "namedScores")
    scores = {"score": at(result, "score"), "success": at(result, "success")}
    return ScoredCall(
        source,
        model=first(name_of(at(provider, "label")), name_of(at(provider, "id")), name_of(provider)),
        asked=_asked(result),
        scores={**(named if isinstance(named, dict) else {}), **scores},
        cost=None if cached else at(result, "cost"),  # what comes from a cache costs nothing, for now
        tokens_out=at(response, "tokenUsage", "completion"),
        response=text_of(answer),
        same=("promptfoo", source.file, name_of(at(result, "testIdx"))) if reworded else None,
    )


def _asked(result: Any) -> AskedRequest:
    """The prompt as it was sent; the test's variables where promptfoo was told to keep no prompts."""
    raw = at(result, "prompt", "raw")
    return asked(first(at(result, "vars"), at(result, "testCase", "vars"))) if raw == _STRIPPED else asked_text(raw)


def _is_reworded(prompts: Any) -> bool:
    """Whether each provider has a prompt of its own: the test, not its wording, is the request then."""
    listed = prompts if isinstance(prompts, list) else []
    providers, texts = ([str(at(prompt, name)) for prompt in listed] for name in ("provider", "raw"))
    return len(listed) > 1 and len(set(providers)) == len(listed) and len(set(texts)) > 1


# --- CSV


@dataclass(frozen=True, slots=True)
class _Output:
    """The columns of one provider and prompt; status and score are None in old versions."""

    provider: str
    label: str
    place: int
    status: int | None
    score: int | None
    named: int | None


def _outputs(header: Sequence[str]) -> list[_Output]:
    places = [place for place, name in enumerate(header) if _OUTPUT.match(name)]
    outputs = []
    for place, end in zip(places, [*places[1:], len(header)], strict=False):
        found = _OUTPUT.match(header[place])
        assert found is not None
        own = {name: place + 1 + number for number, name in enumerate(header[place + 1 : end])}
        outputs.append(_Output(found["provider"], found["label"], place, *map(own.get, (_STATUS, _SCORE, _NAMED))))
    return outputs


def _has_verdicts(content: Content) -> bool:
    places = [output.place for output in _outputs(content.header)]
    return any(_VERDICT.match(cells[place]) for cells in content.first_cells() for place in places)


def _read_cells(content: Content) -> Iterator[Item]:
    header = content.header
    outputs = _outputs(header)
    begin = outputs[0].place
    reworded = _is_reworded([{"provider": output.provider, "raw": output.label} for output in outputs])
    several = len({output.label for output in outputs}) > 1 and not reworded
    for source, cells in content.cells():
        cells = list(map(unguarded, cells))
        variables = {name: cell for name, cell in zip(header[:begin], cells, strict=False) if name != "Description"}
        same = ("promptfoo", source.file, source.row) if reworded else None
        for output in outputs:
            verdict = _verdict(output, cells)
            if verdict is None:
                continue
            if verdict == "ERROR":
                yield Unanswered(source)
                continue
            request = _rendered(output.label, variables, several)
            model, answer = output.provider, text_of(cells[output.place])
            yield ScoredCall(source, model, request, _scores(output, cells, verdict), response=answer, same=same)


def _verdict(output: _Output, cells: Sequence[str]) -> str | None:
    """PASS, FAIL or ERROR; None where the test did not run."""
    if output.status is not None:
        return cells[output.status].strip() or None
    found = _VERDICT.match(cells[output.place])
    return found[1] if found else None


def _scores(output: _Output, cells: Sequence[str], verdict: str) -> dict[str, Any]:
    passed = _STATUSES.get(verdict)
    named = None if output.named is None else parsed(cells[output.named])
    scores = named if isinstance(named, dict) else {}
    if output.score is not None:
        return {**scores, "score": cells[output.score], "success": passed}
    found = _VERDICT.match(cells[output.place])
    return {**scores, "score": found["score"] if found and found["score"] else passed, "success": passed}


def _rendered(label: str, variables: dict[str, str], several: bool) -> AskedRequest:
    """The prompt that a column's label is the template of; of other labels, the variables themselves."""
    template, is_json = _template(label)

    def value(found: re.Match[str]) -> str:
        text = variables[found[1]] if found[1] in variables else found[0]
        return json.dumps(text, ensure_ascii=False)[1:-1] if is_json else text

    if template and all(name in variables for name in _VARIABLE.findall(template)):
        return asked_text(_VARIABLE.sub(value, template))
    plain = asked(variables)
    return AskedRequest(prompt=f"{label}\n{plain.prompt}") if several and plain.prompt else plain


@lru_cache(maxsize=256)
def _template(label: str) -> tuple[str, bool]:
    """The template, empty where the label is none or one that does more than to name variables; and whether it is JSON,
    as chats are.
    """
    template = label[found.end() :] if (found := _FILE.match(label)) else label
    filled = _VARIABLE.sub("x", template)
    if filled == template or _CODE.search(filled):
        return "", False
    return template, isinstance(parsed(filled), list | dict)


PROMPTFOO = Tool(
    "promptfoo", _matches, _read, main="score", scoring="add assertions to the tests and run promptfoo eval again"
)
