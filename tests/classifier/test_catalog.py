import json
import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from classifier import catalog
from classifier.catalog import (
    LengthRule,
    Menu,
    Tier,
    default_menu,
    in_price_order,
    load_menu,
    menu_from_header,
    menu_to_header,
    normalise_label,
    with_tiers,
)
from classifier.errors import ArtifactError, ConfigError

PACKAGED = Path(catalog.__file__).with_name("router.toml")


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """An empty working directory and no variable that names a menu."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIERWISE_CONFIG", raising=False)


def load(text):
    Path("menu.toml").write_text(text, encoding="utf-8")
    return load_menu("menu.toml")


def refusal(text):
    """The message with which a menu of this text is refused: one line that names the file."""
    with pytest.raises(ConfigError) as caught:
        load(text)
    message = str(caught.value)
    assert message.startswith("menu.toml: ")
    assert "\n" not in message
    return message.removeprefix("menu.toml: ")


def tier(name, *prices, **rest):
    return Tier(name, f"models/{name}", *(prices or (None, None)), **rest)


# The default menu


def test_the_default_menu_has_the_documented_models_and_prices():
    menu = load_menu()
    assert {t.name: (t.model, t.input_price, t.output_price) for t in menu.tiers} == {
        "haiku": ("tokenfast/claude-haiku-4-5-20251001", 1.0, 5.0),
        "sonnet": ("tokenfast/claude-sonnet-4-6", 5.0, 25.0),
        "opus": ("tokenfast/claude-opus-4-6", 30.0, 150.0),
        "gemini": ("tokenfast/gemini-3.1-pro", 2.0, 12.0),
    }
    assert [t.name for t in menu.tiers] == ["haiku", "gemini", "sonnet", "opus"]
    assert menu.length == LengthRule("haiku", "sonnet", "opus", (500, 5000))
    assert (menu.strategy, menu.task_default) == ("learned", None)


def test_only_gemini_takes_a_million_tokens():
    windows = {t.name: t.context_window for t in default_menu().tiers}
    assert windows == {"haiku": 200_000, "sonnet": 200_000, "opus": 200_000, "gemini": 2**20}


def test_the_default_task_table_is_the_documented_one():
    assert dict(default_menu().task_table) == {
        "code generation": "opus",
        "summarization": "haiku",
        "data extraction": "sonnet",
        "creative writing": "opus",
        "classification": "haiku",
        "long document analysis": "gemini",
    }


def test_the_packaged_file_is_itself_a_sound_router_toml():
    assert load_menu(PACKAGED) == default_menu()


def test_a_menu_travels_to_worker_processes():
    assert pickle.loads(pickle.dumps(default_menu())) == default_menu()


# Finding a tier


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("haiku", "haiku"),
        ("tokenfast/claude-opus-4-6", "opus"),
        ("large", "opus"),
        ("Claude_Sonnet 4-6", "sonnet"),
        ("  LONG ", "gemini"),
    ],
)
def test_a_tier_is_found_by_name_model_and_alias(asked, name):
    assert default_menu().find(asked).name == name


@pytest.mark.parametrize("asked", ["", "-", "claude", "claude-3-haiku", "gpt-4o"])
def test_a_model_that_is_not_in_the_menu_is_not_found(asked):
    assert default_menu().find(asked) is None


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("Code_Generation", "code generation"),
        (" code -- generation\t", "code generation"),
        ("TL;DR", "tl;dr"),
        ("RÉSUMÉ", "résumé"),
        ("re\u0301sume\u0301", "résumé"),
        ("要約", "要約"),
        ("straße", "strasse"),
        ("code\u2013generation", "code generation"),
        ("- _", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_labels_are_normalised(written, label):
    assert normalise_label(written) == label


@pytest.mark.slow
@settings(deadline=None)
@given(st.text())
def test_normalising_twice_changes_nothing(text):
    once = normalise_label(text)
    assume(once is not None and len(once) <= 200)
    assert normalise_label(once) == once


def test_a_label_of_any_length_costs_little():
    assert len(normalise_label("x" * 5_000_000)) == 200


# Where a menu comes from


def test_the_working_directory_then_the_variable_then_the_argument_win(tmp_path, monkeypatch):
    Path("router.toml").write_text('strategy = "length"')
    assert load_menu().strategy == "length"
    named = tmp_path / "named.toml"
    named.write_text('strategy = "task"')
    monkeypatch.setenv("TIERWISE_CONFIG", str(named))
    assert load_menu().strategy == "task"
    assert load_menu(PACKAGED).strategy == "learned"


def test_an_empty_variable_names_nothing(monkeypatch):
    monkeypatch.setenv("TIERWISE_CONFIG", "")
    assert load_menu() == default_menu()


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"^absent\.toml: no such file; check the path"):
        load_menu("absent.toml")
    monkeypatch.setenv("TIERWISE_CONFIG", "gone.toml")
    with pytest.raises(ConfigError, match=r"^gone\.toml \(named by \$TIERWISE_CONFIG\): no such file"):
        load_menu()
    with pytest.raises(ConfigError, match="cannot be read as TOML: Is a directory"):
        load_menu(tmp_path)
    Path("latin.toml").write_bytes('# prix élevé\nstrategy = "task"'.encode("latin-1"))
    with pytest.raises(ConfigError, match="cannot be read as TOML: 'utf-8' codec can't decode byte 0xe9 in position 7"):
        load_menu("latin.toml")


def test_a_byte_order_mark_and_windows_line_ends_are_fine():
    Path("bom.toml").write_bytes('\ufeffstrategy = "task"\r\n[length]\r\nthresholds = [1, 2]\r\n'.encode())
    menu = load_menu("bom.toml")
    assert (menu.strategy, menu.length.thresholds) == ("task", (1, 2))


# What a file leaves out


def test_an_empty_file_is_the_default_menu():
    assert load("") == default_menu()


def test_one_key_changes_one_thing():
    menu = load('task_default = "sonnet"\n[length]\nthresholds = [100, 200]')
    rule = replace(default_menu().length, thresholds=(100, 200))
    assert menu == replace(default_menu(), task_default="sonnet", length=rule)


TWO_TIERS = """
[[tiers]]
name = "opus"
model = "big"
input_price = 9
output_price = 9.5

[[tiers]]
name = "haiku"
model = "little"
input_price = 1
output_price = 1
aliases = ["quick"]
"""


def test_given_tiers_replace_the_default_ones_and_what_pointed_at_them():
    menu = load(TWO_TIERS)
    assert [t.name for t in menu.tiers] == ["haiku", "opus"]
    assert menu.length == LengthRule("haiku", "opus", "opus")
    assert dict(menu.task_table) == {
        "code generation": "opus",
        "summarization": "haiku",
        "creative writing": "opus",
        "classification": "haiku",
    }
    assert menu.find("quick").model == "little"
    assert menu.find("gemini") is None


def test_given_tasks_replace_the_default_table():
    menu = load('[tasks]\nCode = "sonnet"\nSummarization = "haiku"')
    assert dict(menu.task_table) == {"code": "sonnet", "summarization": "haiku"}
    assert "code" not in menu.task_aliases
    assert menu.task_aliases["tl;dr"] == "summarization"


def test_given_aliases_replace_the_default_ones():
    menu = load('[task_aliases]\nSummarization = ["Zusammenfassung"]')
    assert dict(menu.task_aliases) == {"zusammenfassung": "summarization"}
    assert menu.task_table == default_menu().task_table


def test_tiers_without_prices_keep_the_order_of_the_file():
    menu = load('[[tiers]]\nname = "b"\nmodel = "b"\n[[tiers]]\nname = "a"\nmodel = "a"')
    assert [t.name for t in menu.tiers] == ["b", "a"]
    assert menu.length == LengthRule("b", "a", "a")
    assert menu.tiers[0] == Tier("b", "b", None, None)


# What a file may not say


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("strategy = \n", "cannot be read as TOML: Invalid value (at line 1, column 12)"),
        ("[tasks]\nx = 1\nx = 2\n", "cannot be read as TOML: Cannot overwrite a value (at line 3, column 6)"),
        ("stratgy = 1", 'menu: unknown key "stratgy" (did you mean "strategy"?)'),
        (
            "zzz = 1",
            'menu: unknown key "zzz"; expected one of length, strategy, task_aliases, task_default, tasks, tiers',
        ),
        (
            'strategy = "lenght"',
            'menu: strategy is "lenght", expected one of "learned", "length", "task" (did you mean "length"?)',
        ),
        ("strategy = 1", 'menu: strategy is 1, expected one of "learned", "length", "task"'),
        (
            'task_default = "Opus"',
            'menu: task_default is "Opus", expected one of "haiku", "gemini", "sonnet", "opus" (did you mean "opus"?)',
        ),
        ("tiers = []", "menu: it has no tiers, expected at least one [[tiers]] entry"),
        ("tiers = 3", "menu: tiers is 3, expected a list"),
        ("tiers = [3]", "menu: tier 1 is 3, expected a table"),
        ("length = 3", "menu: length is 3, expected a table"),
        ("[[tasks]]", "menu: tasks is [{}], expected a table"),
        ("task_aliases = true", "menu: task_aliases is true, expected a table"),
        ('[[tiers]]\nmodel = "a"', 'tier 1: key "name" is missing'),
        ('[[tiers]]\nname = "a"', 'tier "a": key "model" is missing'),
        ("[length]\nthresholds = [500]", "length: thresholds is [500], expected two increasing whole numbers above 0"),
        (
            "[length]\nthresholds = [9, 9]",
            "length: thresholds is [9, 9], expected two increasing whole numbers above 0",
        ),
        (
            "[length]\nthresholds = [0, 9]",
            "length: thresholds is [0, 9], expected two increasing whole numbers above 0",
        ),
        (
            "[length]\nthresholds = [1.5, 9]",
            "length: thresholds is [1.5, 9], expected two increasing whole numbers above 0",
        ),
        ("[length]\nthresholds = 500", "length: thresholds is 500, expected two increasing whole numbers above 0"),
        ("[length]\nsmall = 1", "length: small is 1, expected a tier's name"),
        ('[length]\nsmal = "haiku"', 'length: unknown key "smal" (did you mean "small"?)'),
        (
            '[length]\nlarge = "opuss"',
            'length: large is "opuss", expected one of "haiku", "gemini", "sonnet", "opus" (did you mean "opus"?)',
        ),
        ('[tasks]\n"-" = "opus"', 'tasks: found "-", expected a task label, text with at least one letter'),
        (
            '[tasks]\n"a b" = "opus"\nA_B = "haiku"',
            'tasks: "A_B" is listed twice (case, spaces, hyphens and underscores aside)',
        ),
        (
            '[tasks]\nproof = "opsu"',
            'tasks: proof is "opsu", expected one of "haiku", "gemini", "sonnet", "opus" (did you mean "opus"?)',
        ),
        (
            "[tasks.proof]\ntier = 1",
            'tasks: proof is {"tier": 1}, expected one of "haiku", "gemini", "sonnet", "opus"',
        ),
        (
            '[task_aliases]\nsumarization = ["s"]',
            'task_aliases: "sumarization" is no task of [tasks] (did you mean "summarization"?)',
        ),
        ('[task_aliases]\nsummarization = "s"', 'task_aliases: summarization is "s", expected a list'),
        (
            "[task_aliases]\nsummarization = [1]",
            'task_aliases, "summarization": found 1, expected a task label, text with at least one letter',
        ),
        (
            '[task_aliases]\nsummarization = ["S"]\nclassification = ["s"]',
            'task_aliases: "s" stands for both "summarization" and "classification"',
        ),
        (
            '[task_aliases]\nsummarization = ["Classification"]',
            'task_aliases, "summarization": "classification" is a task of its own in [tasks]',
        ),
    ],
)
def test_a_wrong_file_is_refused_with_its_key_and_what_was_expected(text, message):
    assert refusal(text) == message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("input_price = -1", "input_price is -1, expected USD per 1M tokens, a number of 0 or more"),
        ("input_price = nan", "input_price is NaN, expected USD per 1M tokens, a number of 0 or more"),
        ("input_price = inf", "input_price is Infinity, expected USD per 1M tokens, a number of 0 or more"),
        ("input_price = true", "input_price is true, expected USD per 1M tokens, a number of 0 or more"),
        ('output_price = "5"', 'output_price is "5", expected USD per 1M tokens, a number of 0 or more'),
        (
            "input_price = 1",
            "output_price is missing; give both prices, or none where the table brings the costs",
        ),
        ("output_price = 1", "input_price is missing; give both prices, or none where the table brings the costs"),
        ("context_window = 0", "context_window is 0, expected a whole number above 0"),
        ("context_window = 1e6", "context_window is 1000000.0, expected a whole number above 0"),
        ("max_output_tokens = true", "max_output_tokens is true, expected a whole number above 0"),
        ("images = 1", "images is 1, expected true or false"),
        ('tools = "yes"', 'tools is "yes", expected true or false'),
        ("json_schema = 1979-05-27", 'json_schema is "1979-05-27", expected true or false'),
        ('aliases = "b"', 'aliases is "b", expected a list of non-empty strings'),
        ('aliases = ["b", ""]', 'aliases is ["b", ""], expected a list of non-empty strings'),
        ("input_prize = 1", 'unknown key "input_prize" (did you mean "input_price"?)'),
    ],
)
def test_a_wrong_tier_is_refused_by_its_name(line, message):
    assert refusal(f'[[tiers]]\nname = "a"\nmodel = "m"\n{line}') == f'tier "a": {message}'


@pytest.mark.parametrize("name", ['""', '" a"', '"a\\nb"', '"-"', "7", "[]", '"\\u0000"'])
def test_a_name_is_text_on_one_line(name):
    assert refusal(f'[[tiers]]\nname = {name}\nmodel = "m"').endswith("expected a non-empty string on one line")


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ('name = "a"\nmodel = "m"', 'name = "a"\nmodel = "n"', "a"),
        ('name = "a"\nmodel = "m"', 'name = "b"\nmodel = "M"', "M"),
        ('name = "a-b"\nmodel = "m"', 'name = "b"\nmodel = "n"\naliases = ["A_b"]', "A_b"),
        ('name = "a"\nmodel = "b"', 'name = "b"\nmodel = "n"', "b"),
    ],
)
def test_no_two_tiers_are_found_by_one_name(first, second, shared):
    message = refusal(f"[[tiers]]\n{first}\n[[tiers]]\n{second}")
    assert message.startswith("tier 1 (")
    assert message.endswith(f'are both found by "{shared}"; rename one')


def test_a_tier_may_repeat_its_own_name():
    menu = load('[[tiers]]\nname = "a"\nmodel = "a"\naliases = ["A", "A"]')
    assert menu.find("a").model == "a"


def test_a_long_value_is_shown_in_part():
    assert len(refusal(f'strategy = "{"x" * 10_000}"')) < 200


def test_hopeless_nesting_is_refused():
    assert refusal("x = " + "[" * 100_000).startswith("cannot be read as TOML")


def test_what_the_file_must_not_say_a_menu_in_code_must_not_either():
    menu = default_menu()
    with pytest.raises(ConfigError, match=r'^tier "a": input_price is -1'):
        Tier("a", "a", -1, 1)
    with pytest.raises(ConfigError, match=r"^tasks: Proof is"):
        replace(menu, task_table={"Proof": "opus"})
    with pytest.raises(ConfigError, match=r"^task_aliases: classification is"):
        replace(menu, task_aliases={"Sort": "classification"})
    with pytest.raises(ConfigError, match="it has no tiers"):
        replace(menu, tiers=())


# Other tiers


def test_other_tiers_under_the_same_rules():
    ladder = [tier("sonnet"), tier("opus"), tier("haiku")]
    menu = with_tiers(replace(default_menu(), task_default="gemini"), ladder)
    assert menu.tiers == tuple(ladder)
    assert menu.length == default_menu().length
    assert "long document analysis" not in menu.task_table
    assert menu.task_default is None
    assert menu.task_aliases == default_menu().task_aliases


@pytest.mark.parametrize(("count", "rule"), [(1, "aaa"), (2, "abb"), (3, "abc"), (4, "acd"), (9, "aei")])
def test_the_length_rule_takes_the_first_the_middle_and_the_last_of_unknown_tiers(count, rule):
    menu = with_tiers(default_menu(), [tier(name) for name in "abcdefghi"[:count]])
    assert menu.length == LengthRule(*rule)
    assert menu.task_table == {}


def test_no_tiers_are_refused():
    with pytest.raises(ConfigError, match="it has no tiers"):
        with_tiers(default_menu(), [])


PRICES = st.floats(0, 1e6) | st.integers(0, 1000)


@settings(deadline=None)
@given(st.lists(st.tuples(PRICES, PRICES) | st.just((None, None)), max_size=6))
def test_price_order_is_stable_and_needs_every_price(prices):
    tiers = [tier(f"t{number}", *pair) for number, pair in enumerate(prices)]
    ordered = in_price_order(tiers)
    if (None, None) in prices:
        assert ordered == tuple(tiers)
    else:
        assert list(ordered) == sorted(tiers, key=lambda t: (t.input_price + t.output_price, tiers.index(t)))


# The artifact's header


NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)


@st.composite
def menus(draw):
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=normalise_label))
    tiers = tuple(
        Tier(
            name,
            f"models/{name}",
            *draw(st.tuples(PRICES, PRICES) | st.just((None, None))),
            context_window=draw(st.none() | st.integers(1, 10**7)),
            max_output_tokens=draw(st.none() | st.integers(1, 10**6)),
            images=draw(st.booleans()),
            tools=draw(st.booleans()),
            json_schema=draw(st.booleans()),
            aliases=tuple(draw(st.lists(st.sampled_from([f"{name}.1", f"{name}.2"]), max_size=2))),
        )
        for name in names
    )
    labels = draw(
        st.lists(NAMES.map(normalise_label).filter(lambda s: s == normalise_label(s)), unique=True, max_size=6)
    )
    tasks, spellings = labels[::2], labels[1::2]
    small = draw(st.integers(1, 1000))
    return Menu(
        tiers,
        {label: draw(st.sampled_from(names)) for label in tasks},
        {spelling: draw(st.sampled_from([*tasks, "other"])) for spelling in spellings},
        LengthRule(*(draw(st.sampled_from(names)) for _ in range(3)), (small, small + draw(st.integers(1, 1000)))),
        draw(st.sampled_from(catalog.STRATEGIES)),
        draw(st.none() | st.sampled_from(names)),
    )


@settings(deadline=None)
@given(menus())
def test_any_menu_survives_the_header(menu):
    assert menu_from_header(json.loads(json.dumps(menu_to_header(menu), sort_keys=True))) == menu


def test_the_header_keeps_the_order_of_the_tiers():
    menu = with_tiers(default_menu(), [tier("b", 9, 9), tier("a", 1, 1)])
    assert [t.name for t in menu_from_header(menu_to_header(menu)).tiers] == ["b", "a"]


@pytest.mark.parametrize("key", ["tiers", "length", "tasks", "task_aliases", "strategy"])
def test_a_header_without_a_part_is_refused(key):
    header = menu_to_header(default_menu())
    del header[key]
    with pytest.raises(
        ArtifactError, match=rf'^r\.safetensors: its menu is unsound: menu: key "{key}" is missing; train'
    ):
        menu_from_header(header, "r.safetensors")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@settings(deadline=None)
@given(st.data())
def test_a_header_with_anything_anywhere_is_a_menu_or_a_clear_error(data):
    header = json.loads(json.dumps(menu_to_header(default_menu())))
    place = header
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not (isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans())):
            break
        place = place[key]
    place[key] = data.draw(VALUES)
    try:
        menu = menu_from_header(header)
    except ArtifactError as error:
        message = str(error)
        assert re.match("the artifact: its menu is unsound: .*; train a new one with train-router$", message)
    else:
        assert menu_from_header(menu_to_header(menu)) == menu
