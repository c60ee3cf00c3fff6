import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.errors import ConfigError
from classifier.keywords import DEFAULT_FILE, dump_keywords, load_keywords, parse_keywords
from classifier.text import scan_text
from tests.helpers.requests import texts

GROUPS = [
    {"name": "proof", "words": ["prove", "théorème", "докажи"], "substrings": ["证明", "証明"]},
    {"name": "code", "words": ["code", "prove"], "substrings": ["พิสูจน์"]},
    {"name": "nothing", "words": [], "substrings": []},
]
KEYWORDS = parse_keywords(GROUPS, "the tests")


def count(text, keywords=KEYWORDS):
    scan = scan_text(text)
    return keywords.count(scan, set(scan.words))


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("", [0, 0, 0]),
        ("prove it", [1, 1, 0]),
        ("PROVE, prove; Prove!", [1, 1, 0]),
        ("improve and proven", [0, 0, 0]),
        ("Prove the THÉORÈME. докажи!", [3, 1, 0]),
        ("请证明它，証明", [2, 0, 0]),
        ("กรุณาพิสูจน์", [0, 1, 0]),
        ("code: 证明", [1, 1, 0]),
    ],
)
def test_distinct_entries_are_counted(text, counts):
    assert count(text) == counts


@given(texts)
def test_any_text_is_counted_within_bounds(text):
    counts = count(text)
    assert counts == count(text)
    for found, group in zip(counts, GROUPS, strict=True):
        assert 0 <= found <= len(group["words"]) + len(group["substrings"])


names = st.text(min_size=1, max_size=8)
entries = st.lists(
    st.text(min_size=1, max_size=6).filter(lambda entry: entry == entry.lower()), max_size=4, unique=True
)


@given(st.lists(st.fixed_dictionaries({"name": names, "words": entries, "substrings": entries}), max_size=5))
def test_groups_survive_an_artifacts_header(groups):
    keywords = parse_keywords(groups, "the tests")
    dumped = json.loads(json.dumps(dump_keywords(keywords)))
    assert parse_keywords(dumped, "the tests") == keywords
    assert [group["name"] for group in dumped] == [group["name"] for group in groups]
    for before, after in zip(groups, dumped, strict=True):
        assert sorted(after["words"]) == sorted(before["words"])
        assert after["substrings"] == before["substrings"]


# The packaged file


def test_the_packaged_file_is_the_default():
    assert load_keywords() == load_keywords(DEFAULT_FILE)
    assert len(set(load_keywords().names)) == len(load_keywords().names) > 0


def test_every_entry_of_the_packaged_file_can_be_found():
    keywords = load_keywords()
    lost = [word.decode() for word in keywords.words if not sum(count(word.decode(), keywords))]
    lost += [text for text, group in keywords.substrings if not count(f"x{text}x", keywords)[group]]
    assert not lost


# Files of one's own


def load(tmp_path, content):
    path = tmp_path / "words.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_keywords(path)


def test_groups_and_languages_are_read_in_order(tmp_path):
    keywords = load(
        tmp_path,
        '[groups.proof]\ndescription = "proofs"\nwords = ["prove"]\n[groups."data"]\n'
        '[languages.czech]\nwords = ["proč"]\nsubstrings = ["为什么"]\n',
    )
    assert keywords.names == ("proof", "data", "czech language")
    assert count("Proč prove 为什么", keywords) == [1, 0, 2]


def test_an_empty_file_has_no_groups(tmp_path):
    assert load(tmp_path, "").names == ()
    assert count("prove", load(tmp_path, "")) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[groups", "cannot read keyword groups: "),
        (b"\xff\xfe", "cannot read keyword groups: "),
        ('[groups.a]\nwords = "b"', "keyword group 'a': expected 'words' to be a list of lower-case texts"),
        ("[groups.a]\nwords = [1]", "keyword group 'a': expected 'words' to be a list of lower-case texts"),
        ('[groups.a]\nwords = [""]', "keyword group 'a': expected 'words' to be a list of lower-case texts"),
        ('[groups.a]\nwords = ["B"]', "keyword group 'a': expected 'words' to be a list of lower-case texts"),
        ('[groups.a]\nsubstrings = ["Ж"]', "keyword group 'a': expected 'substrings' to be a list of lower-case texts"),
        ("[groups.a]\nname = 1", "keyword group 1: expected a table with a name"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line_that_names_it(tmp_path, content, reason):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, content)
    assert str(caught.value).startswith(f"{tmp_path / 'words.toml'}: {reason}")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: cannot read keyword groups: .*No such file"):
        load_keywords(tmp_path / "none.toml")


@pytest.mark.parametrize("group", [None, 3, "a", [], {}, {"name": None}, {"name": 3}])
def test_a_group_is_a_table_with_a_name(group):
    with pytest.raises(ConfigError, match=r"^here: keyword group 1: expected a table with a name$"):
        parse_keywords([group], "here")


@pytest.mark.parametrize("key", ["words", "substrings"])
@pytest.mark.parametrize("entries", [None, "word", {"a": 1}, [None], [["a"]], ["Upper"]])
def test_entries_are_lists_of_lower_case_texts(key, entries):
    group = {"name": "a", "words": [], "substrings": []} | {key: entries}
    with pytest.raises(
        ConfigError, match=f"^here: keyword group 'a': expected '{key}' to be a list of lower-case texts$"
    ):
        parse_keywords([group], "here")
