"""Candidates against the version in use, judged by what was logged since each was trained.

A candidate is judged as long as it was kept after the last switch. So it only ever meets one champion, and over all
looks together one that is worse by more than the margin is promoted with probability ``level`` at most. What is in use
changes in one step, and only if the version that a candidate was found better than is still in use.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from classifier.catalog import Menu, load_menu
from classifier.errors import ArtifactError, RouterError
from classifier.locate import ARTIFACT_VARIABLE, find_artifact
from classifier.outcomes import Outcome, OutcomeStore
from classifier.pointer import CANDIDATE as TRIED
from classifier.pointer import VERSIONS, clear_candidate, find_candidate, write_candidate
from classifier.router import Router
from training.challenge.challenge import Challenge, challenge
from training.challenge.sequential import PromotionRule
from training.feedback.gate_truth import gate_truth
from training.log.observed import Observed, latest_gate, observe
from training.versions.cautions import menu_refusal
from training.versions.files import locked
from training.versions.notes import PromotionVerdict, moment_of
from training.versions.store import CANDIDATE, Version, current, note_verdict, promote, versions
from training.versions.switches import read_switches

MOST = 5
RULE_ROUTER = "the rule router"  # what is in use before anyone has trained


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate, and what came of it."""

    version: Version
    challenge: Challenge


@dataclass(frozen=True, slots=True)
class Contest:
    """What came of judging the pending candidates.

    Attributes
    ----------
    champion : name of the version in use; where none is, the artifact's file, or that rules route.
    judged : oldest first.
    promoted : the version that came into use; None: what was in use stays.
    candidate : the newest that is pending after this; None: none is.
    remarks : sentences on what else happened.
    """

    champion: str
    judged: tuple[Judged, ...]
    promoted: Version | None
    candidate: Version | None
    remarks: tuple[str, ...]


def pending(folder: Path) -> list[Version]:
    """The candidates to be judged, oldest first: the newest five of those kept since the last switch.

    Tables have no time from which on outcomes are new: only what was learned from outcomes is judged.
    """
    switches = read_switches(folder)
    since = moment_of(switches[0].time) if switches else None
    found = [
        version
        for version in versions(folder)
        if version.state == CANDIDATE
        and version.note.learned_until is not None
        and (since is None or version.note.time >= since)
    ]
    return found[:MOST][::-1]


def newest(folder: Path) -> Version | None:
    """The newest candidate that is pending; None: none is."""
    return next(reversed(pending(folder)), None)


def nothing_pending(folder: Path) -> Contest:
    """What comes of judging where no candidate is pending; raises as `in_use`."""
    return Contest(_called(in_use(folder)), (), None, _try_newest(folder), ())


def in_use(folder: Path) -> Path | None:
    """The artifact in use where versions are kept in a folder, None: the menu's rules; see `classifier.locate`.

    Raises
    ------
    ArtifactError : what says so is damaged.
    """
    return find_artifact(models=folder)


def router_in_use(folder: Path) -> Router:
    """The router of that artifact; of the menu's rules where there is none, or where the menu refuses it.

    Raises
    ------
    ArtifactError : the artifact cannot be used with any menu. ConfigError : the menu is wrong.
    """
    path = in_use(folder)
    ruled = path is None or menu_refusal(path) is not None
    return Router(menu=load_menu()) if ruled else Router.load(path)


def hold_contest(folder: Path, store: OutcomeStore, rule: PromotionRule, *, promoting: bool, prompts: bool) -> Contest:
    """Judge what is pending in a folder by all that a store holds; parameters and errors as those of `contest`.

    Raises
    ------
    StoreError : the store cannot be read.
    """
    waiting = [version.note.learned_until for version in pending(folder)]
    begins = min((time for time in waiting if time is not None), default=None)
    if begins is None:
        return nothing_pending(folder)
    menu = router_in_use(folder).menu
    observed = observe(_lean(store.outcomes(), begins), menu)
    return contest(folder, observed, menu, rule=rule, promoting=promoting, prompts=prompts)


def _lean(outcomes: Iterable[Outcome], begins: datetime) -> Iterator[Outcome]:
    """The outcomes; earlier ones, which only tell of the gate, without their requests."""
    for outcome in outcomes:
        if outcome.decision.time <= begins:
            bare = replace(outcome.decision, prompt=None, messages=None, features=None)
            yield replace(outcome, decision=bare)
        else:
            yield outcome


def contest(
    folder: Path,
    observed: Observed,
    menu: Menu,
    *,
    rule: PromotionRule | None = None,
    promoting: bool = True,
    prompts: bool = False,
) -> Contest:
    """Judge the pending candidates, note what came of it, and promote the first that passes.

    Where no version is in use yet, candidates are judged against the artifact that is, but none is promoted: the first
    version changes where ``predict_model`` looks, which is for people to decide.

    Parameters
    ----------
    observed : a log, read with ``menu``, today's. Of it, each candidate is judged by the rows after what it was learned
        from; all rows of the gate in use tell of the gate.
    promoting : False: only judge.
    prompts : show how some requests begin, in what is returned; never in what is noted.

    Raises
    ------
    ArtifactError : the one in use cannot be used, or what names it is damaged.
    RouterError : another command is changing the folder, or another version came into use meanwhile.
    """
    champion, path = current(folder), in_use(folder)
    router, name = router_in_use(folder), _called(path)
    truth = gate_truth(latest_gate(observed))
    judged: list[Judged] = []
    remarks: list[str] = []
    if path is not None and router.digest is None:
        remarks.append(f"{menu_refusal(path)}. Candidates are judged against the menu's rules")
    for version in pending(folder):
        try:
            challenger = Router.load(version.path)
        except ArtifactError as error:
            remarks.append(str(error))
            continue
        assert version.note.learned_until is not None
        found = challenge(
            observed, menu, router, challenger, version.note.learned_until, rule=rule, truth=truth, prompts=prompts
        )
        note_verdict(folder, version, verdict_of(found, name))
        judged.append(Judged(version, found))
    passed = next((one for one in judged if one.challenge.promotion.promote), None)
    promoted = None
    if passed is not None and champion is None:
        remarks.append(f"no version is in use yet; put it into use with: tierwise models promote {passed.version.name}")
    elif passed is not None and champion is not None and path != champion.path:
        remarks.append(
            f"${ARTIFACT_VARIABLE} names the artifact in use, {path}, so no version is put into its place; unset it to "
            "follow the folder's versions"
        )
    elif passed is not None and champion is not None and promoting:
        promoted = _promote(folder, passed, champion)
    return Contest(name, tuple(judged), promoted, _try_newest(folder), tuple(remarks))


def _try_newest(folder: Path) -> Version | None:
    """Name the newest pending candidate in ``models/candidate``, by which cascades direct their exploration."""
    if not (folder / VERSIONS).is_dir():
        return None
    with locked(folder / VERSIONS):
        tried = newest(folder)
        if tried is None:
            clear_candidate(folder)
        elif find_candidate(folder / TRIED) != tried.path:
            write_candidate(folder, tried.name)
    return tried


def verdict_of(found: Challenge, against: str) -> PromotionVerdict:
    """What is noted of a challenge."""
    promotion = found.promotion
    figures = {"quality_at_least": promotion.quality_low, "saving_at_least": promotion.saving_low}
    for measure in ("quality", "cost"):
        compared = found.of(measure)
        if compared is not None:
            difference = compared.difference
            ends = {"": difference.value, "_low": difference.low, "_high": difference.high}
            figures |= {measure + end: value for end, value in ends.items()}
    return PromotionVerdict(
        time=datetime.now(UTC),
        against=against,
        promote=promotion.promote,
        reasons=promotion.reasons,
        rows=promotion.rows,
        moved=promotion.differing,
        figures={name: float(value) for name, value in figures.items() if math.isfinite(value)},
    )


def _called(path: Path | None) -> str:
    """What people call what is in use: a version by its name, another artifact by its file, or the rules."""
    if path is None:
        return RULE_ROUTER
    return path.stem if path.parent.name == VERSIONS else str(path)


def _promote(folder: Path, passed: Judged, champion: Version) -> Version:
    """Put a candidate into use; that another command has just done so is as good."""
    promotion = passed.challenge.promotion
    why = f"judged on {promotion.rows:,} requests: {'; '.join(promotion.reasons)}"
    try:
        return promote(folder, passed.version, why=why, instead_of=champion)
    except RouterError:
        now = current(folder)
        if now is None or now.name != passed.version.name:
            raise
        return now
