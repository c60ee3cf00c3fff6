"""Older schemas are brought up; newer ones are left alone."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, inspect, text

from classifier import Router
from classifier.outcomes import OutcomeStore, StoreError, dump_features
from classifier.outcomes.lines import to_line
from classifier.outcomes.schema import VERSION
from classifier.outcomes.sealing import unseal
from classifier.request import Request
from tests.helpers.outcomes import START, Opener, attempt, decision, everything, wait_for

# As release 1 made them; {time}, {float}, {bytes} are the database's types.
VERSION_1 = """
CREATE TABLE decisions (id TEXT NOT NULL PRIMARY KEY, time {time} NOT NULL, chosen TEXT NOT NULL, rule TEXT NOT NULL,
    artifact TEXT, setting TEXT NOT NULL, menu TEXT NOT NULL, prompt TEXT, messages TEXT, features {bytes},
    prompt_hash TEXT, task TEXT, max_tokens BIGINT, tools TEXT, response_format TEXT, probabilities TEXT NOT NULL,
    expected_quality TEXT NOT NULL, expected_cost TEXT NOT NULL, novelty {float}, propensity {float},
    explored BOOLEAN NOT NULL, audited BOOLEAN NOT NULL, answered TEXT, key TEXT);
CREATE TABLE attempts (decision TEXT NOT NULL, position INTEGER NOT NULL, purpose TEXT NOT NULL, tier TEXT NOT NULL,
    model TEXT NOT NULL, passed BOOLEAN, score {float}, gates TEXT NOT NULL, tokens_in BIGINT, tokens_out BIGINT,
    cost {float}, latency {float}, finish_reason TEXT, error TEXT, response TEXT, PRIMARY KEY (decision, position));
CREATE TABLE feedback (id TEXT NOT NULL PRIMARY KEY, decision TEXT NOT NULL, time {time} NOT NULL,
    score {float} NOT NULL, source TEXT NOT NULL, tier TEXT);
CREATE INDEX ix_feedback_decision ON feedback (decision);
CREATE TABLE store_settings (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO store_settings VALUES ('hash_key', '00ff');
CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO schema_version VALUES (1);
INSERT INTO decisions VALUES ('old', '2026-03-01 12:00:00.000000', 'haiku', 'learned', NULL, '{{}}', '["haiku"]',
    'hello', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[0.5]', '[]', '[]', NULL, 1.0, {false}, {false}, 'haiku', NULL);
INSERT INTO attempts VALUES ('old', 0, 'answer', 'haiku', 'm', {true}, 0.9, '[]', 1, 2, 0.1, 0.2, 'stop', NULL, NULL)
"""
VERSION_2 = f"""{VERSION_1};
CREATE INDEX decisions_by_time ON decisions (time, id);
CREATE TABLE deleted (id TEXT NOT NULL PRIMARY KEY);
ALTER TABLE attempts ADD COLUMN answer_features TEXT;
UPDATE schema_version SET version = 2
"""
VERSION_3 = f"""{VERSION_2};
ALTER TABLE decisions ADD COLUMN planned TEXT;
ALTER TABLE decisions ADD COLUMN start_probabilities TEXT;
ALTER TABLE decisions ADD COLUMN candidate TEXT;
ALTER TABLE decisions ADD COLUMN gate TEXT;
ALTER TABLE decisions ADD COLUMN explore_share {{float}};
ALTER TABLE decisions ADD COLUMN audit_share {{float}};
UPDATE schema_version SET version = 3
"""
OLDER = {1: VERSION_1, 2: VERSION_2, 3: VERSION_3}
NEW_IN_3 = ("planned", "start_probabilities", "candidate", "explore_share", "audit_share", "gate")
TYPES = {
    "sqlite": {"time": "DATETIME", "float": "DOUBLE", "bytes": "BLOB", "true": "1", "false": "0"},
    "postgresql": {
        "time": "TIMESTAMP WITH TIME ZONE",
        "float": "DOUBLE PRECISION",
        "bytes": "BYTEA",
        "true": "true",
        "false": "false",
    },
}


def driver_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


def run_sql(url: str, statements: str) -> None:
    engine = create_engine(driver_url(url))
    with engine.begin() as connection:
        for statement in statements.format(**TYPES[engine.dialect.name]).split(";"):
            connection.execute(text(statement.replace(":00", r"\:00")))
    engine.dispose()


def structure(url: str) -> dict[str, Any]:
    """Columns, primary keys and indexes of all tables."""
    engine = create_engine(driver_url(url))
    found = inspect(engine)
    tables = {
        name: (
            {each["name"]: (str(each["type"]), each["nullable"]) for each in found.get_columns(name)},
            found.get_pk_constraint(name)["constrained_columns"],
            sorted((each["name"], tuple(each["column_names"])) for each in found.get_indexes(name)),
        )
        for name in found.get_table_names()
    }
    engine.dispose()
    return tables


def another(url: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'another.db'}"
    return str(request.getfixturevalue("postgres").new_database())


@pytest.mark.parametrize("reader", [False, True])
@pytest.mark.parametrize("version", OLDER)
def test_an_older_version_becomes_what_is_made_today(
    url: str, tmp_path: Path, open_store: Opener, request: pytest.FixtureRequest, version: int, reader: bool
) -> None:
    run_sql(url, OLDER[version])
    store = open_store(url)
    if not reader:
        store.record(decision(START + timedelta(days=1), attempts=(attempt(0, answer_features={"words": 3.0}),)))
        assert store.flush(60)
    old = next(iter(store.outcomes())).decision
    assert (old.id, old.time, old.prompt, old.attempts[0].passed) == ("old", START, "hello", True)
    assert old.attempts[0].answer_features is None
    assert [getattr(old, name) for name in NEW_IN_3] == [None] * len(NEW_IN_3)
    assert store.count() == (1 if reader else 2)
    fresh = another(url, request, tmp_path)
    open_store(fresh).write([])
    assert structure(url) == structure(fresh)


def test_version_5_adds_cached_and_reasoning_tokens_and_where_a_cost_comes_from(url: str, open_store: Opener) -> None:
    store = open_store(url)
    store.write([decision(attempts=(attempt(0, cost=0.5),))])
    store.close()
    new = ("tokens_cached", "tokens_reasoning", "cost_source")
    run_sql(url, ";".join(f"ALTER TABLE attempts DROP COLUMN {name}" for name in new))
    run_sql(url, "UPDATE schema_version SET version = 4")
    store = open_store(url)
    known = attempt(0, tokens_cached=900, tokens_reasoning=40, cost=0.1, cost_source="upstream")
    store.record(decision(START + timedelta(days=1), attempts=(known,)))
    assert store.flush(60)
    old, later = (each.decision.attempts[0] for each in store.outcomes())
    assert old.cost == 0.5
    assert [getattr(old, name) for name in new] == [None] * 3
    assert [getattr(later, name) for name in new] == [900, 40, "upstream"]


@pytest.mark.slow
@pytest.mark.parametrize("version", OLDER)
def test_many_processes_may_begin_at_once(url: str, open_store: Opener, version: int) -> None:
    run_sql(url, OLDER[version])
    stores = [open_store(url) for _ in range(6)]
    begin = threading.Barrier(6)

    def record(store: OutcomeStore) -> None:
        begin.wait()
        store.record(decision())
        store.flush(60)

    threads = [threading.Thread(target=record, args=[store]) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: stores[0].count() == 7)
    assert [store.counters.dropped for store in stores] == [0] * 6


def test_a_newer_schema_is_an_error_to_readers_and_an_outage_to_writers(
    url: str, open_store: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    open_store(url).write([decision()])
    run_sql(url, "UPDATE schema_version SET version = 99")
    store = open_store(url)
    with pytest.raises(StoreError, match=f"version 99, expected at most {VERSION}; upgrade tierwise") as refused:
        store.count()
    assert "\n" not in str(refused.value)
    store.record(decision())
    assert store.flush(60)
    assert (store.counters.spilled, store.spilled()) == (1, 1)
    assert "version 99" in caplog.text


def test_what_an_older_release_kept_in_the_clear_is_sealed(
    url: str, tmp_path: Path, open_store: Opener, router: Router, caplog: pytest.LogCaptureFixture
) -> None:
    run_sql(url, VERSION_3)
    old_key = "c0ffee" * 10 + "beef"
    features = router.features(Request("patient zebra has diagnosis quux"))
    plain = unseal(dump_features(features, bytes(32)), [bytes(32)])  # as that release wrote them
    engine = create_engine(driver_url(url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE store_settings SET value = :key"), {"key": old_key})
        for number in range(3):
            connection.execute(
                text(
                    "INSERT INTO decisions (id, time, chosen, rule, setting, menu, features, probabilities, "
                    "expected_quality, expected_cost, novelty, explored, audited) VALUES "
                    "(:id, '2026-03-01 12\\:00\\:00', "
                    "'haiku', 'learned', '{}', '[\"haiku\"]', :features, '[0.123456789]', '[0.987654321]', "
                    "'[0.0012345678]', 0.55555, :no, :no)"
                ),
                {"id": f"bare {number}", "features": None if number == 2 else plain, "no": False},
            )
    engine.dispose()
    store = open_store(url, keep="features")
    store.record(decision(START + timedelta(days=1)))
    assert store.flush(60)
    assert "schema version 5" in caplog.text
    assert old_key not in caplog.text
    found = {each.decision.id: each.decision for each in store.outcomes()}
    for number in range(3):
        bare = found[f"bare {number}"]
        assert (bare.probabilities, bare.expected_quality) == ((0.123456789,), (0.987654321,))
        assert (bare.expected_cost, bare.novelty) == ((0.0012345678,), 0.55555)
    assert np.array_equal(found["bare 0"].features.terms, features.terms)
    assert found["bare 2"].features is None
    assert store._writer._hash_key == bytes.fromhex(old_key)  # so that old and new hashes can be compared
    if url.startswith("sqlite"):
        disk = everything(tmp_path)
        for secret in (old_key.encode(), plain[200:260], b"0.123456789", b"0.0012345678"):
            assert secret not in disk
    lying = {each.decision.id: each.decision for each in store.outcomes(opened=False)}
    assert (lying["bare 1"].probabilities, lying["bare 1"].expected_cost) == ((), (0.0012,))
    assert lying["old"].probabilities == (0.5,)  # its prompt is kept, too


@pytest.mark.slow
@pytest.mark.parametrize("made", ["no folder", "no key", "no file"])
def test_an_older_store_is_never_sealed_with_a_key_that_ends_with_the_process(
    url: str,
    tmp_path: Path,
    open_store: Opener,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    made: str,
) -> None:
    run_sql(url, VERSION_3)
    run_sql(url, f"UPDATE decisions SET features = {'X' if url.startswith('sqlite') else 'BYTEA '}'00'")
    before = structure(url), rows(url)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    path = tmp_path / "home" / "tierwise" / "store.key"
    path.parent.mkdir(parents=True)
    match made:
        case "no folder":
            path.parent.rmdir()
            path.parent.touch()
        case "no key":
            path.write_text("nonsense")
        case "no file":
            path.mkdir()
    store = open_store(url, keep="features")
    with pytest.raises(
        StoreError, match=r"version 3, expected 5, .*store\.key: .*; set \$TIERWISE_STORE_KEY"
    ) as refused:
        store.stats()
    assert "\n" not in str(refused.value)
    for act in (lambda: next(store.outcomes()), store.vacuum, lambda: store.write([decision()])):
        with pytest.raises(StoreError, match=r"store\.key"):
            act()
    store.record(decision())
    assert store.flush(60)
    assert (store.counters.spilled, store.counters.written) == (1, 0)
    assert "the key is" not in caplog.text
    assert (structure(url), rows(url)) == before
    store.close()
    monkeypatch.setenv("TIERWISE_STORE_KEY", "0f" * 32)
    later = open_store(url, keep="features")
    later.record(decision())  # with its first record a store begins to take up what waits
    wait_for(lambda: later.spilled() == 0 and later.count() == 3)
    assert caplog.text.count("brought up to schema version 5") == 1


def rows(url: str) -> list[tuple[Any, ...]]:
    """What decisions and settings hold, as it lies there."""
    engine = create_engine(driver_url(url))
    with engine.connect() as connection:
        found = [
            tuple(bytes(each) if isinstance(each, memoryview) else each for each in row)
            for table in ("decisions", "store_settings")
            for row in connection.execute(text(f"SELECT * FROM {table}"))
        ]
    engine.dispose()
    return found


def test_a_key_that_can_be_made_later_brings_an_older_store_up_later(
    url: str, tmp_path: Path, open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_sql(url, VERSION_3)
    home = tmp_path / "home"
    home.touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    store = open_store(url, keep="features")
    store.record(decision())
    assert store.flush(60)
    assert store.counters.spilled == 1
    home.unlink()
    wait_for(lambda: store.counters.written == 1)
    later = open_store(url, key=(home / "tierwise" / "store.key").read_text())
    assert {each.decision.probabilities for each in later.outcomes()} == {(0.5,), ()}  # the new one was spilled before
    assert {each.decision.probabilities for each in store.outcomes()} == {(0.5,), (0.7, 0.9)}


def test_what_an_older_release_spilled_waits_for_a_key_that_is_kept(
    url: str, tmp_path: Path, open_store: Opener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spill").mkdir()
    old = decision(prompt=None)
    (tmp_path / "spill" / "1.jsonl").write_text(to_line(old))
    (tmp_path / "home").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    store = open_store(url, keep="features")
    store.record(decision())
    wait_for(lambda: "waits until there is a key" in caplog.text)
    assert store.flush(60)
    assert (store.counters.written, store.spilled()) == (1, 1)
    store.close()
    monkeypatch.setenv("TIERWISE_STORE_KEY", "0f" * 32)
    later = open_store(url, keep="features")
    later.record(decision())
    wait_for(lambda: later.spilled() == 0 and later.count() == 3)
    assert {(0.7, 0.9)} == {each.decision.probabilities for each in later.outcomes() if each.decision.id == old.id}


def test_an_older_store_that_cannot_be_written_says_what_to_do(
    sqlite_url: str, tmp_path: Path, open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_sql(sqlite_url, VERSION_3)
    monkeypatch.setattr(os, "access", lambda *_: False)  # as root, any file can be written
    with pytest.raises(StoreError, match="found schema version 3, expected 5, and it cannot be written to bring it up"):
        open_store(sqlite_url).count()
