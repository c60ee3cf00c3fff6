"""A tier is picked for no request unlike those it was observed on, in training and at run time alike."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from classifier import Router
from classifier.artifact import read_artifact, write_artifact
from classifier.errors import ArtifactError
from classifier.request import make_request
from tests.helpers.commands import Command, run
from tests.helpers.tables import outcome_rows, write_csv

__all__ = ["run"]

HARD, EASY = "prove thing11 and thing12 and thing23, case 7", "greet thing11 and thing12 and thing23, case 7"


@pytest.fixture(scope="module")
def gapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 1,500 rows in which haiku, good at everything it was scored on, was never scored on hard requests."""
    rows = outcome_rows(1500, seed=4)
    for row in rows:
        del row["task"]
        hard = row["prompt"].split()[0] in ("prove", "derive", "optimise", "refute", "integrate", "schedule")
        row["score__haiku"] = "" if hard else row["score__haiku"]
    return write_csv(tmp_path_factory.mktemp("gapped") / "gapped.csv", rows)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory, gapped: Path) -> Path:
    from training.commands.train import app

    out = tmp_path_factory.mktemp("artifact") / "router.safetensors"
    options = [gapped, "--fastest", "--tokens", "estimate", "--jobs", 1, "--force", "--out", out]
    app([*map(str, options)], standalone_mode=False)
    return out


@pytest.mark.slow
def test_the_run_says_which_scores_are_missing_and_what_it_did(run: Command, gapped: Path) -> None:
    said = " ".join(run(gapped, "--fastest", "--jobs", 1).stdout.split())
    assert "rows have no score of haiku, mostly of requests with words such as" in said
    assert "not by chance. Requests like them go to opus" in said


@pytest.mark.slow
def test_a_tier_is_not_picked_where_it_was_not_observed(artifact: Path) -> None:
    router = Router.load(artifact)
    easy, hard = router.route(EASY, max_tokens=300), router.route(HARD, max_tokens=300)
    assert easy.tier == "haiku"
    assert easy.prediction.unsupported == ()
    assert hard.tier != "haiku"
    assert hard.prediction.unsupported == (0,)
    safe = router.route(HARD, max_tokens=300, max_quality_loss=0.0)
    assert "never observed on requests like this: haiku" in safe.reason


@pytest.mark.slow
def test_many_at_once_one_by_one_and_by_features_agree(artifact: Path) -> None:
    router = Router.load(artifact)
    requests = [make_request(row["prompt"], max_tokens=row["max_tokens"]) for row in outcome_rows(300, seed=9)]
    one_by_one = [router.decide(request) for request in requests]
    assert [decision.position for decision in router.route_many(requests)] == [each.position for each in one_by_one]
    unsupported = [each.prediction.unsupported for each in one_by_one]
    assert [decision.prediction.unsupported for decision in router.route_many(requests)] == unsupported
    by_features = [router.decide_on(router.features(request)) for request in requests]
    assert [decision.prediction.unsupported for decision in by_features] == unsupported
    assert 0.3 < np.mean([bool(each) for each in unsupported]) < 0.7


def test_python_alone_says_the_same(artifact: Path) -> None:
    program = (
        "import sys; from classifier import Router; router = Router.load(sys.argv[1]); "
        "print([router.route(prompt, max_tokens=300).prediction.unsupported for prompt in sys.argv[2:]])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, str(artifact), EASY, HARD],
        env={**os.environ, "TIERWISE_PURE_PYTHON": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "[(), (0,)]"


@pytest.mark.parametrize(
    "broken",
    [
        {"tiers": ["nobody"]},
        {"tiers": ["opus"]},
        {"tiers": ["haiku", "haiku"]},
        {"tiers": []},
        {"least": [2.0]},
        {"least": ["x"]},
        {"least": []},
        {"model": {}},
    ],
)
def test_an_unsound_support_is_refused(artifact: Path, tmp_path: Path, broken: dict[str, object]) -> None:
    read = read_artifact(artifact)
    header = {**read.header, "support": {**read.header["support"], **broken}}
    write_artifact(tmp_path / "broken.safetensors", header, read.tensors)
    with pytest.raises(ArtifactError):
        Router.load(tmp_path / "broken.safetensors")
