"""Where requests that explore begin, with and without a candidate."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import Router
from classifier.artifact import read_artifact, write_artifact
from classifier.cascade.candidate import Candidate, CandidateFile, make_candidate
from classifier.cascade.exploration import Account, Explorer, split, start_chances
from classifier.cascade.route import GateRates, StartDraw, TierOrder, find_route
from classifier.cascade.run import Policy
from classifier.errors import ArtifactError, InputError
from classifier.gates import NotEmpty
from classifier.pointer import clear_candidate, find_candidate, write_candidate
from tests.helpers.cascades import ask, by_tier
from tests.helpers.requests import made_table
from tests.helpers.routers import Trained, artifact_content, with_rule
from tests.helpers.routes import HAIKU, OPUS, SONNET, decided

GATE = NotEmpty()
NAME = "20261124T154403Z-0123456789ab"
OTHER = "20261125T154403Z-ba9876543210"
REQUESTS = made_table(600, seed=7)[0]


@pytest.fixture
def folder(linear: Trained, tmp_path: Path) -> Path:
    """Where versions are kept: the router in use, and a cheaper one."""
    versions = tmp_path / "models" / "versions"
    versions.mkdir(parents=True)
    (versions / f"{OTHER}.safetensors").write_bytes(linear.path.read_bytes())
    with_rule(linear, versions / f"{NAME}.safetensors", chosen=3)
    return versions.parent


def explorer(candidate: Router | None = None, seed: int = 0, **policy: float) -> Explorer:
    """By a clock that stands still, so that a slow machine makes no slow candidate."""
    asked = None if candidate is None else Candidate(lambda: candidate, lambda: 0.0)
    return Explorer(Policy(GATE, **policy), asked, Random(seed))


def planned(router: Router, request: object) -> TierOrder:
    return find_route(router.decide(request), GateRates())


def explored(explorer: Explorer, router: Router) -> list[TierOrder]:
    """Routes of all requests."""
    return [explorer.explore(planned(router, each), router.decide(each)) for each in REQUESTS]


# Probabilities


@given(
    st.sets(st.integers(0, 8), min_size=1, max_size=5).map(sorted),
    st.floats(1e-3, 1),
    st.floats(0, 1),
    st.floats(0, 0.99),
    st.data(),
)
def test_every_start_has_a_probability_and_the_share_stays(
    others: list[int], explore: float, share: float, directed: float, data: st.DataObject
) -> None:
    wanted = data.draw(st.sampled_from(others))
    more, even = split(explore, directed, share)
    differ, agree = start_chances(9, others, even, wanted, more), start_chances(9, others, even)
    for chances in (differ, agree):
        assert sum(chances.values()) == pytest.approx(1.0)
        assert set(chances) == {9, *others}
        assert all(chances[place] > 0 for place in others)
        assert chances[9] >= 0
    assert 1 - differ[9] <= max(0.5, explore) + 1e-9
    assert share * (1 - differ[9]) + (1 - share) * (1 - agree[9]) == pytest.approx(explore)
    assert share * more <= directed * explore + 1e-9


def test_three_quarters_go_where_the_candidate_would_begin_elsewhere() -> None:
    more, even = split(0.02, 0.75, 0.05)
    assert (more, even) == (pytest.approx(0.3), pytest.approx(0.005))
    chances = start_chances(OPUS, [HAIKU, SONNET], even, HAIKU, more)
    assert chances == {OPUS: pytest.approx(0.695), HAIKU: pytest.approx(0.3025), SONNET: pytest.approx(0.0025)}
    assert start_chances(OPUS, [], 0.02) == {OPUS: 1.0}


@given(st.lists(st.booleans(), max_size=60))
def test_the_share_of_disagreements_is_never_too_small_at_first(seen: list[bool]) -> None:
    found = Account(("a", "b"))
    for differs in seen:
        found = found.after(differs, 0.0)
    assert found.share == pytest.approx((10 + sum(seen)) / (10 + len(seen)))


def test_the_share_of_disagreements_follows_a_change() -> None:
    found, random = Account(("a", "b")), Random(0)
    for rate in (0.1, 0.4):
        for _ in range(12_000):
            found = found.after(random.random() < rate, 0.0)
        assert found.share == pytest.approx(rate, abs=0.04)
    assert found.requests == 2000


# Without a candidate


def test_other_tiers_that_are_good_enough_are_drawn_alike(router: Router) -> None:
    decision = decided(router, (0.9, 0.92, 0.95), (0.03, 0.2, 1.0))
    found = explorer(explore=0.3)
    drawn = [found.explore(TierOrder((OPUS,)), decision) for _ in range(3000)]
    away = [each for each in drawn if each.explored]
    assert len(away) == pytest.approx(900, rel=0.15)
    assert {round(each.propensity, 9) for each in away} == {0.15}
    starts = Counter(each.places[0] for each in away)
    assert starts[HAIKU] == pytest.approx(starts[SONNET], rel=0.2)
    assert set(starts) == {HAIKU, SONNET}
    kept = [each for each in drawn if not each.explored]
    assert {(each.places, each.planned, round(each.propensity, 9)) for each in kept} == {((OPUS,), OPUS, 0.7)}


def test_exploring_stays_above_the_floor(router: Router) -> None:
    decision = decided(router, (0.5, 0.9, 0.95), (0.03, 0.2, 1.0))
    found = explorer(explore=0.9)
    drawn = [found.explore(TierOrder((OPUS,)), decision) for _ in range(300)]
    assert {each.places[0] for each in drawn} == {SONNET, OPUS}
    assert explorer(explore=0.9, explore_floor=1.0).explore(TierOrder((OPUS,)), decision) == TierOrder((OPUS,))
    assert explorer(explore=0.0).explore(TierOrder((OPUS,)), decision) == TierOrder((OPUS,))


# With one


@pytest.mark.slow
def test_what_a_candidate_would_do_elsewhere_is_explored_within_the_share(router: Router, cheaper: Router) -> None:
    found = explorer(cheaper, explore=0.04)
    routes = [route for _ in range(10) for route in explored(found, router)][2000:]
    wanted = [planned(cheaper, each).places[0] for _ in range(10) for each in REQUESTS][2000:]
    spent = sum(1 - route.starts[route.planned] for route in routes) / len(routes)
    assert spent == pytest.approx(sum(route.explored for route in routes) / len(routes), rel=0.25)
    differing = [(route, place) for route, place in zip(routes, wanted, strict=True) if place != route.planned]
    there = sum(route.starts[place] for route, place in differing) / len(routes)
    assert 0.03 < there < spent <= 0.0405
    for route in routes:
        assert sum(route.starts.values()) == pytest.approx(1.0)
        assert route.draw is not None
        assert route.draw.candidate == cheaper.artifact.digest


@pytest.mark.slow
def test_a_wave_of_disagreements_does_not_break_the_budget(router: Router, cheaper: Router) -> None:
    """Nearly none for long, then nothing else: the estimate is far too small when they come."""
    agreeing = [each for each in REQUESTS if planned(router, each).places[0] == planned(cheaper, each).places[0]]
    differing = [each for each in REQUESTS if each not in agreeing]
    found, spent = explorer(cheaper, explore=0.04), []
    for request in [*(agreeing * 10)[:3000], *(differing * 10)[:1500]]:
        route = found.explore(planned(router, request), router.decide(request))
        spent.append(1 - route.starts[route.planned])
    assert max(spent[:3000]) <= 0.04
    assert max(spent[3000:]) > 0.4
    for start in range(0, 4500, 100):
        for end in range(start + 100, 4500, 100):
            assert sum(spent[start:end]) <= 0.04 * (end - start) + 20.0
    assert sum(spent[3000:]) <= 0.04 * 1500 + 20.0


def test_the_probabilities_do_not_depend_on_the_draws(router: Router, cheaper: Router) -> None:
    one, other = (explored(explorer(cheaper, seed, explore=0.3), router) for seed in (1, 2))
    assert [route.starts for route in one] == [route.starts for route in other]
    assert [route.places for route in one] != [route.places for route in other]


def test_another_candidate_is_counted_anew(router: Router, cheaper: Router, linear: Trained, tmp_path: Path) -> None:
    asked = [cheaper]
    found = Explorer(Policy(GATE, explore=0.02), Candidate(lambda: asked[0], lambda: 0.0), Random(0))
    first = explored(found, router)
    asked[0] = Router(read_artifact(with_rule(linear, tmp_path / "r.safetensors", chosen=3, target=0.05)))
    assert asked[0].artifact.digest != cheaper.artifact.digest
    assert [route.starts for route in explored(found, router)] == [route.starts for route in first]


def test_threads_share_one(router: Router, cheaper: Router) -> None:
    found = explorer(cheaper, explore=0.1)
    routes: list[TierOrder] = []
    threads = [threading.Thread(target=lambda: routes.extend(explored(found, router))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(routes) == 4 * len(REQUESTS)
    assert all(sum(route.starts.values()) == pytest.approx(1.0) for route in routes)
    exploring = sum(1 - route.starts[route.planned] for route in routes)
    assert 0.075 * len(routes) < exploring <= 0.1 * len(routes) + 10


def test_a_candidate_in_force_is_none(router: Router) -> None:
    assert explored(explorer(router, explore=0.3), router) == explored(explorer(None, explore=0.3), router)


def test_a_request_with_no_other_start_begins_as_planned(router: Router, cheaper: Router) -> None:
    decision = decided(router, (0.5, 0.9, 0.95), (0.03, 0.2, 1.0), feasible=(OPUS,))
    route = explorer(cheaper, explore=1.0).explore(TierOrder((OPUS,)), decision)
    assert route == TierOrder((OPUS,), StartDraw(OPUS, {OPUS: 1.0}, cheaper.artifact.digest))


def test_tiers_are_told_by_their_models(router: Router, linear: Trained, tmp_path: Path) -> None:
    """The candidate calls the model of today's sonnet "haiku", and its "sonnet" is one that today's menu lacks."""
    header, tensors = artifact_content(linear.model)
    menu = dict(header["menu"])
    tiers = [dict(tier) for tier in menu["tiers"]]
    assert [tier["name"] for tier in tiers[:2]] == ["haiku", "sonnet"]
    tiers[0]["model"], tiers[1]["model"] = tiers[1]["model"], "vendor/unheard-of"
    rule = {**header["rule"], "strategy": "always"}
    for always, place in (("haiku", SONNET), ("sonnet", None)):
        path = tmp_path / f"{always}.safetensors"
        write_artifact(path, {**header, "menu": {**menu, "tiers": tiers}, "rule": {**rule, "always": always}}, tensors)
        candidate = make_candidate(Router(read_artifact(path)), router)
        assert candidate is not None
        opinion = candidate.ask(router.decide(REQUESTS[0]), Policy(GATE, explore=0.5))
        assert opinion is not None
        assert opinion.place == place


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("trouble", "words"), [("slow", "took 0.30 s"), ("broken", "raised RuntimeError")])
def test_a_candidate_in_trouble_rests_for_a_minute(
    router: Router, cheaper: Router, trouble: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock, asked = Clock(), []

    def find() -> Router:
        asked.append(clock.now)
        if len(asked) == 1:
            if trouble == "broken":
                raise RuntimeError("a secret")
            clock.now += 0.3
        return cheaper

    candidate, decision, policy = Candidate(find, clock), router.decide(REQUESTS[0]), Policy(GATE, explore=0.5)
    assert candidate.ask(decision, policy) is None
    clock.now += 59.0
    assert candidate.ask(decision, policy) is None
    assert len(asked) == 1
    clock.now += 2.0
    assert candidate.ask(decision, policy) is not None
    assert [record.getMessage() for record in caplog.records] == [f"the candidate {words}; it is not asked for 60 s"]


def test_a_candidate_that_cannot_serve_a_request_is_no_trouble(
    router: Router, linear: Trained, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    header, tensors = artifact_content(linear.model)
    tiers = [{**tier, "context_window": 10} for tier in header["menu"]["tiers"]]
    write_artifact(tmp_path / "r", {**header, "menu": {**header["menu"], "tiers": tiers}}, tensors)
    candidate = Candidate(lambda: Router(read_artifact(tmp_path / "r")))
    assert candidate.ask(router.decide(REQUESTS[0]), Policy(GATE, explore=0.5)) is None
    assert not caplog.records


# The pointer


def test_a_candidate_is_named_and_cleared(folder: Path) -> None:
    pointer = folder / "candidate"
    assert find_candidate(pointer) is None
    clear_candidate(folder)
    assert not pointer.exists()
    for name in (NAME, OTHER):
        write_candidate(folder, name)
        assert find_candidate(pointer) == folder / "versions" / f"{name}.safetensors"
    clear_candidate(folder)
    assert find_candidate(pointer) is None
    assert pointer.read_bytes() == b""
    assert sorted(path.name for path in folder.iterdir()) == ["candidate", "versions"]


@pytest.mark.parametrize("name", ["", "20200101T000000Z-000000000000", "../current", "a b", "a\nb"])
def test_only_a_version_can_be_a_candidate(folder: Path, name: str) -> None:
    with pytest.raises(InputError, match="no such version"):
        write_candidate(folder, name)
    assert not (folder / "candidate").exists()


def test_a_damaged_pointer_is_refused(folder: Path) -> None:
    (folder / "candidate").write_text("versions/../../etc/passwd\n")
    with pytest.raises(ArtifactError, match="names no artifact"):
        find_candidate(folder / "candidate")


def test_a_candidate_comes_and_goes(folder: Path, cheaper: Router, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    found = CandidateFile(folder / "candidate", Router.load, clock=Clock())
    assert found() is None
    write_candidate(folder, NAME)
    found.look()
    first = found()
    assert first is not None
    assert first.artifact.digest == cheaper.artifact.digest
    found.look()
    assert found() is first
    write_candidate(folder, OTHER)
    found.look()
    assert found() not in (first, None)
    clear_candidate(folder)
    found.look()
    assert found() is None
    assert not caplog.records
    write_candidate(folder, OTHER)
    found.look()
    assert found() is not None


@pytest.mark.parametrize("damage", ["truncated", "gone", "pointer", "empty"])
def test_a_broken_candidate_is_none_and_told_once(folder: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    write_candidate(folder, NAME)
    artifact = folder / "versions" / f"{NAME}.safetensors"
    whole = artifact.read_bytes()
    if damage == "truncated":
        artifact.write_bytes(whole[:1000])
    elif damage == "empty":
        artifact.write_bytes(b"")
    elif damage == "gone":
        artifact.unlink()
    else:
        (folder / "candidate").write_text("versions/nonsense\n")
    found = CandidateFile(folder / "candidate", Router.load, clock=Clock())
    for _ in range(3):
        found.look()
        assert found() is None
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning.endswith("(exploring without a candidate)")
    assert "\n" not in warning
    artifact.write_bytes(whole)
    write_candidate(folder, NAME)
    found.look()
    assert found() is not None


def test_requests_start_looks_and_do_not_wait_for_them(folder: Path) -> None:
    clock, may_load, loading = Clock(), threading.Event(), threading.Event()

    def load(path: Path) -> Router:
        loading.set()
        assert may_load.wait(60)
        return Router.load(path)

    found = CandidateFile(folder / "candidate", load, interval=5.0, clock=clock)
    write_candidate(folder, NAME)
    assert found() is None
    assert not loading.is_set()
    clock.now = 5.0
    assert found() is None
    assert loading.wait(60)
    clock.now = 60.0
    assert found() is None  # and no second thread is started beside the first
    assert [thread.name for thread in threading.enumerate()].count("tierwise-candidate") == 1
    may_load.set()
    for thread in threading.enumerate():
        if thread.name == "tierwise-candidate":
            thread.join(60)
    assert found() is not None


def test_a_plain_artifact_may_be_a_candidate(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(folder)
    found = CandidateFile(f"versions/{NAME}.safetensors", Router.load, clock=Clock())
    monkeypatch.chdir(tmp_path)
    assert found() is not None
    (folder / "versions" / f"{NAME}.safetensors").unlink()
    found.look()
    assert found() is None


def test_a_watched_candidate_that_is_refused_is_none(folder: Path, router: Router) -> None:
    path = folder / "versions" / f"{NAME}.safetensors"
    decision, policy = router.decide(REQUESTS[0]), Policy(GATE, explore=0.5)
    with Router.watch(path, interval=1e6) as watched:
        candidate = make_candidate(watched, router)
        assert candidate is not None
        assert candidate.ask(decision, policy) is not None
        path.write_bytes(b"")
        for _ in range(2):
            watched.refresh()
        assert candidate.ask(decision, policy) is None


def test_a_candidate_is_loaded_as_the_watched_router_is(folder: Path, linear: Trained) -> None:
    write_candidate(folder, NAME)
    with Router.watch(linear.path, interval=1e6, max_quality_loss=0.0) as watched:
        candidate = make_candidate(folder / "candidate", watched)
        assert candidate is not None
        for request in REQUESTS[:50]:
            decision = watched.decide(request)
            opinion = candidate.ask(decision, Policy(GATE, explore=0.5))
            assert opinion is not None
            assert opinion.place == decision.position == OPUS


# In a cascade


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_cascade_explores_by_a_candidate(kind, router, cheaper, folder, upstream, open_store, sqlite_url) -> None:
    """The candidate's start is recorded with exactly the probability of its draw."""
    upstream.answer_with(by_tier())
    write_candidate(folder, NAME)
    store = open_store(sqlite_url)
    request = next(
        each.text
        for each in REQUESTS
        if planned(router, replace(each, task=None)).places[0] == OPUS and len(each.text) < 60
    )
    options = {"router": router, "candidate": str(folder / "candidate"), "explore": 0.4, "store": store, "audit": 0.25}
    for model in ("auto", "haiku"):
        ask(
            kind, upstream, {**options, "start": "router"}, messages=[{"role": "user", "content": request}], model=model
        )
    assert store.flush(60)
    auto, named = (outcome.decision for outcome in store.outcomes())
    assert auto.candidate == cheaper.artifact.digest
    assert sum(auto.start_probabilities.values()) == pytest.approx(1.0)
    assert auto.start_probabilities[auto.chosen] == auto.propensity
    assert (auto.planned, auto.explored) == ("opus", auto.chosen != "opus")
    assert (auto.explore_share, auto.audit_share, auto.gate) == (0.4, 0.25, "good")
    assert (named.candidate, named.planned, named.start_probabilities) == (None, "haiku", {"haiku": 1.0})


@pytest.mark.parametrize("candidate", ["nowhere/candidate", Path("nowhere")])
def test_a_missing_candidate_is_as_none(router, upstream, candidate) -> None:
    upstream.answer_with(by_tier())
    assert ask("sync", upstream, {"router": router, "candidate": candidate, "explore": 1.0}).tier != "haiku"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"candidate": 3}, "candidate: found int, expected Router or str or Path or None"),
        ({"explore_directed": 1.0}, "explore_directed is 1.0; expected a part from 0 to below 1"),
        ({"explore_directed": -0.1}, "explore_directed is -0.1"),
    ],
)
def test_wrong_options_are_one_line(router, upstream, options, words) -> None:
    with pytest.raises(InputError, match=words) as caught:
        ask("sync", upstream, {"router": router, **options})
    assert "\n" not in str(caught.value)
