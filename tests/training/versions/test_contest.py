"""Candidates against the version in use: who is judged, what is noted, who comes into use, whatever cuts in."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import training
from classifier import Router
from classifier.artifact import read_artifact
from classifier.errors import ArtifactError, RouterError
from classifier.pointer import find_candidate
from tests.helpers.challenges import BEGIN, always, fill, log_of, minutes, observed_of, variant
from tests.helpers.outcomes import Opener
from training.challenge.challenge import NO_ROWS
from training.challenge.contest import MOST, Contest, contest, in_use, pending
from training.challenge.sequential import PromotionRule
from training.log.observed import observe
from training.versions import Version, add_version, current, note_of, promote, prune, rollback, versions
from training.versions.notes import PromotionVerdict, dump_note, load_note
from training.versions.store import note_verdict

FOLDER = Path("models")
ROOT = Path(training.__file__).parent.parent
RULE = PromotionRule(margin=0.05)
BEFORE = BEGIN - timedelta(days=1)

Keep = Callable[..., Version]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TIERWISE_ARTIFACT", "TIERWISE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def keep(trained: Path) -> Keep:
    """Keeps an artifact as a candidate: "learned" with a number, or what sends everything to one tier."""

    def kept(kind: str, number: int = 0, learned_until: datetime | None = BEFORE, kept_at: datetime | None = None):
        path = Path(f"{kind}{number}.safetensors")
        artifact = variant(trained, path) if kind == "learned" else always(trained, path, kind)
        note = note_of(read_artifact(artifact), why=path.stem, learned_until=learned_until, time=kept_at)
        return add_version(FOLDER, artifact, note)

    return kept


def judge(rows: int = 1500, seed: int = 0, **options: bool) -> Contest:
    """On what the champion logged."""
    router = Router.load(in_use(FOLDER))
    return contest(FOLDER, observed_of(router, log_of(router, rows, seed)), router.menu, rule=RULE, **options)


def verdict(version: Version) -> PromotionVerdict | None:
    return next(each for each in versions(FOLDER) if each.name == version.name).note.verdict


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_better_candidate_comes_into_use(keep: Keep, seed: int) -> None:
    champion = promote(FOLDER, keep("opus"))
    candidate = keep("learned")
    found = judge(seed=seed)
    assert found.promoted.name == candidate.name == current(FOLDER).name
    assert found.champion == champion.name
    assert found.candidate is None
    assert "1,500 requests" in current(FOLDER).why
    noted = verdict(candidate)
    assert noted.promote
    assert noted.against == champion.name
    assert noted.rows == 1500
    assert noted.moved > 500
    assert noted.figures["cost_high"] < 0 < noted.figures["saving_at_least"]
    assert noted.figures["quality_at_least"] > -0.05
    assert abs(noted.time - datetime.now(UTC)) < timedelta(hours=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_worse_candidate_stays_one_with_the_reasons(keep: Keep, seed: int) -> None:
    champion, candidate = promote(FOLDER, keep("opus")), keep("haiku")
    found = judge(seed=seed)
    assert found.promoted is None
    assert found.candidate.name == candidate.name
    assert current(FOLDER).name == champion.name
    noted = verdict(candidate)
    assert not noted.promote
    assert any(reason.startswith("not proven at least as good") for reason in noted.reasons)
    assert noted.words == "not proven on 1,500 requests"


@pytest.mark.slow
def test_the_first_that_passes_is_promoted_and_all_are_noted(keep: Keep) -> None:
    promote(FOLDER, keep("opus"))
    now = datetime.now(UTC)
    worse, first, second = (
        keep(kind, number, kept_at=now + timedelta(seconds=number))
        for number, kind in enumerate(("haiku", "learned", "learned"))
    )
    found = judge()
    assert [one.version.name for one in found.judged] == [worse.name, first.name, second.name]
    assert found.promoted.name == first.name
    assert verdict(second).promote
    assert not verdict(worse).promote


@pytest.mark.slow
def test_repeated_looks_on_growing_rows(keep: Keep) -> None:
    promote(FOLDER, keep("opus"))
    candidate = keep("learned")
    router = Router.load(in_use(FOLDER))
    outcomes = log_of(router, 1500)
    lows, rows = [], (100, 300, 600, 1500)
    for count in rows:
        found = contest(FOLDER, observed_of(router, outcomes[:count]), router.menu, rule=RULE, promoting=False)
        assert found.promoted is None
        assert verdict(candidate).rows == count
        lows.append(verdict(candidate).figures["quality_at_least"])
    assert lows == sorted(lows)
    assert lows[0] < -0.05 < lows[-1]


@pytest.mark.slow
def test_only_judging_changes_nothing_but_the_notes(keep: Keep) -> None:
    promote(FOLDER, keep("opus"))
    candidate = keep("learned")
    before = (FOLDER / "current").read_bytes()
    found = judge(promoting=False)
    assert found.promoted is None
    assert found.candidate.name == candidate.name
    assert (FOLDER / "current").read_bytes() == before
    assert verdict(candidate).promote


@pytest.mark.slow
def test_each_candidate_is_judged_by_what_came_after_it_was_trained(keep: Keep) -> None:
    promote(FOLDER, keep("opus"))
    now = datetime.now(UTC)
    for number, learned_until in enumerate((minutes(199), minutes(399), minutes(9999))):
        keep("learned", number, learned_until, now + timedelta(seconds=number))
    found = judge(600, promoting=False)
    assert [one.challenge.rows for one in found.judged] == [400, 200, 0]
    assert found.judged[-1].challenge.promotion.reasons == (NO_ROWS,)


def test_who_is_pending(keep: Keep) -> None:
    """Tables, versions from before the last switch, and those that were in use are not; nor more than a few."""
    keep("haiku", 0, kept_at=datetime.now(UTC) - timedelta(days=1))
    first = promote(FOLDER, keep("opus"))
    later = datetime.now(UTC) + timedelta(seconds=5)
    keep("haiku", 1, learned_until=None, kept_at=later)
    made = [keep("learned", number, kept_at=later + timedelta(seconds=number)) for number in range(MOST + 2)]
    assert [version.name for version in pending(FOLDER)] == [version.name for version in made[2:]]
    promote(FOLDER, made[-1])
    rollback(FOLDER)
    assert current(FOLDER).name == first.name
    assert made[-1].name not in [version.name for version in pending(FOLDER)]


def test_candidates_that_met_another_champion_are_pending_no_more(keep: Keep) -> None:
    promote(FOLDER, keep("opus"))
    keep("haiku", kept_at=datetime.now(UTC) - timedelta(hours=1))
    assert pending(FOLDER) == []


@pytest.mark.slow
def test_the_first_version_is_left_to_people(trained: Path, keep: Keep) -> None:
    FOLDER.mkdir()
    always(trained, FOLDER / "router.safetensors", "opus")
    candidate = keep("learned")
    found = judge()
    assert found.champion == str(FOLDER / "router.safetensors")
    assert verdict(candidate).promote
    assert found.promoted is None
    assert found.remarks == (
        f"no version is in use yet; put it into use with: tierwise models promote {candidate.name}",
    )
    assert not (FOLDER / "current").exists()


def test_without_anything_the_menus_rules_are_in_use(keep: Keep) -> None:
    assert in_use(FOLDER) is None


@pytest.mark.slow
def test_a_damaged_candidate_is_passed_over(keep: Keep) -> None:
    promote(FOLDER, keep("opus"))
    now = datetime.now(UTC)
    damaged, sound = (keep("learned", number, kept_at=now + timedelta(seconds=number)) for number in (1, 2))
    damaged.path.write_bytes(damaged.path.read_bytes()[:-1])
    found = judge()
    assert found.promoted.name == sound.name
    assert len(found.remarks) == 1
    assert damaged.name in found.remarks[0]


def test_a_damaged_pointer_is_told_of(keep: Keep) -> None:
    version = keep("opus")
    outcomes = log_of(Router.load(version.path), 10)
    (FOLDER / "current").write_text("versions/../../secret.safetensors\n")
    router = Router.load(version.path)
    with pytest.raises(ArtifactError, match="promote a version"):
        contest(FOLDER, observed_of(router, outcomes), router.menu)


def test_a_version_removed_meanwhile_has_no_note(keep: Keep) -> None:
    version = keep("opus")
    version.path.unlink()
    version.path.with_suffix(".json").unlink()
    note_verdict(FOLDER, version, PromotionVerdict(BEGIN, "x", True))
    assert list((FOLDER / "versions").glob("*.json")) == []


def test_verdicts_survive_in_notes(tmp_path: Path) -> None:
    found = PromotionVerdict(BEGIN, "x", True, ("because",), 10, 3, {"quality": 0.5})
    note = replace(load_note(tmp_path / "none.json", BEGIN), verdict=found, learned_until=BEFORE)
    path = tmp_path / "note.json"
    path.write_bytes(dump_note(note))
    assert load_note(path, BEFORE) == note


def test_an_older_note_has_neither(keep: Keep) -> None:
    version = keep("opus", learned_until=None)
    assert version.note.learned_until is version.note.verdict is None


def test_what_training_says_of_the_last_outcome_is_noted(trained: Path) -> None:
    artifact = read_artifact(trained)
    for said, expected in ((BEGIN.isoformat(), BEGIN), ("2026-01-01T00:00:00", None), (3, None), ("soon", None)):
        header = {**artifact.header, "training": {**artifact.header["training"], "learned_until": said}}
        assert note_of(replace(artifact, header=header)).learned_until == expected


# Several at once, and runs that are cut


@pytest.mark.slow
def test_two_at_once_do_not_clash(keep: Keep, sqlite_url: str, open_store: Opener) -> None:
    promote(FOLDER, keep("opus"))
    candidate = keep("learned")
    router = Router.load(in_use(FOLDER))
    store = open_store(sqlite_url)
    fill(store, log_of(router, 1500))
    observed = [observe(store.outcomes(), router.menu) for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda each: contest(FOLDER, each, router.menu, rule=RULE), observed))
    promotions = [line for line in (FOLDER / "current").read_text().splitlines() if candidate.name in line]
    assert len(promotions) == 1
    assert {one.promoted.name for one in found if one.promoted is not None} == {candidate.name}
    assert verdict(candidate).promote


@pytest.mark.slow
def test_another_champion_meanwhile_ends_it(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    promote(FOLDER, keep("opus"))
    other = keep("sonnet", learned_until=None)
    keep("learned")
    real = note_verdict

    def meanwhile(folder: Path, version: Version, noted: PromotionVerdict) -> None:
        real(folder, version, noted)
        promote(folder, other)

    monkeypatch.setattr("training.challenge.contest.note_verdict", meanwhile)
    with pytest.raises(RouterError, match=f"{other.name} is in use by now"):
        judge()
    assert current(FOLDER).name == other.name


CUT = """
import os, pickle, signal, sys
from itertools import count
from pathlib import Path
from classifier import Router
from training.challenge.sequential import PromotionRule
from training.versions import versions
from training.challenge.contest import contest, in_use
from training.versions.store import current

folder = Path("models")
observed, menu = pickle.loads(Path("observed.pickle").read_bytes())
before = current(folder).name
first = (folder / "current").read_bytes()

def killed_at(line):
    child = os.fork()
    if not child:
        seen = 0
        def trace(frame, event, argument):
            nonlocal seen
            if frame.f_code.co_name not in ("put_in_place", "take_place", "switch_to"):
                return None
            if event == "line":
                seen += 1
                if seen > line:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace
        sys.settrace(trace)
        contest(folder, observed, menu, rule=PromotionRule(margin=0.05))
        sys.settrace(None)
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL

outcomes = set()
for line in count():
    (folder / "current").write_bytes(first)
    killed = killed_at(line)
    now = current(folder).name
    outcomes.add((killed, now == before))
    Router.load(in_use(folder))
    assert all(version.note.origin for version in versions(folder)), "a note was cut"
    if not killed:
        break
assert outcomes == {(True, True), (True, False), (False, False)}, outcomes
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_contest_that_is_killed_leaves_what_was_in_use_or_has_switched(keep: Keep) -> None:
    promote(FOLDER, keep("opus"))
    keep("learned")
    router = Router.load(in_use(FOLDER))
    observed = observed_of(router, log_of(router, 400, explore=0.6))
    Path("observed.pickle").write_bytes(pickle.dumps((observed, router.menu)))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    subprocess.run([sys.executable, "-c", CUT], env=environment, check=True, timeout=300)


def test_the_newest_candidate_is_named_for_exploration_until_a_switch(keep: Keep) -> None:
    promote(FOLDER, keep("opus", kept_at=BEGIN))
    first, second = (keep("learned", number, kept_at=datetime.now(UTC) + timedelta(hours=number)) for number in (1, 2))
    judge(rows=50, promoting=False)
    assert find_candidate(FOLDER / "candidate") == second.path
    # Old candidates go, but not the one that is tried.
    keep("haiku", 9, learned_until=None, kept_at=datetime.now(UTC) + timedelta(hours=9))
    assert first.name in {version.name for version in prune(FOLDER, keep=0)}
    assert second.path.is_file()
    promote(FOLDER, second)
    assert find_candidate(FOLDER / "candidate") is None
