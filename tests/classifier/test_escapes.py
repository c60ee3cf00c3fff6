import json

from hypothesis import given
from hypothesis import strategies as st

from classifier.errors import ConfigError, RouterError
from classifier.escapes import for_terminal, json_text, lines_for_terminal

OBEYED = "\x00\x07\x08\t\n\r\x1b\x7f\x9b\x9d\u2028\u202e\u2066\u200f\ufeff\U000e0041\ud800"


def test_what_a_terminal_obeys_is_written_out():
    assert for_terminal("a\x1b[31mb\x9b2J\u202ec\n") == r"a\x1b[31mb\x9b2J\u202ec\n"
    assert lines_for_terminal("a\nb\r") == "a\nb\\r"


def test_text_in_any_script_stays():
    for text in ("naïve", "नमस्ते", "می‌خواهم", "👩‍👩‍👧", "日本語", "a b\u00a0c", "[/] \\ 'x'"):
        assert for_terminal(text) == text


@given(st.text(alphabet=st.characters()) | st.text(alphabet=OBEYED))
def test_no_text_is_obeyed(text):
    shown = for_terminal(text)
    assert not set(shown) & set(OBEYED)
    assert for_terminal(shown) == shown
    shown.encode()


@given(st.recursive(st.text(alphabet=st.characters()), lambda inner: st.dictionaries(st.text(alphabet=OBEYED), inner)))
def test_json_stays_the_same_value(value):
    text = json_text(value)
    assert json.loads(text) == value
    assert not set(text) & (set(OBEYED) - {"\n"})
    text.encode()


def test_no_error_of_the_package_is_obeyed():
    error = ConfigError("router.toml: found '\x1b]0;x\x07'\nsecond line")
    assert str(error) == r"router.toml: found '\x1b]0;x\x07'\nsecond line"
    assert isinstance(error, RouterError)
