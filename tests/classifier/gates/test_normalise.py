import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.gates import final_answer, normalise
from classifier.gates.normalise import KINDS
from tests.helpers.answers import texts


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        # JSON, sound and broken
        ('{"reasoning": "3 + 4", "answer": "7"}', "json", "7"),
        ('Here:\n```json\n{"answer": 7.0}\n```\nThat is my answer.', "json", "7"),
        ('{"answer": "1"} no, {"answer": "2"}', "json", "2"),
        ('{"reasoning": "a "quoted" word", "answer": "7"}', "json", "7"),
        ('{"answer": "\\frac{1}{2}"}', "json", "1/2"),
        ('{"answer": "\\\\frac{1}{2}"}', "json", "1/2"),
        ('{"answer": "\\x"}', "json", "x"),
        ('{"answer": ""}', "json", ""),
        ('{"answer": true}', "json", "true"),
        ('{"answer": null}', "json", "none"),
        ('{"answer": [1, "a"]}', "json", "[1, 'a']"),
        ('{"answer": {"a": 1}}', "json", "{'a': 1}"),
        ('{"answer": seven}', "json", "seven"),
        ("{'final_answer': 7}", "json", "7"),
        # marks
        ("So \\boxed{\\frac{3}{4}} it is, not 5.", "boxed", "3/4"),
        ("\\boxed{1} and \\boxed{\\text{(B)}}", "boxed", "(b)"),
        ("5 + 6 = 11\n#### 1,100", "boxed", "1100"),
        ("#### 3. Conclusions\nParis", "text", "3. conclusions paris"),
        # wording
        ("The answer is **42**.", "phrase", "42"),
        ("The answer is 42. I checked it 3 times.", "phrase", "42"),
        ("Final Answer: $\\frac{3}{4}$ cups", "phrase", "3/4"),
        ("The final answer is:\n18 dollars", "phrase", "18"),
        ("The answer to 2 + 2 is 4", "phrase", "4"),
        ("Therefore the correct answer is (C).", "phrase", "c"),
        ("Answer: B) Paris", "phrase", "b"),
        ("So the answer is option D.", "phrase", "d"),
        ("Die Antwort ist 5.", "phrase", "5"),
        ("La réponse est 5.", "phrase", "5"),
        ("La respuesta es 5.", "phrase", "5"),
        ("A resposta é 5.", "phrase", "5"),
        ("La risposta è 5.", "phrase", "5"),
        ("Het antwoord is 5.", "phrase", "5"),
        ("Odpowiedź: 5", "phrase", "5"),
        ("Ответ: 5.", "phrase", "5"),
        ("Відповідь: 5.", "phrase", "5"),
        ("Cevap: 5", "phrase", "5"),
        ("الإجابة هي 5", "phrase", "5"),
        ("התשובה היא 5", "phrase", "5"),
        ("उत्तर: 5", "phrase", "5"),
        ("最终答案是 5。", "phrase", "5"),
        ("答案\uff1a5", "phrase", "5"),
        ("答えは5です。", "phrase", "5"),
        ("정답은 5입니다.", "phrase", "5"),
        ("Đáp án là 5.", "phrase", "5"),
        ("Jawabannya adalah 5.", "phrase", "5"),
        ("คำตอบคือ 5", "phrase", "5"),
        # letters
        ("B", "choice", "b"),
        ("(B)", "choice", "b"),
        ("**B.**", "choice", "b"),
        ("B) because it is blue", "choice", "b"),
        ("I would go for option C", "choice", "c"),
        # numbers
        ("She has 5 + 6 = 11 dollars.", "number", "11"),
        ("There were 3. Then 4 came.", "number", "4"),
        ("x = -2", "number", "-2"),
        # nothing of the kind
        ("Paris", "text", "paris"),
        ("I think so", "text", "i think so"),
        ("Yes.", "text", "yes"),
        ("", "text", ""),
    ],
)
def test_final_answers(text, kind, value):
    found = final_answer(text)
    assert (found.kind, found.value) == (kind, value)


@pytest.mark.parametrize(
    "alike",
    [
        [
            "1000",
            "1,000",
            "1,000.0",
            "$1000",
            "1000 dollars",
            "**1000**",
            "1000.",
            " 1000\n",
            "$1,000.00$",
            "１０００",
            "+1000",
        ],
        ["0.5", ".5", "1/2", "\\frac{1}{2}", "\\dfrac12", "$\\frac{1}{2}$", "\\frac{2}{4}", "½", "1 / 2", "\\(0.50\\)"],
        ["50", "50%", "50\\%", "50 percent"],
        ["-3", "−3", "–3", "x = -3", "$x=-3$", "f(x) = -3"],
        ["525", "525 calories/day", "525 km/h", "525 square meters", "525 cm^2", "525 m²"],
        [
            "paris",
            "Paris",
            "PARIS.",
            "**Paris**",
            '"Paris"',
            "“Paris”",
            "'Paris'",
            "`Paris`",
            "\\text{Paris}",
            "Paris!",
        ],
        ["[1, 2]", "[1,2]", "[ 1 , 2 ]", "`[1, 2]`"],
        ['{"a": True}', "{'a': true}", "{'a':True}"],
        ["('a', None)", '("a", null)'],
        ["\\sqrt{2}", "$\\sqrt{2}$", "sqrt{2}"],
        ["\\left(3, \\frac{\\pi}{2}\\right)", "(3,\\frac{\\pi}{2})", "(3, \\dfrac{\\pi}{2})"],
        ["2x^2", "2x^{2}", "$2x^2$"],
        ["90", "90°", "90^\\circ", "90^{\\circ}", "90 degrees"],
        ["a, b", "a,b", "a ,  b"],
        ["true", "True", "TRUE"],
    ],
)
def test_what_means_the_same(alike):
    assert len({normalise(text) for text in alike}) == 1


@pytest.mark.parametrize(
    "different",
    [
        ["1", "-1", "1/2", "1.5", "10", "01 a1"],
        ["1,2", "12", "1.2"],
        ["[1, 2]", "(1, 2)", "[2, 1]", "12"],
        ["'12'", "'1 2'"],
        ["paris", "london", "not paris"],
        ["x^2", "x_2", "2x"],
        ["true", "false", "none", "1"],
        ["3:30", "330", "3.30"],
        ["1/0", "1", "0"],
    ],
)
def test_what_does_not(different):
    assert len({normalise(text) for text in different}) == len(different)


@given(texts)
def test_any_text(text):
    found = final_answer(text)
    assert found.kind in KINDS
    assert normalise(text) == normalise(text)
    assert "secret" not in repr(final_answer("secret"))


@given(st.integers(-(10**12), 10**12))
def test_whole_numbers_however_written(number):
    ways = [
        str(number),
        f"{number:,}",
        f"{number}.0",
        f"${number}$",
        f"{number:,.2f}",
        f"{number} apples",
        f"*{number}*",
    ]
    assert {normalise(way) for way in ways} == {str(number)}
    for frame in ("The answer is {}.", '{{"answer": "{}"}}', "\\boxed{{{}}}", "#### {}", "which makes {}"):
        assert {final_answer(frame.format(way)).value for way in ways[:2]} == {str(number)}


@given(st.fractions(max_denominator=1000))
def test_fractions_however_written(fraction):
    numerator, denominator = fraction.numerator, fraction.denominator
    ways = [f"{numerator}/{denominator}", f"{numerator * 3}/{denominator * 3}"]
    if numerator >= 0:
        ways.append(f"\\frac{{{numerator}}}{{{denominator}}}")
    assert {normalise(way) for way in ways} == {str(fraction)}


@given(st.recursive(st.integers() | st.text("abc xyz", max_size=4), lambda inner: st.lists(inner, max_size=3)))
def test_literals_by_their_values(value):
    if isinstance(value, list):
        assert normalise(repr(value)) == normalise(repr(value).replace(", ", ","))


@pytest.mark.parametrize(
    "text", ["9" * 5000, "[" * 3000, "-" * 3000, "\\frac{" * 500, "answer is" * 400, " " * 3000 + "answer:"]
)
def test_monstrous_texts(text):
    assert isinstance(final_answer(text).value, str)
    assert len(normalise(text)) <= 2000


def test_only_the_end_is_read():
    assert final_answer("The answer is 1." + " " * 20_000 + "Well then").kind == "text"
    assert final_answer("x" * 100_000 + " The answer is 1.").value == "1"


def test_python_warns_nobody():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        normalise(r"['\d', 1if 2 else 3]")
        normalise(r"'\d' '\w'")
    assert caught == []
