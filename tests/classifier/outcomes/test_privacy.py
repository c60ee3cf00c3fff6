"""What a mode forbids is nowhere on the disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier import Router
from classifier.errors import InputError
from classifier.features import word_buckets
from classifier.outcomes import dump_features, load_features
from classifier.outcomes.privacy import EXPECTATIONS, kept, request_hash
from classifier.outcomes.sealing import seal, unseal
from tests.helpers.outcomes import SECRET, Opener, attempt, decision, everything, locked, wait_for

MESSAGES = [{"role": "user", "content": SECRET}]
KEY = bytes(range(32))


def telling(**fields: Any) -> Any:
    """A decision that gives the secret away everywhere it can."""
    gates = ({"gate": "length", "passed": False, "score": 0.1, "reason": SECRET},)
    tried = (attempt(0, response=SECRET, gates=gates, passed=False),)
    given: dict[str, Any] = {"messages": MESSAGES, "tools": [SECRET], "response_format": {"x": SECRET}}
    return decision(**{**given, "features": b"feature bytes", "attempts": tried, **fields})


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["features", "hash"])
@pytest.mark.parametrize("down", [False, True])
def test_no_byte_of_the_prompt_is_kept(
    sqlite_url: str, tmp_path: Path, open_store: Opener, mode: str, down: bool
) -> None:
    store = open_store(sqlite_url, keep=mode)
    store.record(decision())
    assert store.flush(60)
    if down:
        with locked(tmp_path / "outcomes.db"):
            record_all(store)
        assert store.counters.spilled
    else:
        record_all(store)
    disk = everything(tmp_path)
    assert SECRET.encode() not in disk
    assert b"marzipan" not in disk
    assert (b"feature bytes" in disk or b"ZmVhdHVyZSBieXRlcw" in disk) == (mode == "features")


def record_all(store: Any) -> None:
    made = telling()
    store.record(made)
    store.record_attempt(made.id, attempt(1, response=SECRET, gates=({"gate": "g", "reason": SECRET},)))
    assert store.flush(60)


def test_before_the_store_was_ever_reached_the_prompt_stays_out_too(tmp_path: Path, open_store: Opener) -> None:
    (tmp_path / "file").write_text("in the way")
    store = open_store(f"sqlite:///{tmp_path / 'file' / 'o.db'}", keep="hash")
    record_all(store)
    assert store.spilled() == 2
    assert SECRET.encode() not in everything(tmp_path)


@pytest.mark.slow
def test_prompts_are_kept_where_asked_and_answers_where_asked_too(url: str, open_store: Opener) -> None:
    store = open_store(url)
    made = telling()
    store.record(made)
    assert store.flush(60)
    (found,) = store.outcomes()
    assert (found.decision.prompt, found.decision.messages) == (SECRET, MESSAGES)
    assert (found.decision.tools, found.decision.response_format) == ([SECRET], {"x": SECRET})
    assert found.decision.attempts[0].response is None
    assert found.decision.attempts[0].gates[0]["reason"] == SECRET
    again = telling()
    keeping = open_store(url, store_responses=True)
    keeping.record(again)
    keeping.record_attempt(again.id, attempt(1, response="more"))
    assert keeping.flush(60)
    found = next(each for each in keeping.outcomes() if each.decision.id == again.id)
    assert [each.response for each in found.decision.attempts] == [SECRET, "more"]


def test_equal_requests_have_equal_hashes_within_one_store_only(url: str, tmp_path: Path, open_store: Opener) -> None:
    first, second = open_store(url, keep="hash"), open_store(url, keep="prompt")
    for store in (first, second):
        store.record(decision(prompt=SECRET))
        store.record(decision(prompt=None, messages=MESSAGES))
        store.record(decision(prompt="another"))
        assert store.flush(60)
    hashes = [each.decision.prompt_hash for each in first.outcomes()]
    assert sorted(map(hashes.count, set(hashes))) == [2, 4]
    other = open_store(f"sqlite:///{tmp_path / 'other.db'}", keep="hash")
    other.record(decision(prompt=SECRET))
    assert other.flush(60)
    assert not {each.decision.prompt_hash for each in other.outcomes()} & set(hashes)


def test_the_order_of_a_messages_keys_does_not_matter_and_its_content_does() -> None:
    key = b"k" * 32
    turned = [{"content": SECRET, "role": "user"}]
    assert request_hash(None, MESSAGES, key) == request_hash(None, turned, key) == request_hash(SECRET, None, key)
    assert request_hash(None, [{"role": "system", "content": SECRET}], key) != request_hash(SECRET, None, key)
    assert request_hash(None, None, key) is None
    odd = "\ud800\x00"
    assert request_hash(odd, None, key) != request_hash("", None, key)


def test_what_was_cleaned_once_stays_as_it_is() -> None:
    for mode in ("prompt", "features", "hash"):
        once = kept(telling(), mode, False, b"one")
        assert kept(once, mode, False, b"two") == once


def test_features_come_back(router: Router) -> None:
    features = router.route("Summarize this: " + "word " * 50, task="summarization", max_tokens=100).features
    found = load_features(dump_features(features, KEY), KEY, features.task)
    assert np.array_equal(found.terms, features.terms)
    assert np.array_equal(found.dense, features.dense)
    assert found.terms.dtype == np.uint32
    assert (found.word_terms, found.task, found.tokens) == (features.word_terms, features.task, features.tokens)


def test_other_bytes_and_other_versions_are_refused(router: Router) -> None:
    from safetensors.numpy import load, save

    whole = dump_features(router.route("hello").features, KEY)
    for data in (b"", b"nonsense", whole[:-1], save({"dense": np.zeros(3)}), seal(b"nonsense", KEY)):
        with pytest.raises(InputError, match="dump_features"):
            load_features(data, KEY)
    with pytest.raises(InputError, match="version 99"):
        load_features(seal(save({**load(unseal(whole, [KEY])), "version": np.array([99])}), KEY), KEY)


PROMPT = "patient zebra has diagnosis quux and takes xyzzy tablets twice a day"


def recorded(store: Any, router: Router, **fields: Any) -> Any:
    """A decision as a cascade records it, with what its model expects."""
    found = router.route(PROMPT, max_tokens=100)
    expected = found.prediction
    made = decision(
        prompt=PROMPT,
        features=found.features if store.mode == "features" else None,
        probabilities=expected.adequate,
        expected_quality=expected.quality,
        expected_cost=expected.cost,
        novelty=0.1234567,
        **fields,
    )
    store.record(made)
    assert store.flush(60)
    return made


def buckets_in(data: bytes) -> set[int]:
    """Every number that the bytes hold, at every place, as terms are held."""
    return {
        int(each)
        for first in range(4)
        for each in np.frombuffer(data[first : first + (len(data) - first) // 4 * 4], "<u4")
    }


@pytest.mark.parametrize("mode", ["features", "hash"])
def test_words_are_not_recovered_from_a_stores_bytes(
    url: str, tmp_path: Path, open_store: Opener, router: Router, mode: str
) -> None:
    store = open_store(url, keep=mode)
    recorded(store, router)
    (found,) = store.outcomes(opened=False)
    lying = b"".join(part for part in (found.decision.features, found.decision.sealed) if isinstance(part, bytes))
    disk = everything(tmp_path) if url.startswith("sqlite") else lying
    assert not set(map(int, word_buckets(PROMPT.encode().split()))) & buckets_in(lying)
    expected = router.route(PROMPT, max_tokens=100).prediction
    for number in (*expected.adequate, *expected.quality, *expected.cost):
        assert np.float64(number).tobytes() not in disk
        assert repr(float(number)).encode() not in disk
    (opened,) = store.outcomes()
    assert (opened.decision.features is not None) == (mode == "features")
    if mode == "features":
        assert set(map(int, word_buckets(PROMPT.encode().split()))) <= set(opened.decision.features.terms.tolist())


@pytest.mark.parametrize("mode", ["features", "hash"])
def test_with_the_key_everything_that_training_needs_comes_back_exactly(
    url: str, open_store: Opener, router: Router, mode: str
) -> None:
    store = open_store(url, keep=mode, key="5a" * 32)
    made = recorded(store, router, task=" Code Review")
    for reader in (store, open_store(url, key="5a" * 32)):
        (found,) = reader.outcomes()
        for name in EXPECTATIONS:
            assert getattr(found.decision, name) == pytest.approx(getattr(made, name), rel=0, abs=0, nan_ok=True)
        assert found.decision.sealed is None
    if mode == "features":
        assert found.decision.features.task == "code review"
        assert np.array_equal(found.decision.features.dense, made.features.dense)


def test_without_the_key_the_rest_can_be_read_and_one_line_says_what_is_missing(
    url: str, open_store: Opener, router: Router, caplog: pytest.LogCaptureFixture
) -> None:
    writer = open_store(url, keep="features", key="5a" * 32)
    made = [recorded(writer, router) for _ in range(3)]
    reader = open_store(url, key="6b" * 32)
    found = [each.decision for each in reader.outcomes()]
    assert {each.id for each in found} == {each.id for each in made}
    assert all(isinstance(each.features, bytes) for each in found)
    assert all((each.probabilities, each.novelty) == ((), None) for each in found)
    assert found[0].expected_cost == tuple(float(f"{cost:.1e}") for cost in made[0].expected_cost)
    assert reader.stats().decisions == 3
    assert [each.message.count("TIERWISE_STORE_KEY") for each in caplog.records] == [1]
    assert "5a5a" not in caplog.text


def test_programs_with_different_keys_lose_nothing_and_are_told(
    url: str, open_store: Opener, router: Router, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (open_store(url, keep="features", key=key * 32) for key in ("5a", "6b"))
    for store in (first, second):
        recorded(store, router)
    assert [each.message.count("begun with another key") for each in caplog.records] == [1]
    assert first.count() == 2
    for store in (first, second):
        kinds = [type(each.decision.features).__name__ for each in store.outcomes()]
        assert sorted(kinds) == ["Features", "bytes"]
    assert len({each.decision.prompt_hash for each in first.outcomes()}) == 2


def test_a_prompt_is_not_found_by_guessing_with_what_the_file_holds(
    sqlite_url: str, tmp_path: Path, open_store: Opener
) -> None:
    store = open_store(sqlite_url, keep="hash")
    store.record(decision(prompt="is it cancer 7"))
    assert store.flush(60)
    connection = sqlite3.connect(tmp_path / "outcomes.db")
    (wanted,) = connection.execute("SELECT prompt_hash FROM decisions").fetchone()
    values = [row[0] for row in connection.execute("SELECT value FROM store_settings")]
    connection.close()
    assert len(values) == 2
    for key in (
        value.encode() if kind == "text" else bytes.fromhex(value) for value in values for kind in ("text", "hex")
    ):
        assert wanted not in {request_hash(f"is it cancer {number}", None, key) for number in range(20)}


def test_what_waits_before_the_store_was_ever_reached_is_sealed_and_readable_later(
    tmp_path: Path, open_store: Opener, router: Router
) -> None:
    (tmp_path / "file").write_text("in the way")
    url = f"sqlite:///{tmp_path / 'file' / 'o.db'}"
    store = open_store(url, keep="features")
    made = recorded(store, router)
    assert store.spilled() == 1
    assert b"zebra" not in everything(tmp_path)
    assert not set(map(int, word_buckets(PROMPT.encode().split()))) & buckets_in(everything(tmp_path))
    (tmp_path / "file").unlink()
    wait_for(lambda: store.counters.recovered == 1)
    (found,) = store.outcomes()
    assert np.array_equal(found.decision.features.terms, made.features.terms)


def test_what_an_upstream_writes_as_its_reason_to_finish_is_not_kept_where_it_may_tell(
    sqlite_url: str, open_store: Opener
) -> None:
    for mode, expected in (("hash", ["stop", "other", None]), ("prompt", ["stop", SECRET, None])):
        store = open_store(sqlite_url, keep=mode)
        made = decision(attempts=tuple(attempt(n, finish_reason=why) for n, why in enumerate(("stop", SECRET, None))))
        store.record(made)
        assert store.flush(60)
        found = next(each.decision for each in store.outcomes() if each.decision.id == made.id)
        assert [each.finish_reason for each in found.attempts] == expected
