"""The arguments of a Responses call as those of a chat completion, and back.

The router, gates and the outcome store read one form only. What the other form has no place for is kept as a part of
a message, so that it counts by its size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from classifier.gates import Answer

_MOST_NAMESPACES = 4  # of tools, in each other
_SAME = frozenset(
    {"extra_body", "extra_headers", "extra_query", "metadata", "parallel_tool_calls", "prompt_cache_key"}
    | {"safety_identifier", "service_tier", "store", "temperature", "timeout", "top_logprobs", "top_p", "user"}
)
_LOGPROBS = "message.output_text.logprobs"


def as_chat(given: Mapping[str, Any], earlier: Sequence[Any] = ()) -> dict[str, Any]:
    """Arguments of ``responses.create`` as arguments of ``chat.completions.create``.

    Parameters
    ----------
    earlier : messages that the provider keeps, which come before the input.
    """
    made = {name: given[name] for name in _SAME if name in given}
    instructions = given.get("instructions")
    first = [{"role": "system", "content": instructions}] if instructions else []
    made["messages"] = [*first, *earlier, *input_messages(given)]
    if given.get("max_output_tokens") is not None:
        made["max_completion_tokens"] = given["max_output_tokens"]
    if given.get("tools"):
        made["tools"] = list(_chat_tools(given["tools"], _MOST_NAMESPACES))
    if given.get("tool_choice") is not None:
        made["tool_choice"] = _chat_choice(given["tool_choice"])
    text, reasoning = as_mapping(given.get("text")), as_mapping(given.get("reasoning"))
    if text and text.get("format") is not None:
        made["response_format"] = _chat_format(text["format"])
    if reasoning and reasoning.get("effort") is not None:
        made["reasoning_effort"] = reasoning["effort"]
    return made


def as_response(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of ``chat.completions.create``, such as gates give, as arguments of ``responses.create``.

    What the Responses API does not know, such as a seed, is left out.
    """
    made = {name: value for name, value in wanted.items() if name in _SAME}
    if "messages" in wanted:
        made["input"] = list(wanted["messages"])
    limit = wanted.get("max_completion_tokens") or wanted.get("max_tokens")
    if limit is not None:
        made["max_output_tokens"] = limit
    if wanted.get("logprobs"):
        made["include"] = [_LOGPROBS]
    kind = as_mapping(wanted.get("response_format"))
    if kind:
        made["text"] = {"format": {"type": kind.get("type"), **(as_mapping(kind.get("json_schema")) or {})}}
    if wanted.get("reasoning_effort") is not None:
        made["reasoning"] = {"effort": wanted["reasoning_effort"]}
    if wanted.get("tools"):
        made["tools"] = [_response_tool(tool) for tool in wanted["tools"]]
    return made


def with_logprobs(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a Responses call, which ask for log-probabilities as well."""
    include = [each for each in arguments.get("include") or () if each != _LOGPROBS]
    return {**arguments, "include": [*include, _LOGPROBS]}


def wants_logprobs(arguments: Mapping[str, Any]) -> bool:
    """Whether the arguments of a Responses call ask for log-probabilities."""
    include = arguments.get("include")
    return isinstance(include, (list, tuple)) and _LOGPROBS in include


def input_messages(given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The messages of a Responses call's ``input``, and of a stored prompt's variables."""
    prompt, items = as_mapping(given.get("prompt")), given.get("input")
    variables = as_mapping(prompt.get("variables")) if prompt else None
    messages: list[Mapping[str, Any]] = []
    if variables:
        messages.append({"role": "user", "content": [_part(value) for value in variables.values()]})
    if isinstance(items, str):
        messages.append({"role": "user", "content": items})
    elif isinstance(items, (list, tuple)):
        for item in items:
            _add(messages, item)
    return messages


def answer_message(answer: Answer) -> Mapping[str, Any]:
    """An answer as a message of the conversation that it belongs to."""
    calls: list[Mapping[str, Any]] = []
    for call in answer.tool_calls:
        kind, said = ("custom", "input") if call.custom else ("function", "arguments")
        calls.append({"type": kind, kind: {"name": call.name, said: call.arguments}})
    message = {"role": "assistant", "content": answer.text or answer.refusal}
    return {**message, "tool_calls": calls} if calls else message


def as_mapping(value: Any) -> Mapping[str, Any] | None:
    """A dictionary, or one of the client's objects as one; None for anything else."""
    if isinstance(value, Mapping):
        return value
    dump = None if isinstance(value, type) else getattr(value, "model_dump", None)
    try:
        dumped = dump(by_alias=True, exclude_unset=True, warnings=False) if callable(dump) else None
    except Exception:
        return None
    return dumped if isinstance(dumped, Mapping) else None


def _add(messages: list[Mapping[str, Any]], value: Any) -> None:
    """Add an item to the messages: what a model did to one of its turns, anything else as a message of its own."""
    item = as_mapping(value)
    if item is None:
        return
    kind = item.get("type")
    if kind in (None, "message"):
        messages.append({"role": item.get("role", "user"), "content": _content(item.get("content"))})
    elif isinstance(kind, str) and kind in _TURNS:
        name, added = _TURNS[kind](item)
        turn = messages[-1] if messages and messages[-1].get("role") == "assistant" else None
        if turn is None:
            messages.append({"role": "assistant", "content": None, name: added})
        else:
            messages[-1] = {**turn, name: added if turn.get(name) is None else turn[name] + added}
    elif isinstance(kind, str) and kind.endswith("_output"):
        content = _content(item["output"]) if "output" in item else [dict(item)]
        messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": content})
    elif kind != "item_reference":
        messages.append({"role": "assistant", "content": [dict(item)]})


def _function_call(item: Mapping[str, Any]) -> tuple[str, Any]:
    function = {"name": item.get("name"), "arguments": item.get("arguments")}
    return "tool_calls", [{"id": item.get("call_id"), "type": "function", "function": function}]


def _custom_call(item: Mapping[str, Any]) -> tuple[str, Any]:
    custom = {"name": item.get("name"), "input": item.get("input")}
    return "tool_calls", [{"id": item.get("call_id"), "type": "custom", "custom": custom}]


def _thinking(item: Mapping[str, Any]) -> tuple[str, Any]:
    said = [as_mapping(part) for name in ("summary", "content") for part in _items(item.get(name))]
    texts = [part.get("text") for part in said if part]
    return "reasoning_content", "".join(text for text in texts if isinstance(text, str))


_TURNS: Mapping[str, Callable[[Mapping[str, Any]], tuple[str, Any]]] = {
    "function_call": _function_call,
    "custom_tool_call": _custom_call,
    "reasoning": _thinking,
}


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _content(content: Any) -> Any:
    return [_part(part) for part in content] if isinstance(content, (list, tuple)) else content


def _part(value: Any) -> Any:
    """A part of a message's content in chat completions' form."""
    if isinstance(value, str):
        return {"type": "text", "text": value}
    part = as_mapping(value)
    if part is None:
        return value
    kind = part.get("type")
    if kind in ("input_text", "output_text"):
        return {"type": "text", "text": part.get("text")}
    if kind == "input_image" and part.get("image_url") is not None:
        return {"type": "image_url", "image_url": {"url": part["image_url"], "detail": part.get("detail", "auto")}}
    if kind == "input_file":
        return {"type": "file", "file": {name: each for name, each in part.items() if name != "type"}}
    return part


def _chat_tools(tools: Any, depth: int) -> Iterable[Any]:
    """Tools in chat completions' form, those in namespaces on their own; hosted ones as they are."""
    for value in tools:
        tool = as_mapping(value)
        kind = tool.get("type") if tool else None
        if tool is None or kind not in ("function", "custom", "namespace"):
            yield value if tool is None else tool
        elif kind == "namespace":
            yield from _chat_tools(_items(tool.get("tools")), depth - 1) if depth else ()
        else:
            yield {"type": kind, kind: {name: each for name, each in tool.items() if name != "type"}}


def _response_tool(value: Any) -> Any:
    tool = as_mapping(value) or {}
    kind = tool.get("type")
    inner = as_mapping(tool.get(kind)) if isinstance(kind, str) else None
    return value if inner is None else {"type": kind, **inner}


def _chat_choice(value: Any) -> Any:
    choice = as_mapping(value)
    kind = choice.get("type") if choice else None
    if choice is None or kind not in ("function", "custom"):
        return value if choice is None else choice
    return {"type": kind, kind: {"name": choice.get("name")}}


def _chat_format(value: Any) -> Any:
    wanted = as_mapping(value)
    if wanted is None or wanted.get("type") != "json_schema":
        return value if wanted is None else wanted
    return {"type": "json_schema", "json_schema": {name: each for name, each in wanted.items() if name != "type"}}
