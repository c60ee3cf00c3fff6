"""Every exception this package raises on purpose.

    RouterError                     base: catch this one to catch them all
    +-- InputError                  a file, option or table the user gave is wrong (command line: exit code 2)
    |   +-- ConfigError             router.toml or a menu built in code is wrong
    |   +-- TableError              an outcome table is wrong (training)
    +-- ArtifactError               an artifact cannot be used: truncated, altered, foreign, too new
    +-- StoreError                  an outcome store cannot be reached, or a newer release made it
    |   +-- NoStoreError            its URL leads to no store; an InputError, too
    +-- NoFeasibleTierError         no tier of the menu can serve the request (context window, images, tools, schema)
    +-- BudgetExceededError         a spend limit is reached, and the budget's policy is to refuse
    +-- MalformedAnswerError        an upstream answered with something that is no chat completion, or too large; what a
                                    cascade raises of it is an openai.OpenAIError as well

Each message is one line that says what was found, what is expected and what to do next. No message holds prompt text.
What it quotes from files is escaped, so that it may be printed and logged as it is.
"""

from __future__ import annotations

from classifier.escapes import for_terminal


class RouterError(Exception):
    """Base of all exceptions raised on purpose by ``classifier`` and ``training``."""

    def __str__(self) -> str:
        return for_terminal(super().__str__())


class InputError(RouterError):
    """Something the user gave (file, option, table) is wrong; the message names it and says how to mend it."""


class ConfigError(InputError):
    """The menu (``router.toml`` or its equivalent in code) is wrong."""


class UnreadableMessagesError(InputError):
    """What is given as messages holds none, or something that is no message."""


class TableError(InputError):
    """An outcome table cannot be read or understood."""


class ArtifactError(RouterError):
    """An artifact cannot be used; the message says exactly why."""


class StoreError(RouterError):
    """An outcome store cannot be read; the message names it, without its password, and says why."""


class NoStoreError(StoreError, InputError):
    """The URL of an outcome store leads to something that is none."""


class NoFeasibleTierError(RouterError):
    """No tier of the menu can serve the request; the message names the constraint each tier fails."""


class BudgetExceededError(RouterError):
    """A spend limit is reached, and the budget's policy is to refuse."""


class MalformedAnswerError(RouterError):
    """An upstream answered with something that is no chat completion; the message holds nothing of it."""
