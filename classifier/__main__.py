"""``python -m classifier "prompt"``: route one request from the command line and say why."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import NoReturn

from classifier.escapes import for_terminal
from classifier.version import __version__

# Those of `classifier.catalog`, written here so that help need not load it; a test holds them to what they repeat.
STRATEGIES = ("learned", "length", "task")


class _Parser(argparse.ArgumentParser):
    """Escapes what it quotes of wrong arguments."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end."""
        super().error(for_terminal(message))


PROGRAM = "python -m classifier"


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Route the request that the arguments describe; exit code 2 where that cannot be done.

    Parameters
    ----------
    arguments : None: those of this process.
    program : what was typed to start it, which help and errors name.
    """
    given = _parser(program).parse_args(arguments)
    from classifier.errors import RouterError  # what routes is loaded where the work begins: help is there at once
    from classifier.router import Router

    prompt = sys.stdin.read() if given.prompt == "-" else given.prompt
    try:
        router = Router.load(
            given.artifact, strategy=given.strategy, max_quality_loss=given.max_quality_loss, budget=given.budget
        )
        decision = router.route(prompt, max_tokens=given.max_tokens, task=given.task)
    except RouterError as error:
        print(for_terminal(f"{program}: {error}"), file=sys.stderr)
        return 2
    print(for_terminal(decision.model))
    if decision.arguments:
        print(for_terminal(f"with {json.dumps(decision.arguments, ensure_ascii=False)}"))
    print(for_terminal(decision.reason))
    for tier, probability in decision.probabilities.items():
        print(for_terminal(f"  P({tier} is adequate) = {probability:.2f}"))
    print(decision.explain())
    return 0


def _parser(program: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=program,
        description="Route one request and say why.",
        epilog=f'example: {program} "Prove that the square root of 2 is irrational." --max-tokens 500',
    )
    parser.add_argument("--version", action="version", version=f"{program} {__version__}")
    parser.add_argument("prompt", help="the request's text; - reads it from standard input")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="limit on the answer's tokens")
    parser.add_argument("--task", help='a label such as "summarization"')
    parser.add_argument("--artifact", help="default: where predict_model looks for it")
    parser.add_argument("--strategy", choices=STRATEGIES, help="default: the menu's, else the artifact's")
    wish = parser.add_mutually_exclusive_group()
    wish.add_argument("--max-quality-loss", type=float, metavar="X", help="quality that may be lost: 0.05 is 5%%")
    wish.add_argument("--budget", type=float, metavar="X", help="mean cost as a share of the reference's: 0.4 is 40%%")
    return parser


if __name__ == "__main__":
    sys.exit(main())
