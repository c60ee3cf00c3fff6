"""Where the artifact is that `classifier.predict_model` uses.

The first of these that is there is in use: the file that ``$TIERWISE_ARTIFACT`` names; in the working directory the
version that ``models/current`` names (where ``tierwise models`` promotes) and ``models/router.safetensors`` (where
``train-router`` writes). ``$TIERWISE_MODELS`` names another folder than ``models``. Before anyone has trained there is
none: no artifact ships with the package, and the menu's rules route.
"""

from __future__ import annotations

import os
from pathlib import Path

from classifier.errors import ArtifactError
from classifier.pointer import POINTER, follow

ARTIFACT_VARIABLE = "TIERWISE_ARTIFACT"
MODELS_VARIABLE = "TIERWISE_MODELS"
MODELS = Path("models")
TRAINED_ARTIFACT = MODELS / "router.safetensors"


def models_folder() -> Path:
    """The folder of versions: the one that ``$TIERWISE_MODELS`` names, else ``models``."""
    return Path(os.environ.get(MODELS_VARIABLE) or MODELS)


def find_artifact(folder: Path = Path(), models: Path | None = None) -> Path | None:
    """The artifact in use, see this module's first lines; None: there is none.

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
    return next((follow(place) for place in places if os.path.isfile(place)), None)


def locate(path: str | Path | None, folder: Path = Path()) -> Path | None:
    """The artifact that a path leads to, itself or by a pointer; of no path, the one in use, None where there is none.

    Raises
    ------
    ArtifactError : as `find_artifact`.
    """
    return find_artifact(folder) if path is None else follow(folder / path)


def artifact_in_use() -> Path:
    """The artifact in use, where there has to be one.

    Raises
    ------
    ArtifactError : there is none, or as `find_artifact`.
    """
    path = find_artifact()
    if path is None:
        place = models_folder() / TRAINED_ARTIFACT.name
        raise ArtifactError(f"{place}: no artifact is there; train one with train-router")
    return path
