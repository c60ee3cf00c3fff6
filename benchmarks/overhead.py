"""What a cascade adds to a call of the bare client, against a local server that answers at once.

    python benchmarks/overhead.py [--calls 500] [--artifact FILE] [--json FILE]

Timed call by call, in random order: ``client.chat.completions.create``; `Cascade.create` where only one tier is asked,
without a store and with one (SQLite); and the router's decision by itself, right after a call as in the cascade, since
a call leaves nothing of it in the processor's caches. The server runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from openai import OpenAI
from rich.console import Console
from rich.table import Table
from trained import HELP, artifact_of

from classifier import Cascade, OutcomeStore, Router

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.helpers.openai_server import OpenAIServer, Reply

MESSAGES = [{"role": "user", "content": "Translate to French: good morning, how are you today?"}]
BARE, ALONE, STORED, DECISION = "bare client", "cascade, one tier", "the same, outcomes kept", "decision alone"


def measure(contenders: dict[str, Callable[[], object]], calls: int) -> dict[str, np.ndarray]:
    """Milliseconds of each call."""
    source = random.Random(0)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(calls):
        names = list(contenders)
        source.shuffle(names)
        for name in names:
            if name == DECISION:
                contenders[BARE]()
            start = time.perf_counter()
            contenders[name]()
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: np.array(each) for name, each in times.items()}


def serve(address: Connection) -> None:
    """Run a server until the other end hangs up."""
    with OpenAIServer() as server:
        server.answer_with(lambda body: Reply("bonjour, comment allez-vous aujourd'hui ?"))
        address.send(server.base_url)
        address.poll(None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--artifact", type=Path, help=HELP)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    router = Router.load(artifact_of(arguments.artifact))
    here, there = Pipe()
    process = Process(target=serve, args=(there,), daemon=True)
    process.start()
    client = OpenAI(base_url=here.recv(), api_key="none")
    with tempfile.TemporaryDirectory() as folder, OutcomeStore(f"sqlite:///{folder}/outcomes.db") as store:
        alone = Cascade(client, router=router, start="opus")
        stored = Cascade(client, router=router, start="opus", store=store)
        model = router.tiers[2].model
        contenders: dict[str, Callable[[], object]] = {
            BARE: lambda: client.chat.completions.create(model=model, messages=MESSAGES),
            ALONE: lambda: alone.create(messages=MESSAGES),
            STORED: lambda: stored.create(messages=MESSAGES),
            DECISION: lambda: router.route(messages=MESSAGES),
        }
        measure(contenders, 20)  # connections are opened, caches filled
        times = measure(contenders, arguments.calls)
    here.close()
    medians = {name: float(np.median(each)) for name, each in times.items()}
    table = Table(title="Milliseconds of a call")
    for heading in ("", "median", "99th percentile", "more than the bare client", "of which not the decision"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, each in times.items():
        more = medians[name] - medians[BARE]
        shown = [f"{more:.3f}", f"{more - medians[DECISION]:.3f}"] if name in (ALONE, STORED) else ["", ""]
        table.add_row(name, f"{medians[name]:.3f}", f"{np.percentile(each, 99):.3f}", *shown)
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(medians, indent=1) + "\n")


if __name__ == "__main__":
    main()
