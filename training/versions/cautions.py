"""What somebody should know before a version takes the place of the one in use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from classifier.artifact import Artifact, read_artifact
from classifier.errors import ArtifactError, RouterError
from classifier.loaded import menu_to_overlay
from classifier.locate import find_artifact
from classifier.router import Router
from training.versions.facts import facts
from training.versions.store import Version

_MENU = ("tiers", "prices", "limits")
_UNSAID = ""


def cautions(folder: Path, version: Version) -> list[str]:
    """Reasons to think twice, a clause each: the verdict on the version, and what it changes besides its decisions.

    Nothing is compared with the menu's rules, nor with an artifact that cannot be read, which is better replaced.

    Raises
    ------
    ArtifactError : the version cannot be used.
    """
    found = list(_verdicts(version))
    refused = menu_refusal(version.path)
    if refused is not None:
        found.append(f"the menu here refuses it: {refused}")
    artifact, before = read_artifact(version.path), _in_use(folder)
    if before is None:
        return found
    return [*found, *_changes(before, Router(artifact), None if refused is not None else _here(artifact))]


def menu_refusal(path: Path) -> str | None:
    """Why an artifact cannot route here, with the menu that `predict_model` finds; None: it can.

    Raises
    ------
    ArtifactError : it cannot be used with any menu.
    """
    artifact = read_artifact(path)
    Router(artifact)
    try:
        Router(artifact, menu=menu_to_overlay(None))
    except RouterError as error:
        return str(error)
    return None


def _verdicts(version: Version) -> Iterator[str]:
    verdict = version.note.verdict
    if verdict is not None and not verdict.promote:
        yield f"it was judged against {verdict.against} and {verdict.words}"


def _in_use(folder: Path) -> Router | None:
    """A router of the artifact in use, whatever router.toml says; None: there is none, or it is broken."""
    try:
        path = find_artifact(models=folder)
        return None if path is None else Router(read_artifact(path))
    except ArtifactError:
        return None


def _here(artifact: Artifact) -> Router | None:
    """A router of an artifact as it would route here; None: no router.toml is here, so by the artifact's own menu."""
    menu = menu_to_overlay(None)
    return None if menu is None else Router(artifact, menu=menu)


def _changes(before: Router, after: Router, here: Router | None) -> Iterator[str]:
    """What a version changes besides its decisions. What router.toml says as well, such as new prices, is no news."""
    if before.rule.reference != after.rule.reference:
        yield f"its reference is {after.rule.reference}, that of the version in use is {before.rule.reference}"
    old, new = facts(before), facts(after)
    said = {} if here is None else facts(here)
    changed = {
        name
        for part in _MENU
        for name in {**old[part], **new[part]}
        if new[part].get(name) not in (old[part].get(name), said.get(part, {}).get(name, _UNSAID))
    }
    if changed:
        yield f"its menu differs from the one in use: {', '.join(sorted(changed))}"
