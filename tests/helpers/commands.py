"""`train-router` in the test's own process."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from training.commands.train import main


@dataclass(frozen=True)
class Finished:
    returncode: int
    stdout: str
    stderr: str


class Command(Protocol):
    def __call__(self, *arguments: object) -> Finished: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """The command in this process, working in ``tmp_path``, with options that make it quick."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for variable in ("TIERWISE_CONFIG", "TIERWISE_ARTIFACT", "SOURCE_DATE_EPOCH"):
        monkeypatch.delenv(variable, raising=False)

    def finish(*arguments: object) -> Finished:
        quick = ["train-router", "--fastest", "--tokens", "estimate", "--jobs", "1"]
        monkeypatch.setattr(sys, "argv", [*quick, *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return Finished(int(stopped.value.code or 0), printed.out, printed.err)

    return finish


def only_line(result: Finished) -> str:
    """The one line of an error; a traceback or a second line fails the test."""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]
