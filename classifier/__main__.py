"""``python -m classifier "prompt"``: route one request from the command line and say why."""

from __future__ import annotations

import argparse
import sys

from classifier.catalog import STRATEGIES
from classifier.errors import RouterError
from classifier.router import Router


def main() -> int:
    """Route the request that the arguments describe; exit code 2 where that cannot be done."""
    parser = argparse.ArgumentParser(
        prog="python -m classifier",
        description="Route one request and say why.",
        epilog='example: python -m classifier "Prove that the square root of 2 is irrational." --max-tokens 500',
    )
    parser.add_argument("prompt", help="the request's text; - reads it from standard input")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="limit on the answer's tokens")
    parser.add_argument("--task", help='a label such as "summarization"')
    parser.add_argument("--artifact", help="default: $TIERWISE_ARTIFACT, models/router.safetensors, or the shipped one")
    parser.add_argument("--strategy", choices=STRATEGIES, help="default: the menu's, else the artifact's")
    arguments = parser.parse_args()
    prompt = sys.stdin.read() if arguments.prompt == "-" else arguments.prompt
    try:
        router = Router.load(arguments.artifact, strategy=arguments.strategy)
        decision = router.route(prompt, max_tokens=arguments.max_tokens, task=arguments.task)
    except RouterError as error:
        print(f"python -m classifier: {error}", file=sys.stderr)
        return 2
    print(decision.model)
    print(decision.reason)
    for tier, probability in decision.probabilities.items():
        print(f"  P({tier} is adequate) = {probability:.2f}")
    print(decision.explain())
    return 0


if __name__ == "__main__":
    sys.exit(main())
