"""Keep versions of the artifact, put one into use, and go back to the one before."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from classifier.artifact import Artifact, read_artifact
from classifier.errors import ArtifactError, InputError, RouterError
from classifier.files import DRAFT, atomic_write, write_whole
from classifier.pointer import CANDIDATE as TRIED
from classifier.pointer import POINTER, VERSIONS, find_candidate, follow
from classifier.router import Router
from training.versions.files import locked
from training.versions.notes import Note, PromotionVerdict, dump_note, load_note, note_of
from training.versions.switches import NAME, PROMOTE, ROLLBACK, Switch, promoted, read_switches, reason, switch_to

CURRENT, PREVIOUS, EARLIER, WITHDRAWN, CANDIDATE = "current", "previous", "earlier", "withdrawn", "candidate"
LATEST = "latest"

_NAME = re.compile(NAME)
_TIME = "%Y%m%dT%H%M%SZ"
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Version:
    """An artifact that is kept.

    Attributes
    ----------
    name : the time when it was kept (UTC) and the beginning of its digest.
    path : the artifact.
    note : where it comes from.
    state : "current": in use; "previous": a rollback leads there; "earlier": was in use before; "withdrawn": rolled
        back; "candidate": never in use.
    why : it was last promoted or rolled back; else the note's.
    """

    name: str
    path: Path
    note: Note
    state: str
    why: str


def add_version(folder: Path, artifact: Path, note: Note | None = None) -> Version:
    """Keep a copy of an artifact as a candidate.

    What is kept already is not kept twice: the version that there is is returned, as it was.

    Parameters
    ----------
    artifact : a file; one elsewhere stays where it is.
    note : None: what the artifact says of its training.

    Raises
    ------
    ArtifactError : it cannot be used.
    RouterError : another command is changing the folder, or the file changed meanwhile.
    """
    read = checked(artifact)
    known = note or note_of(read)
    name = f"{known.time:{_TIME}}-{read.digest[:_DIGITS]}"
    with locked(folder / VERSIONS):
        if (there := _same(folder, read.digest)) is not None:
            return there
        path = _path(folder, name)
        write_whole(path.with_suffix(".json"), dump_note(known))
        _copy(artifact, path, read.digest)
    return _named(folder, name)


def versions(folder: Path) -> list[Version]:
    """All versions, the newest first."""
    switches = read_switches(folder)
    return [_version(folder, name, switches) for name in sorted(_names(folder), reverse=True)]


def current(folder: Path) -> Version | None:
    """The version in use; None where none was promoted yet.

    Raises
    ------
    ArtifactError : what says so is damaged, or names a version that is gone.
    """
    pointer = folder / POINTER
    path = follow(pointer)
    if path == pointer:
        return None
    if not path.is_file() or path.stem not in _names(folder):
        raise ArtifactError(f"{pointer}: names {path.name}, which is no version there; promote another one")
    return _named(folder, path.stem)


def previous(folder: Path) -> Version | None:
    """The version that a rollback leads to; None where there is none."""
    return next((version for version in versions(folder) if version.state == PREVIOUS), None)


def find_version(folder: Path, text: str) -> Version:
    """The version that people mean: "current", "previous", "latest", or the beginning of a name or digest.

    Raises
    ------
    InputError : no version, or more than one, is meant.
    """
    every = versions(folder)
    if text in (CURRENT, PREVIOUS):
        meant = [version for version in every if version.state == text]
    elif text == LATEST:
        meant = every[:1]
    else:
        meant = [version for version in every if text and any(part.startswith(text) for part in _calls(version))]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise InputError(f"{text}: {len(meant)} versions in {folder} begin so, expected one; give more of the name")
    raise InputError(
        f"{text}: no such version in {folder}; expected {CURRENT}, {PREVIOUS}, {LATEST}, or a prefix of a name "
        "that tierwise models list shows"
    )


def promote(folder: Path, version: Version, *, why: str = "", instead_of: Version | None = None) -> Version:
    """Put a version into use; one that is in use stays so.

    Parameters
    ----------
    why : noted with the switch.
    instead_of : the version that this one was found better than: if another came into use meanwhile, nothing is done.

    Raises
    ------
    ArtifactError : it cannot be used.
    RouterError : another command is changing the folder, or another version came into use meanwhile.
    """
    with locked(folder / VERSIONS):
        checked(version.path)
        stack = promoted(read_switches(folder))
        if instead_of is not None and stack[-1:] != [instead_of.name]:
            raise RouterError(
                f"{folder / POINTER}: {stack[-1] if stack else 'nothing'} is in use by now, expected "
                f"{instead_of.name}; compare with that one and promote again"
            )
        if stack[-1:] != [version.name]:
            switch_to(folder, version.name, PROMOTE, why)
    return _named(folder, version.name)


def note_verdict(folder: Path, version: Version, verdict: PromotionVerdict) -> None:
    """Note what came of judging a version; one that was removed meanwhile is passed over.

    Raises
    ------
    RouterError : another command is changing the folder.
    """
    with locked(folder / VERSIONS):
        if version.path.is_file():
            path = version.path.with_suffix(".json")
            write_whole(path, dump_note(replace(load_note(path, version.note.time), verdict=verdict)))


def rollback(folder: Path, *, why: str = "") -> Version:
    """Put the version into use that was promoted before the one in use; again, the one before that.

    Raises
    ------
    InputError : there is none.
    ArtifactError : it cannot be used.
    RouterError : another command is changing the folder.
    """
    with _locked_if_there(folder):
        name = _before(folder, read_switches(folder))
        if name is None:
            raise InputError(
                f"{folder / POINTER}: no version was promoted before that is still kept; promote one by its name, or "
                f"remove {folder / POINTER} to use again what was used before there were versions"
            )
        checked(_path(folder, name))
        switch_to(folder, name, ROLLBACK, why)
    return _named(folder, name)


def prune(folder: Path, keep: int = 10, *, dry_run: bool = False) -> list[Version]:
    """Remove old versions, and what runs that were cut left behind.

    The current and the previous one always stay, and the candidate that is tried.

    Parameters
    ----------
    keep : the newest so many stay, too.
    dry_run : remove nothing.

    Returns
    -------
    What was removed, or would be.

    Raises
    ------
    InputError : ``keep`` is negative.
    RouterError : another command is changing the folder.
    """
    if keep < 0:
        raise InputError(f"keep is {keep}; expected 0 or more versions to keep")
    with _locked_if_there(folder):
        tried = find_candidate(folder / TRIED)
        gone = [
            version
            for version in versions(folder)[keep:]
            if version.state not in (CURRENT, PREVIOUS) and version.path != tried
        ]
        if not dry_run:
            for version in gone:
                version.path.unlink()
            for path in list(_left_behind(folder)):
                path.unlink()
    return gone


def checked(path: Path) -> Artifact:
    """An artifact that a router can be made of.

    Raises
    ------
    ArtifactError : there is none.
    """
    artifact = read_artifact(path)
    Router(artifact)
    return artifact


def _locked_if_there(folder: Path) -> AbstractContextManager[None]:
    """The lock of the versions; none where there is no version, so that no folder is made for it."""
    return locked(folder / VERSIONS) if (folder / VERSIONS).is_dir() else nullcontext()


def _names(folder: Path) -> Iterator[str]:
    for path in (folder / VERSIONS).glob("*.safetensors"):
        if _NAME.fullmatch(path.stem) and _kept_at(path.stem) is not None:
            yield path.stem


def _kept_at(name: str) -> datetime | None:
    try:
        return datetime.strptime(name.partition("-")[0], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def _path(folder: Path, name: str) -> Path:
    return folder / VERSIONS / f"{name}.safetensors"


def _named(folder: Path, name: str) -> Version:
    return _version(folder, name, read_switches(folder))


def _version(folder: Path, name: str, switches: Sequence[Switch]) -> Version:
    path = _path(folder, name)
    note = load_note(path.with_suffix(".json"), _kept_at(name) or datetime.fromtimestamp(0, UTC))
    return Version(name, path, note, _state(folder, name, switches), reason(switches, name) or note.why)


def _state(folder: Path, name: str, switches: Sequence[Switch]) -> str:
    stack = promoted(switches)
    if stack[-1:] == [name]:
        return CURRENT
    if name == _before(folder, switches):
        return PREVIOUS
    if name in stack:
        return EARLIER
    return WITHDRAWN if any(switch.version == name for switch in switches) else CANDIDATE


def _before(folder: Path, switches: Sequence[Switch]) -> str | None:
    """Name of the version that a rollback leads to."""
    stack = promoted(switches)
    return next((name for name in reversed(stack[:-1]) if name != stack[-1] and _path(folder, name).is_file()), None)


def _calls(version: Version) -> tuple[str, str]:
    return version.name, version.name.partition("-")[2]


def _same(folder: Path, digest: str) -> Version | None:
    name = next((name for name in _names(folder) if name.endswith(digest[:_DIGITS])), None)
    return None if name is None else _named(folder, name)


def _copy(artifact: Path, path: Path, digest: str) -> None:
    with atomic_write(path) as draft:
        shutil.copyfile(artifact, draft)
        if read_artifact(draft).digest != digest:
            raise RouterError(f"{artifact}: changed while it was copied; try again when nothing writes to it")


def _left_behind(folder: Path) -> Iterator[Path]:
    """Drafts, and notes without an artifact."""
    yield from folder.glob(f".{POINTER}*{DRAFT}")
    yield from (folder / VERSIONS).glob(f".*{DRAFT}")
    for note in (folder / VERSIONS).glob("*.json"):
        if _NAME.fullmatch(note.stem) and not note.with_suffix(".safetensors").is_file():
            yield note
