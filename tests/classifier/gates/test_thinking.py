"""Thinking in a message's text is no part of the answer."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.gates import NotEmpty, default_gate, final_answer, run_gate
from classifier.gates.thinking import visible_text
from tests.helpers.answers import answer, texts

THINKING = {
    "a block": "<think>hm, I can't help with that</think>Rome.",
    "of many lines": "<think>\nI cannot help.\n\nOr can I?\n</think>\n\nRome.",
    "another name": "<thinking>hm</thinking>\nRome.",
    "reasoning": "<reasoning>It is Rome, says </think>.</reasoning> Rome.",
    "a thought": "<thought>hm</thought>Rome.",
    "capitals": "<THINK>hm</Think>Rome.",
    "attributes": '<think duration="3" done="true">hm</think >Rome.',
    "empty": "<think>\n\n</think>\n\nRome.",
    "closed in itself": "<think/>Rome.",
    "several": "<think>a</think>\n<think>b</think>\nRome.<think>c</think>",
    "one in another": "<think>a <think>b</think> c</think>Rome.",
    "without a beginning": "The user asks for a city.\n</think>\n\nRome.",
    "without a beginning or a line": "hm</think>Rome.",
    "an end too many": "<think>hm</think>Rome.</think>",
    "code that is not closed": "<think>```python\nx = 1\n</think>\nRome.",
    "square brackets": "[THINK]hm[/THINK]Rome.",
    "triangles": "◁think▷hm◁/think▷Rome.",
    "bars": "<|START_THINKING|>hm<|END_THINKING|>Rome.",
    "details": '<details type="reasoning" done="true">\n<summary>Thought</summary>\nhm\n</details>\nRome.',
    "channels": "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Rome.<|return|>",
    "channels without marks": "analysisThe user wants a city.assistantfinalRome.",
}
NOTHING_ELSE = [
    "<think>hm",
    "<think>\nhm\n</think>\n\n",
    "<think>a</think>\n<think>b</think>",
    "<reasoning>hm",
    "[THINK]hm",
    "hm\n</think>\n",
    "<|channel|>analysis<|message|>hm",
    "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json"
    "<|message|>{}<|call|>",
]
ANSWERS = [
    "I think so, for three reasons.",
    "The `<think>` tag opens it and `</think>` closes it.",
    "Use <think> where the model begins, and </think> where it ends.",
    "```xml\n<think>\nhm\n</think>\n```\nThat is how it looks.",
    "<review>\n  <reasoning>It is short.</reasoning>\n  <score>3</score>\n</review>",
    "<answer>Rome</answer>",
    "analysis of the text: it is short.",
    "",
]


@pytest.mark.parametrize("text", THINKING.values(), ids=THINKING)
def test_the_answer_is_what_is_left_without_thinking(text):
    assert visible_text(text).strip() == "Rome."
    assert run_gate(default_gate(), answer(text)).passed
    assert final_answer(answer(text).text) == final_answer("Rome.")


@pytest.mark.parametrize("text", NOTHING_ELSE)
def test_nothing_but_thinking_is_no_answer(text):
    verdict = run_gate(NotEmpty(), answer(text))
    assert (verdict.passed, verdict.reason) == (False, "no visible text")


@pytest.mark.parametrize("text", ANSWERS)
def test_other_text_stays_as_it_is(text):
    assert visible_text(text) == text


def test_text_between_thoughts_stays():
    assert visible_text("<think>a</think>Rome is <think>b</think>old.") == "Rome is old."


_MARKS = ["<think>", "</think>", "<reasoning>", "</reasoning>", "[THINK]", "[/THINK]", "```\n", "\n", "`", "Rome ", " "]
_MARKS += ["<|channel|>", "final", "analysis", "<|message|>", "<|end|>", "<think x=1>", "<think/>", "</details>"]
marked = st.lists(st.sampled_from(_MARKS), max_size=25).map("".join)


@given(marked | texts)
def test_what_is_shown_was_said(text):
    shown = visible_text(text)
    assert len(shown) <= len(text)
    letters = iter(text)
    assert all(char in letters for char in shown)  # in the same order


@given(st.sampled_from(_MARKS), st.sampled_from(_MARKS))
def test_reading_takes_time_in_proportion_to_the_text(one, other):
    text = (one + "a " + other) * 30_000
    began = time.process_time()
    visible_text(text)
    assert time.process_time() - began < 1
