"""What of a record may be kept, by the store's mode.

- "prompt": the request as it came;
- "features": the numbers that the artifact's model sees of it (`dump_features`), and a hash;
- "hash": the hash alone.

The hash is HMAC-SHA-256 of the request's text with a random key that lies in the store. Within one store equal requests
have equal hashes, whichever process wrote them, and guessing a prompt from its hash takes the store's key. A process
that has not reached the store since it began uses a random key of its own instead: then equal hashes still mean equal
requests, but a request that it saw and one that others saw cannot be told equal. Nothing that would undo the hash is
ever written next to it.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from classifier.errors import InputError
from classifier.features import FEATURE_VERSION, Features
from classifier.outcomes.encoding import dump_json
from classifier.outcomes.records import AttemptRecord, DecisionRecord, LateAttempt, Record

PROMPT, FEATURES, HASH = MODES = ("prompt", "features", "hash")


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
    return replace(attempt, response=None, gates=gates)


def request_hash(prompt: str | None, messages: Sequence[Any] | None, key: bytes) -> str | None:
    """The keyed hash of a request's text, 64 hexadecimal digits; None where there is neither prompt nor messages.

    A prompt and one message of the user with that content are the same request.
    """
    if prompt is None and messages is None:
        return None
    said = [{"content": prompt, "role": "user"}] if prompt is not None else messages
    plain = json.dumps(json.loads(dump_json(said)), sort_keys=True)
    return hmac.digest(key, plain.encode(), "sha256").hex()


def dump_features(features: Features) -> bytes:
    """What the model sees of a request, as a safetensors file of tensors: dense float64, terms uint32, and one number
    each for word_terms, tokens and the version of the feature definition. The task is not among them.
    """
    return save(
        {
            "dense": np.ascontiguousarray(features.dense, np.float64),
            "terms": np.ascontiguousarray(features.terms, np.uint32),
            "word_terms": np.array([features.word_terms], np.int64),
            "tokens": np.array([features.tokens], np.float64),
            "version": np.array([FEATURE_VERSION], np.int64),
        }
    )


def load_features(data: bytes, task: str | None = None) -> Features:
    """The inverse of `dump_features`; the task is the decision's, normalised.

    Raises
    ------
    InputError : the bytes are something else, or of another version of the feature definition.
    """
    try:
        tensors = load(data)
        version = int(tensors["version"][0])
        words, tokens = int(tensors["word_terms"][0]), float(tensors["tokens"][0])
        terms, dense = tensors["terms"], tensors["dense"]
    except (SafetensorError, KeyError, IndexError, ValueError, TypeError) as error:
        raise InputError(
            f"features: found {type(error).__name__} in reading, expected what dump_features made"
        ) from None
    if version != FEATURE_VERSION:
        raise InputError(f"features: found version {version}, expected {FEATURE_VERSION}; use the release they are of")
    return Features(terms, words, dense, task, tokens)
