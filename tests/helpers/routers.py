"""A small router, really trained, written to a file and loaded from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import reject
from numpy.typing import NDArray

from classifier import Decision, NoFeasibleTierError, Router
from classifier.artifact import read_artifact, write_artifact
from classifier.catalog import default_menu, menu_to_header, with_tiers
from classifier.features import FEATURE_VERSION
from classifier.keywords import dump_keywords, parse_keywords
from classifier.model import dump_model
from classifier.novelty import dump_novelty
from classifier.request import Request
from classifier.rule import Promise, Rule, Setting, dump_rule
from tests.helpers.requests import TIERS, made_table
from training.learners.fit import FitRows, FittedModel, fit_model
from training.learners.learner import Learner
from training.learners.matrix import FeatureMatrix, build_matrix
from training.learners.novelty import fit_novelty

ROWS = 220
KEYWORDS = parse_keywords(
    [
        {"name": "proof", "words": ["prove", "докажи", "theorem"], "substrings": ["证明"]},
        {"name": "language", "words": ["translate", "spell"], "substrings": ["翻译", "翻訳"]},
    ],
    "the tests",
)


@dataclass(frozen=True)
class Trained:
    """A trained model on both sides: in training's form, and as the file that the runtime reads."""

    model: FittedModel = field(repr=False)
    path: Path

    def router(self) -> Router:
        return Router(read_artifact(self.path))


def train(learner: Learner, path: Path) -> Trained:
    _, quality, costs = made_table(ROWS)
    matrix = table_matrix()
    adequate = np.where(np.isnan(quality), np.nan, quality >= np.nan_to_num(quality[:, [2]]))
    model, _ = fit_model(
        {"only": learner}, FitRows(matrix, costs, np.arange(ROWS), TIERS.index("opus")), quality, adequate
    )
    write_artifact(path, *artifact_content(model))
    return Trained(model, path)


@cache
def table_matrix() -> FeatureMatrix:
    """Features of the rows that every made router is trained on."""
    return build_matrix(made_table(ROWS)[0], KEYWORDS, "estimate", jobs=1)


def artifact_content(model: FittedModel) -> tuple[dict[str, Any], Mapping[str, NDArray[np.generic]]]:
    """Header and tensors, as train-router writes them."""
    menu = default_menu()
    known = {tier.name: tier for tier in menu.tiers}
    fields, tensors = dump_model(model.runtime())
    rule = Rule(
        strategy="learned",
        reference="opus",
        reference_cost=0.03,
        path=(Setting(0.05, 0.5, 0.97), Setting(0.05, 0.0, 0.8), Setting(0.1, 0.0, 0.5), Setting(0.4, 0.0, 0.2)),
        chosen=2,
        target=0.02,
        relative=True,
        confidence=0.95,
        certified=True,
        ladder=(Promise(0.0, None, 900), Promise(0.01, 0, None), Promise(0.02, 2, None), Promise(0.05, 3, None)),
    )
    header = {
        "menu": menu_to_header(with_tiers(menu, [known.pop(name) for name in TIERS] + list(known.values()))),
        "tiers": list(TIERS),
        "features": {"version": FEATURE_VERSION, "tokens": "estimate", "keywords": dump_keywords(KEYWORDS)},
        "model": fields,
        "rule": dump_rule(rule),
        "training": {"rows": ROWS},
    }
    scale = fit_novelty(table_matrix(), np.arange(ROWS), model.linear.weights())
    return header, {**tensors, **dump_novelty(scale)}


def with_rule(trained: Trained, path: Path, **rule: Any) -> Path:
    """The artifact with another rule, as a file."""
    header, tensors = artifact_content(trained.model)
    write_artifact(path, {**header, "rule": {**header["rule"], **rule}}, tensors)
    return path


def decided(router: Router, request: Request, strategy: str | None = None) -> Decision:
    """The decision for a drawn request; one that is too long for every tier is drawn anew."""
    try:
        return router.decide(request, router.rule.plan(strategy) if strategy else None)
    except NoFeasibleTierError:
        reject()
