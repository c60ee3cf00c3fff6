import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from classifier import ConfigError
from classifier.gates import MatchesSchema, ValidJson, ValidToolCalls, run_gate
from classifier.gates.structure import INVALID, parse_json, requested_schema
from tests.helpers.answers import answer, texts
from tests.helpers.requests import json_values

CITY = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": "search", "parameters": CITY}},
    {"type": "function", "function": {"name": "now"}},
    {"type": "custom", "custom": {"name": "shell"}},
]


def asking(schema):
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": schema}}}


def judge(gate, text=None, **options):
    return run_gate(gate, answer(text, **options))


# ValidJson


@given(json_values.filter(lambda value: "NaN" not in json.dumps(value) and "Infinity" not in json.dumps(value)))
def test_json_of_any_value(value):
    text = json.dumps(value)
    assert judge(ValidJson(), text).passed
    assert not judge(ValidJson(), f"Here it is: {text}").passed
    assert judge(ValidJson(fences=True), f"```json\n{text}\n```").passed
    assert not judge(ValidJson(), f"```json\n{text}\n```").passed


@pytest.mark.parametrize(
    "text", ["", "NaN", "[Infinity]", "{'a': 1}", "{} {}", "[1,]", "[" * 100_000, "9" * 5000, "\ud800"]
)
def test_what_is_no_json(text):
    verdict = judge(ValidJson(), text)
    assert (verdict.score, verdict.passed) == (0, False)


def test_tool_calls_without_text_need_be_no_json():
    calls = [("search", "{}")]
    assert judge(ValidJson(), None, tool_calls=calls).passed
    assert not judge(ValidJson(), "so be it", tool_calls=calls).passed


@given(texts)
def test_any_text(text):
    for gate in (ValidJson(fences=True), MatchesSchema(CITY, fences=True), MatchesSchema(), ValidToolCalls()):
        assert 0 <= judge(gate, text, arguments=asking(CITY)).score <= 1
    assert parse_json(text) is INVALID or json.loads(text) is not INVALID


# MatchesSchema


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ('{"name": "Paris"}', True),
        ('{"name": 7}', False),
        ("{}", False),
        ('{"name": "a", "b": 1}', False),
        ("no", False),
    ],
)
def test_a_schema_of_ones_own_and_the_requests(text, passed):
    assert judge(MatchesSchema(CITY), text).passed is passed
    assert judge(MatchesSchema(), text, arguments=asking(CITY)).passed is passed


def test_reasons_name_the_rule_but_nothing_of_the_answer():
    verdict = judge(MatchesSchema(CITY), '{"name": "a", "secret": "secret"}')
    assert verdict.reason == "breaks a rule of the schema: additionalProperties"


def test_without_a_schema_everything_passes():
    assert judge(MatchesSchema(), "no JSON at all").score == 1
    assert judge(MatchesSchema(), "no JSON", arguments={"response_format": {"type": "text"}}).passed


def test_a_json_object_is_any_object():
    wanted = {"response_format": {"type": "json_object"}}
    assert [judge(MatchesSchema(), text, arguments=wanted).passed for text in ("{}", "[]", "x")] == [True, False, False]


def test_a_model_given_as_the_format():
    class City(BaseModel):
        name: str

    assert requested_schema({"response_format": City})["required"] == ["name"]
    assert not judge(MatchesSchema(), "{}", arguments={"response_format": City}).passed


def test_a_fenced_block_only_where_allowed():
    text = '```json\n{"name": "Paris"}\n```'
    assert judge(MatchesSchema(CITY, fences=True), text).passed
    assert not judge(MatchesSchema(CITY), text).passed


def test_tool_calls_in_place_of_the_json():
    assert judge(MatchesSchema(), None, tool_calls=[("search", "{}")], arguments=asking(CITY)).passed


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"required": "name"}, {"properties": []}, {"pattern": "("}])
def test_a_schema_that_is_none(schema):
    with pytest.raises(ConfigError, match="is no valid JSON schema; check it"):
        MatchesSchema(schema)
    verdict = judge(MatchesSchema(), "{}", arguments=asking(schema))
    assert (verdict.score, verdict.passed) == (0.5, True)


@pytest.mark.parametrize("schema", [{"$ref": "http://127.0.0.1:9/schema.json"}, {"$ref": "#/$defs/absent"}])
def test_schemas_that_fail_when_used(schema):
    # Nothing may be fetched: jsonschema itself would, and warn of it, which fails this test.
    assert judge(MatchesSchema(), '"a"', arguments=asking(schema)).score == 0.5
    assert not judge(MatchesSchema(schema), '"a"').passed


def test_references_inside_a_schema_are_followed():
    schema = {"$ref": "#/$defs/city", "$defs": {"city": CITY}}
    assert judge(MatchesSchema(schema), '{"name": "a"}').passed
    assert not judge(MatchesSchema(schema), "{}").passed


def test_endless_and_deep_nesting():
    assert not judge(MatchesSchema({"$ref": "#"}), "{}").passed
    nested = {"items": {"$ref": "#"}}
    assert judge(MatchesSchema(nested), "[" * 500 + "]" * 500).reason == "too deeply nested to check"


def test_older_drafts_are_known_by_their_name():
    draft4 = {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 5, "exclusiveMinimum": True}
    assert [judge(MatchesSchema(draft4), text).passed for text in ("5", "6")] == [False, True]


# ValidToolCalls


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (("search", '{"name": "Paris"}'), None),
        (("now", ""), None),
        (("now", '{"any": 1}'), None),
        (("search", "{}"), "arguments: breaks a rule of the schema: required"),
        (("search", '{"name": '), "arguments that are no JSON object"),
        (("search", "[]"), "arguments that are no JSON object"),
        (("secret", "{}"), "a tool that was not offered"),
    ],
)
def test_tool_calls(call, reason):
    verdict = judge(ValidToolCalls(), None, tool_calls=[call], arguments={"tools": TOOLS})
    assert verdict.passed == (reason is None)
    assert verdict.reason == (reason or "every call can be carried out")


def test_the_score_is_the_share_of_good_calls():
    calls = [("now", "{}"), ("search", "x"), ("now", "{}"), ("now", "{}")]
    verdict = judge(ValidToolCalls(), None, tool_calls=calls, arguments={"tools": TOOLS})
    assert (verdict.score, verdict.passed) == (0.75, False)


def test_arguments_of_custom_tools_are_free_text():
    from dataclasses import replace

    from classifier.gates import ToolCall

    found = replace(answer(None, arguments={"tools": TOOLS}), tool_calls=(ToolCall("shell", "ls -l", custom=True),))
    assert run_gate(ValidToolCalls(), found).passed


def test_the_former_way_to_offer_functions():
    arguments = {"functions": [{"name": "search", "parameters": CITY}]}
    assert judge(ValidToolCalls(), None, tool_calls=[("search", '{"name": "a"}')], arguments=arguments).passed
    assert not judge(ValidToolCalls(), None, tool_calls=[("search", "{}")], arguments=arguments).passed


@pytest.mark.parametrize(
    ("choice", "passed"),
    [("auto", True), (None, True), ("required", False), ({"type": "function", "function": {"name": "search"}}, False)],
)
def test_a_call_that_is_demanded_must_be_there(choice, passed):
    assert judge(ValidToolCalls(), "Paris", arguments={"tools": TOOLS, "tool_choice": choice}).passed is passed


@pytest.mark.parametrize("parameters", [{"type": "nonsense"}, "text", None, {"$ref": "#/nowhere"}])
def test_parameters_that_cannot_be_used_are_not_held_against_a_call(parameters):
    tools = [{"type": "function", "function": {"name": "search", "parameters": parameters}}]
    assert judge(ValidToolCalls(), None, tool_calls=[("search", "{}")], arguments={"tools": tools}).passed


@given(st.lists(json_values, max_size=3), st.text(max_size=20))
def test_any_tools_and_arguments(tools, written):
    verdict = judge(ValidToolCalls(), None, tool_calls=[("search", written)], arguments={"tools": tools})
    assert 0 <= verdict.score <= 1
