"""A tier is a model and its arguments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import ConfigError, Menu, Tier
from classifier.arguments import Arguments, answer_limit, parse_arguments
from classifier.catalog import default_menu, load_menu, menu_from_header, menu_to_header, with_tiers

MENU = """
[tiers.low]
model = "gpt-x"
input_price = 1.0
output_price = 4.0
arguments = { reasoning_effort = "low" }

[tiers.high]
model = "gpt-x"
input_price = 1.0
output_price = 4.0

[tiers.high.arguments]
reasoning_effort = "high"
max_tokens = { rename = "max_completion_tokens" }
temperature = { drop = true }
verbosity = { default = "low" }
extra_body = { thinking = { budget_tokens = 8000 } }
"""


@pytest.fixture
def menu(tmp_path) -> Menu:
    (tmp_path / "router.toml").write_text(MENU)
    return load_menu(tmp_path / "router.toml")


def test_a_tier_sets_renames_drops_and_fills_in_arguments(menu: Menu) -> None:
    high = menu.find("high")
    assert high is not None
    made = high.arguments.apply({"max_tokens": 9, "temperature": 0.2, "seed": 1, "extra_body": {"user": "u"}})
    assert made == {
        "max_completion_tokens": 9,
        "seed": 1,
        "reasoning_effort": "high",
        "verbosity": "low",
        "extra_body": {"user": "u", "thinking": {"budget_tokens": 8000}},
    }


def test_arguments_may_stand_below_a_list_of_tiers_by_the_tiers_name(tmp_path) -> None:
    entries = "".join(f'[[tiers]]\nname = "{name}"\nmodel = "m{name}"\n' for name in "abc")
    file = tmp_path / "router.toml"
    file.write_text(f'{entries}[tiers.arguments]\nseed = 3\n[tiers.a.arguments]\nreasoning_effort = "low"\n')
    found = {tier.name: tier.arguments.apply({}) for tier in load_menu(file).tiers}
    assert found == {"a": {"reasoning_effort": "low"}, "b": {}, "c": {"seed": 3}}
    file.write_text(f"{entries}[tiers.c.arguments]\nseed = 3\n[tiers.arguments]\nseed = 4\n")
    with pytest.raises(ConfigError, match='tier "c": arguments are given twice'):
        load_menu(file)
    file.write_text(f"{entries}[tiers.d.arguments]\nseed = 3\n")
    with pytest.raises(ConfigError, match='unknown key "d"'):
        load_menu(file)


def test_what_the_caller_says_goes_before_a_default_and_under_the_tiers_own_name(menu: Menu) -> None:
    high = menu.find("high")
    assert high is not None
    made = high.arguments.apply(
        {"max_tokens": 9, "max_completion_tokens": 7, "verbosity": "high", "reasoning_effort": "minimal"}
    )
    assert made["max_completion_tokens"] == 7
    assert "max_tokens" not in made
    assert (made["verbosity"], made["reasoning_effort"]) == ("high", "high")


def test_two_tiers_of_one_model_are_kept_apart(menu: Menu) -> None:
    assert [tier.name for tier in menu.sharing("gpt-x")] == ["low", "high"]
    assert [tier.name for tier in menu.sharing("high")] == ["high"]
    for tier in menu.tiers:
        assert menu.counterpart(tier) is tier


def test_a_tier_may_be_called_as_its_model_while_another_uses_the_model_differently() -> None:
    plain = Tier("gpt-x", "gpt-x", 1.0, 4.0)
    high = Tier("high", "gpt-x", 1.0, 4.0, arguments=Arguments({"reasoning_effort": "high"}))
    menu = with_tiers(default_menu(), (plain, high))
    assert menu.sharing("gpt-x") == (plain,)
    assert menu.counterpart(high) is high


@pytest.mark.parametrize("third", [{}, {"seed": 1}])
def test_tiers_of_one_model_with_equal_arguments_are_refused(third: dict[str, int]) -> None:
    tiers = [Tier(f"t{number}", "gpt-x", 1.0, 4.0, arguments=Arguments(third)) for number in range(2)]
    other = Tier("other", "gpt-x", 1.0, 4.0, arguments=Arguments({"reasoning_effort": "high"}))
    with pytest.raises(ConfigError, match="are both found by"):
        with_tiers(default_menu(), (other, *tiers))


def test_an_artifacts_header_keeps_prices_and_arguments(menu: Menu) -> None:
    assert menu_from_header(menu_to_header(menu)) == menu


def test_a_mapping_is_understood_in_python() -> None:
    tier = Tier("a", "m", 1.0, 2.0, arguments={"temperature": {"drop": True}})  # type: ignore[arg-type]
    assert tier.arguments == Arguments(dropped=frozenset({"temperature"}))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"model": "x"}, "tier's own key"),
        ({"stream": True}, "the caller decides it"),
        ({"extra_headers": {"x": "y"}}, "headers may hold keys"),
        ({"a": {"rename": "messages"}}, "the request itself"),
        ({"a": {"rename": 3}}, "a.rename is 3"),
        ({"a": {"drop": False}}, "a.drop is false, expected true"),
        ({"a": {"rename": "b"}, "b": {"drop": True}}, "renamed or dropped itself"),
        ({"a b": 1}, "a name such as reasoning_effort"),
        ({"a": float("nan")}, "finite numbers"),
        ({"a": "x" * 70_000}, "characters"),
        ({f"a{n}": n for n in range(65)}, "at most 64"),
        ({"extra_body": 3}, "extra_body is 3"),
        ([1], "arguments is"),
    ],
)
def test_arguments_that_mean_nothing_are_refused_in_one_line(table: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        parse_arguments("tier x", table)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("tier x")


_NAMES = st.sampled_from(["temperature", "max_tokens", "top_p", "seed", "user"])
_VALUES = st.one_of(st.integers(), st.text(max_size=5), st.booleans(), st.fixed_dictionaries({"drop": st.booleans()}))


@given(st.dictionaries(_NAMES, _VALUES), st.dictionaries(_NAMES, _VALUES), st.sets(_NAMES))
def test_arguments_are_written_and_read_back(values: dict, defaults: dict, dropped: set[str]) -> None:
    defaults = {name: value for name, value in defaults.items() if name not in values}
    dropped = dropped - {*values, *defaults}
    arguments = Arguments(values, defaults, {}, frozenset(dropped))
    assert parse_arguments("tier x", arguments.table()) == arguments
    assert arguments.apply(arguments.apply({"seed": 3})) == arguments.apply({"seed": 3})


def test_the_responses_api_has_other_names_for_some_arguments() -> None:
    arguments = parse_arguments(
        "tier x",
        {
            "reasoning_effort": "high",
            "reasoning": {"summary": "auto"},
            "verbosity": {"default": "low"},
            "max_tokens": {"rename": "max_completion_tokens"},
            "max_completion_tokens": {"default": 900},
            "temperature": {"drop": True},
        },
    ).for_responses()
    assert arguments.apply(
        {"temperature": 1, "reasoning": {"effort": "low"}, "text": {"format": {"type": "text"}}}
    ) == {
        "reasoning": {"effort": "high", "summary": "auto"},
        "text": {"format": {"type": "text"}, "verbosity": "low"},
        "max_output_tokens": 900,
    }
    assert arguments.apply({"max_output_tokens": 5})["max_output_tokens"] == 5


def test_of_several_limits_on_the_answer_the_smallest_counts() -> None:
    assert answer_limit(None, None) is None
    assert answer_limit(None, 30) == 30
    assert answer_limit(50, None, 30) == 30
