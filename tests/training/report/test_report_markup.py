from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.page import Page
from training.report.markup import Html, HtmlColumn, join, printable, table, tag, user


@given(st.text())
def test_text_comes_out_of_a_page_as_it_went_in(text: str) -> None:
    page = Page(tag("p", text, title=text))
    assert page.text == printable(text)
    assert page.elements == [("p", {"title": printable(text)})]


@given(st.text(st.characters()))
def test_every_page_can_be_written_as_utf8(text: str) -> None:
    printable(text).encode("utf-8")
    assert not set(printable(text)) & {chr(code) for code in (0, 1, 8, 11, 12, 27, 127, 0x9F)}


def test_lone_surrogates_are_replaced() -> None:
    assert tag("p", "a\ud800b") == "<p>a\ufffdb</p>"


def test_html_stays_html_until_it_is_mixed_with_plain_text() -> None:
    bold = tag("b", "x")
    assert tag("p", bold) == "<p><b>x</b></p>"
    assert tag("p", "a" + bold) == "<p>a&lt;b&gt;x&lt;/b&gt;</p>"
    assert isinstance(join(bold, "<"), Html)
    assert join(bold, "<", None) == "<b>x</b>&lt;"


def test_attributes_are_named_and_left_out() -> None:
    assert tag("i", class_="a", aria_label=None, viewBox="0 0 1 1") == '<i class="a" viewBox="0 0 1 1"></i>'


def test_a_users_text_cannot_turn_its_surroundings_round() -> None:
    assert user("\u202eabc") == "<bdi>\u202eabc</bdi>"


def test_a_table_names_its_rows_and_columns() -> None:
    page = Page(
        table("Fruit", [HtmlColumn("name"), HtmlColumn("count", "number")], [("apple", 1), ("pear", 2)], marked={1})
    )
    assert [cell["scope"] for cell in page.all("th")] == ["col", "col", "row", "row"]
    assert [row.get("class") for row in page.all("tr")] == [None, None, "marked"]
    assert page.all("div")[0] == {"class": "scroll", "role": "region", "tabindex": "0", "aria-label": "Fruit"}
    assert not page.misnested
    assert not page.open
