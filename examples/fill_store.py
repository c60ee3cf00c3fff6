"""An outcome store to try retraining on, without traffic of your own.

The router in use (before anyone has trained, the menu's rules) takes the requests of the sample table through a cascade
that explores and audits. The table's scores stand in for the models' answers, and a gate is simulated: it passes 95% of
the good answers and 30% of the bad ones. Neither a model nor the network is needed:

    python examples/fill_store.py
    train-router --store sqlite:///outcomes.db --report report.html
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from classifier import Router, load_menu
from classifier.cascade.route import GateRates, find_route
from classifier.cascade.settings import usual_odds
from classifier.catalog import with_tiers
from classifier.locate import find_artifact
from classifier.outcomes import OutcomeStore, Record
from training.log.simulation import as_outcomes, simulate_log
from training.tables import read_tables

SAMPLE = Path(__file__).parent.parent / "data" / "sample.csv"
GATE = GateRates(pass_adequate=0.95, pass_inadequate=0.3)


def main() -> None:
    """Fill a store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", default="sqlite:///outcomes.db", help="its URL (%(default)s)")
    parser.add_argument("--explore", type=float, default=0.1, help="share of requests that explore (%(default)s)")
    parser.add_argument("--audit", type=float, default=0.05, help="share of answers that are audited (%(default)s)")
    parser.add_argument("--rows", type=int, help="of the table, from its beginning (default: all)")
    given = parser.parse_args()
    table = read_tables([SAMPLE])
    router = router_in_use(table.tiers)
    tiers = router.learned_tiers or router.tiers
    places = [table.tiers.index(tier.name) for tier in tiers]
    known = np.flatnonzero(~np.isnan(table.scores[:, places]).any(axis=1))[: given.rows]
    requests = [table.requests[row] for row in known]
    decisions, odds = router.route_many(requests), usual_odds(router)
    observed = simulate_log(
        table.scores[np.ix_(known, np.array(places))],
        table.costs[np.ix_(known, np.array(places))],
        np.array([find_route(decision, odds).places[0] for decision in decisions]),
        GATE,
        explore=given.explore,
        audit=given.audit,
        expected=np.array([decision.prediction.adequate for decision in decisions]) if router.digest else None,
        tasks=[request.task for request in requests],
        names=[tier.name for tier in tiers],
    ).observed
    observed = replace(observed, artifacts=(router.digest,))
    outcomes = as_outcomes(observed, tiers, [request.text for request in requests])
    records: list[Record] = []
    for outcome, request in zip(outcomes, requests, strict=True):
        records += [replace(outcome.decision, max_tokens=request.max_tokens), *outcome.feedback]
    with OutcomeStore(given.store) as store:
        store.write(records)
        by = router.artifact.source if router.digest else "the menu's rules"
        print(f"{store.name}: {store.count():,} decisions of {by}")


def router_in_use(names: Sequence[str]) -> Router:
    """The router that `predict_model` would use; rules, over those of the menu's tiers that the table has."""
    path = find_artifact()
    if path is not None:
        return Router.load(path)
    menu = load_menu()
    return Router(menu=with_tiers(menu, [tier for tier in menu.tiers if tier.name in names]))


if __name__ == "__main__":
    main()
