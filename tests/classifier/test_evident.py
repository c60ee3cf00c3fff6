"""Tasks that a request's text makes evident, and texts that it does not."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.catalog import default_menu, normalise_label
from classifier.evident import evident_task, known_task
from classifier.keywords import load_keywords
from classifier.request import Request
from classifier.untrusted import read_toml

ROOT = Path(__file__).parents[2]
MENU = default_menu()
WITH_TRANSLATION = replace(MENU, task_table={**MENU.task_table, "translation": "haiku"})
TEXT = "The council met on Monday. " * 40


def found(text: str) -> str | None:
    return evident_task(Request(text), WITH_TRANSLATION)


@pytest.mark.parametrize(
    ("text", "task"),
    [
        (f"Summarize this article:\n\n{TEXT}", "summarization"),
        (f"Could you please summarise the following?\n{TEXT}", "summarization"),
        (f"{TEXT}\n\nNow condense that to one line.", "summarization"),
        (f"You are a helpful assistant.\n\nI want you to shorten this text. {TEXT}", "summarization"),
        ("Write a summary of the plot of Hamlet.", "summarization"),
        (f"Fasse diesen Text zusammen: {TEXT}", "summarization"),
        (f"Écris un résumé de ce texte : {TEXT}", "summarization"),
        (f"请帮我总结以下内容：{TEXT}", "summarization"),
        (f"次の議事録を要約してください。{TEXT}", "summarization"),
        (f"다음 글을 요약해 주세요. {TEXT}", "summarization"),
        (f"Extract all dates as JSON.\n{TEXT}", "data extraction"),
        (f"Extrae los nombres: {TEXT}", "data extraction"),
        (f"以下の文章から日付を抽出してください。{TEXT}", "data extraction"),
        (f"Classify each sentence as fact or opinion. {TEXT}", "classification"),
        (f"Классифицируй отзывы: {TEXT}", "classification"),
        ("Translate to French: good morning", "translation"),
        ("Übersetze das bitte ins Englische: guten Morgen", "translation"),
        ("Write a short story about a lighthouse.", "creative writing"),
        ("Escribe un cuento sobre el mar.", "creative writing"),
        ("Please write a Python function that sorts a list.", "code generation"),
        ("Refactor this so that it is easier to test.", "code generation"),
    ],
)
def test_a_sentence_that_begins_with_the_ask_is_enough(text, task):
    assert found(text) == task


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?!...",
        "hello",
        "What is the capital of Uruguay?",
        "Resume of a nurse with ten years of practice: what should change?",
        "List three reasons for the war.",
        "To write a good story, what should I read?",
        "To summarize, the committee failed. Was it right?",
        "Who is right? Tom wants to classify the files, Anna to translate them.",
        "My boss says I summarize too much. What can I do?",
        "Write an essay on the class struggle.",
        "Write a story about a Python function.",
        "Summarize this text, then answer.\nTranslate the answer to French.",
        f"{TEXT}\nWhich of these is true? A. It rains. B. It snows.",
        f"Is this review positive or negative?\n{TEXT}",
    ],
)
def test_what_is_not_clear_has_no_evident_task(text):
    assert found(text) is None


def test_in_the_sample_none_is_found_wrongly():
    rows = polars.read_csv(ROOT / "data" / "sample.csv", infer_schema=False).select("prompt", "task").drop_nulls()
    known = [normalise_label(task) for task in rows["task"]]
    guessed = [found(prompt) for prompt in rows["prompt"]]
    assert {(task, guess) for task, guess in zip(known, guessed, strict=True) if guess not in (None, task)} == set()
    mine = [guess for task, guess in zip(known, guessed, strict=True) if task in WITH_TRANSLATION.task_table]
    assert sum(guess is not None for guess in mine) > 0.35 * len(mine)


def test_the_menus_own_label_is_found_by_any_of_the_usual_spellings():
    menu = replace(MENU, task_table={"tldr": "haiku", "coding": "opus"}, task_aliases={"belletristik": "coding"})
    assert evident_task(Request(f"Summarize this: {TEXT}"), menu) == "tldr"
    assert evident_task(Request("Write a SQL script."), menu) == "coding"
    assert evident_task(Request("Translate to French: good morning"), menu) is None
    spelt = replace(MENU, task_table={"shop texts": "haiku"}, task_aliases={"summary": "shop texts"})
    assert evident_task(Request(f"Summarize this: {TEXT}"), spelt) == "shop texts"


def test_the_callers_label_counts_whatever_the_text_says():
    text = f"Summarize this: {TEXT}"
    assert known_task(MENU, Request(text)) == known_task(MENU, Request(text, task=" ")) == "summarization"
    assert known_task(MENU, Request(text, task="coding")) == "code generation"
    assert known_task(MENU, Request(text, task="chat")) is None


@given(st.text())
def test_any_text_has_one_task_of_the_menu_or_none(text):
    assert found(text) in (None, *WITH_TRANSLATION.task_table)


@pytest.mark.parametrize("text", ["summarize " * 10**6, "请" * 10**7, "a" * 10**7, "要約" * 10**6 + "。" * 10**6])
def test_a_long_text_takes_no_longer(text):
    began = time.perf_counter()
    for _ in range(10):
        found(text)
    assert time.perf_counter() - began < 1.0


def test_words_are_those_of_the_keyword_groups():
    table, groups = read_toml(ROOT / "classifier" / "evident.toml"), load_keywords()
    words = {word.decode() for word in groups.words}
    substrings = {text for text, _ in groups.substrings}
    for task, asking in table["asking"].items():
        assert set(asking.get("verbs", [])) | set(asking.get("objects", [])) <= words, task
        assert set(asking.get("stems", [])) <= words | substrings, task
    assert set(table["writing"]) <= words
