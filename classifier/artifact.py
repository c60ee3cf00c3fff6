"""The artifact: one file of data that carries a trained router from training to run time.

It is a ``.safetensors`` file. The tensors are the weights; everything else (menu, feature specification, decision rule,
training summary) is a JSON object, the *header*, kept in the file's metadata under the key ``tierwise``::

    {"schema_version": 3, "sha256": "<checksum>", "header": {...}}

The checksum covers the schema version, the header's text and each tensor's name, dtype, shape and bytes, so a file that
loads is the file that was written. It guards against damage, not forgery: whoever can write the file can recompute it.
Therefore nothing in a file is trusted either way: loading runs no code and allocates no more than a small multiple of
the file's size, and a file from an untrusted place can at worst route badly. What a decision costs is bounded when the
file is loaded, by what each part may have at most:

- the file 512 MiB, its header 16 MiB, a million values and 32 levels (`classifier.untrusted`);
- 128 tiers, 10,000 task labels and as many aliases, names of 200 characters (`classifier.catalog`);
- 256 keyword groups, 20,000 words, 1,000 substrings, 100 characters each (`classifier.keywords`);
- 1,000 trees of 32 levels, 256 projected dimensions, 64 bends of a calibration (`classifier.model`);
- 256 centres and 1,024 levels of novelty (`classifier.novelty`), 1,000 settings and 100 promises (`classifier.rule`);
- numbers of at most a billion, so that no sum of them leaves the range of a float.

What has more, or leads to what is not there, is an `ArtifactError` that names file, part, what was found and expected.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from classifier.errors import ArtifactError
from classifier.files import write_whole
from classifier.untrusted import parse_json, quoted

SCHEMA_VERSION = 3
MAX_FILE_BYTES = 512 * 2**20
MAX_HEADER_BYTES = 16 * 2**20
MAX_NUMBER = 1e9  # of weights and figures

_KEY = "tierwise"
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U32": "<u4", "U8": "|u1"}
_EXPECTED_DTYPES = "float64, float32, float16, int64, int32, uint32, uint8"
_VERSION = re.compile(r'\{"schema_version":([0-9]{1,9})[,}]')
_ENVELOPE = re.compile(r'\{"schema_version":[0-9]{1,9},"sha256":"([0-9a-f]{64})","header":(.*)\}', re.DOTALL)
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_FOREIGN = {
    b"\x80": "a Python pickle",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"<": "an HTML or XML page",
    b"version https://git-lfs": "a Git LFS pointer, not the file it stands for",
}
_RENEW = "copy or download it again, or train a new one with train-router"
_RETRAIN = "train a new one with train-router"
_KINDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}

_MISSING = object()
_HUGE = 2**63

Scalar = TypeVar("Scalar", bound=np.generic)
Kind = TypeVar("Kind", dict[str, Any], list[Any], str, bool, int, float)


@dataclass(frozen=True, slots=True)
class Artifact:
    """What an artifact file holds.

    Attributes
    ----------
    header : the JSON object given to `write_artifact`.
    tensors : arrays by name, read-only; dtypes float64, float32, float16, int64, int32, uint32 or uint8; floats finite.
    digest : SHA-256 of the content (64 hexadecimal digits); equal content has equal digests.
    source : the file's name, for messages.
    """

    header: dict[str, Any]
    tensors: dict[str, NDArray[Any]]
    digest: str
    source: str


class _UnusableError(Exception):
    """Content that no artifact may have: what was found, and what a reader can do about it."""

    def __init__(self, found: str, remedy: str = _RENEW) -> None:
        super().__init__(found)
        self.remedy = remedy


def write_artifact(path: str | os.PathLike[str], header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> str:
    """Write an artifact file and return its digest.

    The file appears whole or not at all, and an existing one stays as it was until then; missing directories are made.
    Equal content gives equal bytes, in whatever order the mappings list it.

    Raises
    ------
    ArtifactError : the content is not what `read_artifact` accepts, or the file cannot be written.
    """
    source = _one_line(os.fspath(path))
    try:
        data = _serialise(dict(header), tensors)
        digest = _parse(data, source).digest  # never put in place what could not be read back
    except (_UnusableError, TypeError, ValueError, RecursionError, SafetensorError) as error:
        raise ArtifactError(f"{source}: cannot be written: {_one_line(error)}") from error
    try:
        target = Path(os.path.realpath(path))  # a link stays a link
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, data)
    except (OSError, ValueError) as error:
        remedy = "check the directory, its permissions and free space"
        raise ArtifactError(f"{source}: cannot be written: {_reason(error)}; {remedy}") from error
    return digest


def read_artifact(path: str | os.PathLike[str]) -> Artifact:
    """Read and verify an artifact file.

    Raises
    ------
    ArtifactError : the file is missing, unreadable, not an artifact, damaged, or of another schema version; the message
        names the file, says exactly what is wrong and what to do.
    """
    source = _one_line(os.fspath(path))
    try:
        return _parse(_read_bytes(path), source)
    except _UnusableError as error:
        raise ArtifactError(f"{source}: {error}; {error.remedy}") from error
    except FileNotFoundError as error:
        raise ArtifactError(f"{source}: no such file; check the path, or train one with train-router") from error
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{source}: cannot be read: {_reason(error)}; check the path and its permissions"
        ) from error
    except MemoryError as error:
        raise ArtifactError(f"{source}: does not fit into memory; {_RENEW}") from error


def require(artifact: Artifact, name: str, dtype: type[Scalar], shape: tuple[int | None, ...]) -> NDArray[Scalar]:
    """Return the tensor ``name``, checked against a dtype and a shape (None: any length along that axis).

    Raises
    ------
    ArtifactError : there is no such tensor, or it has another dtype or shape.
    """
    array = artifact.tensors.get(name)
    fits = (
        array is not None
        and array.dtype == np.dtype(dtype)
        and array.ndim == len(shape)
        and all(length in (None, found) for length, found in zip(shape, array.shape, strict=True))
    )
    if array is None or not fits:
        expected = f"{np.dtype(dtype).name} [{', '.join('any' if n is None else str(n) for n in shape)}]"
        found = "is missing" if array is None else f"is {array.dtype.name} {list(array.shape)}"
        raise ArtifactError(f"{artifact.source}: tensor {quoted(name)} {found}, expected {expected}; {_RENEW}")
    return array


def require_weights(
    artifact: Artifact, name: str, dtype: type[Scalar], shape: tuple[int | None, ...]
) -> NDArray[Scalar]:
    """`require` for numbers that sums are made of: none beyond `MAX_NUMBER` either way.

    Raises
    ------
    ArtifactError : as `require`, or a number is larger.
    """
    array = require(artifact, name, dtype, shape)
    if array.size and not (array.min() >= -MAX_NUMBER and array.max() <= MAX_NUMBER):
        largest = f"{float(array.flat[np.abs(array).argmax()]):g}"
        raise unfit(
            artifact, f"tensor {quoted(name)}", f"holds {largest}", f"numbers from -{MAX_NUMBER:g} to {MAX_NUMBER:g}"
        )
    return array


def unfit(artifact: Artifact, part: str, found: str, expected: str) -> ArtifactError:
    """The error for a part of an artifact that does not fit the others or a bound."""
    return ArtifactError(f"{artifact.source}: {part} {found}, expected {expected}; {_RETRAIN}")


def expect_at_most(artifact: Artifact, part: str, found: int, most: int) -> None:
    """Refuse what would make decisions slow.

    Raises
    ------
    ArtifactError : there is more than ``most`` of it.
    """
    if found > most:
        raise unfit(artifact, part, f"has {found}", f"at most {most}")


def model_part(artifact: Artifact, field: str, prefix: str) -> Artifact:
    """A further model of an artifact, which lies under ``model`` of a header field and in tensors with a prefix.

    Returns
    -------
    An artifact of that model alone, as `classifier.model.load_model` takes it.

    Raises
    ------
    ArtifactError : the header field is missing, or no table.
    """
    return Artifact(
        {"model": header_field(artifact, field, "model", kind=dict)},
        {name.removeprefix(prefix): array for name, array in artifact.tensors.items() if name.startswith(prefix)},
        artifact.digest,
        artifact.source,
    )


def header_field(artifact: Artifact, *keys: str, kind: type[Kind]) -> Kind:
    """Return the header's value at ``keys`` (outermost first), checked to be of ``kind``.

    ``kind`` is one of dict, list, str, bool, int, float. Where float is asked a whole number is accepted and converted.
    Whole numbers have at most 64 bits.

    Raises
    ------
    ArtifactError : there is no such value, or it is of another kind.
    """
    value: Any = artifact.header
    for key in keys:
        value = value.get(key, _MISSING) if isinstance(value, dict) else _MISSING
    if kind is float and type(value) is int and abs(value) <= sys.float_info.max:
        value = float(value)
    huge = kind is int and type(value) is int and abs(value) >= _HUGE
    if type(value) is not kind or huge:
        found = "is missing" if value is _MISSING else f"is {'huge' if huge else _KINDS.get(type(value), 'null')}"
        where = quoted(".".join(keys))
        raise ArtifactError(f"{artifact.source}: header field {where} {found}, expected {_KINDS[kind]}; {_RENEW}")
    return value


def _read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read a regular file of bounded size."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):  # opening a pipe or a device could block or never end
        found = "is a directory" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
        raise _UnusableError(found, "give the path of a .safetensors file")
    if status.st_size > MAX_FILE_BYTES:
        raise _UnusableError(f"has {status.st_size} bytes, an artifact has at most {MAX_FILE_BYTES}")
    with open(path, "rb") as handle:
        data = handle.read(status.st_size + 1)
    if len(data) != status.st_size:
        raise _UnusableError("changed while it was being read", "try again when nothing writes to it")
    return data


def _parse(data: bytes, source: str) -> Artifact:
    """Turn a file's bytes to an `Artifact`, trusting none of them."""
    views = _read_layout(data)
    text, checksum = _read_envelope(data)
    tensors = {name: _tensor(name, view) for name, view in sorted(views, key=itemgetter(0))}
    if _digest(text, tensors) != checksum:
        raise _UnusableError("its content does not match its checksum: the file is damaged or was edited")
    for name, array in tensors.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise _UnusableError(f"tensor {quoted(name)} holds NaN or infinite values, expected finite ones")
    return Artifact(_read_header(text), tensors, checksum, source)


def _read_layout(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Split the file into named raw tensors; the library checks offsets, overlaps, gaps and sizes."""
    header_bytes = int.from_bytes(data[:8], "little")
    if header_bytes > len(data) - 8 or data[8:9] != b"{":
        raise _UnusableError(f"is not a whole .safetensors file ({_looks_like(data[:64])})")
    if header_bytes > MAX_HEADER_BYTES:
        raise _UnusableError(f"has a header of {header_bytes} bytes, an artifact's has at most {MAX_HEADER_BYTES}")
    try:
        return cast(list[tuple[str, dict[str, Any]]], deserialize(data))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise _UnusableError(f"is not a whole .safetensors file ({_one_line(error)})") from error


def _looks_like(start: bytes) -> str:
    for magic, kind in _FOREIGN.items():
        if start.lstrip().startswith(magic):
            return f"it looks like {kind}"
    return "it is truncated or of another kind" if start else "it is empty"


def _read_envelope(data: bytes) -> tuple[str, str]:
    """Return the header's JSON text and the checksum the file claims."""
    try:
        layout = parse_json(data[8 : 8 + int.from_bytes(data[:8], "little")].decode())
    except (ValueError, RecursionError) as error:
        raise _UnusableError(f"is not a sound .safetensors file ({_one_line(error)})") from error
    envelope = (layout.get("__metadata__") or {}).get(_KEY, "")
    version = _VERSION.match(envelope)
    if version is None:
        raise _UnusableError("is a .safetensors file without a tierwise header", "give a file written by train-router")
    if int(version[1]) != SCHEMA_VERSION:
        remedy = "upgrade tierwise" if int(version[1]) > SCHEMA_VERSION else _RETRAIN
        found = f"has artifact schema version {int(version[1])}, this tierwise reads version {SCHEMA_VERSION}"
        raise _UnusableError(found, remedy)
    parts = _ENVELOPE.fullmatch(envelope)
    if parts is None:
        raise _UnusableError("its tierwise header is malformed: the file is damaged or was edited")
    return parts[2], parts[1]


def _tensor(name: str, view: Mapping[str, Any]) -> NDArray[Any]:
    """Return the read-only array of one raw tensor."""
    dtype = _DTYPES.get(view["dtype"])
    if dtype is None:
        raise _UnusableError(f"tensor {quoted(name)} has dtype {view['dtype']}, expected one of {_EXPECTED_DTYPES}")
    try:
        array: NDArray[Any] = np.frombuffer(view["data"], dtype=dtype).reshape(view["shape"])
    except (ValueError, OverflowError) as error:  # an empty tensor may claim any other lengths, and any number of axes
        raise _UnusableError(f"tensor {quoted(name)} has an impossible shape ({_one_line(error)})") from error
    array.flags.writeable = False
    return array


def _read_header(text: str) -> dict[str, Any]:
    try:
        header = parse_json(text)
        if _ESCAPED_SURROGATE.search(text):
            json.dumps(
                header, ensure_ascii=False
            ).encode()  # raises for a lone surrogate, which no later output survives
    except (ValueError, RecursionError) as error:
        raise _UnusableError(f"its tierwise header is not sound JSON ({_one_line(error)})") from error
    return header


def _serialise(header: dict[str, Any], tensors: Mapping[str, NDArray[Any]]) -> bytes:
    text = json.dumps(header, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    arrays = {name: _storable(name, tensors[name]) for name in sorted(tensors)}
    digest = _digest(text, arrays)
    envelope = f'{{"schema_version":{SCHEMA_VERSION},"sha256":"{digest}","header":{text}}}'
    return save(arrays, metadata={_KEY: envelope})


def _storable(name: str, tensor: NDArray[Any]) -> NDArray[Any]:
    """Return the array as the file holds it: little-endian and contiguous."""
    array = np.asarray(tensor)
    dtype = array.dtype.newbyteorder("<")
    if dtype.str not in _DTYPES.values():
        raise _UnusableError(
            f"tensor {quoted(name)} has dtype {quoted(str(dtype))}, expected one of {_EXPECTED_DTYPES}"
        )
    return np.asarray(array, dtype=dtype, order="C")


def _digest(header: str, tensors: Mapping[str, NDArray[Any]]) -> str:
    """Checksum of an artifact's content; ``tensors`` are in order of their names.

    The header's length and the list of names, dtypes and shapes come first, so no two contents feed it the same bytes.
    """
    text = header.encode()
    layout = json.dumps([(name, array.dtype.str, array.shape) for name, array in tensors.items()])
    checksum = hashlib.sha256(f"{SCHEMA_VERSION} {len(text)} ".encode())
    checksum.update(text)
    checksum.update(layout.encode())
    for array in tensors.values():
        checksum.update(array.data)
    return checksum.hexdigest()


def _reason(error: OSError | ValueError) -> str:
    return _one_line(getattr(error, "strerror", None) or error)


def _one_line(text: object) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= 300 else line[:297] + "..."
