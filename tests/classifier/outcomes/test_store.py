"""Recording and reading, on both databases."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from classifier.errors import InputError
from classifier.outcomes import LateAttempt, NoStoreError, OutcomeStore, StoreError, new_id
from classifier.outcomes.private import tighten
from classifier.outcomes.records import first_id
from tests.helpers.outcomes import SECRET, START, Opener, attempt, decision, everything, wait_for


@pytest.mark.slow
def test_eight_threads_record_everything_once(url: str, open_store: Opener) -> None:
    store = open_store(url)
    made = [[decision(START + timedelta(seconds=each), key=str(name)) for each in range(250)] for name in range(8)]

    def record(mine: int) -> None:
        for each in made[mine]:
            store.record(each)
            store.record_feedback(each.id, 0.5)

    threads = [threading.Thread(target=record, args=[mine]) for mine in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.flush(60)
    found = list(store.outcomes(batch=300))
    assert sorted(each.decision.id for each in found) == sorted(each.id for mine in made for each in mine)
    assert all(len(each.decision.attempts) == 2 and len(each.feedback) == 1 for each in found)
    assert [each.decision.time for each in found] == sorted(each.decision.time for each in found)
    counters = store.counters
    assert (counters.written, counters.dropped, counters.spilled, counters.waiting) == (4000, 0, 0, 0)


def test_recording_from_a_running_event_loop(url: str, open_store: Opener) -> None:
    store = open_store(url)

    async def main() -> None:
        async def answer(number: int) -> None:
            await asyncio.sleep(0)
            store.record(decision(key=str(number)))

        await asyncio.gather(*map(answer, range(100)))
        assert await asyncio.to_thread(store.flush, 60)

    asyncio.run(main())
    assert {each.decision.key for each in store.outcomes()} == {str(number) for number in range(100)}


def test_an_attempt_and_feedback_may_come_later_or_even_before(url: str, open_store: Opener) -> None:
    store = open_store(url)
    made = decision(audited=True)
    audit = attempt(2, purpose="audit", tier="opus")
    store.record_attempt(made.id, audit)
    store.record_feedback(made.id, 0.75, tier="haiku", source="audit")
    assert store.flush(60)
    assert list(store.outcomes()) == []
    store.record(made)
    store.record_feedback(made.id, 1)
    assert store.flush(60)
    (found,) = store.outcomes()
    assert found.decision.attempts == (*made.attempts, audit)
    assert [(each.score, each.tier, each.source) for each in found.feedback] == [
        (0.75, "haiku", "audit"),
        (1.0, None, "user"),
    ]


def test_what_comes_twice_is_stored_once(url: str, open_store: Opener) -> None:
    store = open_store(url)
    made = decision(prompt_hash="given")
    store.record(made)
    store.record(replace(made, answered=None))
    late = LateAttempt(made.id, attempt(2))
    store.write([made, late])
    store.write([made, late])
    assert store.flush(60)
    (found,) = store.outcomes()
    assert found.decision == replace(made, attempts=(*made.attempts, late.attempt))


def test_outcomes_of_a_span_of_time(url: str, open_store: Opener) -> None:
    store = open_store(url)
    made = [decision(START + timedelta(hours=hour // 2)) for hour in range(10)]  # each time twice
    for each in reversed(made):
        store.record(each)
    assert store.flush(60)
    for size in (1, 2, 3, 100):
        found = store.outcomes(since=START + timedelta(hours=1), until=START + timedelta(hours=4), batch=size)
        ids = [each.decision.id for each in found]
        assert set(ids) == {each.id for each in made[2:8]}
        assert len(ids) == 6
    assert store.count(until=START + timedelta(hours=1)) == 2


def test_a_conversation_that_goes_on_is_kept_as_it_was(url: str, open_store: Opener) -> None:
    store = open_store(url)
    messages = [{"role": "user", "content": "one"}]
    store.record(decision(prompt=None, messages=messages))
    messages[0]["content"] = "changed"
    messages.append({"role": "assistant", "content": "two"})
    assert store.flush(60)
    (found,) = store.outcomes()
    assert found.decision.messages == [{"role": "user", "content": "one"}]


def test_deletion_takes_everything_and_for_good(url: str, open_store: Opener) -> None:
    store = open_store(url)
    gone, left = decision(), decision()
    for each in (gone, left):
        store.record(each)
        store.record_feedback(each.id, 1)
    assert store.delete(gone.id)
    assert not store.delete(gone.id)
    store.record(gone)
    store.record_attempt(gone.id, attempt(5))
    store.record_feedback(gone.id, 0)
    assert store.flush(60)
    assert [each.decision.id for each in store.outcomes()] == [left.id]
    stats = store.stats()
    assert stats.feedback["user"].count == 1
    assert sum(tier.tried for tier in stats.tiers.values()) == 2


def test_deletion_leaves_no_trace_in_the_file(sqlite_url: str, open_store: Opener, tmp_path: Path) -> None:
    store = open_store(sqlite_url)
    gone = decision()
    store.record(gone)
    store.record(decision(prompt="harmless"))
    assert store.flush(60)
    assert SECRET.encode() in everything(tmp_path)
    store.delete(gone.id)
    assert SECRET.encode() not in everything(tmp_path)
    assert b"harmless" in everything(tmp_path)


def test_pruning_removes_what_is_older_and_what_belongs_to_nothing(url: str, open_store: Opener) -> None:
    store = open_store(url)
    now = datetime.now(UTC)
    made = [decision(now - timedelta(days=day), prompt=f"day {day}") for day in range(25)]
    orphan = LateAttempt(new_id(now - timedelta(days=30)), attempt(0))
    store.write([*made, orphan])
    assert store.prune(timedelta(days=9, hours=1)) == 15
    assert store.prune(timedelta(days=9, hours=1)) == 0
    assert {each.decision.id for each in store.outcomes()} == {each.id for each in made[:10]}
    assert sum(tier.tried for tier in store.stats().tiers.values()) == 20
    store.vacuum()
    assert store.count() == 10


def test_retention_removes_what_is_too_old(url: str, open_store: Opener) -> None:
    old, new = decision(datetime.now(UTC) - timedelta(days=8)), decision(datetime.now(UTC))
    open_store(url).write([old])
    store = open_store(url, retention_days=7)
    store.record(new)
    wait_for(lambda: [each.decision.id for each in store.outcomes()] == [new.id])


def test_a_record_that_no_store_can_take_is_set_aside_alone(
    url: str, open_store: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(url)
    loop: list[object] = []
    loop.append(loop)
    made = [decision() for _ in range(20)]
    bad = [
        decision(prompt=None, messages=[{"content": loop}]),
        decision(setting={"loop": loop}),
        decision(id="x" * 5000),
        decision(chosen=None),
        decision(chosen=5),
    ]
    for each in [*made[:10], *bad, *made[10:]]:
        store.record(each)
    assert not store.flush(60)
    assert store.flush(60)
    assert {each.decision.id for each in store.outcomes()} == {each.id for each in made}
    assert (store.counters.written, store.counters.set_aside, store.counters.dropped) == (20, 5, 0)
    assert len([each for each in caplog.records if "set aside" in each.message]) == 1
    assert SECRET not in caplog.text


def test_identifiers_sort_by_time_and_are_unique() -> None:
    ids = [new_id(START + timedelta(milliseconds=each)) for each in range(100)]
    assert ids == sorted(ids)
    assert len({new_id(START) for _ in range(1000)}) == 1000
    assert ids[49] < first_id(START + timedelta(milliseconds=50)) <= ids[50]
    assert ids[0][14] == "7"


def test_feedback_out_of_range_is_refused(sqlite_url: str, open_store: Opener) -> None:
    store = open_store(sqlite_url)
    for score in (-0.1, 1.1, float("nan")):
        with pytest.raises(InputError, match="from 0 to 1"):
            store.record_feedback("id", score)
    for odd in ("x", "0.5", None, [0.5], 1j, np.array([0.5, 0.6]), Decimal("sNaN")):
        with pytest.raises(InputError, match=r"found a score of type \w+, expected a number from 0 to 1"):
            store.record_feedback("id", odd)  # type: ignore[arg-type]
    assert store.counters.given == 0
    for fit in (0, True, np.float32(0.5), Decimal("0.5")):
        store.record_feedback("id", fit)  # type: ignore[arg-type]
    assert store.counters.given == 4


@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        ("outcomes.db", {}, "a file's name"),
        ("", {}, "not a URL"),
        ("mysql://me:pass-word@host/db", {}, "database mysql"),
        ("postgresql+asyncpg://me:pass-word@host/db", {}, "postgresql.asyncpg"),
        ("me:pass-word@host/db", {}, "not a URL"),
        ("postgresql://me:pass-word@host:port/db", {}, "not a URL"),
        ("sqlite://", {}, "plain file"),
        ("sqlite:///:memory:", {}, "plain file"),
        ("sqlite:///file:x?mode=ro&uri=true", {}, "plain file"),
        ("sqlite:///o.db", {"keep": "all"}, "one of prompt, features, hash"),
        ("sqlite:///o.db", {"keep": "hash", "store_responses": True}, "only"),
        ("sqlite:///o.db", {"queue_size": 0}, "queue_size"),
        ("sqlite:///o.db", {"batch": 0}, "batch"),
        ("sqlite:///o.db", {"retention_days": -1}, "retention_days"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(url: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        OutcomeStore(url, **options)  # type: ignore[arg-type]
    assert "pass-word" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("kind", "words"), [("folder", "a folder"), ("pipe", "a device, pipe or socket")])
@pytest.mark.parametrize("linked", [False, True])
def test_a_path_that_is_no_files_is_refused_and_left_as_it_is(
    tmp_path: Path, open_store: Opener, kind: str, words: str, linked: bool
) -> None:
    there = tmp_path / "there"
    path = tmp_path / "link" if linked else there
    if linked:
        path.symlink_to(there)
    late = open_store(f"sqlite:///{path}")  # nothing lies there yet
    there.mkdir(0o755) if kind == "folder" else os.mkfifo(there, 0o644)
    mode = there.stat().st_mode
    with pytest.raises(NoStoreError, match=f"{path.name}: found {words}, expected an SQLite file") as refused:
        OutcomeStore(f"sqlite:///{path}")
    assert "\n" not in str(refused.value)
    for act in (late.count, lambda: late.write([decision()])):
        with pytest.raises(NoStoreError, match=f"{path.name}: found {words}"):
            act()
    late.record(decision())
    assert late.flush(60)
    assert late.counters.spilled == 1
    assert there.stat().st_mode == mode


def test_only_files_are_taken_from_others(tmp_path: Path) -> None:
    file, link, folder = tmp_path / "file", tmp_path / "link", tmp_path / "folder"
    file.touch()
    link.symlink_to(file)
    folder.mkdir()
    file.chmod(0o644)
    folder.chmod(0o755)
    assert [tighten(link), tighten(folder)] == [False, False]
    assert [stat.S_IMODE(each.stat().st_mode) for each in (file, folder)] == [0o644, 0o755]
    assert tighten(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("there", [False, True])
def test_a_store_behind_a_link_is_its_owners_alone(tmp_path: Path, open_store: Opener, there: bool) -> None:
    file = tmp_path / "elsewhere.db"
    (tmp_path / "link.db").symlink_to(file)
    if there:
        open_store(f"sqlite:///{file}").write([decision()])
        file.chmod(0o644)
    store = open_store(f"sqlite:///{tmp_path / 'link.db'}")
    store.write([decision()])
    assert store.count() == 1 + there
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_reading_what_is_not_there(
    tmp_path: Path, open_store: Opener, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoStoreError, match="no such file"):
        open_store(f"sqlite:///{tmp_path / 'absent.db'}").count()
    assert not (tmp_path / "absent.db").exists()
    with pytest.raises(NoStoreError, match="no outcomes"):
        open_store(postgres_url).stats()
    (tmp_path / "text.db").write_text("not a database, but a text that is long enough" * 100)
    with pytest.raises(NoStoreError, match=r"text\.db: not an SQLite database"):
        open_store(f"sqlite:///{tmp_path / 'text.db'}").count()
    assert issubclass(NoStoreError, InputError)  # a command that is given such a URL ends with exit code 2


def test_a_files_name_in_place_of_a_url_is_answered_by_the_url_to_write() -> None:
    with pytest.raises(InputError, match=r"write 'sqlite:///data/outcomes\.db'"):
        OutcomeStore("data/outcomes.db")


def test_a_program_that_changes_its_folder_keeps_its_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with OutcomeStore("sqlite:///outcomes.db") as store:
        monkeypatch.chdir(tmp_path / "elsewhere")
        store.record(decision())
        assert store.flush(60)
        assert store.count() == 1
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_neither_password_nor_prompt_is_shown(open_store: Opener) -> None:
    store = open_store("postgresql://me:pass-word@127.0.0.1:1/db?password=pass-word&sslmode=disable")
    assert "pass-word" not in repr(store)
    assert "pass-word" not in repr(store._writer.options)
    with pytest.raises(StoreError) as failed:
        store.count()
    assert "127.0.0.1:1/db" in str(failed.value)
    assert "pass-word" not in str(failed.value)
    made = decision(messages=[SECRET], tools=[SECRET], attempts=(attempt(0, response=SECRET),), features=b"marzipan")
    assert "marzipan" not in repr(made)


def test_the_old_name_of_keep_is_still_taken_and_said(sqlite_url: str) -> None:
    with pytest.warns(DeprecationWarning, match=r"OutcomeStore\(store='hash'\) is now OutcomeStore\(keep='hash'\)"):
        store = OutcomeStore(sqlite_url, store="hash")
    assert store.mode == "hash"
    store.close()
