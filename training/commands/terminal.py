"""The terminal that commands write to: it shows what names from files hold and obeys none of it."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from classifier.escapes import lines_for_terminal


class Terminal(Console):
    """rich's console, for text that holds what others wrote.

    Whatever a terminal would obey is escaped in every text, cell and title before it is laid out, and colons make no
    emoji. Square brackets are still markup: names go through `rich.markup.escape`.
    """

    def __init__(self, *, stderr: bool = False, soft_wrap: bool = False) -> None:
        super().__init__(stderr=stderr, soft_wrap=soft_wrap, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text as rich shows it, escaped."""
        return super().render_str(lines_for_terminal(text), **options)


def say(text: str) -> None:
    """Print a line that no terminal's width breaks; square brackets are no markup."""
    Terminal(soft_wrap=True).print(escape(text), highlight=False)


def say_next(step: str) -> None:
    """The last line of a command that went well: the command, or the deed, that usually follows."""
    Terminal(soft_wrap=True).print(f"[dim]Next:[/] {escape(step)}", highlight=False)
