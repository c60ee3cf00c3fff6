"""The examples run as they are, against a local server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from classifier.outcomes import OutcomeStore
from tests.helpers.openai_server import Reply

ROOT = Path(__file__).parent.parent


OFFLINE = ("fill_store",)
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


def run(example, folder, **environment):
    given = {**os.environ, "PYTHONPATH": str(ROOT), "TIERWISE_ARTIFACT": "", **environment}
    return subprocess.run([sys.executable, example], cwd=folder, env=given, capture_output=True, text=True, check=False)
