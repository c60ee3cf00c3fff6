"""The artifact that a benchmark routes by: the one that is named, else one trained on the sample table."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from training.run import TrainOptions, train_router

SAMPLE = Path(__file__).parent.parent / "data" / "sample.csv"
HELP = "default: one trained on the sample table"


def artifact_of(named: Path | None) -> Path:
    """A path to an artifact; one that had to be trained is removed when the process ends."""
    if named is not None:
        return named
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    options = TrainOptions(seed=0, tokens="estimate", counted=False, out=folder / "router.safetensors")
    return train_router(SAMPLE, options=options).artifact
