"""How commands are declared and run.

A command starts without what it works with: the modules that hold commands import typer alone, and the rest where the
work begins, so that ``--help`` and the shell's completion are there at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from shlex import quote
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand
from typer.main import get_command

_UsageError: Any = typer.BadParameter.__mro__[1]  # the base that typer takes from click, its own copy or another
_OLDER = {"--folder": "--models", "--outcomes": "--store", "--model": "--artifact"}
_JSON = "--json"


class Command(TyperCommand):
    """A command that takes the older spellings of its options, and ``--json`` without a file as ``--json -``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments, brought into today's form first."""
        known = {option for parameter in self.params for option in parameter.opts}
        older = {old: new for old, new in _OLDER.items() if new in known and old not in known}
        return super().parse_args(ctx, list(_completed(_respelled(args, older), json=_JSON in known)))


def _respelled(arguments: Sequence[str], older: dict[str, str]) -> Iterator[str]:
    """The arguments with today's names of options; what stands behind ``--`` is no option."""
    for place, argument in enumerate(arguments):
        if argument == "--":
            yield from arguments[place:]
            return
        name, equals, value = argument.partition("=")
        yield older.get(name, name) + equals + value


def _completed(arguments: Iterator[str], *, json: bool) -> Iterator[str]:
    """The arguments, with standard output named where ``--json`` names no file."""
    for argument, follower in pairwise([*arguments, "--"]):
        yield argument
        if json and argument == _JSON and follower.startswith("-") and follower != "-":
            yield "-"


def prose(text: str) -> str:
    """A help text whose paragraphs are wrapped by the terminal alone; indented lines, which are examples, stay."""
    return "\n\n".join(
        paragraph if paragraph.startswith(" ") else paragraph.replace("\n", " ")
        for paragraph in text.strip("\n").split("\n\n")
    )


def run_command(app: typer.Typer, program: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command; bad input is one line and exit code 2, any other failure of ours 1.

    Parameters
    ----------
    program : what was typed to start it, which errors and usage name.
    arguments : what was typed after that; None: all that this process was given.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:
        _show_version(program)
    try:
        sys.exit(_exit_code(app, program, given))
    except Exception as error:
        line, code = _line_of(error)
        if line is None:
            raise
        _fail(f"{program}: {line}", code)


def _show_version(program: str) -> NoReturn:
    from classifier.version import __version__

    print(f"{program} {__version__}")
    raise SystemExit(0)


def _exit_code(app: typer.Typer, program: str, arguments: Sequence[str]) -> int:
    """Run a command; what typer says of a wrong argument is escaped first."""
    try:
        command, program, arguments = _innermost(get_command(app), program, arguments)
        code: int | None = command.main(list(arguments), prog_name=program, standalone_mode=False)
        return code or 0
    except _UsageError as error:
        from typer import rich_utils

        from classifier.escapes import lines_for_terminal

        error.message = lines_for_terminal(error.message)
        rich_utils.rich_format_error(error)
        return int(error.exit_code)
    except typer.Abort:
        from typer import rich_utils

        rich_utils.rich_abort_error()
        return 1


def _innermost(command: Any, program: str, arguments: Sequence[str]) -> tuple[Any, str, Sequence[str]]:
    """The command that a group's arguments begin with, so that its help need not wait for the group's options."""
    inner = getattr(command, "commands", {}).get(arguments[0]) if arguments else None
    if inner is None:
        return command, program, arguments
    return _innermost(inner, f"{program} {arguments[0]}", arguments[1:])


def _line_of(error: Exception) -> tuple[str | None, int]:
    """What to say of a failure, and the exit code; None: it is a fault of the program, and shown as such."""
    from classifier.errors import InputError, RouterError

    if isinstance(error, RouterError):
        return str(error) + _option(error), 2 if isinstance(error, InputError) else 1
    if isinstance(error, OSError):
        said = error.strerror or error
        return f"{error.filename or 'file'}: {said}; check the path and its permissions", 1
    return None, 1


def _option(error: Exception) -> str:
    """How the command line says what an error asks for."""
    option, value = getattr(error, "option", ""), getattr(error, "value", "")
    if not option:
        return ""
    flag = f"--{option.replace('_', '-')}"
    return f": {flag}" if value is True else f": {flag} {quote(str(value))}"


def _fail(line: str, code: int) -> NoReturn:
    from classifier.escapes import for_terminal
    from training.commands.terminal import Terminal

    console = Terminal(stderr=True, soft_wrap=True)
    console.print(for_terminal(line), style="bold red", markup=False, highlight=False)
    raise SystemExit(code)
