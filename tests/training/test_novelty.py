from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.artifact import Artifact
from classifier.errors import ArtifactError
from classifier.features import extract
from classifier.keywords import load_keywords
from classifier.model import LinearWeights
from classifier.novelty import NOVEL, Novelty, NoveltyScale, dump_novelty, load_novelty
from classifier.request import Request
from classifier.tokens import estimate_tokens
from tests.helpers.tables import outcome_rows
from training.learners.linear import LinearLearner
from training.learners.matrix import FeatureMatrix, build_matrix
from training.learners.novelty import fit_novelty, novelty_scores

KEYWORDS = load_keywords()


def features(requests: list[Request]) -> FeatureMatrix:
    return build_matrix(requests, KEYWORDS, "estimate", jobs=1)


def usual(count: int, seed: int = 0) -> list[Request]:
    return [Request(row["prompt"], row["max_tokens"]) for row in outcome_rows(count, seed)]


@dataclass(frozen=True)
class World:
    weights: LinearWeights
    scale: NoveltyScale

    def scores(self, requests: list[Request]) -> np.ndarray:
        return novelty_scores(features(requests), self.scale, self.weights)


def learned(requests: list[Request]) -> World:
    matrix, count = features(requests), len(requests)
    quality = np.random.default_rng(0).integers(2, size=(count, 2)).astype(float)
    weights = LinearLearner().fit(matrix, quality, np.ones((count, 2))).weights()
    return World(weights, fit_novelty(matrix, np.arange(count), weights))


@pytest.fixture(scope="module")
def world() -> World:
    return learned(usual(600))


@given(st.text(max_size=300), st.none() | st.integers(1, 10**6))
def test_training_and_runtime_say_the_same(world: World, text: str, max_tokens: int | None) -> None:
    request = Request(text, max_tokens)
    score = Novelty(world.scale, world.weights).score(extract(request, KEYWORDS, estimate_tokens))
    assert score == pytest.approx(world.scores([request])[0], abs=1e-12)
    assert 0 <= score <= 1


@pytest.mark.parametrize("seed", [1, 2])
def test_of_requests_like_the_trainings_about_one_in_a_hundred_is_novel(world: World, seed: int) -> None:
    # Three standard errors of a share of 1% among 1,500 are 0.8%; the score promises at most about 1%.
    assert (world.scores(usual(1500, seed)) > NOVEL).mean() < 0.018


@pytest.mark.parametrize(
    "text",
    [
        "Der Himmel ist blau, weil das Licht an den Molekülen der Luft gestreut wird. Warum ist er abends rot?",
        "请用三句话解释天空为什么是蓝色的，然后举两个例子。日落时会发生什么？",
        "```python\ndef f(x):\n    return {'a': x}\n```\nWhat does this return for x = 3, and why?",
        "lorem ipsum " * 500,
    ],
)
def test_other_languages_code_and_lengths_are_novel(world: World, text: str) -> None:
    assert world.scores([Request(text, 500)])[0] > NOVEL


def test_what_never_varied_in_training_makes_nothing_novel() -> None:
    world = learned([Request(request.text) for request in usual(600)])
    without = [Request(request.text) for request in usual(50, 3)]
    limited = [Request(request.text, 4000, tools=3) for request in usual(50, 3)]
    assert world.scores(limited) == pytest.approx(world.scores(without))


def test_a_word_is_not_known_for_having_been_seen_in_the_row_itself() -> None:
    # Every row has words of its own, so half of the words of any new row are unknown, too, and nothing is novel.
    rows = [Request(f"say word{number} and again word{number}") for number in range(300)]
    new = [Request(f"say word{number} and again word{number}") for number in range(300, 400)]
    assert (learned(rows).scores(new) > NOVEL).mean() <= 0.05


def test_alike_rows_do_not_vouch_for_each_other() -> None:
    """Groups are held out whole: repeats of one prompt do not make its kind look more usual than it is."""
    matrix = features([request for request in usual(60) for _ in range(5)])
    weights = LinearLearner().fit(matrix, np.tile([0.0, 1.0], (300, 1)), np.ones((300, 2))).weights()
    together = fit_novelty(matrix, np.repeat(np.arange(60), 5), weights)
    apart = fit_novelty(matrix, np.arange(300), weights)
    assert np.median(together.distance) > np.median(apart.distance)


def test_a_few_rows_are_enough_to_fit_and_nothing_is_too_odd_to_score() -> None:
    world = learned(usual(8))
    assert np.isfinite(world.scores([Request(""), Request("\ud800"), Request("x" * 100_000)])).all()


@pytest.mark.parametrize(
    "changed",
    [
        {"novelty_varied": np.array([-1], np.int32), "novelty_centres": np.zeros((1, 1))},
        {"novelty_varied": np.array([9999], np.int32), "novelty_centres": np.zeros((1, 1))},
        {"novelty_centres": np.zeros((3, 1))},
        {"novelty_quantiles": np.zeros((3, 0))},
        {"novelty_quantiles": np.array([[0.5, 0.1], [0, 1], [0, 1]])},
        {"novelty_quantiles": np.array([[0.0, 1.1], [0, 1], [0, 1]])},
        {"novelty_quantiles": np.zeros((2, 3))},
    ],
)
def test_an_unsound_scale_is_refused(world: World, changed: dict[str, np.ndarray]) -> None:
    tensors = dump_novelty(world.scale)
    sound = load_novelty(Artifact({}, dict(tensors), "", "a"), world.weights)
    assert sound.score(extract(Request("repeat thing1"), KEYWORDS, estimate_tokens)) >= 0
    with pytest.raises(ArtifactError, match=r"^a: "):
        load_novelty(Artifact({}, {**tensors, **changed}, "", "a"), world.weights)
