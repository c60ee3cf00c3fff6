"""A small router, really trained, written to a file and loaded from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import reject
from made_requests import TIERS, made_table
from numpy.typing import NDArray

from classifier import Decision, NoFeasibleTierError, Router
from classifier.artifact import read_artifact, write_artifact
from classifier.catalog import default_menu, menu_to_header, with_tiers
from classifier.features import FEATURE_VERSION
from classifier.keywords import dump_keywords, parse_keywords
from classifier.model import dump_model
from classifier.request import Request
from training.fit import FittedModel, fit_model
from training.learner import Learner
from training.matrix import build_matrix

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
    requests, quality, costs = made_table(ROWS)
    matrix = build_matrix(requests, KEYWORDS, "estimate", jobs=1)
    adequate = np.where(np.isnan(quality), np.nan, quality >= np.nan_to_num(quality[:, [2]]))
    model, _ = fit_model({"only": learner}, matrix, quality, adequate, costs, np.arange(ROWS), TIERS.index("opus"))
    write_artifact(path, *artifact_content(model))
    return Trained(model, path)


def artifact_content(model: FittedModel) -> tuple[dict[str, Any], Mapping[str, NDArray[np.generic]]]:
    """Header and tensors, as train-router writes them."""
    menu = default_menu()
    known = {tier.name: tier for tier in menu.tiers}
    fields, tensors = dump_model(model.runtime())
    rule = {
        "strategy": "learned",
        "price_weight": 0.1,
        "reference_bonus": 0.01,
        "reference": "opus",
        "reference_cost": 0.03,
    }
    header = {
        "menu": menu_to_header(with_tiers(menu, [known.pop(name) for name in TIERS] + list(known.values()))),
        "tiers": list(TIERS),
        "features": {"version": FEATURE_VERSION, "tokens": "estimate", "keywords": dump_keywords(KEYWORDS)},
        "model": fields,
        "rule": rule,
        "training": {"rows": ROWS},
    }
    return header, tensors


def decided(router: Router, request: Request, strategy: str | None = None) -> Decision:
    """The decision for a drawn request; one that is too long for every tier is drawn anew."""
    try:
        return router.decide(request, strategy)
    except NoFeasibleTierError:
        reject()
