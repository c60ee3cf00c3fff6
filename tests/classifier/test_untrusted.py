"""Menus and keyword files that somebody else wrote."""

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.catalog import load_menu
from classifier.errors import ConfigError
from classifier.keywords import load_keywords
from classifier.untrusted import MAX_TOML_BYTES

TIER = '[[tiers]]\nname = "{0}"\nmodel = "{0}"\n'
HOSTILE = {
    "a key of many parts": f"{'.'.join('a' * 20_000)} = 1",
    "a table of many parts": f"[{'.'.join('a' * 20_000)}]\nb = 1",
    "tables within tables": f"strategy.{'.'.join('a' * 90)} = 1",
    "lists within lists": f"strategy = {'[' * 300}{']' * 300}",
    "lists without end": f"strategy = {'[' * 100_000}",
    "a file without end": "#" * (MAX_TOML_BYTES + 1),
    "thousands of tiers": "".join(TIER.format(f"t{number}") for number in range(5_000)),
    "a name of a hundred thousand characters": TIER.format("n" * 100_000),
    "thousands of nearly equal tasks": "[tasks]\n"
    + "".join(f'"{"t" * 150}{n}" = "haiku"\n' for n in range(5_000))
    + '"x" = 1',
    "a long tier that is not there": f'task_default = "{"haiku" * 20_000}"',
    "control characters": 'strategy = "\\u001B[2J\\u009B31m\\u202Eabc"',
    "an unknown key that a terminal obeys": '"\\u001B[31m" = 1',
    "a price of many digits": TIER.format("a") + f"input_price = {'9' * 300}\noutput_price = 1.5",
    "a limit of many digits": TIER.format("a") + f"context_window = {'9' * 300}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_menu_is_one_clear_line_at_once(tmp_path, name):
    path = tmp_path / "router.toml"
    path.write_text(HOSTILE[name], encoding="utf-8")
    begun = time.perf_counter()
    with pytest.raises(ConfigError) as caught:
        load_menu(path)
    assert time.perf_counter() - begun < 5
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    assert len(message) < 1500


@pytest.mark.parametrize(
    "name", ["a key of many parts", "lists within lists", "lists without end", "a file without end"]
)
def test_a_hostile_keyword_file_is_one_clear_line(tmp_path, name):
    path = tmp_path / "keywords.toml"
    path.write_text(HOSTILE[name], encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot read keyword groups") as caught:
        load_keywords(path)
    assert str(caught.value).isprintable()


@given(st.text(alphabet="[]{}=\".,\n\\'abx019-_ \x1b\u202e", max_size=60))
def test_any_menu_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("menu") / "router.toml"
    path.write_text(text, encoding="utf-8")
    message = ""
    try:
        load_menu(path)
    except ConfigError as error:
        message = str(error)
    assert message.isprintable()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "router.toml")
    with pytest.raises(ConfigError, match="not a regular file"):
        load_menu(tmp_path / "router.toml")
