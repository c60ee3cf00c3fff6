"""Chat completions: ``client.chat.completions``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk

from classifier.arguments import Arguments
from classifier.cascade.calls import Api, Call
from classifier.cascade.limits import AnswerLimits
from classifier.cascade.streams import Collected, chunks
from classifier.cascade.wire import parse_completion, readable_once
from classifier.catalog import Tier
from classifier.gates import Answer, read_answer
from classifier.request import Request


class ChatApi(Api):
    """The API whose form everything else is brought to."""

    name, path, counts_wanted, last = "chat.completions", "/chat/completions", True, b"data: [DONE]\n\n"

    def resource(self, client: Any) -> Any:
        """``client.chat.completions``."""
        return client.chat.completions

    def as_chat(self, arguments: dict[str, Any], earlier: Sequence[Any] = ()) -> Mapping[str, Any]:
        """The arguments themselves."""
        readable_once(arguments, "messages", "tools", "functions")
        return arguments

    def with_needs(self, arguments: Mapping[str, Any], needs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Both together; what the gate needs has its way."""
        return {**arguments, **needs}

    def asked(
        self, wanted: Mapping[str, Any], arguments: Mapping[str, Any], as_chat: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What is wanted, as it is."""
        return wanted

    def parse(self, body: bytes, response: Any, call: Call, limits: AnswerLimits) -> ChatCompletion:
        """A `ChatCompletion`; see `parse_completion`."""
        return parse_completion(body, response, call, limits)

    def read(self, completion: Any, *, tier: str, model: str, request: Request, arguments: Mapping[str, Any]) -> Answer:
        """Its first usable choice; see `classifier.gates.read_answer`."""
        return read_answer(completion, tier=tier, model=model, request=request, arguments=arguments)

    def of_tier(self, tier: Tier) -> Arguments:
        """As the menu says it."""
        return tier.arguments

    def collector(self, usage_shown: bool) -> Collected:
        """For chunks."""
        return Collected(usage_shown)

    def events(self, completion: Any, usage_shown: bool) -> list[ChatCompletionChunk]:
        """Chunks."""
        return chunks(completion, usage_shown)


CHAT = ChatApi()
