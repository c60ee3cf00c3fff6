"""Is the answer valid JSON, does it follow its schema, and are its tool calls such as the tools accept?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from classifier.errors import ConfigError
from classifier.gates.answer import Answer, ToolCall
from classifier.gates.fences import sole_block
from classifier.gates.gate import SimpleGate, Verdict
from classifier.gates.json_text import INVALID, MOST_JSON_CHARS, parse_json
from classifier.gates.schemas import (
    OWN_SCHEMA_STEPS,
    SCHEMA_STEPS,
    Checker,
    UncheckedError,
    UnusableSchemaError,
    Work,
    make_checker,
)

_TOO_LONG = "too long to check"


@dataclass(frozen=True, slots=True)
class ValidJson(SimpleGate):
    """Passes an answer that is one JSON value (RFC 8259: no NaN, nothing before or after it).

    Parameters
    ----------
    fences : let it stand in a fenced code block that is the whole answer.

    An answer of tool calls without text passes: there is nothing to be JSON. One of more than 300,000 characters
    cannot be checked, and passes with a score of 0.5.
    """

    fences: bool = False
    name: str = "valid JSON"

    def judge(self, answer: Answer) -> Verdict:
        """Parse the text."""
        if _only_calls(answer):
            return self.verdict(1.0, True, "tool calls without text")
        payload = _payload(answer.text, self.fences)
        if len(payload) > MOST_JSON_CHARS:
            return self.verdict(0.5, True, _TOO_LONG)
        valid = parse_json(payload) is not INVALID
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
    0.5, and so does one that cannot be checked within bounds: JSON of more than 300,000 characters, or a schema and
    an answer that take more than some 0.1 s. Patterns are RE2's; one that it does not support (looking around,
    referring back) is not checked. An answer of tool calls without text passes.

    Raises
    ------
    ConfigError : the schema given is none.
    """

    schema: Mapping[str, Any] | None = None
    fences: bool = False
    name: str = "schema"
    _checker: Checker | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            checker = None if self.schema is None else make_checker(self.schema, Work(OWN_SCHEMA_STEPS))
        except UnusableSchemaError as error:
            raise ConfigError(f"MatchesSchema: the schema {error}; check it against its meta-schema") from error
        except UncheckedError as error:
            raise ConfigError(f"MatchesSchema: {error}; make it smaller") from error
        object.__setattr__(self, "_checker", checker)

    def judge(self, answer: Answer) -> Verdict:
        """Parse the text and check it."""
        wanted = requested_schema(answer.arguments) if self.schema is None else self.schema
        if wanted is None:
            return self.verdict(1.0, True, "no schema was asked for")
        if _only_calls(answer):
            return self.verdict(1.0, True, "tool calls without text")
        payload = _payload(answer.text, self.fences)
        if len(payload) > MOST_JSON_CHARS:
            return self.verdict(0.5, True, _TOO_LONG)
        value = parse_json(payload)
        if value is INVALID:
            return self.verdict(0.0, False, "no valid JSON")
        try:
            fault = (self._checker or make_checker(wanted)).fault(value, Work())
        except UnusableSchemaError as error:
            return self.verdict(0.5 if self.schema is None else 0.0, self.schema is None, f"the schema {error}")
        except UncheckedError as error:
            return self.verdict(0.5, True, str(error))
        return self.verdict(float(fault is None), fault is None, fault or "follows the schema")


@dataclass(frozen=True, slots=True)
class ValidToolCalls(SimpleGate):
    """Passes an answer whose tool calls can be carried out.

    Each must name a tool that the request offers, with JSON arguments that follow the tool's parameters; the arguments
    of custom tools are free text. Where ``tool_choice`` demands a call there must be one. Else an answer without calls
    passes. The score is the share of calls that can be carried out. Arguments that cannot be checked within the bounds
    of `MatchesSchema` count as sound.
    """

    name: str = "tool calls"

    def judge(self, answer: Answer) -> Verdict:
        """Check each call."""
        if not answer.tool_calls:
            demanded = _demands_call(answer.arguments.get("tool_choice"))
            return self.verdict(float(not demanded), not demanded, "no tool calls" + " though demanded" * demanded)
        if sum(len(call.arguments) for call in answer.tool_calls) > MOST_JSON_CHARS:
            return self.verdict(0.5, True, _TOO_LONG)
        offered = _Offered(answer.arguments)
        faults = list(map(offered.fault, answer.tool_calls))
        found = next((fault for fault in faults if fault is not None), None)
        return self.verdict(faults.count(None) / len(faults), found is None, found or "every call can be carried out")


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


def _only_calls(answer: Answer) -> bool:
    return bool(answer.tool_calls) and not answer.text.strip()


def _payload(text: str, fences: bool) -> str:
    block = sole_block(text) if fences else None
    return text if block is None else block.code


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


class _Offered:
    """The tools that a request offers, for the calls of one answer."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._tools = dict(_offered(arguments))
        self._checkers: dict[str, Checker | None] = {}
        self._grammar_work, self._work = Work(SCHEMA_STEPS, shared=True), Work()

    def fault(self, call: ToolCall) -> str | None:
        """What is wrong with a call, or None."""
        if call.name not in self._tools:
            return "a tool that was not offered"
        if call.custom:
            return None
        value = parse_json(call.arguments or "{}")  # some models write nothing where there are no arguments
        if not isinstance(value, dict):
            return "arguments that are no JSON object"
        if call.name not in self._checkers:
            self._checkers[call.name] = self._checker(self._tools[call.name].get("parameters"))
        checker = self._checkers[call.name]
        try:
            fault = None if checker is None else checker.fault(value, self._work)
        except (UnusableSchemaError, UncheckedError):
            return None
        return None if fault is None else f"arguments: {fault}"

    def _checker(self, parameters: Any) -> Checker | None:
        try:
            return make_checker(parameters, self._grammar_work) if isinstance(parameters, Mapping) else None
        except (UnusableSchemaError, UncheckedError):
            return None
