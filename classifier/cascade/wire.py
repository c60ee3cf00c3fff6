"""Calls as the openai clients take them, and what comes back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from inspect import signature
from typing import Any, TypeVar, cast

import openai
import pydantic
from openai import AsyncOpenAI, BaseModel, OpenAI
from openai.types.chat import ChatCompletion

from classifier.cascade.bodies import count_values
from classifier.cascade.calls import Call, NotSentError
from classifier.cascade.deadline import Underway, underway
from classifier.cascade.failures import UnreadableAnswerError, for_caller
from classifier.cascade.limits import AnswerLimits
from classifier.catalog import Tier
from classifier.errors import MalformedAnswerError, RouterError

Model = TypeVar("Model", bound=BaseModel)

_RESPONSE = "_tierwise_response"
_USUAL_LIMITS = AnswerLimits()
_NO_REQUEST = cast(Any, None)  # of an error: there is none yet, or none that could be told
_MOST_CHOICES = 128  # as the protocol allows
_WITHOUT_LOGPROBS = 5  # a fifth of the values will do where no log-probabilities were asked for
_MOST_ITEMS = 1024  # tool calls, annotations and so on, of a choice
_MOST_DIGITS = 400  # of a whole number; more are infinite as a float
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # brackets in one are none
_ONE_PAIR = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def call_arguments(call: Call, client: OpenAI | AsyncOpenAI) -> dict[str, Any]:
    """Arguments of the resource's ``create``."""
    arguments = {**_tier_arguments(call, client), "model": call.tier.model}
    if call.timeout is not None:
        arguments["timeout"] = _limits(client, call)
    options = arguments.pop("stream_options", None)
    if call.stream:
        arguments["stream"] = True
        count = call.count and call.api.counts_wanted and "stream_options" not in call.tier.arguments.dropped
        if count or options:
            arguments["stream_options"] = {**(options or {}), **({"include_usage": True} if count else {})}
    return arguments


def readable_once(arguments: dict[str, Any], *names: str) -> None:
    """Replace what can be read only once, such as a generator of messages, by a list."""
    for name in names:
        value = arguments.get(name)
        if value is None or isinstance(value, (list, tuple, str, dict)):
            continue
        if isinstance(value, Iterable) and not isinstance(value, Sequence | Mapping | pydantic.BaseModel):
            arguments[name] = list(value)


def _tier_arguments(call: Call, client: OpenAI | AsyncOpenAI) -> dict[str, Any]:
    """The call's arguments as the tier takes them; what the client has no parameter for goes into the body as it is."""
    wanted = call.api.of_tier(call.tier)
    if not wanted:
        return dict(call.arguments)
    arguments = wanted.apply(call.arguments)
    known = _parameters(cast(Any, type(call.api.resource(client))))
    others = {name: arguments.pop(name) for name in wanted.added() - known if name in arguments}
    if others:
        arguments["extra_body"] = {**(arguments.get("extra_body") or {}), **others}
    return arguments


@cache
def _parameters(resource: Any) -> frozenset[str]:
    """What a resource's ``create`` takes."""
    return frozenset(signature(resource.create).parameters)


def _limits(client: OpenAI | AsyncOpenAI, call: Call) -> openai.Timeout:
    """The client's own limits, none above what the call may take; of a stream's chunks, above what a gap may."""
    own = client.timeout
    if not isinstance(own, openai.Timeout):
        own = openai.Timeout(own)
    most = call.timeout
    read = call.gap if call.stream else most
    return openai.Timeout(
        connect=_least(own.connect, most),
        read=_least(own.read, read),
        write=_least(own.write, most),
        pool=_least(own.pool, most),
    )


def _least(*limits: float | None) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)


def wants_usage(arguments: Mapping[str, Any]) -> bool:
    """Whether a stream's last chunk, with the token counts, was asked for: by the protocol, or as some upstreams do."""
    body = arguments.get("extra_body")
    extra = body if isinstance(body, Mapping) else {}
    asked = [(arguments, "stream_options", "include_usage"), (extra, "stream_options", "include_usage")]
    return any(_is_set(where.get(name), part) for where, name, part in [*asked, (extra, "usage", "include")])


def _is_set(options: Any, name: str) -> bool:
    return isinstance(options, Mapping) and bool(options.get(name))


def parse_completion(body: bytes, response: Any, call: Call, limits: AnswerLimits = _USUAL_LIMITS) -> ChatCompletion:
    """A completion as the client itself would make it; what the upstream sends beside the protocol is kept.

    Choices that nobody could read, such as null or one whose message is no object, are left out.

    Parameters
    ----------
    body : as it came, unpacked.

    Raises
    ------
    MalformedAnswerError : the body is no JSON object, or is nested too deep.
    """
    data = parse_object(body, call, limits, logprobs=bool(call.arguments.get("logprobs")))
    choices = data.get("choices")
    readable = list(filter(_is_readable, choices[:_MOST_CHOICES])) if isinstance(choices, list) else []
    return construct(ChatCompletion, {**data, "choices": readable}, response, call)


def parse_object(body: bytes, call: Call, limits: AnswerLimits, *, logprobs: bool) -> dict[str, Any]:
    """A JSON object, without names that are the client's own.

    Parameters
    ----------
    logprobs : log-probabilities were asked for, which take many values.

    Raises
    ------
    MalformedAnswerError : the body is none, or is nested too deep.
    """
    check_nesting(body, limits, limits.values if logprobs else limits.values // _WITHOUT_LOGPROBS)
    data = _parsed(body)
    if not isinstance(data, dict):
        raise MalformedAnswerError(f"{call.tier.name}: the upstream's answer is no JSON object; check its address")
    return {name: value for name, value in data.items() if not name.startswith("_")}


def construct(kind: type[Model], data: Mapping[str, Any], response: Any, call: Call) -> Model:
    """One of the client's objects, which knows the response that it was read from.

    Raises
    ------
    MalformedAnswerError : the client cannot make one.
    """
    try:
        made = kind.construct(**data)
        made._request_id = response.request_id
        object.__setattr__(made, _RESPONSE, response.http_response)
    except Exception as error:
        raise MalformedAnswerError(
            f"{call.tier.name}: the upstream's answer is no completion; check its address"
        ) from error
    return made


def _is_readable(choice: Any) -> bool:
    """Whether a choice has a message, and no list in it that the client would take seconds to read."""
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        return False
    return all(len(each) <= _MOST_ITEMS for each in choice["message"].values() if isinstance(each, list))


def _parsed(body: bytes) -> Any:
    """JSON; None for anything else."""
    try:
        return json.loads(body)
    except RecursionError:
        return None
    except ValueError:
        pass
    try:  # a number with too many digits for Python is none that matters
        return json.loads(body, parse_int=_integer)
    except (ValueError, RecursionError):
        return None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < _MOST_DIGITS else float(digits)


def check_nesting(body: bytes, limits: AnswerLimits, most_values: int) -> None:
    """Refuse JSON that would take too much room, or too many frames of the stack, before it is parsed.

    Raises
    ------
    MalformedAnswerError : it has more values, or more lists and objects in each other, than the limits say.
    """
    values = count_values(body)
    if values > most_values:
        raise MalformedAnswerError(
            f"the upstream's answer has more than {most_values:,} values; "
            "if that is meant, raise AnswerLimits(values=...)"
        )
    if values <= limits.depth:
        return
    marks = _STRING.sub(b"", body).translate(_ONE_PAIR, _NO_BRACKETS)
    for _ in range(limits.depth):  # each turn takes the innermost away
        if not marks:
            return
        marks = marks.replace(b"[]", b"")
    if marks:
        raise MalformedAnswerError(
            f"the upstream's answer is nested more than {limits.depth} deep, or cut off; "
            "if it is meant to be so deep, raise AnswerLimits(depth=...)"
        )


def http_response(completion: Any) -> Any:
    """The response that a completion was read from; None for one of other origin."""
    return getattr(completion, _RESPONSE, None)


@contextmanager
def calling(call: Call) -> Iterator[None]:
    """Make a call within its time, and raise what goes wrong as the client raises it: its libraries differ by version.

    Raises
    ------
    openai.OpenAIError : as the client; `APITimeoutError` where the time is up.
    MalformedAnswerError : what came is no answer, or above the limits.
    NotSentError : something was wrong with the arguments before anything was sent.
    """
    with underway(call.timeout, stream=call.stream) as state, _translating(state):
        yield


@contextmanager
def waiting(gap: float | None) -> Iterator[None]:
    """Wait for a stream's next chunk, so many seconds at most; raises as `calling`."""
    with underway(gap, stream=True) as state, _translating(state):
        state.sent = True
        yield


@contextmanager
def _translating(state: Underway) -> Iterator[None]:
    try:
        yield
    except (StopIteration, StopAsyncIteration):
        raise
    except Exception as error:
        known = _known(error, state)
        if known is error:
            raise
        raise known from error


def _known(error: Exception, state: Underway) -> Exception:
    """The same as an error that callers know."""
    inner = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
    if type(inner).__name__ == "LocalProtocolError" and "header" in str(inner):  # one that nobody could send
        return NotSentError(error)
    if isinstance(inner, RouterError | TimeoutError) or not isinstance(error, openai.OpenAIError):
        error = cast(Exception, inner)
    if isinstance(error, TimeoutError):
        return _timed_out()
    if isinstance(error, openai.OpenAIError | MalformedAnswerError):
        return for_caller(error)
    if not state.sent:
        return NotSentError(error)
    if type(error).__name__.endswith("Timeout"):
        return _timed_out()
    if isinstance(error, ValueError | TypeError | LookupError | AttributeError | RecursionError):
        return UnreadableAnswerError("the upstream's answer cannot be read; check its address")
    return openai.APIConnectionError(request=_NO_REQUEST)


def _timed_out() -> openai.APITimeoutError:
    return openai.APITimeoutError(request=_NO_REQUEST)


def empty_stream(tier: Tier) -> MalformedAnswerError:
    """What to raise for a stream that says nothing."""
    return MalformedAnswerError(f"{tier.name}: the upstream's stream ended before it said anything; check its address")
