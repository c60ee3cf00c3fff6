import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.gates import ANSWER_FEATURES, FEATURE_NOTES, answer_features
from classifier.text import HEAD_CHARS, TAIL_CHARS
from tests.helpers.answers import answer, texts
from tests.helpers.requests import LANGUAGES


def features(text, **options):
    return answer_features(answer(text, **options))


@given(texts, texts, st.none() | st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5))
def test_any_text_gives_the_same_features_in_the_same_order(text, prompt, logprobs):
    found = features(text, prompt=prompt, logprobs=logprobs)
    assert tuple(found) == ANSWER_FEATURES
    assert all(type(value) is float and not math.isinf(value) for value in found.values())
    unknown = {name for name, value in found.items() if math.isnan(value)}
    assert unknown <= {
        "tokens_out",
        "tokens_used",
        *(name for name in ANSWER_FEATURES if "token" in name or "logprob" in name),
    }
    assert bool(logprobs) == ("logprob_mean" not in unknown)


def test_every_feature_is_described():
    assert tuple(FEATURE_NOTES) == ANSWER_FEATURES
    assert all(FEATURE_NOTES.values())
    assert len(set(FEATURE_NOTES.values())) == len(ANSWER_FEATURES)


SAMPLES = {
    "chars": "Paris",
    "words": "Paris",
    "lines": "Paris",
    "mean_word_bytes": "Paris",
    "prompt_ratio": "Paris",
    "ends_open": "The answer is the",
    "ends_asking": "What do you mean?",
    "open_brackets": "f(g(x)",
    "open_code": "```python\nx",
    "loops": "it is it is it is it is ",
    "refusal": "I'm sorry, but I can't help with that.",
    "hedges": "I'm not sure.",
    "corrections": "Wait, actually it is 5.",
    "json": "{}",
    "code_blocks": "```\nx\n```",
    "code_share": "```\nx\n```",
    "list_items": "- a\n2. b",
    "headings": "# A",
    "table_rows": "| a | b |",
    "latex": "\\frac{1}{2}",
    "equations": "x = 1",
    "says_json": '{"answer": 5}',
    "says_boxed": "\\boxed{5}",
    "says_phrase": "The answer is 5.",
    "says_choice": "(B)",
    "says_number": "This makes 5.",
    "said_chars": "Paris",
    "said_number": "This makes 5.",
    "said_in_prompt": "it",
    "distinct_words": "Paris",
    "words_from_prompt": "it",
    "prompt_words_used": "it",
    "repeated_runs": "one two three four one two three four",
    "repeated_lines": "a\nb\na",
    "numbers": "5 apples",
    "new_numbers": "5 apples",
    "digit_share": "5",
    "upper_share": "A",
    "other_share": "é",
    "same_script": "a",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_features_tell_a_sample_from_nothing(name):
    assert features(SAMPLES[name])[name] > features("")[name]


def test_how_an_answer_came_about():
    found = features(
        "a b",
        logprobs=[-0.5, -1.5],
        tokens=(1, 8),
        finish_reason="length",
        refusal="No.",
        tool_calls=[("now", "{}")],
        arguments={"max_tokens": 16, "tools": [{"type": "function"}], "response_format": {"type": "json_object"}},
    )
    assert found["finished"] == 0
    assert (found["tokens_out"], found["tokens_used"]) == (8, 0.5)
    assert (found["refused"], found["tool_calls"], found["tools"], found["json_asked"]) == (1, 1, 1, 1)
    assert (found["logprob_mean"], found["logprob_min"], found["logprob_spread"]) == (-1, -1.5, 0.5)
    assert found["unlikely_tokens"] == 0.5


def test_what_is_unknown_is_not_a_number():
    found = answer_features(replace(answer("a"), tokens_out=None))
    for name in ("tokens_out", "tokens_used", "logprob_mean", "logprob_min", "logprob_spread", "unlikely_tokens"):
        assert math.isnan(found[name])


@pytest.mark.parametrize("period", [1, 3, 50, 128])
def test_loops_of_any_length(period):
    unit = "".join(chr(0x4E00 + place) for place in range(period))
    assert features("start " + unit * 4)["loops"] >= 3
    assert features("start " + unit)["loops"] < 1


def test_an_answer_in_another_script_is_told():
    english = features(LANGUAGES["English"], prompt=LANGUAGES["English"])["same_script"]
    russian = features(LANGUAGES["Russian"], prompt=LANGUAGES["English"])["same_script"]
    assert english > 0.99
    assert russian < 0.5


def test_only_head_and_tail_of_a_long_answer_are_read_closely():
    # Linear cost: what stands between the windows changes nothing but the size.
    head, tail = "word " * (HEAD_CHARS // 5 + 1), "The end " * TAIL_CHARS
    one, other = features(head + "- (x = 1\n" * 1000 + tail), features(head + "Ω" * 9000 + tail)
    assert one == pytest.approx(other, nan_ok=True)
