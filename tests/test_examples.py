"""The examples run as they are, against a local server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from classifier import Router
from classifier.artifact import read_artifact
from classifier.outcomes import OutcomeStore
from tests.helpers.openai_server import Reply

ROOT = Path(__file__).parent.parent


OFFLINE = ("fill_store", "several_tables")
ONLINE = sorted(path for path in (ROOT / "examples").glob("*.py") if path.stem not in OFFLINE)


@pytest.mark.slow
@pytest.mark.parametrize("example", ONLINE, ids=lambda path: path.stem)
def test_an_example_answers(example, upstream, tmp_path):
    upstream.answer_with(lambda body: Reply("Moved to Thursday, said nobody's calendar."))
    done = run(example, tmp_path, OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY="none")
    assert done.returncode == 0
    (warning,) = done.stderr.splitlines()
    assert "no artifact is there yet" in warning
    assert "Moved to Thursday" in done.stdout
    assert len(upstream.calls) >= 1


@pytest.mark.slow
def test_a_store_is_filled_without_a_model(tmp_path):
    done = run(ROOT / "examples" / "fill_store.py", tmp_path)
    assert (done.stderr, done.returncode) == ("", 0)
    store = OutcomeStore(f"sqlite:///{tmp_path / 'outcomes.db'}")
    stats = store.stats()
    assert f"{stats.decisions:,} decisions" in done.stdout
    assert stats.decisions > 3000
    assert stats.explored > 0
    assert stats.audited > 0


@pytest.mark.slow
def test_one_router_is_trained_on_several_tables_and_says_where_they_come_from(tmp_path):
    done = run(ROOT / "examples" / "several_tables.py", tmp_path, "--rows", "500")
    assert (done.stderr, done.returncode) == ("", 0)
    artifact = read_artifact(tmp_path / "models" / "several.safetensors")
    first, second = artifact.header["training"]["sources"]
    assert (first["file"], first["models"]) == ("questions.csv", {"small-v1": "haiku", "large-v1": "opus"})
    assert 0 < first["rows"] < second["rows"] < 500
    assert artifact.header["tiers"] == ["haiku", "sonnet", "opus"]
    assert Router(artifact).route("Summarize this.").model.startswith("tokenfast/")


def run(example, folder, *arguments, **environment):
    given = {**os.environ, "PYTHONPATH": str(ROOT), "TIERWISE_ARTIFACT": "", **environment}
    return subprocess.run(
        [sys.executable, example, *arguments], cwd=folder, env=given, capture_output=True, text=True, check=False
    )
