"""The Responses API: ``client.responses``. Importing this needs a client that has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openai.types.responses import Response

from classifier.arguments import Arguments
from classifier.cascade.calls import Api, Call
from classifier.cascade.chat_form import as_chat, as_mapping, as_response, wants_logprobs, with_logprobs
from classifier.cascade.limits import AnswerLimits
from classifier.cascade.response_answers import FAILED, failed, read_response, readable_items
from classifier.cascade.response_events import ResponseCollected, response_events
from classifier.cascade.wire import construct, parse_object, readable_once
from classifier.catalog import Tier
from classifier.gates import Answer
from classifier.request import Request


class ResponsesApi(Api):
    """The API that keeps conversations at the provider, where it is asked to."""

    name, path, counts_wanted, last = "responses", "/responses", False, b""

    def resource(self, client: Any) -> Any:
        """``client.responses``."""
        return client.responses

    def as_chat(self, arguments: dict[str, Any], earlier: Sequence[Any] = ()) -> Mapping[str, Any]:
        """Messages from the instructions, what was said earlier, and the input; tools and format as there."""
        readable_once(arguments, "input", "tools")
        return as_chat(arguments, earlier)

    def earlier(self, arguments: Mapping[str, Any]) -> str | None:
        """The previous response's id, or the conversation's."""
        found = arguments.get("previous_response_id") or _conversation(arguments)
        return found if isinstance(found, str) else None

    def references(self, arguments: Mapping[str, Any], answer_id: object) -> Sequence[str]:
        """The answer's id, and the conversation's."""
        if arguments.get("store") is False:
            return ()
        return [each for each in (answer_id, _conversation(arguments)) if isinstance(each, str)]

    def is_final(self, arguments: Mapping[str, Any]) -> bool:
        """In the background there is nothing yet to judge; a conversation would keep answers that were turned down."""
        return bool(arguments.get("background") or arguments.get("conversation"))

    def with_needs(self, arguments: Mapping[str, Any], needs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Both together, the needs in this API's words."""
        needed = as_response({name: value for name, value in needs.items() if name != "logprobs"})
        return {**(with_logprobs(arguments) if needs.get("logprobs") else arguments), **needed}

    def asked(
        self, wanted: Mapping[str, Any], arguments: Mapping[str, Any], as_chat: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The request's own arguments with what is to differ, or what is wanted in this API's words."""
        if wanted.get("messages") is not as_chat["messages"]:
            return as_response(wanted)
        differing = {name: value for name, value in wanted.items() if as_chat.get(name) is not value}
        return {**arguments, **as_response(differing)}

    def parse(self, body: bytes, response: Any, call: Call, limits: AnswerLimits) -> Response:
        """A `Response`, without items that nobody could read; one that has failed is raised."""
        data = parse_object(body, call, limits, logprobs=wants_logprobs(call.arguments))
        made = construct(Response, {**data, "output": readable_items(data.get("output"))}, response, call)
        if made.status in FAILED:
            raise failed(made.error)
        return made

    def read(self, completion: Any, *, tier: str, model: str, request: Request, arguments: Mapping[str, Any]) -> Answer:
        """Text, calls and refusal of all its output."""
        return read_response(completion, tier=tier, model=model, request=request, arguments=arguments)

    def of_tier(self, tier: Tier) -> Arguments:
        """Limits, effort and the like go by other names here."""
        return tier.arguments.for_responses()

    def collector(self, usage_shown: bool) -> ResponseCollected:
        """For events; the last one always has the usage."""
        return ResponseCollected()

    def events(self, completion: Any, usage_shown: bool) -> list[Any]:
        """Events, item by item."""
        return response_events(completion)


def _conversation(arguments: Mapping[str, Any]) -> Any:
    """The id of the conversation that a request belongs to."""
    conversation = arguments.get("conversation")
    named = as_mapping(conversation)
    return conversation if named is None else named.get("id")


RESPONSES = ResponsesApi()
