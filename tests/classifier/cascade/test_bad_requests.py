"""Whose fault an error is: the caller's own, one model's, or every tier's alike."""

from types import SimpleNamespace
from typing import Any

import openai
import pytest

from classifier.cascade import Budget
from classifier.cascade.failures import blames_request, is_bad_request
from classifier.gates import Check
from tests.helpers.cascades import GOOD, MESSAGES, ask, asked, by_tier, with_cascade
from tests.helpers.openai_server import Reply

both = pytest.mark.parametrize("kind", ["sync", "async"])
BLAMED = [
    Reply(status=400, error_message="Invalid type for 'messages': expected a list", error_code="invalid_type"),
    Reply(status=400, error_message="'messages' is a required property"),
    Reply(status=422, error_message="Field required"),
    Reply(status=400, error_message="We could not parse the JSON body of your request."),
    Reply(status=400, error_message="'messages' must contain the word 'json' to use this response_format."),
    Reply(status=400, error_message="messages.1: `tool_use` ids were found without `tool_result` blocks after them"),
    Reply(status=400, error_message="Invalid 'tools[0].function.name': string does not match pattern."),
    Reply(status=400, error_code="empty_array", error_message="Invalid 'messages': empty array, for this model."),
    Reply(status=400, error_message="[] is too short - 'messages'. Received Model Group=small"),
]
OF_ONE_MODEL = [
    Reply(status=400, error_code="context_length_exceeded"),
    Reply(status=400, error_message="prompt is too long: 210000 tokens > 200000 maximum"),
    Reply(status=400, error_message="Unsupported parameter: 'max_tokens' is not supported with this model."),
    Reply(status=400, error_message="The model `m` does not exist"),
    Reply(status=422, error_message="image input is not supported"),
    Reply(status=400, error_code="content_filter", error_message="filtered by content management policy"),
    Reply(status=400, error_message="messages: roles must alternate between 'user' and 'assistant'"),
    Reply(status=400, error_message="Invalid prompt: it was flagged as violating our usage policy."),
    Reply(status=400, error_code="tool_use_failed", error_message="Failed to call a function, which is required"),
]


@both
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reply", BLAMED, ids=lambda reply: reply.error_message[:20])
def test_a_request_that_is_wrong_for_everyone_is_asked_of_one_tier(kind, router, upstream, reply, stream):
    upstream.answer_with(lambda body: reply)
    with pytest.raises((openai.BadRequestError, openai.UnprocessableEntityError)):
        ask(kind, upstream, {"router": router, "gate": Check(lambda answer: True, name="any")}, stream=stream)
    # A stream that is refused is asked for once more without what the cascade has added to it.
    assert len(set(asked(upstream.calls))) == 1


@both
@pytest.mark.parametrize("reply", OF_ONE_MODEL, ids=lambda reply: reply.error_message[:20])
def test_what_one_model_cannot_do_is_asked_of_all(kind, router, upstream, reply):
    upstream.answer_with(by_tier(haiku=reply, sonnet=reply, opus=reply))
    assert ask(kind, upstream, {"router": router}).tier == "gemini"


@both
@pytest.mark.parametrize("status", [400, 422])
def test_a_refusal_that_does_not_say_whose_fault_it_is_is_believed_from_two_tiers(kind, router, upstream, status):
    upstream.answer_with(by_tier(haiku=Reply(status=status)))
    assert ask(kind, upstream, {"router": router}).response.choices[0].message.content == GOOD
    upstream.calls.clear()
    upstream.answer_with(lambda body: Reply(status=status))
    with pytest.raises((openai.BadRequestError, openai.UnprocessableEntityError)):
        ask(kind, upstream, {"router": router})
    assert len(upstream.calls) == 2


@both
def test_a_request_that_one_tier_took_is_not_bad_because_others_refuse_it(kind, router, upstream):
    upstream.answer_with(by_tier(haiku=Reply("a bad answer"), **dict.fromkeys(["sonnet", "opus"], BLAMED[0])))
    result = ask(kind, upstream, {"router": router})
    assert (result.tier, result.passed) == ("gemini", None)


@both
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "wrong", [{"no_such_argument": 1}, {"extra_body": {"x": object()}}], ids=["unknown", "no JSON"]
)
def test_what_goes_wrong_before_anything_is_sent_is_the_callers(kind, router, upstream, wrong, stream):
    budget, records = Budget(total=1.0), []

    class Store:
        def record(self, decision):
            records.append(decision)

    options = {"router": router, "budget": budget, "store": Store()}
    with pytest.raises(TypeError):
        with_cascade(kind, upstream, options, lambda cascade: cascade.run(messages=MESSAGES, stream=stream, **wrong))
    assert (upstream.calls, budget.spent_in_all, records) == ([], 0.0, [])


NUMBERS = [("temperature", 5, 1), ("temperature", 1.5, 4), ("top_p", -1, 1), ("n", 0, 1), ("top_logprobs", 9, 4)]


@pytest.mark.parametrize(("name", "value", "tiers"), NUMBERS)
def test_a_number_that_no_model_takes_is_asked_of_one_tier(router, upstream, name, value, tiers):
    upstream.answer_with(lambda body: Reply(status=400, error_message=f"{name}: above the maximum of this model"))
    with pytest.raises(openai.BadRequestError):
        ask("sync", upstream, {"router": router}, **{name: value})
    assert len(upstream.calls) == tiers


@both
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"extra_headers": {"x": "a\nb"}}, openai.APIConnectionError),
        ({"temperature": float("nan")}, ValueError),
        ({"response_format": dict}, TypeError),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, UnicodeEncodeError),
        ({"timeout": "soon"}, TypeError),
        ({"timeout": -1}, ValueError),
    ],
    ids=str,
)
def test_what_nobody_could_send_is_the_callers_as_the_client_raises_it(kind, router, upstream, wrong, error):
    budget, records = Budget(total=1.0), []

    class Store:
        def record(self, decision):
            records.append(decision)

    with pytest.raises(error):
        ask(kind, upstream, {"router": router, "budget": budget, "store": Store()}, **wrong)
    assert (upstream.calls, budget.spent_in_all, records) == ([], 0.0, [])


@both
def test_an_error_whose_fields_are_odd_is_an_error_like_others(kind, router, upstream):
    upstream.answer_with(lambda body: Reply(status=400, error_code=["a"]))
    with pytest.raises(openai.BadRequestError):
        ask(kind, upstream, {"router": router})


def detailed(*place, told="Field required", kind="missing"):
    """An error's body as FastAPI's servers send it, which quotes the request."""
    return {"detail": [{"loc": ["body", *place], "msg": told, "type": kind, "input": "which model is not supported?"}]}


@pytest.mark.parametrize(
    ("body", "for_all"),
    [
        (detailed("messages", 0, "content"), True),
        (detailed("tools", 1, "function", told="Input should be a valid dictionary"), True),
        ({"detail": "Field required: messages"}, True),
        ("'messages' is a required property", True),
        (detailed("reasoning_effort", told="Extra inputs are not permitted", kind="extra_forbidden"), False),
        ("this model does not support images", False),
        ("<html>", False),
        ([[]], False),
        ({"detail": [None, {"loc": 3, "msg": []}, {"loc": [None, ["x"]]}]}, False),
    ],
)
def test_errors_that_say_what_is_wrong_where_the_client_looks_for_no_message(body, for_all):
    response: Any = SimpleNamespace(status_code=422, headers={}, request=None)  # the client's own class goes by version
    error = openai.UnprocessableEntityError("Error code: 422", response=response, body=body)
    assert (is_bad_request(error, {}) and blames_request(error, {})) is for_all
