"""Bytes that only those who have the key can read, of the standard library's primitives alone.

A sealed value is ``tws1``, the key's fingerprint (8 bytes), a random nonce (16 bytes), the hidden bytes and a tag (16
bytes). The bytes are hidden by the key stream SHAKE-256(key, all that stands before them): with a key of fixed length
in front, the sponge is a pseudorandom function (Bertoni et al., "On the security of the keyed sponge construction",
SKEW 2011). The tag is keyed BLAKE2b (RFC 7693) of all that stands before it: encrypt-then-MAC. Stream and tag have keys
of their own, derived from the one that is given. Before it is hidden, a value is filled up to whole kilobytes, so that
its length tells little.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from hashlib import blake2b, shake_256

import numpy as np

KEY_BYTES = 32
_MAGIC = b"tws1"
_FINGERPRINT, _NONCE, _TAG, _LENGTH = 8, 16, 16, 8
_HEAD = len(_MAGIC) + _FINGERPRINT + _NONCE
_BLOCK = 1024


class SealError(ValueError):
    """Sealed bytes that cannot be opened; the message holds nothing of them."""


def fingerprint(key: bytes) -> str:
    """What names a key without telling it: 16 hexadecimal digits."""
    return _derived(key, b"fingerprint", _FINGERPRINT).hex()


def seal(data: bytes, key: bytes) -> bytes:
    """Bytes that `unseal` opens with the same key; two of the same data have nothing in common."""
    whole = len(data).to_bytes(_LENGTH, "big") + data
    whole += b"\0" * (-len(whole) % _BLOCK)
    head = _MAGIC + bytes.fromhex(fingerprint(key)) + secrets.token_bytes(_NONCE)
    body = head + _hidden(whole, key, head)
    return body + _tag(body, key)


def is_sealed(data: bytes) -> bool:
    """Whether these are bytes that `seal` made."""
    return data.startswith(_MAGIC) and len(data) >= _HEAD + _TAG


def sealed_by(data: bytes) -> str:
    """The fingerprint of the key that sealed bytes were made with."""
    return data[len(_MAGIC) : len(_MAGIC) + _FINGERPRINT].hex()


def unseal(data: bytes, keys: Iterable[bytes]) -> bytes:
    """The bytes that were sealed with one of these keys.

    Raises
    ------
    SealError : they were sealed with none of them, are not sealed, or were changed.
    """
    if not is_sealed(data):
        raise SealError("found bytes that are not sealed")
    body, tag = data[:-_TAG], data[-_TAG:]
    for key in keys:
        if hmac.compare_digest(_tag(body, key), tag):
            whole = _hidden(body[_HEAD:], key, body[:_HEAD])
            return whole[_LENGTH : _LENGTH + int.from_bytes(whole[:_LENGTH], "big")]
    raise SealError(f"sealed with a key of fingerprint {sealed_by(data)}, which is not at hand, or changed since")


def _derived(key: bytes, purpose: bytes, size: int = KEY_BYTES) -> bytes:
    return blake2b(key=key, person=purpose, digest_size=size).digest()


def _hidden(data: bytes, key: bytes, head: bytes) -> bytes:
    """The data under the key stream; done twice, the data."""
    stream = shake_256(_derived(key, b"stream") + head).digest(len(data))
    return np.bitwise_xor(np.frombuffer(data, np.uint8), np.frombuffer(stream, np.uint8)).tobytes()


def _tag(body: bytes, key: bytes) -> bytes:
    return blake2b(body, key=_derived(key, b"tag"), digest_size=_TAG).digest()
