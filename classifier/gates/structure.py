"""Is the answer valid JSON, does it follow its schema, and are its tool calls such as the tools accept?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema
import referencing
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from classifier.errors import ConfigError
from classifier.gates.answer import Answer, ToolCall
from classifier.gates.fences import sole_block
from classifier.gates.gate import SimpleGate, Verdict

# An own registry, since jsonschema's default one fetches what a schema refers to from the network.
_REGISTRY: referencing.Registry[Any] = referencing.Registry()


@dataclass(frozen=True, slots=True)
class ValidJson(SimpleGate):
    """Passes an answer that is one JSON value (RFC 8259: no NaN, nothing before or after it).

    Parameters
    ----------
    fences : let it stand in a fenced code block that is the whole answer.

    An answer of tool calls without text passes: there is nothing to be JSON.
    """

    fences: bool = False
    name: str = "valid JSON"

    def judge(self, answer: Answer) -> Verdict:
        """Parse the text."""
        if _only_calls(answer):
            return self.verdict(1.0, True, "tool calls without text")
        valid = parse_json(_payload(answer.text, self.fences)) is not INVALID
        return self.verdict(float(valid), valid, "valid JSON" if valid else "no valid JSON")


@dataclass(frozen=True, slots=True)
class MatchesSchema(SimpleGate):
    """Passes an answer that is JSON and follows a JSON schema.

    Parameters
    ----------
    schema : the schema; None: the one that the request's own ``response_format`` asks for. A request that asks for
        none passes; one that asks for a JSON object must get any object.
    fences : let the JSON stand in a fenced code block that is the whole answer.

    ``$schema`` chooses the draft, by default 2020-12. ``format`` is not checked, and nothing is fetched: a reference to
    another document cannot be followed. Where the request's own schema cannot be used the answer passes with a score of
    0.5. An answer of tool calls without text passes.

    Raises
    ------
    ConfigError : the schema given is none.
    """

    schema: Mapping[str, Any] | None = None
    fences: bool = False
    name: str = "schema"
    _validator: Validator | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            validator = None if self.schema is None else _validator(self.schema)
        except _UnusableSchemaError as error:
            raise ConfigError(f"MatchesSchema: the schema {error}; check it against its meta-schema") from error
        object.__setattr__(self, "_validator", validator)

    def judge(self, answer: Answer) -> Verdict:
        """Parse the text and check it."""
        wanted = requested_schema(answer.arguments) if self.schema is None else self.schema
        if wanted is None:
            return self.verdict(1.0, True, "no schema was asked for")
        if _only_calls(answer):
            return self.verdict(1.0, True, "tool calls without text")
        value = parse_json(_payload(answer.text, self.fences))
        if value is INVALID:
            return self.verdict(0.0, False, "no valid JSON")
        try:
            fault = _fault(self._validator or _validator(wanted), value)
        except _UnusableSchemaError as error:
            return self.verdict(0.5 if self.schema is None else 0.0, self.schema is None, f"the schema {error}")
        return self.verdict(float(fault is None), fault is None, fault or "follows the schema")


@dataclass(frozen=True, slots=True)
class ValidToolCalls(SimpleGate):
    """Passes an answer whose tool calls can be carried out.

    Each must name a tool that the request offers, with JSON arguments that follow the tool's parameters; the arguments
    of custom tools are free text. Where ``tool_choice`` demands a call there must be one. Else an answer without calls
    passes. The score is the share of calls that can be carried out.
    """

    name: str = "tool calls"

    def judge(self, answer: Answer) -> Verdict:
        """Check each call."""
        if not answer.tool_calls:
            demanded = _demands_call(answer.arguments.get("tool_choice"))
            return self.verdict(float(not demanded), not demanded, "no tool calls" + " though demanded" * demanded)
        offered = dict(_offered(answer.arguments))
        faults = [_call_fault(call, offered) for call in answer.tool_calls]
        found = next((fault for fault in faults if fault is not None), None)
        return self.verdict(faults.count(None) / len(faults), found is None, found or "every call can be carried out")


class _UnusableSchemaError(Exception):
    """A schema against which nothing can be checked; says why, after "the schema"."""


class _Invalid:
    """The type of `INVALID`."""


INVALID = _Invalid()


def parse_json(text: str) -> Any:
    """The value of a JSON text, or `INVALID`; never raises."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return INVALID


def requested_schema(arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The JSON schema that the arguments of a call ask the answer to follow, or None."""
    wanted = arguments.get("response_format")
    if isinstance(wanted, Mapping):
        if wanted.get("type") == "json_object":
            return {"type": "object"}
        inner = wanted.get("json_schema") if wanted.get("type") == "json_schema" else None
        schema = inner.get("schema") if isinstance(inner, Mapping) else None
        return schema if isinstance(schema, Mapping) else None
    # A pydantic model given as the format, which the client turns into a schema itself.
    make = getattr(wanted, "model_json_schema", None)
    schema = make() if callable(make) else None
    return schema if isinstance(schema, Mapping) else None


def _refuse(constant: str) -> Any:
    raise ValueError("no JSON constant")


def _only_calls(answer: Answer) -> bool:
    return bool(answer.tool_calls) and not answer.text.strip()


def _payload(text: str, fences: bool) -> str:
    block = sole_block(text) if fences else None
    return text if block is None else block.code


def _validator(schema: Mapping[str, Any]) -> Validator:
    """What checks values against a schema; raises an _UnusableSchemaError where it is no valid one."""
    try:
        kind = validator_for(schema, default=jsonschema.Draft202012Validator)
        kind.check_schema(dict(schema))
        return kind(dict(schema), registry=_REGISTRY)
    except (jsonschema.SchemaError, RecursionError, TypeError, AttributeError) as error:
        raise _UnusableSchemaError("is no valid JSON schema") from error


def _fault(validator: Validator, value: Any) -> str | None:
    """What is wrong with a value, in the words of the schema language alone; raises an _UnusableSchemaError."""
    try:
        error = next(validator.iter_errors(value), None)
    except referencing.exceptions.Unresolvable as failure:
        raise _UnusableSchemaError("refers to what cannot be found") from failure
    except RecursionError:
        return "too deeply nested to check"
    return None if error is None else f"breaks a rule of the schema: {error.validator}"


def _demands_call(choice: Any) -> bool:
    return choice == "required" or (isinstance(choice, Mapping) and choice.get("type") in ("function", "custom"))


def _offered(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tools on offer: name and definition."""
    tools, functions = arguments.get("tools"), arguments.get("functions")
    definitions = [tool.get(kind) for tool in _mappings(tools) for kind in ("function", "custom")]
    for definition in _mappings([*definitions, *_mappings(functions)]):
        name = definition.get("name")
        if isinstance(name, str):
            yield name, definition


def _mappings(values: Any) -> list[Mapping[str, Any]]:
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, (list, tuple)) else []


def _call_fault(call: ToolCall, offered: Mapping[str, Mapping[str, Any]]) -> str | None:
    if call.name not in offered:
        return "a tool that was not offered"
    if call.custom:
        return None
    value = parse_json(call.arguments or "{}")  # some models write nothing where there are no arguments
    if not isinstance(value, dict):
        return "arguments that are no JSON object"
    parameters = offered[call.name].get("parameters")
    if not isinstance(parameters, Mapping):
        return None
    try:
        fault = _fault(_validator(parameters), value)
    except _UnusableSchemaError:
        return None
    return None if fault is None else f"arguments: {fault}"
