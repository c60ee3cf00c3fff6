"""Cost of cascades at kept quality, replayed on answers that models really gave.

    python benchmarks/cascade.py --tables DIR [--only haiku] [--effort balanced] [--json FILE]

zeroeval.parquet holds the answers of several models to the same prompts. Rows are dealt to 5 folds, near-duplicates
together; router, gate and baselines are fitted on four and judge the fifth, and see nothing but request and answers.
Every call is paid for, those whose answers are thrown away too. A figure at a target is the least cost whose quality is
at least the target, both as shares of always asking the strong tier: the setting on a method's curve is picked in
hindsight on the out-of-fold scores, for every method alike. Router and gate follow one price weight, the baselines one
threshold. What trying a tier promises (`classifier.gates.try_value`) is read off the scores of the other folds.
Brackets hold 95% bootstrap intervals over redrawn groups of rows, the fitted models held fixed.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from classifier.catalog import load_menu
from classifier.gates import default_gate, run_gate
from classifier.keywords import load_keywords
from classifier.novelty import NOVEL
from training.certify.rule import RuleView, price_weights
from training.gate.answers import Answers, read_answers, table_answers
from training.gate.cascade import make_pair, plan_tiers, replay
from training.gate.fit import fit_gate, judge_answers
from training.learners.calibrate import calibration_error, chance_error
from training.learners.fit import fit_model
from training.learners.novelty import fit_novelty, novelty_scores
from training.learners.presets import Effort, learners_for
from training.measure.evaluate import Outcomes
from training.prepare.data import DataOptions, RoutingData, prepare
from training.tables import read_tables

FILE = "zeroeval.parquet"
MINI, HAIKU, SONNET = "gpt-4o-mini", "claude-3-haiku", "claude-3-5-sonnet"
TARGETS = (0.95, 0.98, 0.99, 1.0, 1.01)
FOLDS = 5
DRAWS = 200
POINTS = 300


@dataclass(frozen=True)
class JudgedAnswers:
    """Out of fold, for n requests and t tiers: what router, gate and baselines say.

    Attributes
    ----------
    data : requests, answers and what came of them.
    expected : the router's.
    alone : (n, t, 2) expected quality of each tier's answer, judged alone, and of the reference's.
    beside : (n, t, t, 2) the same, knowing as well whether the tier of the third axis says the same.
    tfidf : (n, t) P(right) by logistic regression on TF-IDF of request and answer.
    fold : (n,) in which a row was held out.
    rules, agreed : (n, t) score of the default gate; (n, t, t) 1 where two say the same.
    """

    data: RoutingData
    expected: RuleView
    alone: NDArray[np.float64]
    beside: NDArray[np.float64]
    tfidf: NDArray[np.float64]
    fold: NDArray[np.int64]
    rules: NDArray[np.float64]
    agreed: NDArray[np.float64]

    def place(self, name: str) -> int:
        """Of a tier."""
        return self.data.spelt.index(name)

    def rows(self, quality: NDArray[np.float64], costs: NDArray[np.float64], reference: int) -> Outcomes:
        """Some of the tiers' outcomes, the reference at another place."""
        count = len(quality)
        return Outcomes(quality, costs, self.data.groups, np.zeros(count, np.int64), (None,) * count, reference)


@dataclass(frozen=True)
class Method:
    """A way of serving the requests at k settings: cost and quality of each row, (k, n)."""

    cost: NDArray[np.float64]
    quality: NDArray[np.float64]

    def least_costs(self, base: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """At each target; ``base`` (2, n) is always the strong tier, ``weights`` (n,) count the rows."""
        cost = self.cost @ weights / (base[0] @ weights)
        quality = self.quality @ weights / (base[1] @ weights)
        return np.array([np.min(cost[quality >= target - 1e-12], initial=np.inf) for target in TARGETS])


def read_data(folder: Path) -> RoutingData:
    table = read_tables([folder / FILE])
    columns = [table.tiers.index(name) for name in (MINI, HAIKU, SONNET)]
    kept = replace(
        table,
        tiers=(MINI, HAIKU, SONNET),
        scores=table.scores[:, columns],
        costs=table.costs[:, columns],
        tokens_out=table.tokens_out[:, columns],
    )
    return prepare(kept, load_menu(), load_keywords(), DataOptions(reference=SONNET, jobs=1))


def judge_all(data: RoutingData, effort: Effort, console: Console) -> JudgedAnswers:
    answers = read_answers(data, load_keywords(), jobs=2)
    assert answers is not None
    count, tiers = data.quality.shape
    quality, cost, novel = np.empty((count, tiers)), np.empty((count, tiers)), np.zeros(count, bool)
    alone, beside = np.full((count, tiers, 2), np.nan), np.full((count, tiers, tiers, 2), np.nan)
    tfidf, fold = np.full((count, tiers), np.nan), np.full(count, -1)
    folds = GroupKFold(FOLDS, shuffle=True, random_state=0).split(data.groups, groups=data.groups)
    learners = learners_for(effort)
    for train, test in track(list(folds), "folds", console=console, disable=not console.is_terminal, transient=True):
        fold[test] = fold.max() + 1
        own = data.fit_rows(train)
        router, cross_fitted = fit_model(learners, own, data.quality[train], data.adequate[train], jobs=2)
        found = router.predict(data.matrix.rows(test))
        quality[test], cost[test] = found.quality, found.cost / data.costs[train, data.reference].mean()
        weights = router.linear.weights()
        scale = fit_novelty(data.matrix.rows(train), data.groups[train], weights)
        novel[test] = novelty_scores(data.matrix.rows(test), scale, weights) > NOVEL
        before = np.empty((count, tiers))
        before[train], before[test] = cross_fitted.quality, found.quality
        gate, _ = fit_gate(learners, answers.of(train), before, data, jobs=2)
        held = answers.of(test)
        judged = judge_answers(gate, held.alone().evidence(before, data.reference))
        alone[held.rows, held.places] = judged
        for other in range(tiers):
            one = held.alone()
            one.agreed[:, other] = held.agreed[:, other]
            judged = judge_answers(gate, one.evidence(before, data.reference))
            beside[held.rows, held.places, other] = judged
        for place in answers.tiers:
            tfidf[test, place] = tfidf_logistic(data, place, train, test)
    rules = np.full((count, tiers), np.nan)
    for row, place, answer in table_answers(data):
        rules[row, place] = run_gate(default_gate(), answer).score
    expected = RuleView(quality, cost, novel, data.reference)
    return JudgedAnswers(data, expected, alone, beside, tfidf, fold, rules, agreements(answers, count))


def agreements(answers: Answers, count: int) -> NDArray[np.float64]:
    tiers = answers.agreed.shape[1]
    agreed = np.zeros((count, tiers, tiers))
    agreed[answers.rows, answers.places] = np.nan_to_num(answers.agreed)
    return agreed


def tfidf_logistic(
    data: RoutingData, place: int, train: NDArray[np.int64], test: NDArray[np.int64]
) -> NDArray[np.float64]:
    name, responses = data.spelt[place], data.table.responses
    assert responses is not None
    texts = ([request.text for request in data.table.requests], [each.get(name, "") for each in responses])
    parts = []
    for column in texts:
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit([column[row] for row in train])
        parts.append([words.transform([column[row] for row in rows]) for rows in (train, test)])
    seen, new = (sparse.hstack(sides, format="csr") for sides in zip(*parts, strict=True))
    right = data.quality[train, place] > 0.5
    found: NDArray[np.float64] = LogisticRegression(C=1.0, max_iter=300).fit(seen, right).predict_proba(new)[:, 1]
    return found


def scores_of(quality: NDArray[np.float64]) -> NDArray[np.float64]:
    """What an answer is expected to be better than the reference's, plus 1; quality (..., 2) of the two."""
    scores: NDArray[np.float64] = 1.0 + quality[..., 0] - quality[..., 1]
    return scores


def thresholds(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.append(np.unique(np.quantile(scores, np.linspace(0, 1, POINTS))), np.inf)


def try_first(judged: JudgedAnswers, cheap: int, scores: NDArray[np.float64], extra: Any = 0.0) -> Method:
    """Every request is tried at the cheap tier and kept where the score reaches a threshold; ``extra`` USD a try."""
    quality, costs, strong = judged.data.quality, judged.data.costs, judged.data.reference
    kept = scores >= thresholds(scores)[:, None]
    cost = costs[:, cheap] + extra + np.where(kept, 0.0, costs[:, strong])
    return Method(cost, np.where(kept, quality[:, cheap], quality[:, strong]))


def part(expected: RuleView, rows: NDArray[np.int64]) -> RuleView:
    return RuleView(expected.quality[rows], expected.cost[rows], expected.novel[rows], expected.reference)


def route_only(judged: JudgedAnswers, cheap: int) -> Method:
    """The router alone, asking one tier."""
    quality, costs, strong = judged.data.quality, judged.data.costs, judged.data.reference
    expected = judged.expected
    gain = expected.quality[:, cheap] - expected.quality[:, strong]
    worth = gain / np.maximum(expected.cost[:, strong] - expected.cost[:, cheap], 1e-12)
    there = worth >= thresholds(worth)[:, None]
    return Method(
        np.where(there, costs[:, cheap], costs[:, strong]), np.where(there, quality[:, cheap], quality[:, strong])
    )


def cascade(
    judged: JudgedAnswers,
    tiers: tuple[int, ...],
    quality: NDArray[np.float64],
    *,
    extra: NDArray[np.float64] | None = None,
    after_first: NDArray[np.float64] | None = None,
) -> Method:
    """Router and gate by one price weight, among some tiers, the reference last.

    Parameters
    ----------
    quality : (n, t, 2) what the gate expects of each answer and of the reference's.
    extra : (n,) USD that every try at a tier before the last costs besides, for a second opinion.
    after_first : (n, t, 2) the same where the first of the tiers was asked before, which is known then.
    """
    data, columns = judged.data, list(tiers)
    last = len(columns) - 1
    costs, share = data.costs[:, columns], judged.expected.cost[:, columns]
    if extra is not None:
        costs, share = costs.copy(), share.copy()
        costs[:, :last] += extra[:, None]
        share[:, :last] += float(extra.mean() / data.costs[:, data.reference].mean())
    rows = judged.rows(data.quality[:, columns], costs, last)
    expected = RuleView(judged.expected.quality[:, columns], share, judged.expected.novel, last)
    first = scores_of(quality)[:, columns]
    later = first if after_first is None else scores_of(after_first)[:, columns]
    cost, reached = [], []
    for weight in price_weights(expected.cost)[1:]:
        spent, quality_kept = np.empty(len(rows)), np.empty(len(rows))
        for fold in range(FOLDS):
            held, others = np.flatnonzero(judged.fold == fold), np.flatnonzero(judged.fold != fold)
            pair = make_pair(float(weight), part(expected, others), first[others])
            start, following = plan_tiers(pair, part(expected, held))
            scores = np.where((start == 0)[:, None], later[held], first[held])
            done = replay(pair, part(expected, held), scores, rows.part(held))
            # Who is asked directly is not judged, so that the opinion is not asked for.
            direct = (start < last) & (following[np.arange(len(start)), start] < 0)
            spent[held] = done.cost if extra is None else done.cost - np.where(direct, extra[held], 0.0)
            quality_kept[held] = done.quality
        cost.append(spent)
        reached.append(quality_kept)
    return Method(np.array(cost), np.array(reached))


def perfect(judged: JudgedAnswers, cheap: int, extra: Any = 0.0) -> Method:
    """A gate that knows whether the strong tier would do better."""
    quality = judged.data.quality
    better = quality[:, cheap] >= quality[:, judged.data.reference]
    return try_first(judged, cheap, better.astype(float), extra)


def pair_methods(judged: JudgedAnswers, cheap_name: str) -> dict[str, Method]:
    cheap, strong = judged.place(cheap_name), judged.data.reference
    return {
        "router alone": route_only(judged, cheap),
        "rules-only gate": try_first(judged, cheap, judged.rules[:, cheap]),
        "TF-IDF logistic gate": try_first(judged, cheap, judged.tfidf[:, cheap]),
        "learned gate": try_first(judged, cheap, scores_of(judged.alone[:, cheap])),
        "router and learned gate": cascade(judged, (cheap, strong), judged.alone),
        "perfect gate": perfect(judged, cheap),
    }


def opinion_methods(judged: JudgedAnswers) -> dict[str, Method]:
    """Haiku's answers are kept or sonnet is asked; gpt-4o-mini is asked for its opinion, and paid for."""
    mini, haiku, strong = judged.place(MINI), judged.place(HAIKU), judged.data.reference
    asked = judged.data.costs[:, mini]
    beside = judged.alone.copy()
    beside[:, haiku] = judged.beside[:, haiku, mini]
    alone_score, both_score = scores_of(judged.alone[:, haiku]), scores_of(beside[:, haiku])
    return {
        "plain agreement": try_first(judged, haiku, judged.agreed[:, haiku, mini], asked),
        "learned gate, always asked": try_first(judged, haiku, both_score, asked),
        "learned gate, asked where it fails alone": ask_failed(judged, haiku, alone_score, both_score, asked),
        "router and learned gate, always asked": cascade(judged, (haiku, strong), beside, extra=asked),
    }


def ask_failed(
    judged: JudgedAnswers, cheap: int, alone: NDArray[np.float64], both: NDArray[np.float64], asked: NDArray[np.float64]
) -> Method:
    quality, costs, strong = judged.data.quality, judged.data.costs, judged.data.reference
    marks = thresholds(np.concatenate([alone, both]))[:, None]
    passed = alone >= marks
    kept = passed | (both >= marks)
    cost = costs[:, cheap] + np.where(passed, 0.0, asked) + np.where(kept, 0.0, costs[:, strong])
    return Method(cost, np.where(kept, quality[:, cheap], quality[:, strong]))


def three_methods(judged: JudgedAnswers) -> dict[str, Method]:
    """Any of the three answers may be kept; haiku, asked after gpt-4o-mini, is compared with it."""
    mini, haiku, strong = judged.place(MINI), judged.place(HAIKU), judged.data.reference
    beside = judged.alone.copy()
    beside[:, haiku] = judged.beside[:, haiku, mini]
    opinion = judged.alone.copy()
    opinion[:, mini] = judged.beside[:, mini, haiku]
    return {
        "gpt-4o-mini, sonnet": cascade(judged, (mini, strong), judged.alone),
        "gpt-4o-mini, sonnet; haiku's opinion": cascade(
            judged, (mini, strong), opinion, extra=judged.data.costs[:, haiku]
        ),
        "gpt-4o-mini, haiku, sonnet": cascade(judged, (mini, haiku, strong), judged.alone),
        "the same, haiku beside gpt-4o-mini": cascade(judged, (mini, haiku, strong), judged.alone, after_first=beside),
    }


CASES = {
    "haiku -> sonnet": lambda judged: pair_methods(judged, HAIKU),
    "haiku -> sonnet, gpt-4o-mini's opinion": opinion_methods,
    "gpt-4o-mini -> sonnet": lambda judged: pair_methods(judged, MINI),
    "gpt-4o-mini, haiku, sonnet": three_methods,
}


def figures(judged: JudgedAnswers, method: Method) -> dict[str, list[float | None]]:
    """Least cost at each target, with its bootstrap interval; None where the target is not reached."""
    data = judged.data
    base = np.stack([data.costs[:, data.reference], data.quality[:, data.reference]])
    found = method.least_costs(base, np.ones(len(data)))
    random = np.random.default_rng(0)
    numbers = np.unique(data.groups, return_inverse=True)[1]
    count = int(numbers.max()) + 1
    drawn = np.array(
        [
            method.least_costs(base, np.bincount(random.integers(count, size=count), minlength=count)[numbers])
            for _ in range(DRAWS)
        ]
    )
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0, method="nearest")
    named = {"cost": found, "low": low, "high": high}
    return {name: [float(cost) if np.isfinite(cost) else None for cost in costs] for name, costs in named.items()}


def discrimination(judged: JudgedAnswers) -> Iterator[dict[str, Any]]:
    """How well each gate tells right answers from wrong ones; false passes at the threshold that passes 80% right."""
    mini, haiku = judged.place(MINI), judged.place(HAIKU)
    for place, other in ((haiku, mini), (mini, haiku)):
        right = judged.data.quality[:, place]
        scores = {
            "router alone": judged.expected.quality[:, place],
            "rules-only gate": judged.rules[:, place],
            "TF-IDF logistic gate": judged.tfidf[:, place],
            "learned gate": judged.alone[:, place, 0],
            f"learned gate, {judged.data.spelt[other]}'s opinion": judged.beside[:, place, other, 0],
        }
        for name, score in scores.items():
            mark = np.quantile(score[right > 0.5], 0.2)
            yield {
                "tier": judged.data.spelt[place],
                "gate": name,
                "AUC": float(roc_auc_score(right > 0.5, score)),
                "ECE": calibration_error(score, right),
                "ECE by chance": chance_error(score, right),
                "false passes": float((score[right <= 0.5] >= mark).mean()),
            }


def number(cost: float | None) -> str:
    return "-" if cost is None else f"{cost:.3f}"


def show(console: Console, title: str, found: dict[str, dict[str, list[float | None]]]) -> None:
    caption = "settings picked in hindsight on out-of-fold scores; - is out of reach"
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    table.add_column("way of serving")
    for target in TARGETS:
        table.add_column(f"cost at {target:.0%}", justify="right")
    for name, row in found.items():
        cells = [
            "-" if cost is None else f"{cost:.3f} [{number(low)}, {number(high)}]"
            for cost, low, high in zip(row["cost"], row["low"], row["high"], strict=True)
        ]
        table.add_row(name, *cells)
    console.print(table)


def show_discrimination(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table(title="Right or wrong? (out of fold)", title_justify="left")
    for column in ("tier", "gate", "AUC", "ECE (by chance)", "wrong answers passed where 80% of the right ones pass"):
        table.add_column(column, justify="left" if column in ("tier", "gate") else "right")
    for row in rows:
        error = f"{row['ECE']:.3f} ({row['ECE by chance']:.3f})"
        table.add_row(row["tier"], row["gate"], f"{row['AUC']:.3f}", error, f"{row['false passes']:.1%}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=os.environ.get("TIERWISE_TABLES"), help="folder of the tables")
    parser.add_argument("--only", default="", help="only cases whose name holds this")
    parser.add_argument("--effort", choices=list(Effort), default="balanced", help="default: balanced")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    if arguments.tables is None:
        parser.error("name the folder of the outcome tables with --tables or TIERWISE_TABLES")
    console = Console(width=None if Console().is_terminal else 200)
    data = read_data(Path(arguments.tables))
    judged = judge_all(data, Effort(arguments.effort), console)
    results: dict[str, Any] = {}
    for name, methods in CASES.items():
        if arguments.only in name:
            results[name] = {way: figures(judged, method) for way, method in methods(judged).items()}
            show(console, f"{name} ({len(data):,} rows)", results[name])
    results["discrimination"] = list(discrimination(judged))
    show_discrimination(console, results["discrimination"])
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
