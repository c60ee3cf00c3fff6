from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.catalog import default_menu
from classifier.tasks import canonical_task, task_tier

MENU = default_menu()


@pytest.mark.parametrize(
    ("task", "tier"),
    [
        ("code generation", "opus"),
        ("Code-Generation", "opus"),
        ("coding", "opus"),
        ("summarization", "haiku"),
        ("Summarisation", "haiku"),
        ("TL;DR", "haiku"),
        ("data_extraction", "sonnet"),
        ("NER", "sonnet"),
        ("creative writing", "opus"),
        ("Classification", "haiku"),
        ("sentiment  analysis", "haiku"),
        ("long-document analysis", "gemini"),
    ],
)
def test_a_known_task_has_its_tier(task, tier):
    assert task_tier(task, MENU) == tier


@pytest.mark.parametrize("task", [None, "", " ", "theorem proving", "summarization of codes"])
def test_an_unknown_task_is_left_to_the_default(task):
    assert canonical_task(task, MENU) is None
    assert task_tier(task, MENU) is None
    assert task_tier(task, replace(MENU, task_default="sonnet")) == "sonnet"


def test_every_spelling_means_a_task_of_the_table():
    for spelling, label in MENU.task_aliases.items():
        assert canonical_task(spelling.upper(), MENU) == label
        assert task_tier(spelling, MENU) == MENU.task_table[label]


def test_a_spelling_of_a_task_without_a_tier_is_unknown():
    menu = replace(MENU, task_table={"classification": "haiku"})
    assert canonical_task("coding", menu) is None
    assert task_tier("coding", menu) is None


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_task_or_none(task):
    label = canonical_task(task, MENU)
    assert label is None or task_tier(task, MENU) == MENU.task_table[label]
