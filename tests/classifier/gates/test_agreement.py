import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import ConfigError
from classifier.gates import Agreement, run_gate
from classifier.gates.agreement import claim
from tests.helpers.answers import answer, texts

MORE = {
    "temperature": 0.2,
    "seed": 5,
    "n": 1,
    "stream": True,
    "stream_options": {},
    "logprobs": True,
    "top_logprobs": 2,
    "model": "auto",
    "max_tokens": 50,
}


def agreed(gate, found, others):
    """The verdict, and what was asked for it; an exception among the others is raised."""
    asked, waiting = [], list(others)

    def respond(ask):
        asked.append(ask)
        other = waiting.pop(0)
        if isinstance(other, Exception):
            raise other
        return other if not isinstance(other, str) else answer(other)

    return run_gate(gate, found, respond), asked


def test_the_score_is_the_share_that_agrees():
    found = answer("The answer is 1,000.")
    verdict, asked = agreed(Agreement(k=4), found, ["1000", "It is 7.", "\\boxed{1000.0}", "So, 999"])
    assert (verdict.score, verdict.passed, verdict.reason) == (0.5, True, "2 of 4 others agree")
    assert len(asked) == 4
    assert {(ask.purpose, ask.tier) for ask in asked} == {("agreement", None)}


def test_by_default_the_same_tier_is_asked_twice():
    verdict, asked = agreed(Agreement(), answer("7"), ["7", "8"])
    assert (verdict.score, verdict.passed, len(asked)) == (0.5, True, 2)
    assert not agreed(Agreement(threshold=0.6), answer("7"), ["7", "8"])[0].passed


def test_another_tier_is_asked_once():
    verdict, asked = agreed(Agreement(tier="other"), answer("7"), ["8"])
    assert (verdict.score, verdict.passed, [ask.tier for ask in asked]) == (0, False, ["other"])


def test_the_same_is_asked_but_for_what_makes_no_new_sample():
    found = answer("7", arguments=MORE)
    _, (ask, _) = agreed(Agreement(), found, ["7", "7"])
    assert ask.arguments == {"messages": found.arguments["messages"], "max_tokens": 50, "temperature": 0.7}
    _, (ask,) = agreed(Agreement(tier="other"), found, ["7"])
    assert ask.arguments["temperature"] == 0.2
    _, (ask,) = agreed(Agreement(k=1, temperature=1.0), found, ["7"])
    assert ask.arguments["temperature"] == 1.0


def test_no_model_is_asked_for_the_same_answer_twice():
    asked_for_one = {"temperature": 0, "seed": 1, "top_p": 0, "extra_body": {"top_k": 1, "seed": 1, "cache": True}}
    found = answer("7", arguments=asked_for_one)
    for gate in (Agreement(k=2), Agreement(k=1), Agreement(k=2, tier="other")):
        for ask in agreed(gate, found, ["7", "7"])[1]:
            assert ask.arguments["temperature"] == 0.7
            assert not {"seed", "top_p"} & ask.arguments.keys()
            assert ask.arguments["extra_body"] == {"cache": True}
            assert "temperature" in ask.optional


def test_calls_that_fail_are_left_out():
    verdict, asked = agreed(Agreement(k=3), answer("7"), [OSError("a"), "7", "8"])
    assert (verdict.score, len(asked)) == (0.5, 3)


def test_when_every_call_fails_the_last_reason_comes_out():
    with pytest.raises(OSError, match="second"):
        agreed(Agreement(), answer("7"), [OSError("first"), OSError("second")])


@pytest.mark.parametrize(("free_text", "score", "passed"), [("fail", 0.0, False), ("pass", 0.5, True)])
@pytest.mark.parametrize("text", ["", "It was a dark and stormy night, " * 20 + "and nobody was awake"])
def test_prose_cannot_be_compared_and_nobody_is_asked(text, free_text, score, passed):
    verdict, asked = (run_gate(Agreement(free_text=free_text), answer(text)), [])
    assert (verdict.score, verdict.passed, asked) == (score, passed, [])


def test_short_texts_are_compared_as_they_are():
    verdict, _ = agreed(Agreement(k=2), answer("Paris"), ["**paris**.", "London"])
    assert verdict.score == 0.5


def calling(*calls):
    return answer(None, tool_calls=list(calls))


def test_tool_calls_agree_when_they_do_the_same():
    found = calling(("search", '{"a": 1, "b": [2]}'), ("now", ""))
    same = calling(("now", ""), ("search", '{"b":[2],"a":1}'))
    verdict, _ = agreed(Agreement(k=3), found, [same, calling(("now", "")), "text"])
    assert verdict.score == pytest.approx(1 / 3)


def test_an_other_answer_that_says_nothing_does_not_agree():
    assert agreed(Agreement(k=1), answer("7"), [""])[0].score == 0


@given(texts, texts)
def test_any_text(one, other):
    verdict = run_gate(Agreement(k=1), answer(one), lambda ask: answer(other))
    assert verdict.score in (0, 1)
    assert claim(answer(one)) == claim(answer(one))


@given(texts)
def test_an_answer_agrees_with_itself_where_it_can_be_compared(text):
    verdict = run_gate(Agreement(k=1), answer(text), lambda ask: answer(text))
    assert verdict.score == (0 if claim(answer(text)) is None else 1)


@given(st.text(max_size=30) | st.just("[" * 3000))
def test_any_arguments_of_calls(written):
    found = calling(("search", written))
    assert run_gate(Agreement(k=1), found, lambda ask: found).passed


@pytest.mark.parametrize(
    ("options", "message"),
    [({"k": 0}, "k is 0"), ({"threshold": 7}, "threshold is 7"), ({"free_text": "maybe"}, "free_text is 'maybe'")],
)
def test_bad_options(options, message):
    with pytest.raises(ConfigError, match=message):
        Agreement(**options)
