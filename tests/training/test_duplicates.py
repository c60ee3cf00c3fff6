from __future__ import annotations

from classifier.keywords import load_keywords
from classifier.request import Request
from training.learners.matrix import build_matrix
from training.prepare.duplicates import near_duplicates

TEMPLATE = (
    "Question: {} Instruction: please answer this question by first reasoning step by step and then giving your "
    "answer in the following format, as valid JSON with the two fields reasoning and answer, and nothing around it."
)
STORIES = [
    f"A {trade} from {town} has {number} {things} and gives {half} of them to a {friend} before {day}; how many remain?"
    for number, (trade, town, things, half, friend, day) in enumerate(
        (trade, town, things, half, friend, day)
        for trade, half in (("baker", "half"), ("sailor", "a third"), ("teacher", "most"), ("farmer", "none"))
        for town, friend in (("Lima", "neighbour"), ("Oslo", "cousin"), ("Pune", "customer"))
        for things, day in (("apples", "Monday"), ("ropes", "lunch"), ("chairs", "winter"))
    )
]


def pairs(texts: list[str]) -> list[tuple[int, int]]:
    return near_duplicates(build_matrix([Request(text) for text in texts], load_keywords(), "estimate", jobs=1).terms)


def test_a_changed_number_and_a_changed_word_are_near_duplicates() -> None:
    original = (
        "Our basketball team has ten players including Steve and Danny and we need to divide into two teams of five "
        "for a scrimmage on Saturday afternoon; in how many ways can that be done if the two of them are apart?"
    )
    near = original.replace("ten", "twelve").replace("Saturday", "Sunday")
    other = (
        "Write a sonnet about the sea in winter, in the voice of a lighthouse keeper who has lost his dog to the storm."
    )
    assert pairs([other, original, near]) == [(1, 2)]


def test_a_template_around_every_question_makes_none_alike() -> None:
    assert pairs([TEMPLATE.format(f"What is {story}") for story in STORIES]) == pairs(STORIES)


def test_short_prompts_are_not_compared() -> None:
    assert pairs(["hello there", "hello there!", "hello"]) == []


def test_other_scripts_are_compared_too() -> None:
    one = "请写一个函数,计算两个整数的最大公约数,并解释它的时间复杂度和空间复杂度,最后给出三个测试用例。"
    two = one.replace("三个", "五个")
    assert pairs([one, two, "今天天气怎么样?请告诉我明天上海会不会下雨,以及我应该穿什么衣服出门。"]) == [(0, 1)]
