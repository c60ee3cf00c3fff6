"""The file that says which artifact is in use: ``models/current``.

Its first line begins with the path of an artifact in the folder ``versions`` beside it; what follows a tab, and further
lines, are for people and for ``tierwise-models``, which writes it. It is a file of text and no link, since not every
file system has links, and so that a switch is one atomic step everywhere: another file is put in its place.
"""

from __future__ import annotations

import re
from pathlib import Path

from classifier.errors import ArtifactError

POINTER = "current"
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
    if not path.is_file():
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
