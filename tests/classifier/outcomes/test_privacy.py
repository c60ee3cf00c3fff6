"""What a mode forbids is nowhere on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_outcomes import SECRET, Opener, attempt, decision
from test_outages import locked
from test_store import everything

from classifier import Router
from classifier.errors import InputError
from classifier.outcomes import dump_features, load_features
from classifier.outcomes.privacy import kept, request_hash
from classifier.outcomes.sealing import seal, unseal

MESSAGES = [{"role": "user", "content": SECRET}]
KEY = bytes(range(32))


def telling(**fields: Any) -> Any:
    """A decision that gives the secret away everywhere it can."""
    gates = ({"gate": "length", "passed": False, "score": 0.1, "reason": SECRET},)
    tried = (attempt(0, response=SECRET, gates=gates, passed=False),)
    given: dict[str, Any] = {"messages": MESSAGES, "tools": [SECRET], "response_format": {"x": SECRET}}
    return decision(**{**given, "features": b"feature bytes", "attempts": tried, **fields})


@pytest.mark.parametrize("mode", ["features", "hash"])
@pytest.mark.parametrize("down", [False, True])
def test_no_byte_of_the_prompt_is_kept(
    sqlite_url: str, tmp_path: Path, open_store: Opener, mode: str, down: bool
) -> None:
    store = open_store(sqlite_url, store=mode)
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
    store = open_store(f"sqlite:///{tmp_path / 'file' / 'o.db'}", store="hash")
    record_all(store)
    assert store.spilled() == 2
    assert SECRET.encode() not in everything(tmp_path)


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
    first, second = open_store(url, store="hash"), open_store(url, store="prompt")
    for store in (first, second):
        store.record(decision(prompt=SECRET))
        store.record(decision(prompt=None, messages=MESSAGES))
        store.record(decision(prompt="another"))
        assert store.flush(60)
    hashes = [each.decision.prompt_hash for each in first.outcomes()]
    assert sorted(map(hashes.count, set(hashes))) == [2, 4]
    other = open_store(f"sqlite:///{tmp_path / 'other.db'}", store="hash")
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
