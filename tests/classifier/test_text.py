import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.text import HEAD_CHARS, TAIL_CHARS, ByteClass, scan_text
from tests.helpers.requests import LANGUAGES, texts

WINDOW = HEAD_CHARS + TAIL_CHARS
ascii_texts = st.text(st.characters(max_codepoint=127), max_size=WINDOW)
# Letters and digits that stand in blocks of punctuation: ordinal indicators, superscripts, ideographic iteration marks.
_BLOCKS_OF_PUNCTUATION = (range(0xA0, 0xC0), range(0x2000, 0x2080), range(0x3000, 0x3020))


def words(text):
    return [word.decode("utf-8", "surrogatepass") for word in scan_text(text).words]


def in_block_of_punctuation(char):
    return any(ord(char) in block for block in _BLOCKS_OF_PUNCTUATION)


@given(texts)
def test_any_text_is_scanned_the_same_each_time_and_within_bounds(text):
    scan, again = scan_text(text), scan_text(text)
    assert (scan.chars, scan.window, scan.lowered, scan.words) == (len(text), again.window, again.lowered, again.words)
    np.testing.assert_array_equal(scan.classes, again.classes)
    assert len(scan.window) <= WINDOW + 1
    assert scan.lowered == scan.window.lower().encode("utf-8", "surrogatepass")
    assert sum(map(len, scan.words)) <= len(scan.lowered)


@given(texts)
def test_every_byte_has_one_class_and_every_character_one_beginning(text):
    scan = scan_text(text)
    assert scan.classes.shape == (len(ByteClass),)
    assert scan.classes.sum() == len(scan.window.encode("utf-8", "surrogatepass"))
    assert scan.classes.sum() - scan.classes[ByteClass.CONTINUATION] == len(scan.window)


@given(texts)
def test_words_are_whole_characters_without_spaces(text):
    for word in scan_text(text).words:
        whole = word.decode("utf-8", "surrogatepass")
        assert whole
        assert not set(whole) & set(" \t\r\n\x0b\x0c\x00.,;:!?\u3000\u3002\uff0c")


@given(ascii_texts)
def test_ascii_words_by_definition(text):
    assert words(text) == re.findall(r"[a-z0-9_]+", text.lower())


@given(
    st.text(st.characters(max_codepoint=127), max_size=1000), st.sampled_from(["é", "да", "你", "ไทย", "😀", "\ud800"])
)
def test_words_do_not_depend_on_what_else_the_text_holds(text, other):
    alone, beside = words(text), words(f"{text} {other}")
    assert beside[: len(alone)] == alone
    assert len(beside) > len(alone)


@given(st.text(st.characters(categories=["L", "Nd"]), min_size=1))
def test_letters_and_digits_of_any_script_are_words(text):
    assert bool(words(text)) or all(map(in_block_of_punctuation, text))


@given(st.integers(0, 3 * WINDOW), st.characters(), st.characters())
def test_only_the_middle_of_a_long_text_is_left_out(length, first, last):
    text = first + "é" * length + last
    window = scan_text(text).window
    if len(text) <= WINDOW:
        assert window == text
    else:
        assert window == text[:HEAD_CHARS] + "\n" + text[-TAIL_CHARS:]


def test_five_megabytes_cost_what_a_page_costs():
    page, book = scan_text("слово " * 1000), scan_text("слово " * 900_000)
    assert book.chars == 5_400_000
    assert book.window == page.window
    assert book.words == page.words


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_language_is_empty(language):
    text = LANGUAGES[language]
    found = words(text)
    assert len(found) >= 14
    assert len(set(found)) >= 12
    # Every letter of the text is in some word, in order.
    letters = [char for char in text.lower() if unicodedata.category(char)[0] == "L"]
    assert [char for char in "".join(found) if unicodedata.category(char)[0] == "L"] == letters


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\n\x00", []),
        ("Don't stop_now, 2x!", ["don", "t", "stop_now", "2x"]),
        ("ÉCOLE «École»", ["école", "école"]),
        ("İstanbul", ["i\u0307stanbul"]),
        ("Straße—weg…", ["straße", "weg"]),
        ("a\u00a0b\u2003c\u3000d", ["a", "b", "c", "d"]),
        ("你好，世界。", ["你", "好", "世", "界"]),
        ("「カタカナ」", ["カ", "タ", "カ", "ナ"]),
        ("用Python写", ["用", "python", "写"]),
        ("한국 말", ["한", "국", "말"]),
        ("𠮷野家", ["𠮷", "野", "家"]),
        ("ไทย", ["ไ", "ท", "ย"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("ＡＢＣ！１２", ["ａｂｃ", "１２"]),
        ("ok\ud800ok", ["ok", "\ud800", "ok"]),
        ("𝒙 = 😀😀", ["𝒙", "😀😀"]),
    ],
)
def test_words_by_example(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("é", ByteClass.LATIN),
        ("ω", ByteClass.LATIN),
        ("ж", ByteClass.CYRILLIC),
        ("ש", ByteClass.SEMITIC),
        ("ع", ByteClass.SEMITIC),
        ("अ", ByteClass.INDIC),
        ("ก", ByteClass.INDIC),
        ("ქ", ByteClass.SOUTHEAST),
        ("∑", ByteClass.SYMBOL),
        ("あ", ByteClass.KANA),
        ("漢", ByteClass.HAN),
        ("한", ByteClass.HANGUL),
        ("！", ByteClass.FULLWIDTH),
        ("😀", ByteClass.ASTRAL),
        ("a", ByteClass.LOWER),
        ("Z", ByteClass.UPPER),
        ("7", ByteClass.DIGIT),
        ("?", ByteClass.QUESTION),
        ("\\", ByteClass.TEX),
        ("\x00", ByteClass.CONTROL),
    ],
)
def test_characters_by_class(text, kind):
    assert scan_text(text).classes[kind] == 1
