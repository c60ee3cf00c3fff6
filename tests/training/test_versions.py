"""Versions: kept, put into use and taken back, whatever cuts in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import training
from classifier import Router, make_request
from classifier.artifact import read_artifact, write_artifact
from classifier.errors import ArtifactError, InputError, RouterError
from classifier.locate import find_artifact
from training.versions import (
    Note,
    Version,
    add_version,
    compare_traffic,
    current,
    diff,
    facts,
    find_version,
    note_of,
    previous,
    promote,
    prune,
    rollback,
    versions,
)
from training.versions.files import locked
from training.versions.notes import dump_note, load_note
from training.versions.switches import PROMOTE, ROLLBACK, Switch, promoted, read_switches, reason

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
FOLDER = Path("models")
ROOT = Path(training.__file__).parent.parent


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TIERWISE_ARTIFACT", "TIERWISE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def variant(trained: Path, number: int, **rule: Any) -> Path:
    """Another artifact: with other fields of its rule, or only with another number in its training summary."""
    artifact = read_artifact(trained)
    header = {
        **artifact.header,
        "rule": {**artifact.header["rule"], **rule},
        "training": {**artifact.header["training"], "number": number},
    }
    path = Path(f"{number}.safetensors")
    write_artifact(path, header, artifact.tensors)
    return path


def kept(trained: Path, number: int, why: str = "", **rule: Any) -> Version:
    """A version that was kept at the given hour."""
    path = variant(trained, number, **rule)
    return add_version(
        FOLDER, path, note_of(read_artifact(path), why=why or f"number {number}", time=START + timedelta(hours=number))
    )


def states() -> dict[str, str]:
    return {version.why: version.state for version in versions(FOLDER)}


# Keeping


def test_a_version_is_a_copy_with_a_note(trained: Path, outcomes_csv: Path) -> None:
    version = add_version(FOLDER, trained)
    artifact = read_artifact(trained)
    assert version.path.read_bytes() == trained.read_bytes()
    assert version.name == f"{version.note.time:%Y%m%dT%H%M%SZ}-{artifact.digest[:12]}"
    assert abs(datetime.now(UTC) - version.note.time) < timedelta(hours=1)
    assert version.note.origin == (outcomes_csv.name,)
    assert version.note.rows == 1500
    result = next(
        one for one in artifact.header["training"]["test"] if one["name"] == artifact.header["training"]["shipped"]
    )
    assert version.note.figures == {name: result[name] for name in ("saving", "kept", "quality", "cost")}
    assert version.state == "candidate"
    assert versions(FOLDER) == [version]
    assert current(FOLDER) is None
    assert json.loads(version.path.with_suffix(".json").read_text())["rows"] == 1500


def test_the_same_content_is_kept_once(trained: Path) -> None:
    first = kept(trained, 1, why="first")
    again = add_version(FOLDER, Path("1.safetensors"), Note(START + timedelta(days=9), why="again"))
    assert again == first
    assert len(versions(FOLDER)) == 1


def test_the_newest_comes_first(trained: Path) -> None:
    made = [kept(trained, number) for number in (2, 1, 3)]
    assert [version.name for version in versions(FOLDER)] == [made[place].name for place in (2, 0, 1)]


@pytest.mark.parametrize("data", [None, b"", b"<html>"])
def test_what_is_no_artifact_is_not_kept(data: bytes | None) -> None:
    if data is not None:
        Path("bad.safetensors").write_bytes(data)
    with pytest.raises(ArtifactError, match=r"^bad\.safetensors: "):
        add_version(FOLDER, Path("bad.safetensors"))
    assert versions(FOLDER) == []


def test_an_artifact_that_routes_nothing_is_not_kept(trained: Path) -> None:
    with pytest.raises(ArtifactError, match="its decision rule is unsound"):
        add_version(FOLDER, variant(trained, 1, reference="nobody"))
    assert versions(FOLDER) == []


@pytest.mark.parametrize("data", [None, b"", b"[]", b'{"time": 3}', b"\xff", b"[" * 100_000])
def test_a_version_without_a_sound_note_is_a_version(trained: Path, data: bytes | None) -> None:
    version = kept(trained, 1)
    path = version.path.with_suffix(".json")
    path.unlink() if data is None else path.write_bytes(data)
    assert [one.note for one in versions(FOLDER)] == [Note(START + timedelta(hours=1))]
    assert promote(FOLDER, version).state == "current"


def test_other_files_are_not_versions(trained: Path) -> None:
    version = kept(trained, 1)
    for name in ("mine", "99999999T999999Z-0123456789ab", "20260301T120000Z-0123"):
        (FOLDER / "versions" / f"{name}.safetensors").write_bytes(trained.read_bytes())
    assert [one.name for one in versions(FOLDER)] == [version.name]
    prune(FOLDER, 0)
    assert (FOLDER / "versions" / "mine.safetensors").is_file()


@given(
    why=st.text(),
    origin=st.lists(st.text(max_size=40), max_size=4),
    rows=st.none() | st.integers(0, 10**12),
    figures=st.dictionaries(st.sampled_from(["saving", "kept"]), st.floats(-1, 1)),
)
def test_a_note_is_read_as_it_was_written(tmp_path_factory, why, origin, rows, figures) -> None:
    path = tmp_path_factory.getbasetemp() / "note.json"
    note = Note(START, tuple(origin), rows, figures, why)
    path.write_bytes(dump_note(note))
    first = load_note(path, START + timedelta(days=1))
    assert (first.time, first.rows, first.figures) == (START, rows, figures)
    assert all(text.isprintable() for text in (*first.origin, first.why))
    path.write_bytes(dump_note(first))
    assert load_note(path, START) == first


# Putting into use, and back


def test_promote_and_roll_back(trained: Path) -> None:
    first, second, third = (kept(trained, number) for number in (1, 2, 3))
    assert previous(FOLDER) is None
    assert promote(FOLDER, first, why="the first").state == "current"
    assert find_artifact() == first.path
    assert Router.load().artifact.digest == read_artifact(first.path).digest
    promote(FOLDER, third)
    assert current(FOLDER).name == third.name
    assert previous(FOLDER).name == first.name
    promote(FOLDER, second)
    assert states() == {"number 3": "previous", "number 2": "current", "the first": "earlier"}
    assert rollback(FOLDER, why="too dear").name == third.name
    assert find_artifact() == third.path
    assert states() == {"number 3": "current", "too dear": "withdrawn", "the first": "previous"}
    assert rollback(FOLDER).name == first.name
    assert previous(FOLDER) is None
    with pytest.raises(InputError, match="no version was promoted before that is still kept"):
        rollback(FOLDER)
    assert current(FOLDER).name == first.name
    assert promote(FOLDER, second).state == "current"
    assert previous(FOLDER).name == first.name


def test_what_is_in_use_is_not_promoted_again(trained: Path) -> None:
    version = promote(FOLDER, kept(trained, 1))
    before = (FOLDER / "current").read_bytes()
    assert promote(FOLDER, version) == version
    assert (FOLDER / "current").read_bytes() == before


def test_there_is_nothing_to_roll_back_at_first(trained: Path) -> None:
    kept(trained, 1)
    with pytest.raises(InputError, match=r"^models/current: no version was promoted before"):
        rollback(FOLDER)
    assert not (FOLDER / "current").exists()


def test_a_broken_version_does_not_come_into_use(trained: Path) -> None:
    first, second = kept(trained, 1), kept(trained, 2)
    promote(FOLDER, first)
    promote(FOLDER, second)
    before = (FOLDER / "current").read_bytes()
    first.path.write_bytes(first.path.read_bytes()[:1000])
    with pytest.raises(ArtifactError, match="is not a whole"):
        promote(FOLDER, first)
    with pytest.raises(ArtifactError, match="is not a whole"):
        rollback(FOLDER)
    assert (FOLDER / "current").read_bytes() == before


def test_a_rollback_passes_over_versions_that_are_gone(trained: Path) -> None:
    first, second, third = (promote(FOLDER, kept(trained, number)) for number in (1, 2, 3))
    second.path.unlink()
    assert previous(FOLDER).name == first.name
    assert rollback(FOLDER).name == first.name
    assert {version.name: version.state for version in versions(FOLDER)} == {
        first.name: "current",
        third.name: "withdrawn",
    }


def test_a_version_compared_with_one_that_is_in_use_no_more_is_not_promoted(trained: Path) -> None:
    first, second, third = (kept(trained, number) for number in (1, 2, 3))
    promote(FOLDER, first)
    promote(FOLDER, second, instead_of=first)
    with pytest.raises(RouterError, match=rf"{second.name} is in use by now, expected {first.name}"):
        promote(FOLDER, third, instead_of=first)
    assert current(FOLDER).name == second.name


def test_somebody_may_write_the_pointer_by_hand(trained: Path) -> None:
    first, second = kept(trained, 1), kept(trained, 2)
    (FOLDER / "current").write_text(f"versions/{first.name}.safetensors")
    assert current(FOLDER).name == first.name
    assert Router.load().artifact.digest == read_artifact(first.path).digest
    promote(FOLDER, second)
    assert rollback(FOLDER).name == first.name


@pytest.mark.parametrize("text", ["versions/\n", "versions/20260301T120000Z-0123456789ab.safetensors\n"])
def test_a_damaged_pointer_is_told_of_and_mended_by_promoting(trained: Path, text: str) -> None:
    version = kept(trained, 1)
    (FOLDER / "current").write_text(text)
    with pytest.raises(ArtifactError, match=r"^models/current: .*promote"):
        current(FOLDER)
    assert [one.name for one in versions(FOLDER)] == [version.name]
    promote(FOLDER, version)
    assert current(FOLDER).name == version.name


def test_a_link_in_the_pointers_place_is_replaced(trained: Path) -> None:
    version = kept(trained, 1)
    (FOLDER / "current").symlink_to(trained)
    assert find_artifact() == FOLDER / "current"
    assert current(FOLDER) is None
    promote(FOLDER, version)
    assert not (FOLDER / "current").is_symlink()
    assert read_artifact(trained).digest != read_artifact(find_artifact()).digest


def test_what_train_router_wrote_is_found_until_a_version_is_promoted(trained: Path) -> None:
    FOLDER.mkdir()
    (FOLDER / "router.safetensors").write_bytes(trained.read_bytes())
    version = kept(trained, 1)
    assert find_artifact() == FOLDER / "router.safetensors"
    promote(FOLDER, version)
    assert find_artifact() == version.path


def test_running_routers_follow(trained: Path) -> None:
    first, second = kept(trained, 1), kept(trained, 2)
    promote(FOLDER, first)
    with Router.watch(interval=1e6) as watched:
        for act, version in (
            (lambda: promote(FOLDER, second), second),
            (lambda: rollback(FOLDER), first),
        ):
            act()
            assert watched.refresh()
            assert watched.artifact.source.endswith(version.path.name)
            assert not watched.refresh()


names = st.sampled_from([f"20260301T12000{digit}Z-0123456789ab" for digit in range(5)])


@given(st.lists(st.tuples(st.sampled_from([PROMOTE, ROLLBACK]), names)))
def test_promotions_are_a_stack(given_switches) -> None:
    """Against the plainest model: a list that promoting appends to and rolling back shortens."""
    stack: list[str] = []
    switches: list[Switch] = []
    for action, name in given_switches:
        if action == PROMOTE and stack[-1:] != [name]:
            stack.append(name)
            switches.insert(0, Switch(name, ""))
        elif action == ROLLBACK and len(stack) > 1:
            stack.pop()
            switches.insert(0, Switch(stack[-1], "", ROLLBACK))
        assert promoted(switches) == stack


@given(st.binary(max_size=300) | st.text().map(lambda text: f"versions/{text}".encode("utf-8", "replace")))
def test_whatever_the_pointer_holds_it_is_read(tmp_path_factory, data) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "current").write_bytes(data)
    assert isinstance(promoted(read_switches(folder)), list)


def test_a_rollbacks_reason_is_that_of_the_version_it_took_back() -> None:
    switches = [Switch("a", "", ROLLBACK, "bad"), Switch("b", "", PROMOTE, "good"), Switch("a", "", PROMOTE, "new")]
    assert (reason(switches, "a"), reason(switches, "b"), reason(switches, "c")) == ("new", "bad", "")


# Which version is meant


def test_versions_are_called_by_state_or_by_the_beginning_of_a_name_or_digest(trained: Path) -> None:
    first, second, third = (kept(trained, number) for number in (1, 2, 3))
    promote(FOLDER, third)
    promote(FOLDER, first)
    for text, version in {
        "current": first,
        "previous": third,
        "latest": third,
        second.name: second,
        "20260301T14": second,
        second.name.partition("-")[2][:8]: second,
    }.items():
        assert find_version(FOLDER, text).name == version.name
    with pytest.raises(InputError, match=r"^2026: 3 versions in models begin so, expected one"):
        find_version(FOLDER, "2026")
    for text in ("", "nonsense", "2025"):
        with pytest.raises(InputError, match="no such version in models; expected current"):
            find_version(FOLDER, text)


# Removing


def test_pruning_keeps_the_newest_and_what_is_in_use_and_where_a_rollback_leads(trained: Path) -> None:
    made = [kept(trained, number) for number in range(6)]
    promote(FOLDER, made[1])
    promote(FOLDER, made[0])
    expected = [made[3].name, made[2].name]
    assert [version.name for version in prune(FOLDER, 2, dry_run=True)] == expected
    assert len(versions(FOLDER)) == 6
    assert [version.name for version in prune(FOLDER, 2)] == expected
    assert {version.name for version in versions(FOLDER)} == {made[place].name for place in (0, 1, 4, 5)}
    assert len(list((FOLDER / "versions").glob("*.json"))) == 4
    assert prune(FOLDER, 2) == []
    with pytest.raises(InputError):
        prune(FOLDER, -1)


def test_pruning_removes_what_runs_that_were_cut_left_behind(trained: Path) -> None:
    version = promote(FOLDER, kept(trained, 1))
    left = [
        FOLDER / ".current.draft",
        FOLDER / "versions" / f".{version.name}.safetensors.draft",
        FOLDER / "versions" / "20260301T120000Z-0123456789ab.json",
    ]
    for path in left:
        path.write_text("half")
    others = FOLDER / ".router.safetensors.draft"  # another command may be writing it
    others.write_text("half")
    prune(FOLDER)
    assert not any(path.exists() for path in left)
    assert others.exists()
    assert current(FOLDER) == version


# Several at once, and runs that are cut


def test_a_held_folder_is_told_of_in_one_line(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = kept(trained, 1)
    monkeypatch.setattr("training.versions.files._WAIT_SECONDS", 0.0)
    with locked(FOLDER / "versions"):
        for act in (lambda: promote(FOLDER, version), lambda: rollback(FOLDER), lambda: prune(FOLDER)):
            with pytest.raises(RouterError, match=r"^models/versions: another command is changing it"):
                act()
        assert [one.name for one in versions(FOLDER)] == [version.name]
    assert promote(FOLDER, version).state == "current"


def test_many_at_once_do_not_clash(trained: Path) -> None:
    made = [kept(trained, number) for number in range(4)]
    more = [variant(trained, number) for number in range(10, 14)]
    with ThreadPoolExecutor(8) as threads:
        done = [threads.submit(promote, FOLDER, version, why=version.why) for version in made]
        done += [threads.submit(add_version, FOLDER, path) for path in more]
        for each in done:
            each.result(60)
    assert len(versions(FOLDER)) == 8
    assert sorted(switch.why for switch in read_switches(FOLDER)) == sorted(version.why for version in made)
    assert current(FOLDER).name == read_switches(FOLDER)[0].version


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from classifier import Router
from training.versions import add_version, current, promote, prune, rollback, versions

folder, first, second = Path("models"), Path("1.safetensors"), Path("2.safetensors")
allowed = {promote(folder, add_version(folder, path)).path.stem.partition("-")[2] for path in (first, second)}

def work():
    while True:
        for path in (first, second):
            promote(folder, add_version(folder, path), why="a reason " * 30)
        rollback(folder)
        prune(folder, 0)

delays = random.Random(0)
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(1)
    time.sleep(delays.uniform(0.0, 0.05))
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, "it ended by itself"
    assert Router.load().artifact.digest[:12] in allowed
    assert current(folder).state == "current"
    for version in versions(folder):
        Router.load(version.path)
prune(folder, 0)
assert not list(folder.rglob("*.draft"))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_runs_that_are_killed_leave_what_was_in_use_in_use(trained: Path) -> None:
    variant(trained, 1)
    variant(trained, 2)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    subprocess.run([sys.executable, "-c", KILLED, "40"], env=environment, check=True, timeout=300)


CUT = """
import os, signal, sys
from itertools import count
from pathlib import Path
from classifier.pointer import follow
from training.versions import versions
from training.versions.switches import read_switches, switch_to

folder = Path("models")
after, before = (version.name for version in versions(folder))
first = (folder / "current").read_bytes()

def killed_at(line):
    child = os.fork()
    if not child:
        lines = iter(range(line))
        def trace(frame, event, argument):
            if event == "line" and next(lines, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace
        sys.settrace(trace)
        switch_to(folder, after, "promote", "a reason")
        sys.settrace(None)
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL

seen = set()
for line in count():
    (folder / "current").write_bytes(first)
    killed = killed_at(line)
    now = [switch.version for switch in read_switches(folder)]
    assert now in ([before], [after, before]), line
    assert follow(folder / "current") == folder / "versions" / f"{now[0]}.safetensors", line
    seen.add((killed, now[0] == after))
    if not killed:
        break
assert seen == {(True, False), (True, True), (False, True)}, seen
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_switch_that_is_cut_at_any_line_is_done_or_not_done(trained: Path) -> None:
    promote(FOLDER, kept(trained, 1))
    kept(trained, 2)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    subprocess.run([sys.executable, "-c", CUT], env=environment, check=True, timeout=120)


# What differs


def router(trained: Path, number: int, **rule: Any) -> Router:
    return Router(read_artifact(variant(trained, number, **rule)))


def test_an_artifact_does_not_differ_from_itself(trained: Path) -> None:
    assert diff(Router.load(trained), Router.load(trained)) == []


def test_what_differs_is_told(trained: Path) -> None:
    old, new = router(trained, 1), router(trained, 2, strategy="always", always="sonnet", confidence=0.9)
    found = {(change.part, change.name): (change.before, change.after) for change in diff(old, new)}
    setting = found.pop(("rule", "setting"))
    assert setting[0].startswith("costs ")
    assert setting[1] is None
    assert found == {
        ("rule", "strategy"): ("learned", "always sonnet"),
        ("rule", "confidence"): ("0.95", "0.9"),
        ("training", "number"): ("1", "2"),
    }


def test_prices_tiers_promises_and_words_that_differ_are_told(trained: Path) -> None:
    artifact = read_artifact(trained)
    header = json.loads(json.dumps(artifact.header))
    header["menu"]["tiers"][0]["input_price"] = 0.25
    header["menu"]["tiers"][1]["model"] = "another"
    header["menu"]["tiers"][2]["images"] = not header["menu"]["tiers"][2]["images"]
    header["rule"]["ladder"][-1][1:] = [None, 900]
    header["features"]["keywords"][0]["words"].append("unheardof")
    write_artifact("new.safetensors", header, artifact.tensors)
    changes = diff(Router(artifact), Router(read_artifact("new.safetensors")))
    assert [(change.part, change.name) for change in changes] == [
        ("promises", "10.00% of quality"),
        ("tiers", "sonnet"),
        ("prices", "haiku"),
        ("limits", "opus"),
        ("keywords", header["features"]["keywords"][0]["name"]),
    ]
    assert changes[0].after == "only opus: about 900 rows for choosing needed"
    assert changes[1].after == "another"
    assert changes[2].after == "$0.25 in, $5 out per 1M tokens"


def test_a_training_summary_may_be_anything(trained: Path) -> None:
    artifact = read_artifact(trained)
    for summary in (
        None,
        [],
        {"test": 3, "tables": {}, "rows": []},
        {"test": [3], "tables": [1], "shipped": "\x1b[0m"},
    ):
        odd = replace(artifact, header={**artifact.header, "training": summary})
        assert note_of(odd).figures == {}
        texts = [text for part in facts(Router(odd)).values() for text in part.values()]
        assert all(text.isprintable() for text in texts)


def test_traffic_is_what_both_decide(trained: Path) -> None:
    old, new = router(trained, 1), router(trained, 2, strategy="always", always="sonnet")
    requests = [make_request(f"{verb} thing{number}") for number in range(20) for verb in ("translate", "prove")]
    found = compare_traffic(old, new, requests)
    was, becomes = old.route_many(requests), new.route_many(requests)
    assert found.requests == 40
    assert found.moved == sum(decision.tier != "sonnet" for decision in was) > 0
    assert {place for move in found.moves for place in move.rows} == {
        place for place, decision in enumerate(was) if decision.tier != "sonnet"
    }
    for move in found.moves:
        assert move.after == "sonnet"
        place = [tier.name for tier in new.tiers].index(move.before)
        expected = [becomes[row].prediction for row in move.rows]
        assert move.view.requests == len(move.rows)
        assert move.view.cost_before == pytest.approx(sum(each.cost[place] for each in expected) / len(expected))
        assert move.view.quality_after == pytest.approx(sum(each.quality[1] for each in expected) / len(expected))
    assert found.by_before.cost_before == pytest.approx(sum(each.expected_cost for each in was) / 40)
    assert found.by_after.quality_after == pytest.approx(sum(each.expected_quality for each in becomes) / 40)
    assert compare_traffic(old, old, requests).moves == ()
