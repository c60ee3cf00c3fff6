"""Answers that several tests share, read from the client's own objects."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from classifier.gates import Answer, read_answer
from classifier.request import make_request

# Any text at all, and text made of what gates look for.
any_text = st.text(st.characters(codec=None), max_size=300)
_PIECES = [
    "```", "```python\n", "~~~", "\n", "> ", '"', "“", "\\boxed{", "}", "\\frac", "{1}", "answer is ", "Answer:",
    "#### ", "1,000", "-3/0", "½", "{", "[", '"answer": ', "null", "I can't help with ", "i'm not sure ", "\u200b",
    "\ud800", "\0", "(B)", "|a|b|", "def f(:\n", "<a>", "答案是", "抱歉，我无法", "9" * 50, "`", "*", "$", "=",
    "$x^{2}$", "nan", "1e999", "true",
]  # fmt: skip
gate_text = st.lists(st.sampled_from(_PIECES), max_size=40).map("".join)
texts = any_text | gate_text


def completion(
    text: Any = "",
    *,
    finish_reason: str | None = "stop",
    tool_calls: list[tuple[str, str]] | None = None,
    refusal: str | None = None,
    logprobs: list[float] | None = None,
    tokens: tuple[int, int] = (3, 5),
) -> ChatCompletion:
    """A completion as the client would build it; it does not check what it is given."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": refusal}
    if tool_calls:
        message["tool_calls"] = [
            {"id": str(place), "type": "function", "function": {"name": name, "arguments": arguments}}
            for place, (name, arguments) in enumerate(tool_calls)
        ]
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish_reason, "message": message}
    if logprobs is not None:
        choice["logprobs"] = {
            "content": [{"token": "a", "logprob": each, "bytes": None, "top_logprobs": []} for each in logprobs]
        }
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    return ChatCompletion.construct(
        id="1", object="chat.completion", created=1, model="model", choices=[choice], usage=usage
    )


def answer(text: Any = "", prompt: str = "What is it?", **options: Any) -> Answer:
    """An answer to a prompt; ``arguments`` are more arguments of the call, the others are those of `completion`."""
    arguments = {"messages": [{"role": "user", "content": prompt}], **options.pop("arguments", {})}
    request = make_request(
        messages=arguments["messages"],
        max_tokens=arguments.get("max_tokens"),
        tools=arguments.get("tools"),
        response_format=arguments.get("response_format"),
    )
    return read_answer(completion(text, **options), tier="small", model="model-s", request=request, arguments=arguments)
