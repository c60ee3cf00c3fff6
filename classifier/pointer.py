"""The files that say which artifact is in use, ``models/current``, and which may be next, ``models/candidate``.

The first line begins with the path of an artifact in the folder ``versions`` beside it; what follows a tab, and further
lines, are for people and for ``tierwise-models``. They are files of text and no links, since not every file system has
links, and so that a switch is one atomic step everywhere: another file is put in its place.

``current`` is always there once a version was promoted. ``candidate`` names the artifact that is being tried against
it, which cascades direct their exploration by; where there is none, the file is empty or missing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from classifier.errors import ArtifactError, InputError
from classifier.files import write_whole

POINTER = "current"
CANDIDATE = "candidate"
VERSIONS = "versions"

_LINE_BYTES = 512
_BEGINS = f"{VERSIONS}/".encode()
_PATH = re.compile(rf"{VERSIONS}/[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors")


def follow(path: Path) -> Path:
    """The artifact that a pointer names; any other path as it is, whether or not something is there.

    No artifact begins like a pointer, so that wherever a path of an artifact is expected one of a pointer will do.

    Raises
    ------
    ArtifactError : the pointer is damaged, or cannot be read.
    """
    if not os.path.isfile(path):  # which a path that cannot even be looked up is not, either
        return path
    try:
        with path.open("rb") as file:
            line = file.read(_LINE_BYTES).partition(b"\n")[0]
    except OSError as error:
        raise ArtifactError(
            f"{path}: cannot be read: {error.strerror or error}; check the path and its permissions"
        ) from error
    if not line.startswith(_BEGINS):
        return path
    named = line.partition(b"\t")[0].decode("ascii", "replace").strip()
    if not _PATH.fullmatch(named):
        raise ArtifactError(
            f"{path}: its first line names no artifact, expected one such as {VERSIONS}/NAME.safetensors; "
            "promote a version with tierwise-models"
        )
    return path.parent / named


def find_candidate(path: Path) -> Path | None:
    """The artifact that a path leads to, as `follow` finds it; None: there is no file, or an empty one.

    Raises
    ------
    ArtifactError : the pointer is damaged, or cannot be read.
    """
    if not os.path.isfile(path) or os.path.getsize(path) == 0:
        return None
    return follow(path)


def write_candidate(folder: str | Path, version: str) -> None:
    """Say which version is tried against the one in use; only where nothing else changes the folder.

    Parameters
    ----------
    folder : holds ``versions``, such as ``models``.
    version : the artifact's file name in ``versions``, without ``.safetensors``.

    Raises
    ------
    InputError : there is no such version.
    OSError : the folder cannot be written.
    """
    folder, named = Path(folder), f"{VERSIONS}/{version}.safetensors"
    if not _PATH.fullmatch(named) or not (folder / named).is_file():
        raise InputError(
            f"{version}: no such version in {folder / VERSIONS}; expected one that tierwise models list shows"
        )
    write_whole(folder / CANDIDATE, f"{named}\n")


def clear_candidate(folder: str | Path) -> None:
    """Say that no version is tried; only where nothing else changes the folder.

    The file is emptied and not removed, so that what copies the folder elsewhere copies this, too.

    Raises
    ------
    OSError : the folder cannot be written.
    """
    path = Path(folder) / CANDIDATE
    if path.is_file():
        write_whole(path, "")
