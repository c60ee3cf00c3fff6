"""``models/current``: which version is in use, and every switch before.

A line a switch, the newest first; tabs part its fields. The first field of the first line is what routers follow
(`classifier.pointer`), so that one file says both, and both change in one step::

    versions/20261124T154403Z-0123456789ab.safetensors  2026-11-24T15:44:03+00:00  promote  better on 4,200 rows
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

from classifier.files import write_whole
from classifier.pointer import POINTER, VERSIONS, clear_candidate
from training.versions.notes import one_line

PROMOTE, ROLLBACK = "promote", "rollback"
NAME = r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{12}"

_PATH = re.compile(rf"{VERSIONS}/({NAME})\.safetensors")


@dataclass(frozen=True, slots=True)
class Switch:
    """One change of the version in use.

    Attributes
    ----------
    version : name of the version in use since.
    time : UTC, as ISO 8601; empty where somebody wrote the line by hand.
    action : "promote" or "rollback".
    why : for people.
    """

    version: str
    time: str
    action: str = PROMOTE
    why: str = ""


def read_switches(folder: Path) -> list[Switch]:
    """All switches, the newest first; lines that are none are passed over.

    Raises
    ------
    OSError : the file is there, and cannot be read.
    """
    path = folder / POINTER
    if not path.is_file():
        return []
    lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    return [switch for switch in map(_switch, lines) if switch is not None]


def switch_to(folder: Path, version: str, action: str, why: str) -> None:
    """Put a version into use; only where the folder is locked."""
    new = Switch(version, datetime.now(UTC).isoformat(timespec="seconds"), action, one_line(why))
    lines = [
        f"{VERSIONS}/{switch.version}.safetensors\t{switch.time}\t{switch.action}\t{switch.why}\n"
        for switch in (new, *read_switches(folder))
    ]
    write_whole(folder / POINTER, "".join(lines))
    clear_candidate(folder)  # what was tried was tried against another version


def promoted(switches: Sequence[Switch]) -> list[str]:
    """Names of the versions promoted and not rolled back, the one in use last."""
    stack: list[str] = []
    for switch in reversed(switches):
        if switch.action == ROLLBACK:
            del stack[-1:]
            while stack and stack[-1] != switch.version:
                stack.pop()
        if stack[-1:] != [switch.version]:
            stack.append(switch.version)
    return stack


def reason(switches: Sequence[Switch], version: str) -> str:
    """Why a version was last promoted or rolled back; empty where nobody said."""
    for switch, older in zip_longest(switches, switches[1:]):
        concerned = switch if switch.action == PROMOTE else older
        if switch.why and concerned is not None and concerned.version == version:
            return str(switch.why)
    return ""


def _switch(line: str) -> Switch | None:
    path, time, action, why = [*line.split("\t", 3), "", "", ""][:4]
    found = _PATH.fullmatch(path.strip())
    return Switch(found[1], time, ROLLBACK if action == ROLLBACK else PROMOTE, why) if found else None
