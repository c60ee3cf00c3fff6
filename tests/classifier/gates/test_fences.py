from hypothesis import given
from hypothesis import strategies as st

from classifier.gates.fences import CodeBlock, code_blocks, sole_block
from tests.helpers.answers import texts


def blocks(text):
    return list(code_blocks(text))


def test_blocks_with_and_without_labels():
    text = "a\n```python\nx = 1\n```\nb\n~~~\ny\n\nz\n~~~\n"
    assert blocks(text) == [CodeBlock("python", "x = 1", True), CodeBlock("", "y\n\nz", True)]


def test_labels_are_in_lower_case_and_may_be_followed_by_more():
    assert [block.label for block in blocks('``` C++ title="a"\n```\n```objective-c\n```')] == ["c++", "objective-c"]


def test_a_longer_fence_holds_shorter_ones():
    assert blocks("````markdown\n```\nx\n```\n````") == [CodeBlock("markdown", "```\nx\n```", True)]


def test_the_last_block_may_be_open():
    assert blocks("```json\n{") == [CodeBlock("json", "{", False)]


def test_code_between_backticks_within_a_line_is_no_block():
    assert blocks("Use ```x``` here\n```x``` there") == []


def test_fences_in_lists_and_quotations():
    assert [block.label for block in blocks("- a\n    ```sh\n    ls\n    ```\n> ```js\n> x\n> ```")] == ["sh", "js"]


def test_a_sole_block():
    assert sole_block(" \n```json\n{}\n```\n ").code == "{}"
    for text in ("{}", "a\n```\n{}\n```", "```\n{}\n```\nb", "```\n{}", "```\na\n```\n```\nb\n```", ""):
        assert sole_block(text) is None


@given(texts)
def test_any_text(text):
    found = blocks(text)
    assert all(block.closed for block in found[:-1])
    assert sum(len(block.code) for block in found) <= len(text)


@given(st.text("ab\n ", max_size=50), st.sampled_from(["", "python", "json"]))
def test_what_is_put_in_comes_out(code, label):
    assert blocks(f"text\n```{label}\n{code}\n```\nmore") == [CodeBlock(label, code, True)]
