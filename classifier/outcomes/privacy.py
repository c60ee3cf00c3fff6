"""What of a record may be kept, by the store's mode.

- "prompt": the request as it came;
- "features": the numbers that the artifact's model sees of it, sealed, and a hash;
- "hash": the hash alone.

Whoever has hashed features and a dictionary has the words, so features are sealed (`classifier.outcomes.sealing`) with
a key that does not lie in the store (`classifier.outcomes.keys`). So are, outside mode "prompt", the model's exact
expectations: they follow from the text, and whoever has the artifact could try guesses on them. The store shows
expected costs with two digits. Finish reasons that are none of the usual ones become "other": an upstream may write
anything there.

The hash is HMAC-SHA-256 of the request's text with a random key, which lies in the store, sealed. Within one store
equal requests have equal hashes, whichever process wrote them, and guessing a prompt from its hash takes the store's
key. A process that has not reached the store since it began, or has another key, uses a random key of its own instead:
then equal hashes still mean equal requests, but a request that it saw and one that others saw cannot be told equal.
Nothing that would undo the hash is ever written next to it.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from classifier.catalog import normalise_label
from classifier.errors import InputError
from classifier.features import FEATURE_VERSION, Features
from classifier.outcomes.encoding import dump_json
from classifier.outcomes.records import AttemptRecord, DecisionRecord, LateAttempt, Record
from classifier.outcomes.sealing import SealError, seal, unseal

PROMPT, FEATURES, HASH = MODES = ("prompt", "features", "hash")

_LISTS = ("probabilities", "expected_quality", "expected_cost")
EXPECTATIONS = (*_LISTS, "novelty")  # fields of a decision
_OPENAI = ("stop", "length", "tool_calls", "function_call", "content_filter")
_ANTHROPIC = ("end_turn", "stop_sequence", "max_tokens", "tool_use", "refusal")
_FINISHES = frozenset((*_OPENAI, *_ANTHROPIC))
_OTHER = "other"


def kept(record: Record, mode: str, responses: bool, key: bytes) -> Record:
    """The record without what the mode forbids, and with the hash of the request's text.

    Gates give their reasons in words that may quote the answer; they are kept in mode "prompt" only.

    Parameters
    ----------
    responses : keep answers too; counts in mode "prompt" only.
    key : of the hash.

    Raises
    ------
    ValueError, RecursionError : the messages hold themselves, or are nested too deeply.
    """
    whole = mode == PROMPT
    if isinstance(record, LateAttempt):
        return replace(record, attempt=_kept_attempt(record.attempt, whole, responses))
    if not isinstance(record, DecisionRecord):
        return record
    record = replace(
        record,
        prompt_hash=record.prompt_hash or request_hash(record.prompt, record.messages, key),
        attempts=tuple(_kept_attempt(attempt, whole, responses) for attempt in record.attempts),
    )
    if whole:
        return record
    features = record.features if mode == FEATURES else None
    return replace(record, prompt=None, messages=None, tools=None, response_format=None, features=features)


def _kept_attempt(attempt: AttemptRecord, whole: bool, responses: bool) -> AttemptRecord:
    if whole:
        return attempt if responses or attempt.response is None else replace(attempt, response=None)
    gates = tuple({name: part for name, part in gate.items() if name != "reason"} for gate in attempt.gates)
    known = attempt.finish_reason is None or attempt.finish_reason in _FINISHES
    return replace(attempt, response=None, gates=gates, finish_reason=attempt.finish_reason if known else _OTHER)


def seal_record(record: Record, mode: str, key: bytes) -> Record:
    """The record with its features sealed and, outside mode "prompt", the model's expectations too.

    What is sealed already stays as it is; so do features that are given as bytes.

    Parameters
    ----------
    key : the store's, as `classifier.outcomes.keys` finds it.

    Raises
    ------
    TypeError, ValueError, OverflowError : an expectation is no number.
    """
    if not isinstance(record, DecisionRecord):
        return record
    if isinstance(record.features, Features):
        record = replace(record, features=dump_features(record.features, key))
    if mode == PROMPT or record.sealed is not None:
        return record
    exact = {name: getattr(record, name) for name in EXPECTATIONS}
    return replace(record, **hidden_expectations(exact, key))


def hidden_expectations(exact: Mapping[str, Any], key: bytes) -> dict[str, Any]:
    """What a row has in place of these `EXPECTATIONS`: them, sealed, and rounded costs; raises as `seal_record`."""
    lists = {**exact, "novelty": [exact["novelty"]]}
    tensors = {
        name: np.array([np.nan if each is None else each for each in lists[name]], np.float64) for name in EXPECTATIONS
    }
    costs = tuple(None if each is None else float(f"{each:.1e}") for each in exact["expected_cost"])
    return {
        "sealed": seal(save(tensors), key),
        "probabilities": (),
        "expected_quality": (),
        "expected_cost": costs,
        "novelty": None,
    }


def open_record(record: DecisionRecord, keys: Sequence[bytes]) -> DecisionRecord:
    """The record with what `seal_record` sealed, as far as one of these keys opens it."""
    if isinstance(record.features, bytes):
        with suppress(InputError):
            record = replace(record, features=load_features(record.features, keys, normalise_label(record.task)))
    if record.sealed is None:
        return record
    try:
        tensors = load(unseal(record.sealed, keys))
        exact: dict[str, Any] = {name: tuple(map(_number, tensors[name].tolist())) for name in EXPECTATIONS}
        return replace(record, **{**exact, "novelty": exact["novelty"][0], "sealed": None})
    except (SealError, SafetensorError, KeyError, IndexError):
        return record


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def request_hash(prompt: str | None, messages: Sequence[Any] | None, key: bytes) -> str | None:
    """The keyed hash of a request's text, 64 hexadecimal digits; None where there is neither prompt nor messages.

    A prompt and one message of the user with that content are the same request.
    """
    if prompt is None and messages is None:
        return None
    said = [{"content": prompt, "role": "user"}] if prompt is not None else messages
    plain = json.dumps(json.loads(dump_json(said)), sort_keys=True)
    return hmac.digest(key, plain.encode(), "sha256").hex()


def dump_features(features: Features, key: bytes) -> bytes:
    """What the model sees of a request, sealed with a key (of `classifier.outcomes.sealing.KEY_BYTES` bytes).

    Sealed is a safetensors file of tensors: dense float64, terms uint32, and one number each for word_terms, tokens and
    the version of the feature definition. The task is not among them. Whoever has the key can look words up in them.
    """
    tensors: dict[str, NDArray[Any]] = {
        "dense": np.ascontiguousarray(features.dense, np.float64),
        "terms": np.ascontiguousarray(features.terms, np.uint32),
        "word_terms": np.array([features.word_terms], np.int64),
        "tokens": np.array([features.tokens], np.float64),
        "version": np.array([FEATURE_VERSION], np.int64),
    }
    return seal(save(tensors), key)


def load_features(data: bytes, key: bytes | Sequence[bytes], task: str | None = None) -> Features:
    """The inverse of `dump_features`; the task is the decision's, normalised.

    Parameters
    ----------
    key : with which they were sealed, or several of which one is it.

    Raises
    ------
    InputError : the bytes are something else, sealed with another key, or of another version of the feature definition.
    """
    try:
        tensors = load(unseal(data, [key] if isinstance(key, bytes) else key))
        version = int(tensors["version"][0])
        words, tokens = int(tensors["word_terms"][0]), float(tensors["tokens"][0])
        terms, dense = tensors["terms"], tensors["dense"]
    except SealError as error:
        raise InputError(f"features: {error}; expected what dump_features made with this key") from None
    except (SafetensorError, KeyError, IndexError, ValueError, TypeError) as error:
        raise InputError(
            f"features: found {type(error).__name__} in reading, expected what dump_features made"
        ) from None
    if version != FEATURE_VERSION:
        raise InputError(f"features: found version {version}, expected {FEATURE_VERSION}; use the release they are of")
    return Features(terms, words, dense, task, tokens)
