"""HTML as values: whatever is not `Html` already is escaped where it enters an element, so nothing is forgotten."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from html import escape

# Characters that HTML or UTF-8 cannot hold: controls and lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Html(str):
    """Text that is HTML already. Adding or formatting one gives a plain string, which would be escaped again."""

    __slots__ = ()


def printable(text: str) -> str:
    """The text with a replacement character for each one that a page cannot hold."""
    return _UNPRINTABLE.sub("\ufffd", text)


def tag(name: str, *children: object, **attributes: object) -> Html:
    """One element.

    Parameters
    ----------
    children : `Html` stays as it is, None is left out, anything else is escaped.
    attributes : None is left out; ``class_`` stands for ``class``, ``aria_label`` for ``aria-label``.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(printable(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>{join(*children)}</{name}>")


def join(*children: object) -> Html:
    """Several children in a row, as in `tag`."""
    return Html("".join(map(_text, children)))


def prose(*children: object) -> Html:
    """A paragraph."""
    return tag("p", *children)


def note(*children: object) -> Html:
    """A paragraph in small print."""
    return tag("p", *children, class_="note")


def user(text: str) -> Html:
    """Text from the user's data, kept from turning the text around it when it runs right to left."""
    return tag("bdi", text)


@dataclass(frozen=True, slots=True)
class HtmlColumn:
    """A table's column; ``kind`` is "text", "number" or "bar"."""

    title: str
    kind: str = "text"


def table(
    caption: str, columns: Sequence[HtmlColumn], rows: Iterable[Sequence[object]], *, marked: Container[int] = ()
) -> Html:
    """A table whose first column names its rows; wide ones scroll inside their frame.

    Parameters
    ----------
    marked : numbers of the rows that stand out.
    """
    head = [tag("th", column.title, scope="col", class_=column.kind) for column in columns]
    body = []
    for number, row in enumerate(rows):
        first, *rest = row
        cells = [tag("th", first, scope="row", class_=columns[0].kind)]
        cells += [tag("td", cell, class_=column.kind) for cell, column in zip(rest, columns[1:], strict=True)]
        body.append(tag("tr", *cells, class_="marked" if number in marked else None))
    whole = tag("table", tag("caption", caption), tag("thead", tag("tr", *head)), tag("tbody", *body))
    return tag("div", whole, class_="scroll", role="region", tabindex=0, aria_label=caption)


def _text(child: object) -> str:
    if child is None:
        return ""
    return str(child) if isinstance(child, Html) else escape(printable(str(child)))
