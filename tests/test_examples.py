"""The examples run as they are, against a local server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from openai_server import Reply

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_an_example_answers(example, upstream, tmp_path):
    upstream.answer_with(lambda body: Reply("Moved to Thursday, said nobody's calendar."))
    environment = {**os.environ, "OPENAI_BASE_URL": upstream.base_url, "OPENAI_API_KEY": "none"}
    environment |= {"PYTHONPATH": str(ROOT), "TIERWISE_ARTIFACT": ""}
    done = subprocess.run(
        [sys.executable, example], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert "Moved to Thursday" in done.stdout
    assert len(upstream.calls) >= 1
