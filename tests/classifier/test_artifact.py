import hashlib
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save_file

from classifier import artifact as module
from classifier.artifact import SCHEMA_VERSION, header_field, read_artifact, require, write_artifact
from classifier.errors import ArtifactError

HEADER = {
    "menu": {"tiers": ["haiku", "opus"]},
    "rule": {"lambda": 0.25, "rows": 7},
    "über": "日本 \U0001f600\n",
    "none": None,
}
TENSORS = {
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3),
    "bias": np.array([0.5, -0.0]),
    "half": np.array([1.5], dtype=np.float16),
    "rows": np.array([-(2**40)], dtype=np.int64),
    "signed": np.array([[-1], [2]], dtype=np.int32),
    "hash": np.array([2**32 - 1], dtype=np.uint32),
    "vocabulary": np.frombuffer(b"the quick", dtype=np.uint8),
    "empty": np.zeros((0, 4), dtype=np.float32),
    "scalar": np.array(3.0),
}
NAMES_BY_CODE = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "I32": "<i4", "U32": "<u4", "I64": "<i8", "U8": "|u1"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "router.safetensors"
    write_artifact(path, HEADER, TENSORS)
    return path.read_bytes()


def safetensors(layout, data=b""):
    """The bytes of a safetensors file whose own header is ``layout``: an object, or its bytes as they are."""
    text = layout if isinstance(layout, bytes) else json.dumps(layout).encode()
    return struct.pack("<Q", len(text)) + text + data


def forged(header='{"a":1}', tensors=(), data=b"", version=SCHEMA_VERSION, checksum=None):
    """An artifact with a right checksum, whatever else is wrong; tensors are (name, code, shape, start, end)."""
    text = header.encode()
    known = sorted((name, NAMES_BY_CODE.get(code, code), list(shape), a, b) for name, code, shape, a, b in tensors)
    stream = f"{version} {len(text)} ".encode() + text + json.dumps([entry[:3] for entry in known]).encode()
    stream += b"".join(data[a:b] for *_, a, b in known)
    checksum = checksum or hashlib.sha256(stream).hexdigest()
    envelope = f'{{"schema_version":{version},"sha256":"{checksum}","header":{header}}}'
    entries = {name: {"dtype": code, "shape": shape, "data_offsets": [a, b]} for name, code, shape, a, b in tensors}
    return safetensors({"__metadata__": {"tierwise": envelope}, **entries}, data)


def refusal(tmp_path, content):
    """The message with which a file of this content is refused: one line that names the file."""
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        read_artifact(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 700
    return message.removeprefix(f"{path}: ")


def assert_same(artifact, header, tensors):
    assert artifact.header == header
    assert sorted(artifact.tensors) == sorted(tensors)
    for name, tensor in tensors.items():
        read = artifact.tensors[name]
        assert read.dtype == tensor.dtype
        assert read.shape == tensor.shape
        assert read.tobytes() == np.ascontiguousarray(tensor).tobytes()


def test_what_is_read_is_what_was_written(tmp_path):
    path = tmp_path / "router.safetensors"
    digest = write_artifact(path, HEADER, TENSORS)
    artifact = read_artifact(path)
    assert_same(artifact, HEADER, TENSORS)
    assert artifact.digest == digest
    assert len(bytes.fromhex(digest)) == 32
    assert artifact.source == str(path)


def test_the_format_is_the_documented_one(tmp_path):
    data = np.array([1.0, 2.0], dtype=np.float32).tobytes()
    path = tmp_path / "by_hand.safetensors"
    path.write_bytes(forged('{"a":[1,2.5]}', [("w", "F32", [2], 0, 8)], data))
    assert_same(read_artifact(path), {"a": [1, 2.5]}, {"w": np.array([1.0, 2.0], dtype=np.float32)})


def test_arrays_are_read_only(tmp_path):
    write_artifact(tmp_path / "a", HEADER, TENSORS)
    for tensor in read_artifact(tmp_path / "a").tensors.values():
        with pytest.raises(ValueError, match="read-only"):
            tensor[...] = 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
DTYPES = st.sampled_from(["<f4", "<f8", "<f2", "<i4", "<u4", "<i8", "|u1", ">f4", ">i8"])
ARRAYS = DTYPES.flatmap(
    lambda dtype: hnp.arrays(
        dtype,
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        elements={"allow_nan": False, "allow_infinity": False} if dtype[1] == "f" else None,
    )
)


@pytest.mark.slow
@settings(deadline=None)
@given(header=st.dictionaries(st.text(), JSON, max_size=4), tensors=st.dictionaries(st.text(), ARRAYS, max_size=4))
def test_any_content_survives_the_round_trip(tmp_path_factory, header, tensors):
    path = tmp_path_factory.mktemp("any") / "a"
    if "__metadata__" in tensors:  # the one name that safetensors keeps for itself
        with pytest.raises(ArtifactError):
            write_artifact(path, header, tensors)
        return
    write_artifact(path, header, tensors)
    assert_same(read_artifact(path), header, {n: t.astype(t.dtype.newbyteorder("=")) for n, t in tensors.items()})


def test_equal_content_gives_equal_bytes_and_digest(tmp_path, whole):
    views = {name: np.asfortranarray(TENSORS[name]) for name in reversed(TENSORS)}
    views["signed"] = np.array([[-1, 0], [2, 0]], dtype=">i4")[:, :1]
    views["scalar"] = TENSORS["scalar"]
    digest = write_artifact(tmp_path / "b", dict(reversed(HEADER.items())), views)
    assert (tmp_path / "b").read_bytes() == whole
    assert digest == write_artifact(tmp_path / "c", HEADER, TENSORS)


@pytest.mark.parametrize(
    ("header", "tensors"),
    [
        ({**HEADER, "rows": 8}, TENSORS),
        (HEADER, {**TENSORS, "scalar": np.array(3.5)}),
        (HEADER, {**TENSORS, "weights": TENSORS["weights"].reshape(3, 2)}),
        (HEADER, {**TENSORS, "hash": TENSORS["hash"].view(np.int32)}),
        (HEADER, {**TENSORS, "bias": np.array([0.5, 0.0])}),
        (HEADER, {name.replace("half", "halt"): tensor for name, tensor in TENSORS.items()}),
    ],
)
def test_other_content_has_another_digest(tmp_path, header, tensors):
    assert write_artifact(tmp_path / "a", header, tensors) != write_artifact(tmp_path / "b", HEADER, TENSORS)


# Damage


@pytest.mark.slow
def test_every_single_bit_flip_is_noticed(tmp_path, whole):
    path = tmp_path / "a"
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << (position % 8)
        path.write_bytes(flipped)
        with pytest.raises(ArtifactError):
            read_artifact(path)


def test_every_truncation_is_noticed(tmp_path, whole):
    path = tmp_path / "a"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ArtifactError):
            read_artifact(path)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_damage_of_any_kind_never_passes_for_other_content(tmp_path_factory, whole, data):
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(damaged)))
        end = data.draw(st.integers(start, min(len(damaged), start + 16)))
        damaged[start:end] = data.draw(st.binary(max_size=16))
    path = tmp_path_factory.mktemp("damaged") / "a"
    path.write_bytes(damaged)
    try:
        artifact = read_artifact(path)
    except ArtifactError:
        return
    assert_same(artifact, HEADER, TENSORS)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("noise") / "a"
    path.write_bytes(content)
    with pytest.raises(ArtifactError):
        read_artifact(path)


@settings(deadline=None)
@given(st.text(alphabet='{}[]":,0123456789eE+-.\\ud8aftrsn ', max_size=40))
def test_an_arbitrary_header_with_a_right_checksum_is_read_or_refused(tmp_path_factory, header):
    path = tmp_path_factory.mktemp("header") / "a"
    path.write_bytes(forged(header))
    try:
        artifact = read_artifact(path)
    except ArtifactError:
        return
    write_artifact(path, artifact.header, artifact.tensors)


# Foreign files


class Exploit:
    def __reduce__(self):
        return (os._exit, (9,))


def test_a_pickle_is_never_executed(tmp_path):
    assert "it looks like a Python pickle" in refusal(tmp_path, pickle.dumps(Exploit()))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\x01\x00", "truncated or of another kind"),
        (b"<!DOCTYPE html><html>not found</html>", "it looks like an HTML or XML page"),
        (b"\n  <?xml version='1.0'?>", "it looks like an HTML or XML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00", "gzip"),
        (b'{"a": 1, "b": 2}', "truncated or of another kind"),
        (b"\x00" * 64, "truncated or of another kind"),
    ],
)
def test_a_foreign_file_is_named_for_what_it_looks_like(tmp_path, content, reason):
    message = refusal(tmp_path, content)
    assert message.startswith("is not a whole .safetensors file")
    assert reason in message
    assert "train-router" in message


def test_a_zip_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        archive.writestr("weights", "0")
    assert "it looks like a zip archive" in refusal(tmp_path, (tmp_path / "z").read_bytes())


def test_safetensors_of_another_program(tmp_path):
    save_file(TENSORS, tmp_path / "foreign", metadata={"format": "np"})
    message = refusal(tmp_path, (tmp_path / "foreign").read_bytes())
    assert message == "is a .safetensors file without a tierwise header; give a file written by train-router"
    assert "without a tierwise header" in refusal(tmp_path, safetensors({"__metadata__": None}))
    assert "without a tierwise header" in refusal(tmp_path, safetensors({}))
    assert "without a tierwise header" in refusal(tmp_path, safetensors({"__metadata__": {"tierwise": "[]"}}))


def test_a_later_schema_asks_for_an_upgrade_whatever_else_it_holds(tmp_path):
    later = forged("[]", [("w", "BF16", [1], 0, 2)], b"\0\0", version=SCHEMA_VERSION + 1)
    assert refusal(tmp_path, later) == "has artifact schema version 4, this tierwise reads version 3; upgrade tierwise"
    bare = {"__metadata__": {"tierwise": '{"schema_version":77}'}}
    assert "upgrade tierwise" in refusal(tmp_path, safetensors(bare))


def test_an_earlier_schema_asks_for_training(tmp_path):
    assert "train a new one with train-router" in refusal(tmp_path, forged(version=0))


# Hostile files


@pytest.mark.parametrize(
    ("layout", "data"),
    [
        ({"a": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 8]}}, b"\0" * 8),
        ({"a": {"dtype": "F32", "shape": [2**31], "data_offsets": [0, 2**33]}}, b"\0" * 8),
        ({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, b"\0" * 4),
        ({"a": {"dtype": "F32", "shape": [1.5], "data_offsets": [0, 4]}}, b"\0" * 4),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}, b"\0" * 8),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"\0" * 8),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"\0" * 5),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"\0" * 3),
        ({"a": {"dtype": "FOO", "shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4),
        ({"a": {"dtype": "F" * 9999, "shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4),
        ({"a": 1}, b""),
        ({"__metadata__": []}, b""),
        ({"__metadata__": {"tierwise": 1}}, b""),
        (
            {
                "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
                "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
            },
            b"\0" * 12,
        ),
        (
            {
                "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
                "b": {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]},
            },
            b"\0" * 12,
        ),
        (b'{"a":' * 100_000, b""),
        (b'{"\xff":1}', b""),
        (b"{}}", b""),
        (b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}', b"\0" * 4),
    ],
)
def test_an_impossible_layout_is_refused(tmp_path, layout, data):
    assert refusal(tmp_path, safetensors(layout, data)).startswith("is not a whole .safetensors file")


def test_a_tensor_given_twice_is_refused(tmp_path):
    entry = b'"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
    message = refusal(tmp_path, safetensors(b"{" + entry + b"," + entry + b"}", b"\0" * 8))
    assert "key 'a' is given twice" in message


@pytest.mark.parametrize("shape", [[0, 2**62, 2**62], [0, 2**63 - 1, 8], [0] + [1] * 100, [2**63, 0]])
def test_an_empty_tensor_of_impossible_shape_is_refused(tmp_path, shape):
    assert "impossible shape" in refusal(tmp_path, forged(tensors=[("a", "F32", shape, 0, 0)]))


@pytest.mark.parametrize(("code", "size"), [("BF16", 2), ("BOOL", 1), ("I8", 1), ("U64", 8), ("F8_E4M3", 1)])
def test_a_dtype_that_artifacts_do_not_use_is_refused(tmp_path, code, size):
    message = refusal(tmp_path, forged(tensors=[("a", code, [1], 0, size)], data=b"\0" * size))
    assert message.startswith(f"tensor 'a' has dtype {code}, expected one of float64, float32")


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, dtype, value):
    data = np.array([1, value], dtype=NAMES_BY_CODE[dtype]).tobytes()
    message = refusal(tmp_path, forged(tensors=[("w", dtype, [2], 0, len(data))], data=data))
    assert message.startswith("tensor 'w' holds NaN or infinite values, expected finite ones")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("[1]", "it is not an object"),
        ("null", "it is not an object"),
        ('{"a":NaN}', "NaN is not a JSON number"),
        ('{"a":-Infinity}', "-Infinity is not a JSON number"),
        ('{"a":1e999}', "number '1e999' is out of range"),
        ('{"a":1,"a":1}', "key 'a' is given twice"),
        ('{"x":{"a":1,"b":2,"a":3}}', "key 'a' is given twice"),
        ('{"a":"\\ud800"}', "surrogates not allowed"),
        ('{"a":1', "line 1 column"),
        ('{"a":1}, "b": {}', "Extra data"),
        ("", "Expecting value"),
        ('{"a":' + "9" * 5000 + "}", "digits"),
        ('{"' + "k" * 9999 + '":NaN}', "NaN"),
    ],
)
def test_an_unsound_header_is_refused(tmp_path, header, reason):
    message = refusal(tmp_path, forged(header))
    assert message.startswith("its tierwise header is not sound JSON")
    assert reason in message


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_header_nested_too_deep_is_refused(tmp_path, opening):
    assert "not sound JSON" in refusal(tmp_path, forged(opening * 200_000))


def test_escaped_surrogate_pairs_are_text(tmp_path):
    (tmp_path / "a").write_bytes(forged('{"a":"\\ud83d\\ude00","b":"\\\\ud83d"}'))
    assert read_artifact(tmp_path / "a").header == {"a": "\U0001f600", "b": "\\ud83d"}


@pytest.mark.parametrize("checksum", ["0" * 64, "A" * 64, "0" * 63, ""])
def test_a_wrong_checksum_is_refused(tmp_path, checksum):
    assert "damaged or was edited" in refusal(tmp_path, forged(checksum=checksum or "-"))


def test_a_file_that_is_too_large_is_refused_unread(tmp_path):
    path = tmp_path / "huge"
    with open(path, "wb") as handle:
        handle.truncate(module.MAX_FILE_BYTES + 1)
    with pytest.raises(ArtifactError, match="an artifact has at most 536870912"):
        read_artifact(path)


@pytest.mark.parametrize("claimed", [2**63, 2**64 - 1, 2**32, 10**9])
def test_an_absurd_header_length_is_refused(tmp_path, claimed):
    assert "not a whole" in refusal(tmp_path, struct.pack("<Q", claimed) + b"{}")


def test_a_header_that_is_too_large_is_refused(tmp_path):
    padding = b" " * module.MAX_HEADER_BYTES
    assert "has a header of 16777218 bytes" in refusal(tmp_path, safetensors(b"{" + padding + b"}"))


@pytest.mark.slow
def test_ten_thousand_tensors_are_no_trouble(tmp_path):
    tensors = [(f"t{n:05}", "U8", [1], n, n + 1) for n in range(10_000)]
    (tmp_path / "a").write_bytes(forged(tensors=tensors, data=b"\1" * 10_000))
    assert len(read_artifact(tmp_path / "a").tensors) == 10_000


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on address space")
def test_a_file_larger_than_memory_is_a_clear_error(tmp_path):
    with open(tmp_path / "big", "wb") as handle:
        handle.truncate(module.MAX_FILE_BYTES)
    program = """
        import resource, sys
        from classifier.artifact import read_artifact
        from classifier.errors import ArtifactError
        size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 2**27, size + 2**27))
        try:
            read_artifact(sys.argv[1])
        except ArtifactError as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "big")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(module.__file__).parents[1])
    assert "does not fit into memory" in done.stdout


# Paths


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(ArtifactError, match="nowhere: no such file; check the path, or train one with train-router"):
        read_artifact(tmp_path / "nowhere")
    with pytest.raises(ArtifactError, match="is a directory; give the path"):
        read_artifact(tmp_path)
    with pytest.raises(ArtifactError, match=r"cannot be read: .*embedded null"):
        read_artifact(f"{tmp_path}/a\0b")
    with pytest.raises(ArtifactError, match="cannot be read: File name too long"):
        read_artifact(tmp_path / ("x" * 5000))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ArtifactError, match=r"cannot be read: .*symbolic links"):
        read_artifact(tmp_path / "loop")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArtifactError, match="is not a regular file"):
        read_artifact(tmp_path / "pipe")


def test_files_that_may_not_be_touched(tmp_path, monkeypatch, whole):
    path = tmp_path / "a"
    path.write_bytes(whole)

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", refuse)  # file modes do not bind the superuser, which tests may run as
    with pytest.raises(ArtifactError, match="cannot be read: Permission denied; check the path and its permissions"):
        read_artifact(path)
    with pytest.raises(ArtifactError, match="cannot be written: Permission denied; check the directory"):
        write_artifact(path, HEADER, TENSORS)
    monkeypatch.undo()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_a_file_that_changes_while_it_is_read(tmp_path, monkeypatch, whole):
    path = tmp_path / "a"
    path.write_bytes(whole)
    before = os.stat(path)
    path.write_bytes(whole + b"more")
    monkeypatch.setattr(module.os, "stat", lambda _path: before)
    with pytest.raises(ArtifactError, match="changed while it was being read"):
        read_artifact(path)


# Writing


def test_missing_directories_are_made_and_a_link_stays_a_link(tmp_path):
    link = tmp_path / "router"
    link.symlink_to(tmp_path / "store" / "v1")
    write_artifact(link, HEADER, TENSORS)
    assert link.is_symlink()
    assert_same(read_artifact(tmp_path / "store" / "v1"), HEADER, TENSORS)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX modes")
def test_a_new_file_has_ordinary_permissions(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_artifact(tmp_path / "a", HEADER, TENSORS)
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step, error):
    path = tmp_path / "router.safetensors"
    write_artifact(path, {"version": "old"}, TENSORS)

    def fail(*_args):
        raise error

    monkeypatch.setattr(module.os, step, fail)
    expected = ArtifactError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        write_artifact(path, {"version": "new"}, TENSORS)
    if expected is ArtifactError:
        assert "cannot be written: No space left on device; check the directory" in str(caught.value)
    assert read_artifact(path).header == {"version": "old"}
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_in_the_way_is_a_clear_error(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(ArtifactError, match="cannot be written: Is a directory"):
        write_artifact(tmp_path / "taken", HEADER, TENSORS)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"cannot be written: (File exists|Not a directory)"):
        write_artifact(tmp_path / "file" / "a", HEADER, TENSORS)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "taken"]


DEEP: list = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("header", "tensors", "reason"),
    [
        ({"a": float("nan")}, {}, "Out of range float"),
        ({"a": {1, 2}}, {}, "not JSON serializable"),
        ({"a": np.float32(1)}, {}, "not JSON serializable"),
        ({"a": {1: 0, "1": 0}}, {}, "not supported between"),
        ({"a": {None: 0}, "b": {"c": "\ud800"}}, {}, "surrogates not allowed"),
        ({"a": DEEP}, {}, "recursion"),
        ({}, {"w": np.array([np.nan])}, "tensor 'w' holds NaN or infinite values"),
        ({}, {"w": np.array([True])}, "tensor 'w' has dtype 'bool', expected one of float64"),
        ({}, {"w": np.array([None])}, "tensor 'w' has dtype 'object', expected one of float64"),
        ({}, {"w": np.array(["2020-01-01"], dtype="datetime64[D]")}, "expected one of float64"),
        ({}, {"w": np.array(["text"])}, "expected one of float64"),
        ({}, {"__metadata__": np.zeros(2)}, "is not a whole"),
    ],
)
def test_content_that_could_not_be_read_back_is_not_written(tmp_path, header, tensors, reason):
    path = tmp_path / "a"
    with pytest.raises(ArtifactError, match=f"a: cannot be written: .*{re.escape(reason)}"):
        write_artifact(path, header, tensors)
    assert list(tmp_path.iterdir()) == []


# What consumers ask


@pytest.fixture
def artifact(tmp_path):
    write_artifact(tmp_path / "router", HEADER, TENSORS)
    return read_artifact(tmp_path / "router")


def test_require_returns_the_tensor_asked_for(artifact):
    assert require(artifact, "weights", np.float32, (2, 3)) is artifact.tensors["weights"]
    assert require(artifact, "weights", np.float32, (None, 3)).shape == (2, 3)
    assert require(artifact, "scalar", np.float64, ()) == 3.0


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "reason"),
    [
        ("absent", np.float32, (2, None), r"tensor 'absent' is missing, expected float32 \[2, any\]"),
        ("weights", np.float64, (2, 3), r"tensor 'weights' is float32 \[2, 3\], expected float64 \[2, 3\]"),
        ("weights", np.float32, (2, 4), r"tensor 'weights' is float32 \[2, 3\], expected float32 \[2, 4\]"),
        ("weights", np.float32, (None,), r"tensor 'weights' is float32 \[2, 3\], expected float32 \[any\]"),
    ],
)
def test_require_refuses_anything_else(artifact, name, dtype, shape, reason):
    with pytest.raises(ArtifactError, match=f"router: {reason}.*; copy or download it again"):
        require(artifact, name, dtype, shape)


def test_header_field_returns_the_value_asked_for(artifact):
    assert header_field(artifact, "menu", "tiers", kind=list) == ["haiku", "opus"]
    assert header_field(artifact, "rule", kind=dict)["rows"] == 7
    assert header_field(artifact, "rule", "lambda", kind=float) == 0.25
    rows = header_field(artifact, "rule", "rows", kind=float)
    assert (rows, type(rows)) == (7.0, float)


@pytest.mark.parametrize(
    ("keys", "kind", "reason"),
    [
        (("rule", "mu"), float, "header field 'rule.mu' is missing, expected a number"),
        (("rule", "rows", "x"), int, "header field 'rule.rows.x' is missing, expected a whole number"),
        (("rule", "lambda"), int, "header field 'rule.lambda' is a number, expected a whole number"),
        (("none",), dict, "header field 'none' is null, expected an object"),
        (("rule", "rows"), bool, "is a whole number, expected true or false"),
    ],
)
def test_header_field_refuses_anything_else(artifact, keys, kind, reason):
    with pytest.raises(ArtifactError, match=f"router: .*{reason}; copy or download it again"):
        header_field(artifact, *keys, kind=kind)


def test_header_field_bounds_what_becomes_a_float(tmp_path):
    write_artifact(tmp_path / "a", {"huge": 10**400, "flag": True}, {})
    for key in ("huge", "flag"):
        with pytest.raises(ArtifactError, match="expected a number"):
            header_field(read_artifact(tmp_path / "a"), key, kind=float)
