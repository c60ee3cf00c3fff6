import json
import time

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import ConfigError
from classifier.gates import MatchesSchema, ValidToolCalls, run_gate
from classifier.gates.schemas import Checker, UncheckedError, UnusableSchemaError, Work, make_checker
from tests.helpers.answers import answer
from tests.helpers.requests import json_values


def verdict(schema, value):
    return verdict_on_text(schema, json.dumps(value))


def verdict_on_text(schema, text):
    wanted = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}
    return run_gate(MatchesSchema(), answer(text, arguments=wanted))


def follows(schema, value):
    return make_checker(schema).fault(value, Work()) is None


def many(kind, levels=25, width=4):
    levelled = {f"d{level}": {kind: [{"$ref": f"#/$defs/d{level + 1}"}] * width} for level in range(levels)}
    return {"$defs": {**levelled, f"d{levels}": {"type": "object"}}, "$ref": "#/$defs/d0"}


def shared(levels):
    """A schema whose parts share their parts: small in memory, endless when written."""
    schema = {"type": "object"}
    for _ in range(levels):
        schema = {"anyOf": [schema] * 4}
    return schema


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (many("anyOf"), 1),
        (many("oneOf"), {}),
        (many("allOf"), {}),
        (many("anyOf") | {"unevaluatedProperties": False}, {"a": 1}),
        (shared(30), {}),
        ({"uniqueItems": True}, [{"a": [place]} for place in range(30_000)]),
        ({"unevaluatedItems": False}, list(range(30_000))),
        ({"pattern": "(?:a?){300}a{300}$"}, "a" * 250_000),
        ({"enum": [[place] for place in range(1000)], "items": {"anyOf": [{"type": "string"}] * 900}}, [1] * 50_000),
        ({"properties": {f"p{place}": {"type": "string"} for place in range(20_000)}}, {}),
        ({"unevaluatedProperties": False, "patternProperties": {"(a+)+$": {}}}, {"a" * 40 + "!": 1}),
    ],
)
def test_what_takes_too_long_to_check_passes_at_a_half(schema, value):
    started = time.process_time()
    found = verdict(schema, value)
    assert (found.score, found.passed) == (0.5, True)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("keyword", ["pattern", "patternProperties", "propertyNames"])
def test_patterns_take_linear_time_wherever_they_stand(keyword):
    bad = "^(a+)+$"
    schema = {
        "pattern": {"items": {"allOf": [{"$schema": "http://json-schema.org/draft-07/schema#", "pattern": bad}]}},
        "patternProperties": {"items": {"patternProperties": {bad: False}, "additionalProperties": False}},
        "propertyNames": {"items": {"propertyNames": {"pattern": bad}}},
    }[keyword]
    text = "a" * 1000 + "!"
    started = time.process_time()
    assert not verdict(schema, [text if keyword == "pattern" else {text: 1}]).passed
    assert time.process_time() - started < 2


@pytest.mark.parametrize("pattern", [r"(?=.*\d)x", r"(a)\1", "a{1,5000}", "x" * 3000, "(?<!a)b", "\ud800"])
def test_a_pattern_that_is_not_supported_is_not_checked(pattern):
    assert verdict({"pattern": pattern}, "zzz").score == 1
    assert verdict({"patternProperties": {pattern: False}, "additionalProperties": False}, {"zzz": 1}).score == 1


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"^\p{L}+$", "née", True),
        (r"^\u00e9$", "é", True),
        (r"^\\u00e9$", "\\u00e9", True),
        (r"^\d+$", "٣", False),
        ("b", "abc", True),
        ("^b", "abc", False),
        ("é", "né\ud800", True),
    ],
)
def test_patterns_are_those_of_the_schema_language(pattern, text, found):
    assert follows({"pattern": pattern}, text) is found


@pytest.mark.parametrize(
    ("value", "unique"),
    [([1, True], True), ([1, 1.0], False), ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], False), ([[1, 2], [2, 1]], True),
     (["1", 1], True), ([None, False, 0, "", [], {}], True), ([[0], [False]], True), ([[0], [0.0]], False)],
)  # fmt: skip
def test_equal_items_are_found(value, unique):
    assert follows({"uniqueItems": True}, value) is unique
    assert follows({"items": {"enum": value[1:]}}, value[:1]) is not unique
    assert follows({"items": {"const": value[1]}}, value[:1]) is not (unique or len(value) == 1)


schemas = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"]),
            "enum": st.lists(json_values, max_size=3),
            "const": json_values,
            "uniqueItems": st.booleans(),
            "minLength": st.integers(0, 3),
            "maximum": st.integers(-3, 3),
            "multipleOf": st.sampled_from([1, 2, 0.5]),
            "pattern": st.sampled_from(["a", "^[0-9]+$"]),
            "required": st.lists(st.sampled_from(["a", "b"]), unique=True),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from(["a", "b"]), inner),
            "patternProperties": st.dictionaries(st.sampled_from(["a", "^b"]), inner, max_size=1),
            "additionalProperties": inner | st.booleans(),
            "items": inner | st.booleans(),
            "contains": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=3),
            "oneOf": st.lists(inner, min_size=1, max_size=3),
            "not": inner,
            "if": inner,
            "then": inner,
        },
    ),
    max_leaves=6,
)


@pytest.mark.slow
@given(schemas, json_values)
def test_what_is_bounded_says_what_jsonschema_says(schema, value):
    assert follows(schema, value) is jsonschema.Draft202012Validator(schema).is_valid(value)


def test_a_schema_is_found_valid_once():
    schema = {"properties": {f"p{place}": {"type": "string"} for place in range(50)}}
    assert make_checker(schema) is make_checker(json.loads(json.dumps(schema)))
    assert isinstance(make_checker(schema), Checker)


def circular():
    schema = {"type": "object"}
    schema["not"] = schema
    return schema


@pytest.mark.parametrize(
    "schema",
    [{"type": float("nan")}, {"enum": [{1, 2}]}, {"$schema": ["x"], "type": 3}, {"minimum": object()}, circular()],
)
def test_odd_schemas_are_unusable_not_errors(schema):
    with pytest.raises((UnusableSchemaError, UncheckedError)):
        make_checker(schema)
    assert verdict(schema, 1).score == 0.5


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "number", "multipleOf": 1e-300}, "1e308"),
        ({"type": "number", "multipleOf": 0.1}, "1" + "0" * 400),
        ({"$dynamicRef": "#x", "$id": "::::"}, "1"),
        ({"$id": "http://[bad", "$ref": "#/a"}, "1"),
        ({"$schema": 5, "type": "string"}, "1"),
        ({"minimum": 10**400}, "1e308"),
    ],
)
def test_odd_values_and_members_raise_nothing(schema, text):
    assert 0 <= verdict_on_text(schema, text).score <= 1


@pytest.mark.slow
def test_a_schema_of_ones_own_that_cannot_be_checked_is_refused():
    with pytest.raises(ConfigError, match=r"MatchesSchema: .+; make it smaller"):
        MatchesSchema(shared(30))


def test_calls_share_what_may_be_spent():
    tools = [
        {"type": "function", "function": {"name": f"f{place}", "parameters": many("anyOf") | {"title": f"{place}"}}}
        for place in range(64)
    ]
    calls = [(f"f{place}", '{"a": 1}') for place in range(64)]
    started = time.process_time()
    found = run_gate(ValidToolCalls(), answer(None, tool_calls=calls, arguments={"tools": tools}))
    assert (found.score, found.passed) == (1, True)
    assert time.process_time() - started < 2


def test_a_schema_that_cannot_be_checked_costs_once():
    schema = {"title": "once", "required": [f"p{place}" for place in range(300)], "type": "nonsense"}
    for _ in range(2):
        with pytest.raises(UnusableSchemaError):
            make_checker(schema)
    work = Work(500)
    with pytest.raises(UnusableSchemaError):
        make_checker(schema, work)
    assert work.left > 0  # all but its size was known


def test_a_schema_that_the_program_brings_may_be_large() -> None:
    large = {"type": "object", "properties": {f"field{number}": {"type": "string"} for number in range(600)}}
    with pytest.raises(UncheckedError):
        make_checker(large)
    gate = MatchesSchema(schema=large)
    assert not run_gate(gate, answer('{"field599": 1}')).passed
    assert run_gate(gate, answer('{"field599": "x"}')).passed
