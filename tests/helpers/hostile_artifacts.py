"""Artifacts that were tampered with, with right checksums, so that what stands behind the checksum is reached."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Callable, Iterator
from copy import deepcopy
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.artifact import SCHEMA_VERSION

Header = dict[str, Any]
Tensors = dict[str, NDArray[Any]]

CODES = {"f4": "F32", "f8": "F64", "f2": "F16", "i4": "I32", "u4": "U32", "i8": "I64", "u1": "U8"}
DEEP: list[Any] = []
for _ in range(400):
    DEEP = [DEEP]
# Every kind of value that JSON has, at its ends; as text, so that no two places share a list.
VALUES = [
    json.dumps(value)
    for value in (
        *(None, True, False, 0, 1, -1, 7, 2**31, 2**63, -(2**64), 10**30, 10**400, -(10**400)),
        *(0.0, -0.0, 0.5, -0.5, 1e-320, 1e308, -1e308, 1e-300),
        *("", " ", "haiku", "\x1b[2J", "\x9b31m", "a\0b", "\u202eabc", "[/]", "x" * 100_000, "9" * 5000),
        *([], [[]], [None] * 3, [0] * 50_000, ["a"] * 50_000, [[0.1, 0.1, 0.1]] * 5_000, DEEP),
        *({}, {"": {}}, {"a": None}, {f"t{n}": 0 for n in range(50_000)}),
    )
]
FLOATS = [0.0, -1.0, 1.0, 1e-300, 1e300, -1e300, 1e38, -1e38, 1e-45, math.nan, math.inf, -math.inf]
INTEGERS = [0, 1, -1, 2**16, 2**18, 2**19, 2**31 - 1, -(2**31), 2**32 - 1]


def forge(header: Header, tensors: Tensors) -> bytes:
    """An artifact file of this content; nothing is checked."""
    text = json.dumps(header, ensure_ascii=False)
    arrays = {name: np.ascontiguousarray(tensors[name]).reshape(tensors[name].shape) for name in sorted(tensors)}
    layout = json.dumps([(name, array.dtype.str, array.shape) for name, array in arrays.items()])
    data = [array.tobytes() for array in arrays.values()]
    stream = f"{SCHEMA_VERSION} {len(text.encode())} ".encode() + text.encode() + layout.encode() + b"".join(data)
    checksum = hashlib.sha256(stream).hexdigest()
    entries: dict[str, Any] = {
        "__metadata__": {"tierwise": f'{{"schema_version":{SCHEMA_VERSION},"sha256":"{checksum}","header":{text}}}'}
    }
    start = 0
    for (name, array), block in zip(arrays.items(), data, strict=True):
        entries[name] = {
            "dtype": CODES[array.dtype.str[1:]],
            "shape": list(array.shape),
            "data_offsets": [start, start + len(block)],
        }
        start += len(block)
    head = json.dumps(entries).encode()
    return struct.pack("<Q", len(head)) + head + b"".join(data)


def tampered(header: Header, tensors: Tensors, seed: int) -> tuple[str, Header, Tensors]:
    """What was done, and the content with one to three changes by chance."""
    random = Random(seed)
    header, tensors, done = deepcopy(header), dict(tensors), []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        change = _change_header if random.random() < 0.5 else _change_tensor
        done.append(change(header, tensors, random))
    return f"seed {seed}: {'; '.join(done)}", header, tensors


def _change_header(header: Header, _: Tensors, random: Random) -> str:
    spots = list(_spots(header))
    # A third of the time anywhere, else where there are few values: the keywords' thousands would hide them.
    spots = spots if random.random() < 0.3 else [spot for spot in spots if "keywords" not in spot[2]]
    holder, key, path = random.choice(spots)
    kind = random.choice(("value", "value", "value", "gone", "twice", "text"))
    if kind == "gone":
        del holder[key]
    elif kind == "twice" and isinstance(holder[key], list) and len(holder[key]) < 2000:
        holder[key] = [deepcopy(each) for each in holder[key] * random.choice((2, 300))]
    elif kind == "text" and isinstance(holder, dict):
        holder[random.choice(["", "\x1b[31m", "k" * 10_000, "haiku", "a\0"])] = holder.pop(key)
    else:
        kind, holder[key] = "value", json.loads(random.choice(VALUES))
    return f"header {path} {kind}"


def _spots(value: Any, path: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Every place in nested objects and lists: what holds it, its key there, its path."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield value, key, f"{path}.{key}"
        yield from _spots(member, f"{path}.{key}")


def _change_tensor(_: Header, tensors: Tensors, random: Random) -> str:
    if not tensors:
        return "no tensor is left"
    name = random.choice(sorted(tensors))
    how = random.choice(sorted(TENSOR_CHANGES))
    tensors[name] = TENSOR_CHANGES[how](tensors[name], random)
    return f"tensor {name} {how}"


def _filled(array: NDArray[Any], random: Random) -> NDArray[Any]:
    return np.full_like(array, _extreme(array, random))


def _spotted(array: NDArray[Any], random: Random) -> NDArray[Any]:
    changed = array.copy()
    for _ in range(min(3, array.size)):
        changed.reshape(-1)[random.randrange(array.size)] = _extreme(array, random)
    return changed


def _extreme(array: NDArray[Any], random: Random) -> Any:
    with np.errstate(over="ignore"):
        return np.array(random.choice(FLOATS if array.dtype.kind == "f" else INTEGERS)).astype(array.dtype)


def _longer(array: NDArray[Any], random: Random) -> NDArray[Any]:
    return np.concatenate([array] * random.choice((2, 3))) if array.ndim else array


TENSOR_CHANGES: dict[str, Callable[[NDArray[Any], Random], NDArray[Any]]] = {
    "filled": _filled,
    "spotted": _spotted,
    "longer": _longer,
    "emptied": lambda array, _: array[:0] if array.ndim else array,
    "shorter": lambda array, _: array[:-1] if array.ndim else array,
    "narrower": lambda array, _: array[..., :0] if array.ndim else array,
    "flat": lambda array, _: array.reshape(-1),
    "deeper": lambda array, _: array[None],
    "reversed": lambda array, _: array[::-1],
    "turned": lambda array, _: array.T,
    "wider": lambda array, _: array.astype("<f8" if array.dtype.kind == "f" else "<i8"),
    "negated": lambda array, _: -array,
}
