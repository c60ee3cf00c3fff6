"""Routers that take up new artifacts while they decide."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import Router, predict_model, route, set_shared_router
from classifier.artifact import read_artifact, write_artifact
from classifier.errors import ArtifactError, InputError
from classifier.gates import Answer, Check
from classifier.locate import find_artifact
from classifier.pointer import follow
from classifier.request import make_request
from classifier.router import WatchedRouter
from tests.helpers.cascades import BAD, GOOD, ask, by_tier
from tests.helpers.openai_server import OpenAIServer, Reply
from tests.helpers.requests import CODE, LANGUAGES, MATH
from tests.helpers.routers import Trained, with_rule

ROOT = Path(__file__).parents[2]
TEXTS = (*LANGUAGES.values(), CODE, MATH)
NEVER = 1e6  # seconds between two looks, where a test looks by itself
SOON = 0.01
PATIENCE = 60.0


@dataclass(frozen=True)
class Files:
    """Two artifacts that decide differently, as bytes, and the place that is watched."""

    first: bytes
    second: bytes
    place: Path

    def put(self, data: bytes) -> None:
        """Put a file in its place, in one step."""
        draft = self.place.with_name("draft")
        draft.write_bytes(data)
        os.replace(draft, self.place)


def made(trained: Trained, path: Path, **rule: object) -> bytes:
    return with_rule(trained, path, **rule).read_bytes()


@pytest.fixture
def files(linear: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIERWISE_ARTIFACT", raising=False)
    monkeypatch.delenv("TIERWISE_CONFIG", raising=False)
    second = made(linear, tmp_path / "second.safetensors", strategy="always", always="sonnet")
    found = Files(linear.path.read_bytes(), second, tmp_path / "place.safetensors")
    found.put(found.first)
    return found


@pytest.fixture
def watched(files: Files):
    with Router.watch(files.place, interval=NEVER) as router:
        yield router


def broken(files: Files) -> dict[str, bytes]:
    altered = bytearray(files.second)
    altered[-1] ^= 1
    return {
        "empty": b"",
        "truncated": files.second[: len(files.second) // 2],
        "altered": bytes(altered),
        "foreign": b"<html>not found</html>",
        "newer": files.second.replace(b'schema_version\\":3,', b'schema_version\\":9,', 1),
    }


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# What it offers


def test_it_offers_all_that_a_router_offers(watched: WatchedRouter, router: Router) -> None:
    assert isinstance(watched, Router)
    values = {name for name, kind in vars(Router).items() if isinstance(kind, property)}
    assert {"artifact", "learned_tiers", "menu", "model", "novelty", "plan", "rule", "strategy", "tiers"} <= values
    for name in values:
        assert getattr(watched, name) == getattr(watched.current, name)
    assert watched.route(MATH) == watched.current.route(MATH)
    assert watched.route(MATH).loaded is watched.current.loaded
    assert watched.route_many([make_request(CODE)]) == [watched.decide(make_request(CODE))]
    assert watched.predict_models([MATH]) == [watched.predict_model(MATH)]


def test_what_it_offers_cannot_be_replaced(watched: WatchedRouter) -> None:
    with pytest.raises(AttributeError):
        watched.rule = None  # type: ignore[assignment]


def test_wishes_hold_for_every_artifact(files: Files) -> None:
    with Router.watch(files.place, interval=NEVER, strategy="length") as watched:
        files.put(files.second)
        assert watched.refresh()
        assert watched.strategy == watched.route(MATH).strategy == "length"


def test_the_menu_is_that_of_the_beginning(files: Files) -> None:
    Path("router.toml").write_text('strategy = "task"')
    with Router.watch(files.place, interval=NEVER) as watched:
        Path("router.toml").write_text("nonsense")
        files.put(files.second)
        assert watched.refresh()
        assert watched.strategy == "task"


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf")])
def test_an_interval_that_is_none_is_refused(files: Files, interval: float) -> None:
    with pytest.raises(InputError, match="expected a number of seconds above 0"):
        Router.watch(files.place, interval=interval)


def test_the_first_artifact_has_to_be_sound(files: Files) -> None:
    files.put(b"")
    with pytest.raises(ArtifactError, match="it is empty"):
        Router.watch(files.place)


# Taking up


def test_a_new_artifact_comes_into_force_and_the_old_one_back(watched: WatchedRouter, files: Files) -> None:
    old = watched.current
    assert not watched.refresh()
    files.put(files.second)
    assert watched.route(MATH) == old.route(MATH)
    assert watched.refresh()
    assert watched.strategy == watched.route(MATH).strategy == "always"
    assert watched.current is not old
    files.put(files.first)
    assert watched.refresh()
    assert watched.route(MATH) == old.route(MATH)


def test_an_artifact_changed_in_its_place_is_seen(watched: WatchedRouter, files: Files) -> None:
    files.place.write_bytes(files.second)
    assert watched.refresh()
    assert watched.strategy == "always"


def test_the_same_content_put_there_again_changes_nothing(watched: WatchedRouter, files: Files) -> None:
    old = watched.current
    files.put(files.first)
    assert not watched.refresh()
    assert watched.current is old


def test_a_link_is_followed_anew(files: Files, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(files.place)
    with Router.watch(link, interval=NEVER) as watched:
        link.unlink()
        link.symlink_to("second.safetensors")
        assert watched.refresh()
        assert watched.strategy == "always"


def test_changes_are_told_and_a_listener_that_fails_is_no_matter(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    told = []

    def listen(old: Router, new: Router) -> None:
        told.append((old.strategy, new.strategy))
        raise RuntimeError("a secret")

    with Router.watch(files.place, interval=NEVER, on_change=listen) as watched:
        files.put(files.second)
        assert watched.refresh()
        assert watched.strategy == "always"
    assert told == [("learned", "always")]
    assert warnings(caplog) == ["on_change raised RuntimeError; the new artifact is in use"]


def test_a_listener_may_look_again(files: Files) -> None:
    looked = []
    with Router.watch(files.place, interval=NEVER, on_change=lambda *_: looked.append(watched.refresh())) as watched:
        files.put(files.second)
        assert watched.refresh()
    assert looked == [False]


# Refusing


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("empty", "it is empty"),
        ("truncated", "is not a whole .safetensors file"),
        ("altered", "does not match its checksum"),
        ("foreign", "it looks like an HTML or XML page"),
        ("newer", "has artifact schema version 9"),
        ("unsound", "its decision rule is unsound"),
        ("directory", "is a directory"),
        ("gone", "no such file"),
    ],
)
def test_what_cannot_be_used_is_refused_with_one_warning(
    kind: str,
    words: str,
    watched: WatchedRouter,
    files: Files,
    linear: Trained,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    old = watched.current
    files.place.unlink()
    if kind == "directory":
        files.place.mkdir()
    elif kind == "unsound":
        files.put(made(linear, tmp_path / "unsound.safetensors", reference="nobody"))
    elif kind != "gone":
        files.put(broken(files)[kind])
    for _ in range(200):
        assert not watched.refresh()
        assert watched.current is old
    said = warnings(caplog)
    assert len(said) == 1
    assert said[0].startswith(f"{files.place}: ")
    assert words in said[0]
    assert said[0].endswith(f" (going on with {old.artifact.digest[:12]})")
    assert watched.refused is not None
    assert said[0].startswith(watched.refused)


def test_a_file_that_is_still_being_copied_is_not_warned_of(
    watched: WatchedRouter, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    step = len(files.second) // 5
    files.place.write_bytes(b"")
    for start in range(0, len(files.second), step):
        with files.place.open("ab") as file:
            file.write(files.second[start : start + step])
        watched.refresh()
    assert watched.strategy == "always"
    assert watched.refused is None
    assert warnings(caplog) == []


def test_after_a_refusal_the_next_sound_file_is_taken_up(
    watched: WatchedRouter, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        files.put(broken(files)["altered"])
        for _ in range(3):
            assert not watched.refresh()
        assert watched.refused
        files.put(files.first)
        assert not watched.refresh()
        assert watched.refused is None
    assert len(warnings(caplog)) == 2
    files.put(files.second)
    assert watched.refresh()
    assert watched.refused is None


def test_what_was_wrong_for_a_while_only_is_taken_up_later(
    watched: WatchedRouter, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.put(files.second)
    with monkeypatch.context() as short:
        short.setattr("classifier.artifact.MAX_FILE_BYTES", 10)
        for _ in range(3):
            assert not watched.refresh()
        assert "at most 10" in (watched.refused or "")
    assert any(watched.refresh() for _ in range(100))
    assert watched.refused is None


# Where it looks


def test_a_pointer_is_followed_and_may_come_later(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    versions = Path("models/versions")
    versions.mkdir(parents=True)
    (versions / "a.safetensors").write_bytes(files.first)
    (versions / "b.safetensors").write_bytes(files.second)
    with Router.watch(interval=NEVER) as watched:
        assert watched.digest is None
        Path("models/router.safetensors").write_bytes(files.first)
        assert watched.refresh()
        Path("models/current").write_text("versions/b.safetensors\tlater\n")
        assert watched.refresh()
        assert watched.strategy == "always"
        Path("models/current").write_text("versions/../b.safetensors\n")
        for _ in range(3):
            assert not watched.refresh()
        assert "expected one such as versions/NAME.safetensors" in warnings(caplog)[1]
        Path("models/current").write_text("versions/a.safetensors")
        assert watched.refresh()
        assert watched.refused is None


def test_a_change_of_the_working_directory_changes_nothing(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    routers = [Router.watch("place.safetensors", interval=NEVER)]
    monkeypatch.setenv("TIERWISE_ARTIFACT", "place.safetensors")
    routers.append(Router.watch(interval=NEVER))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    files.put(files.second)
    assert all(router.refresh() for router in routers)


def test_it_does_not_fall_back_on_the_menus_rules(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    Path("models").mkdir()
    trained = Path("models/router.safetensors")
    trained.write_bytes(files.first)
    with Router.watch(interval=NEVER) as watched:
        trained.unlink()
        assert find_artifact() is None
        for _ in range(3):
            assert not watched.refresh()
        assert "the artifact is gone" in warnings(caplog)[0]
        trained.write_bytes(files.second)
        assert watched.refresh()


def test_find_artifact_follows_the_pointer_before_what_train_router_wrote(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("models/versions").mkdir(parents=True)
    Path("models/router.safetensors").write_bytes(files.first)
    Path("models/versions/x-1.safetensors").write_bytes(files.second)
    assert find_artifact() == Path("models/router.safetensors")
    Path("models/current").write_text("versions/x-1.safetensors\n")
    assert find_artifact() == Path("models/versions/x-1.safetensors")
    for router in (Router.load(), Router.load("models/current")):
        assert router.artifact.digest == read_artifact("second.safetensors").digest
    monkeypatch.setenv("TIERWISE_ARTIFACT", "models/current")
    assert find_artifact() == Path("models/versions/x-1.safetensors")
    monkeypatch.setenv("TIERWISE_ARTIFACT", str(files.place))
    assert find_artifact() == files.place


def test_a_pointer_that_leads_nowhere_is_an_error_and_not_passed_over(files: Files) -> None:
    Path("models").mkdir()
    Path("models/router.safetensors").write_bytes(files.first)
    for text, message in [("versions/gone.safetensors", "no such file"), ("", "it is empty"), ("versions/\n", "names")]:
        Path("models/current").write_text(text)
        with pytest.raises(ArtifactError, match=message) as caught:
            Router.load()
        assert "\n" not in str(caught.value)


@given(st.binary(max_size=600) | st.binary(max_size=600).map(lambda data: b"versions/" + data))
def test_whatever_a_pointer_holds_it_leads_out_of_its_folder_nowhere(tmp_path_factory, data) -> None:
    path = tmp_path_factory.getbasetemp() / "pointer"
    path.write_bytes(data)
    try:
        found = follow(path)
    except ArtifactError:
        return
    assert found == path or found.parent == path.parent / "versions"


# Threads, processes, event loops


def test_the_thread_takes_up_what_is_new(files: Files) -> None:
    changed = threading.Event()
    with Router.watch(files.place, interval=SOON, on_change=lambda *_: changed.set()) as watched:
        files.put(files.second)
        assert changed.wait(PATIENCE)
        assert watched.strategy == "always"


@pytest.mark.slow
def test_four_threads_decide_on_while_artifacts_come_and_go(files: Files) -> None:
    bad = list(broken(files).values())
    requests = [make_request(text) for text in TEXTS]
    expected = []
    for data in (files.first, files.second):
        files.put(data)
        expected.append(Router.load(files.place).route_many(requests))
    over = threading.Event()
    seen: set[str] = set()

    def decide() -> None:
        while not over.is_set():
            for request, *allowed in zip(requests, *expected, strict=True):
                decision = watched.decide(request)
                assert decision in allowed
                assert decision.reason in [each.reason for each in allowed]
                assert watched.predict_model(request.text) in [each.model for each in allowed]
                seen.add(decision.strategy)
            assert watched.route_many(requests) in expected

    with Router.watch(files.place, interval=SOON) as watched, ThreadPoolExecutor(4) as threads:
        deciding = [threads.submit(decide) for _ in range(4)]
        try:
            for turn in range(1000):
                files.put((files.first, files.second)[turn % 2])
                watched.refresh()
                files.put(bad[turn % len(bad)])
                watched.refresh()
                if turn > 20 and len(seen) == 2:
                    break
        finally:
            over.set()
        for each in deciding:
            each.result(PATIENCE)
    assert seen == {"learned", "always"}


def test_an_event_loop_goes_on(files: Files) -> None:
    async def decide() -> set[str]:
        changed, loop = asyncio.Event(), asyncio.get_running_loop()
        seen = set()
        with Router.watch(
            files.place, interval=SOON, on_change=lambda *_: loop.call_soon_threadsafe(changed.set)
        ) as watched:
            seen.add(watched.route(MATH).strategy)
            files.put(files.second)
            await asyncio.wait_for(changed.wait(), PATIENCE)
            seen.add(watched.route(MATH).strategy)
        return seen

    assert asyncio.run(decide()) == {"learned", "always"}


FORKING = """
import os, sys, threading, time
from classifier import Router

watched = Router.watch(sys.argv[1], interval=0.01)
child = os.fork()
if child:
    os.replace(sys.argv[2], sys.argv[1])
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
ends = time.monotonic() + 60
while watched.strategy != "always" and time.monotonic() < ends:
    time.sleep(0.01)
os._exit(0 if watched.strategy == "always" else 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_watches_by_itself(files: Files) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", FORKING, str(files.place), "second.safetensors"]
    subprocess.run(command, env=environment, check=True, timeout=120)


def watching() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "tierwise-watch"]


@pytest.mark.parametrize("how", ["closed", "forgotten"])
def test_the_thread_ends_with_the_router(files: Files, how: str) -> None:
    before = set(watching())
    watched = Router.watch(files.place, interval=NEVER)
    (thread,) = set(watching()) - before
    if how == "closed":
        watched.close()
        assert watched.predict_model(MATH)
    else:
        del watched
        gc.collect()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_closed_it_may_still_be_told_to_look(files: Files) -> None:
    watched = Router.watch(files.place, interval=NEVER)
    watched.close()
    watched.close()
    files.put(files.second)
    assert watched.refresh()


def test_the_shared_router_may_be_a_watched_one(files: Files) -> None:
    with Router.watch(files.place, interval=NEVER) as watched:
        set_shared_router(watched)
        try:
            assert route(MATH).strategy == "learned"
            files.put(files.second)
            watched.refresh()
            assert route(MATH).strategy == "always"
            assert predict_model(MATH) == watched.predict_model(MATH)
        finally:
            set_shared_router(None)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_cascade_takes_a_request_to_its_end_by_the_artifact_that_began_it(
    kind: str, files: Files, upstream: OpenAIServer
) -> None:
    artifact = read_artifact(files.place)
    renamed = [
        {**tier, "name": f"new-{tier['name']}", "model": f"{tier['model']}-new", "aliases": []}
        for tier in artifact.header["menu"]["tiers"]
    ]
    names = [tier["name"] for tier in renamed]
    header = {
        **artifact.header,
        "menu": {
            **artifact.header["menu"],
            "tiers": renamed,
            "length": dict(zip(("small", "medium", "large"), names, strict=False)),
            "tasks": {},
            "task_aliases": {},
        },
        "tiers": names[:3],
        "rule": {**artifact.header["rule"], "reference": "new-opus"},
    }
    write_artifact("renamed.safetensors", header, artifact.tensors)
    upstream.answer_with(by_tier(haiku=Reply(BAD)))

    def swapping(answer: Answer) -> bool:
        files.put(Path("renamed.safetensors").read_bytes())
        watched.refresh()
        return answer.text == GOOD

    with Router.watch(files.place, interval=NEVER) as watched:
        options = {"router": watched, "start": "router", "gate": Check(swapping, name="swapping")}
        for part in ("", "new-"):
            result = ask(kind, upstream, options, model=f"{part}haiku")
            tiers = [attempt.tier for attempt in result.attempts]
            assert tiers[0] == f"{part}haiku"
            assert tiers[1] in (f"{part}sonnet", f"{part}opus")
            assert result.cost is not None
    models = [call.body["model"] for call in upstream.calls]
    assert [model.endswith("-new") for model in models] == [False, False, True, True]


def test_it_shows_what_is_in_force(watched: WatchedRouter, files: Files) -> None:
    assert repr(watched) == f"WatchedRouter('{files.place}', digest='{watched.artifact.digest[:12]}')"
