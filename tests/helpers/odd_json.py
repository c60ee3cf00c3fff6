"""Any text and any JSON, odd characters more often than chance would draw them."""

from __future__ import annotations

from hypothesis import strategies as st

ODD = st.sampled_from(["\x00", "\x10", "\x100010", "\ud83d", "\ude00", "\ud83d\ude00", "\\u0010", "\\", '"', "\u2028"])
any_text = st.lists(ODD | st.text(st.characters(exclude_categories=()))).map("".join)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | any_text,
    lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
    max_leaves=20,
)
