"""Where every command starts: ``tierwise``, ``python -m tierwise`` and the names from before there was one command.

What could hide the commands, a folder of the same name or a package that is not installed, is looked for here, so that
it is one line and no traceback.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import NoReturn

from tierwise import HiddenPackageError, expect_own

_INTERRUPTED = 130  # as shells say it
# The modules that `pip install "tierwise[train]"` brings.
_FOR_TABLES = ("charset_normalizer", "dateutil", "ijson", "polars", "python_calamine")
TRAIN_MODULES = frozenset((*_FOR_TABLES, "filelock", "joblib", "rensa", "rich", "scipy", "sklearn", "typer"))


def main() -> None:
    """Run ``tierwise``."""
    if sys.argv[1:2] == ["route"]:  # which needs nothing but the base installation
        _run("tierwise route", "classifier.__main__", sys.argv[2:], "tierwise route")
    _run("tierwise", "training.commands.app")


def train_router() -> None:
    """Run ``train-router``."""
    _run("train-router", "training.commands.train")


def evaluate_router() -> None:
    """Run ``evaluate-router``."""
    _run("evaluate-router", "training.commands.evaluate")


def models() -> None:
    """Run ``tierwise-models``."""
    _run("tierwise-models", "training.commands.models")


def outcomes() -> None:
    """Run ``tierwise-outcomes``."""
    _run("tierwise-outcomes", "training.commands.outcomes")


def _run(program: str, module: str, *arguments: object) -> NoReturn:
    """Run a module's ``main``, which ends the process or returns its exit code."""
    try:
        for package in dict.fromkeys(("classifier", module.partition(".")[0])):
            expect_own(package)
        code = import_module(module).main(*arguments)
        sys.stdout.flush()
        sys.exit(code)
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    except BrokenPipeError:  # whoever reads our output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except HiddenPackageError as error:
        _fail(f"{program}: {error}")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in TRAIN_MODULES:
            raise
        _fail(f'{program}: found no {missing}, which this command needs; install it: pip install "tierwise[train]"')


def _fail(line: str) -> NoReturn:
    print(line, file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    main()
