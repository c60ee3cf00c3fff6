"""How gates are run, and put together."""

import asyncio
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.gates import AllOf, AnyOf, Ask, Gate, MeanLogprob, SimpleGate, Verdict, run_gate
from tests.helpers.answers import answer

ANSWER = answer("Paris")


class Fixed(SimpleGate):
    """Says what it is told to, and counts how often it is asked."""

    def __init__(self, name, score, passed):
        self.name, self.score, self.passed, self.asked = name, score, passed, 0

    def judge(self, answer):
        self.asked += 1
        return self.verdict(self.score, self.passed, "so I was told")


class Asking(Gate):
    """Passes when the tier it asks says yes."""

    name = "asking"

    def __init__(self):
        self.closed = False

    def steps(self, answer):
        try:
            try:
                other = yield Ask("judge", "large", {"messages": []})
            except ValueError:
                return self.verdict(0.0, False, "the upstream failed")
            return self.verdict(1.0, other.text == "yes", "asked")
        finally:
            self.closed = True


fixed = st.builds(Fixed, st.sampled_from("abc"), st.floats(0, 1), st.booleans())
some = st.lists(fixed, min_size=1, max_size=5)


@given(some)
def test_all_of_stops_at_the_first_that_fails(gates):
    verdict = run_gate(AllOf(tuple(gates)), ANSWER)
    reached = next((n + 1 for n, gate in enumerate(gates) if not gate.passed), len(gates))
    assert [gate.asked for gate in gates] == [1] * reached + [0] * (len(gates) - reached)
    assert verdict.passed == all(gate.passed for gate in gates)
    assert verdict.score == min(gate.score for gate in gates[:reached])
    assert [part.score for part in verdict.parts] == [gate.score for gate in gates[:reached]]
    assert verdict.reason == ("every gate passed" if verdict.passed else f"{gates[reached - 1].name}: so I was told")


@given(some)
def test_any_of_stops_at_the_first_that_passes(gates):
    verdict = run_gate(AnyOf(tuple(gates)), ANSWER)
    reached = next((n + 1 for n, gate in enumerate(gates) if gate.passed), len(gates))
    assert [gate.asked for gate in gates] == [1] * reached + [0] * (len(gates) - reached)
    assert verdict.passed == any(gate.passed for gate in gates)
    assert verdict.score == max(gate.score for gate in gates[:reached])
    assert len(verdict.parts) == reached
    assert verdict.reason == (f"{gates[reached - 1].name}: so I was told" if verdict.passed else "no gate passed")


@given(fixed, fixed, fixed)
def test_composition_is_associative(a, b, c):
    assert run_gate((a & b) & c, ANSWER) == run_gate(a & (b & c), ANSWER) == run_gate(AllOf((a, b, c)), ANSWER)
    assert run_gate((a | b) | c, ANSWER) == run_gate(a | (b | c), ANSWER) == run_gate(AnyOf((a, b, c)), ANSWER)


@given(some)
def test_order_does_not_change_what_passes(gates):
    orders = list(permutations(gates))[:24]
    assert len({run_gate(AllOf(order), ANSWER).passed for order in orders}) == 1
    assert len({run_gate(AnyOf(order), ANSWER).passed for order in orders}) == 1


def test_names_show_how_gates_are_put_together():
    a, b, c = (Fixed(name, 1.0, True) for name in "abc")
    assert (a & b & c).name == "a & b & c"
    assert ((a | b) & c).name == "(a | b) & c"
    assert (a & b | c).name == "(a & b) | c"
    assert len((a & b & c).gates) == 3


def test_an_empty_composition_is_refused():
    with pytest.raises(TypeError, match="no gates"):
        AllOf(())


def test_needs_are_those_of_all_parts():
    plain = Fixed("a", 1.0, True)
    assert plain.needs() == {}
    assert (plain & (plain | MeanLogprob())).needs() == {"logprobs": True}


# Gates that ask


def test_what_a_gate_asks_is_answered():
    asked = []

    def respond(ask):
        asked.append(ask)
        return answer("yes")

    verdict = run_gate(Fixed("a", 0.5, True) & Asking(), ANSWER, respond)
    assert (verdict.passed, verdict.score) == (True, 0.5)
    assert asked == [Ask("judge", "large", {"messages": []})]


def test_what_an_upstream_raises_reaches_the_gate():
    def respond(ask):
        raise ValueError

    assert run_gate(Asking(), ANSWER, respond).reason == "the upstream failed"


def test_what_a_gate_does_not_catch_comes_out_and_it_is_closed():
    def respond(ask):
        raise KeyError("gone")

    gate = Asking()
    with pytest.raises(KeyError, match="gone"):
        run_gate(gate, ANSWER, respond)
    assert gate.closed


class Raising(Gate):
    name = "raising"

    def needs(self):
        raise KeyError("secret")

    def steps(self, answer):
        raise ValueError("secret")


class Odd(Gate):
    name = "odd"

    def __init__(self, returned):
        self.returned = returned

    def steps(self, answer):
        yield from ()
        return self.returned


BROKEN = [Raising(), Odd(None), Odd(Verdict("odd", float("nan"), True, "")), Odd(Verdict("odd", "1", True, ""))]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda gate: type(gate).__name__)
def test_the_failure_of_one_gate_is_its_own(broken, caplog):
    yes, no = Fixed("yes", 0.9, True), Fixed("no", 0.2, False)
    for gate, passed, failed in [
        (broken | yes, True, False),
        (yes | broken, True, False),
        (broken | no, False, True),
        (no | broken, False, True),
        (broken & yes, False, True),
        (yes & broken, False, True),
        (no & broken, False, False),
        ((broken & yes) | yes, True, False),
        ((no | broken | yes) & yes, True, False),
        (yes & (broken | (broken & no) | yes), True, False),
    ]:
        verdict = run_gate(gate, ANSWER)
        assert (verdict.passed, verdict.failed) == (passed, failed), gate.name
    assert "secret" not in caplog.text


def test_the_failed_call_of_one_gate_is_its_own():
    def respond(ask):
        raise KeyError("gone")

    gate = Asking()
    assert run_gate(gate | Fixed("a", 1.0, True), ANSWER, respond).passed
    assert gate.closed


def test_needs_that_raise_are_none():
    assert (Raising() | MeanLogprob()).needs() == {"logprobs": True}


def test_a_gate_that_asks_needs_someone_to_answer():
    gate = Asking()
    with pytest.raises(TypeError, match="gate asking needs another call"):
        run_gate(gate, ANSWER)
    assert gate.closed


def test_awaitables_cannot_be_awaited_here():
    class Waiting(Gate):
        name = "waiting"

        def steps(self, answer):
            done = yield asyncio.sleep(0, True)
            return self.verdict(1.0, done, "waited")

    # The coroutine must be closed, or Python warns that nobody awaited it, which fails this test.
    with pytest.raises(TypeError, match="gate waiting needs something awaited"):
        run_gate(Waiting(), ANSWER, lambda ask: ANSWER)


def test_values_show_no_content():
    assert "secret" not in repr(Ask("judge", None, {"messages": [{"content": "secret"}]}))
    assert repr(Verdict("a", 1.0, True, "why")).startswith("Verdict(gate='a'")
