"""Where artifacts are: the one that `classifier.predict_model` uses, and the one that ships with the package.

The first of these that is there is in use: the file that ``$TIERWISE_ARTIFACT`` names; in the working directory the
version that ``models/current`` names (where ``tierwise models`` promotes) and ``models/router.safetensors`` (where
``train-router`` writes); the artifact that ships with the package. ``$TIERWISE_MODELS`` names another folder than
``models``.
"""

from __future__ import annotations

import os
from pathlib import Path

from classifier.pointer import POINTER, follow

ARTIFACT_VARIABLE = "TIERWISE_ARTIFACT"
MODELS_VARIABLE = "TIERWISE_MODELS"
MODELS = Path("models")
TRAINED_ARTIFACT = MODELS / "router.safetensors"


def models_folder() -> Path:
    """The folder of versions: the one that ``$TIERWISE_MODELS`` names, else ``models``."""
    return Path(os.environ.get(MODELS_VARIABLE) or MODELS)


def find_artifact(folder: Path = Path(), models: Path | None = None) -> Path:
    """The artifact in use, see this module's first lines.

    Parameters
    ----------
    folder : the working directory.
    models : the folder of versions; None: the one that ``$TIERWISE_MODELS`` names, else ``models``.

    Raises
    ------
    ArtifactError : there is a pointer, and it is damaged.
    """
    named = os.environ.get(ARTIFACT_VARIABLE)
    if named:
        return follow(folder / named)
    kept = folder / (models or models_folder())
    places = (kept / POINTER, kept / TRAINED_ARTIFACT.name)
    return next((follow(place) for place in places if os.path.isfile(place)), shipped_artifact())


def locate(path: str | Path | None, folder: Path = Path()) -> Path:
    """The artifact that a path leads to, itself or by a pointer; None: the one in use. Raises as `find_artifact`."""
    return find_artifact(folder) if path is None else follow(folder / path)


def shipped_artifact() -> Path:
    """The artifact that ships with the package: inside it when installed, in ``models/`` in a checkout."""
    inside = Path(__file__).with_name("default.safetensors")
    return inside if inside.is_file() else Path(__file__).parent.parent / "models" / "default.safetensors"
