"""The events of a streamed response: collected while a caller reads them, or made from a response that came whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, get_args

from openai.types.responses import Response, ResponseStreamEvent

from classifier.cascade.response_answers import FAILED, failed, finish_reason, get, read_response
from classifier.cascade.streams import plain
from classifier.cascade.usage import UNKNOWN_BILL, Bill, read_bill
from classifier.errors import MalformedAnswerError
from classifier.gates import Answer, ToolCall
from classifier.request import Request

Data: TypeAlias = dict[str, Any]

_KINDS: Mapping[str, Any] = {  # by type; a newer upstream may know more of them, an older client fewer
    kind: each
    for each in get_args(get_args(ResponseStreamEvent)[0])
    for kind in get_args(each.model_fields["type"].annotation)
}
_ENDS = {"response.completed", "response.incomplete", "response.failed"}
_BEFORE = ("reasoning", "web_search_call", "file_search_call", "mcp_list_tools", "tool_search_call", "compaction")
_CALLS = ("function_call", "custom_tool_call")
_CALL_DELTAS = ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta")


@dataclass(slots=True)
class ResponseCollected:
    """What a stream of events has said so far.

    Attributes
    ----------
    response : the whole of it, which the last event has; None before.
    tools : place of a tool call in the output -> its name, its arguments in pieces, and whether it is a custom one.
    """

    id: str | None = None
    response: Any = None
    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    tools: dict[int, tuple[str, list[str], bool]] = field(default_factory=dict)
    finish_reason: str | None = None

    @property
    def bill(self) -> Bill:
        """What the last event says of the call."""
        return UNKNOWN_BILL if self.response is None else read_bill(self.response)

    def says(self, event: Any) -> bool:
        """Whether an event is part of an answer: a text, a refusal, thoughts, a call, the end.

        Raises
        ------
        openai.APIStatusError : it says that the call has failed.
        """
        kind = _string(get(event, "type"))
        if kind == "error" or kind == "response.failed":
            raise failed(event if kind == "error" else get(get(event, "response"), "error"))
        if kind == "response.output_item.done":
            return get(get(event, "item"), "type") not in _BEFORE
        if kind == "response.completed":
            return bool(get(get(event, "response"), "output"))  # else it is no answer
        return kind in _ENDS or (kind.endswith(".delta") and bool(_delta(event)))

    def readable(self, event: Any) -> Any:
        """The event as it is."""
        return event

    def add(self, event: Any) -> bool:
        """Take an event in; the caller is to see every one. What is of an unknown form says nothing."""
        kind, response = _string(get(event, "type")), get(event, "response")
        self.id = self.id or _string(get(response, "id")) or None
        if kind == "response.output_text.delta":
            self.text.append(_delta(event))
        elif kind == "response.refusal.delta":
            self.refusal.append(_delta(event))
        elif kind == "response.output_item.added":
            self._add_call(get(event, "output_index"), get(event, "item"))
        elif kind in _CALL_DELTAS and _place(event) in self.tools:
            self.tools[_place(event)][1].append(_delta(event))
        elif kind in _ENDS:
            self.response = response
            self.finish_reason = finish_reason(response, called=bool(self.tools)) or kind.rpartition(".")[2]
        elif kind == "error":
            self.finish_reason = "error"
        return True

    def answer(self, tier: str, model: str, request: Request, arguments: Mapping[str, Any]) -> Answer:
        """The answer as a gate sees it."""
        if self.response is not None and get(self.response, "status") not in FAILED:
            try:
                return read_response(self.response, tier=tier, model=model, request=request, arguments=arguments)
            except MalformedAnswerError:
                pass
        return Answer(
            text="".join(self.text),
            tier=tier,
            model=model,
            finish_reason=self.finish_reason,
            tool_calls=tuple(ToolCall(name, "".join(said), custom) for name, said, custom in self.tools.values()),
            refusal="".join(self.refusal) or None,
            token_logprobs=None,
            tokens_in=None,
            tokens_out=None,
            request=request,
            arguments=arguments,
        )

    def _add_call(self, place: Any, item: Any) -> None:
        kind = get(item, "type")
        if kind in _CALLS and isinstance(place, int):
            self.tools[place] = _string(get(item, "name")), [], kind == "custom_tool_call"


def _delta(event: Any) -> str:
    return _string(get(event, "delta"))


def _place(event: Any) -> int:
    place = get(event, "output_index")
    return place if isinstance(place, int) else -1


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def response_events(response: Response) -> list[Any]:
    """A response as the events of a stream that ends with it, item by item."""
    whole = plain(response)
    started = {**whole, "status": "in_progress", "output": [], "usage": None, "error": None, "incomplete_details": None}
    found: list[Data] = [{"type": f"response.{kind}", "response": started} for kind in ("created", "in_progress")]
    for place, item in enumerate(_list(whole.get("output"))):
        found += _item_events(item, place)
    status = whole.get("status")
    last = f"response.{status}"
    found.append({"type": last if last in _KINDS else "response.completed", "response": whole})
    return [
        _KINDS[event["type"]].construct(**event, sequence_number=number)
        for number, event in enumerate(each for each in found if each["type"] in _KINDS)
    ]


def _item_events(item: Data, place: int) -> Iterator[Data]:
    """An item: that it has begun, what it says, and that it is done."""
    at = {"item_id": item.get("id"), "output_index": place}
    empty, said = _OF_ITEMS.get(item.get("type", ""), _other)(item, at)
    yield {"type": "response.output_item.added", "output_index": place, "item": {**item, **empty}}
    yield from said
    yield {"type": "response.output_item.done", "output_index": place, "item": item}


def _other(item: Data, at: Data) -> tuple[Data, list[Data]]:
    return {}, []


def _message(item: Data, at: Data) -> tuple[Data, list[Data]]:
    said = [
        event
        for index, part in enumerate(_list(item.get("content")))
        for event in _part_events(part, {**at, "content_index": index})
    ]
    return {"status": "in_progress", "content": []}, said


def _part_events(part: Data, at: Data) -> Iterator[Data]:
    kind = {"output_text": "text", "refusal": "refusal"}.get(part["type"])
    yield {"type": "response.content_part.added", **at, "part": part if kind is None else {**part, **_emptied(part)}}
    if kind is not None:
        name = f"response.{part['type']}"
        logprobs = {"logprobs": part.get("logprobs") or []} if kind == "text" else {}
        yield {"type": f"{name}.delta", **at, "delta": part.get(kind), **logprobs}
        for index, note in enumerate(_list(part.get("annotations"))):
            yield {"type": f"{name}.annotation.added", **at, "annotation_index": index, "annotation": note}
        yield {"type": f"{name}.done", **at, kind: part.get(kind), **logprobs}
    yield {"type": "response.content_part.done", **at, "part": part}


def _emptied(part: Data) -> Data:
    return {name: type(part[name])() for name in ("text", "refusal", "annotations", "logprobs") if part.get(name)}


def _function_call(item: Data, at: Data) -> tuple[Data, list[Data]]:
    said, name = item.get("arguments"), "response.function_call_arguments"
    done = {"type": f"{name}.done", **at, "arguments": said, "name": item.get("name")}
    return {"status": "in_progress", "arguments": ""}, [{"type": f"{name}.delta", **at, "delta": said}, done]


def _custom_call(item: Data, at: Data) -> tuple[Data, list[Data]]:
    said, name = item.get("input"), "response.custom_tool_call_input"
    return {"input": ""}, [
        {"type": f"{name}.delta", **at, "delta": said},
        {"type": f"{name}.done", **at, "input": said},
    ]


def _reasoning(item: Data, at: Data) -> tuple[Data, list[Data]]:
    said: list[Data] = []
    for index, part in enumerate(_list(item.get("summary"))):
        where, name = {**at, "summary_index": index}, "response.reasoning_summary"
        text = part.get("text") if isinstance(part, dict) else None
        said += [
            {"type": f"{name}_part.added", **where, "part": {"type": "summary_text", "text": ""}},
            {"type": f"{name}_text.delta", **where, "delta": text},
            {"type": f"{name}_text.done", **where, "text": text},
            {"type": f"{name}_part.done", **where, "part": part},
        ]
    for index, part in enumerate(_list(item.get("content"))):
        where, text = {**at, "content_index": index}, part.get("text") if isinstance(part, dict) else None
        said += [
            {"type": "response.reasoning_text.delta", **where, "delta": text},
            {"type": "response.reasoning_text.done", **where, "text": text},
        ]
    return {"summary": []}, said


_OF_ITEMS: Mapping[str, Callable[[Data, Data], tuple[Data, list[Data]]]] = {
    "message": _message,
    "function_call": _function_call,
    "custom_tool_call": _custom_call,
    "reasoning": _reasoning,
}
