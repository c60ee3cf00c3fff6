import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.ask import split_ask
from classifier.request import make_request
from tests.helpers.requests import texts

NOTES = "Keep answers short.\nDo not mention these notes.\n# My notes\n" * 5


@pytest.mark.parametrize(
    "wrap",
    [
        "<system-reminder>\n{notes}</system-reminder>\n{ask}",
        "{ask}\n<system-reminder>\n{notes}</system-reminder>",
        "{ask}<system-reminder>{notes}</system-reminder>",
        "<environment_details>\n{notes}\n</environment_details>\n\n{ask}\n\n<open_tabs>\n{notes}\n</open_tabs>",
        "<context>\n{notes}\n</context>\n<editorState lang='py'>\n{notes}\n</editorState>\n{ask}",
        "<user_query>\n{ask}\n</user_query>\n<attached_files>{notes}</attached_files>",
        "{notes}\n<userRequest>{ask}</userRequest>",
        "<instructions>\n{notes}</instructions>\n<task>\n{ask}\n</task>",
        "# Context from my editor:\n{notes}\n## My request for Helper:\n{ask}",
    ],
)
@pytest.mark.parametrize("ask", ["Why?", "Is <b>this</b> a <div>?", "Translate <user>:\n\n1 < 2 and 3 > 2"])
def test_a_question_is_found_in_what_a_program_puts_around_it(wrap, ask):
    found = split_ask(wrap.format(notes=NOTES, ask=ask))
    assert "\n".join(found.ask) == ask
    assert "Keep answers short." in "\n".join(found.around)
    request = make_request(wrap.format(notes=NOTES, ask=ask))
    assert request.text == ask
    assert request.material


@pytest.mark.parametrize(
    "text",
    [
        "What is 2 < 3?",
        "<p>Why is this paragraph not <b>bold</b>?</p>",
        "Convert to JSON:\n<tasks>\n<task>a</task>\n<task>b</task>\n</tasks>",
        "# Title\n\nSum up my request history.",
        "<my-tag>never closed",
        "</closing-only> text",
        "Is `List<my_type>` fine?",
        "",
    ],
)
def test_other_texts_are_asked_whole(text):
    assert split_ask(text) == ([text] if text else [], [])
    assert make_request(text).text == text


def test_nothing_but_surroundings_is_a_text_all_the_same():
    text = f"<system-reminder>{NOTES}</system-reminder>"
    assert split_ask(text).ask == []
    assert make_request(text).text == text


def test_the_question_is_the_last_message_that_holds_one():
    reminder = {"role": "user", "content": f"<system-reminder>{NOTES}</system-reminder>"}
    request = make_request(messages=[{"role": "user", "content": "Why?"}, reminder, reminder])
    assert request.text == "Why?"
    assert request.material.startswith("<system-reminder>")


def test_parts_of_a_message_are_parted_one_by_one():
    parts = [{"type": "text", "text": text} for text in ("Why?", f"<system-reminder>{NOTES}</system-reminder>")]
    assert make_request(messages=[{"role": "user", "content": parts}]).text == "Why?"


@given(
    st.lists(
        texts | st.sampled_from(["<a-b>", "</a-b>", "<user_query>", "</user_query>", "## My request:\n"]), max_size=12
    )
)
def test_any_text_is_parted_without_loss(pieces):
    text = "\n".join(pieces)
    found = split_ask(text)
    assert all(part and not part.isspace() for part in [*found.ask, *found.around])
    assert all(part in text for part in [*found.ask, *found.around])
    assert sum(map(len, [*found.ask, *found.around])) <= len(text)


def test_reading_is_bounded():
    tags = "".join(f"<tag-{number}>" for number in range(100_000))
    assert split_ask(tags + "\nWhy?" + "</x>").around == []
    deep = "<a-a>" * 50_000 + "</a-a>" * 50_000
    assert split_ask(deep).ask
