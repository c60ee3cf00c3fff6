"""How many good answers that are worded like refusals on request pass `NoRefusal`, and how many real refusals it finds.

    python benchmarks/refusals.py [--tables DIR]

`refusals.jsonl` has two sets of 60 of each, in ten languages, written for this. The lists of words
(`classifier/gates/asked.toml`, `phrases.toml`) were made looking at the half "tune" of the first set. Its half "test"
has the same author, who knew the lists; the second set, "other", has one who did not, so it alone says what the lists
are worth. With tables that hold answers, the share of those is shown that fail, most of which are no refusals.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from classifier.gates import Answer, NoRefusal, run_gate
from classifier.request import make_request

DATA = Path(__file__).with_suffix(".jsonl")
ASKED, REFUSAL = "asked", "refusal"


def make_answer(request: str, text: str, messages: Any = None) -> Answer:
    """An answer of which only the text is known, to a prompt or a conversation."""
    messages = json.loads(messages) if isinstance(messages, str) else messages or [{"role": "user", "content": request}]
    return Answer(
        text, "small", "small", "stop", (), None, None, None, None, make_request(request), {"messages": messages}
    )


def is_right(kind: str, request: str, text: str) -> bool:
    """Whether the gate says of an answer what it should."""
    return run_gate(NoRefusal(), make_answer(request, text)).passed == (kind == ASKED)


def share(half: str, kind: str) -> float:
    """Of the answers of a kind in a half, the share of which the gate says what it should."""
    cases = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    found = [
        is_right(kind, case["request"], case["answer"])
        for case in cases
        if (case["half"], case["kind"]) == (half, kind)
    ]
    return sum(found) / len(found)


def alarms(path: Path) -> tuple[int, int]:
    """How many answers a table has, and how many of them fail."""
    table = pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)
    if "messages" not in table.columns:
        table = table.with_columns(messages=None)
    answers = failed = 0
    for name in (name for name in table.columns if name.startswith("response__") and "prompt" in table.columns):
        rows = table.filter(pl.col(name).is_not_null()).select("prompt", name, "messages")
        for request, text, messages in rows.iter_rows():
            answers += 1
            failed += not run_gate(NoRefusal(), make_answer(str(request), str(text), messages)).passed
    return answers, failed


def make_table(*headings: str) -> Table:
    """A table whose figures stand on the right."""
    table = Table()
    for heading in headings:
        table.add_column(heading, justify="right" if table.columns else "left")
    return table


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, help="folder of the outcome tables")
    options = parser.parse_args()
    table = make_table("set", "worded so on request, pass", "real refusals, found")
    halves = {"tune": "looked at for the words", "test": "by the same author", "other": "by another author"}
    for half, what in halves.items():
        table.add_row(what, f"{share(half, ASKED):.0%}", f"{share(half, REFUSAL):.0%}")
    Console().print(table)
    if options.tables is None:
        return
    table = make_table("table", "answers", "fail")
    for path in sorted(each for each in options.tables.iterdir() if each.suffix in (".csv", ".parquet")):
        answers, failed = alarms(path)
        if answers:
            table.add_row(path.stem, f"{answers:,}", f"{failed:,}")
    Console().print(table)


if __name__ == "__main__":
    main()
