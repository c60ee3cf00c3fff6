"""What the pages take for granted: commands on the path, small tables, an artifact, a store, and a model to ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import polars
import pytest

from tests.helpers.openai_server import OpenAIServer, Reply
from tests.helpers.routers import Trained

ROOT = Path(__file__).parents[2]
ROWS = 200


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with this checkout's commands, as an installation would put them on the path."""
    folder = tmp_path_factory.mktemp("bin")
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    for name, entry in scripts.items():
        module, function = entry.split(":")
        write_command(folder / name, f"#!{sys.executable}\nfrom {module} import {function}\n{function}()\n")
    for name in ("python", "python3"):
        write_command(folder / name, f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    return folder


def write_command(path: Path, program: str) -> None:
    path.write_text(program, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, linear: Trained) -> Path:
    """A working directory with the files that the pages name, each small."""
    folder = tmp_path_factory.mktemp("shop")
    table = polars.read_csv(ROOT / "data" / "sample.csv", infer_schema=False).head(ROWS)
    for name in ("data.csv", "august.csv", "evals.csv"):
        table.write_csv(folder / name)
    renamed = {"prompt": "question", "score__haiku": "score__cheap", "score__opus": "score__best"}
    table.select(*renamed).rename(renamed).write_csv(folder / "answers.csv")
    fill = [sys.executable, ROOT / "examples" / "fill_store.py", "--rows", str(ROWS)]
    subprocess.run(fill, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    (folder / "models").mkdir()
    shutil.copy(linear.path, folder / "models" / "router.safetensors")
    return folder


@pytest.fixture
def folder(shop: Path, commands: Path, upstream: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page's own copy of that directory, with everything in the environment that the page needs."""
    said = "The meeting is on Thursday."
    upstream.answer_with(lambda body: Reply('{"day": "Thursday"}' if "response_format" in body else said))
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("PATH", os.pathsep.join([str(commands), os.environ["PATH"]]))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_DATA_HOME", os.environ.get("XDG_DATA_HOME", str(Path.home() / ".local" / "share")))
    for variable in ("TIERWISE_CONFIG", "TIERWISE_ARTIFACT", "TIERWISE_OUTCOMES"):
        monkeypatch.delenv(variable, raising=False)
    place = tmp_path / "page"
    shutil.copytree(shop, place)
    monkeypatch.chdir(place)
    return place
