"""What is sealed tells nothing without its key, and cannot be changed unnoticed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.errors import InputError, StoreError
from classifier.outcomes.keys import Keys
from classifier.outcomes.sealing import SealError, fingerprint, is_sealed, seal, sealed_by, unseal
from tests.helpers.processes import run

keys = st.binary(min_size=32, max_size=32)
KEY, OTHER = bytes(32), bytes([1] * 32)
HEX = "0f" * 32


@given(data=st.binary(max_size=5000), key=keys)
def test_what_is_sealed_comes_back_with_its_key(data: bytes, key: bytes) -> None:
    sealed = seal(data, key)
    assert is_sealed(sealed)
    assert sealed_by(sealed) == fingerprint(key)
    assert unseal(sealed, [OTHER, key]) == data


@given(data=st.binary(min_size=8, max_size=2000), place=st.integers(0), bit=st.integers(0, 7))
def test_another_key_and_any_changed_bit_are_refused(data: bytes, place: int, bit: int) -> None:
    sealed = seal(data, KEY)
    assert data not in sealed
    changed = bytearray(sealed)
    changed[place % len(changed)] ^= 1 << bit
    for each, key in ((bytes(changed), KEY), (sealed, OTHER), (sealed[:-1], KEY), (data, KEY)):
        with pytest.raises(SealError):
            unseal(each, [key])


def test_equal_values_are_sealed_differently_and_lengths_tell_little() -> None:
    assert seal(b"yes", KEY)[28:] != seal(b"yes", KEY)[28:]
    assert len({len(seal(b"x" * size, KEY)) for size in range(1000)}) == 1
    assert fingerprint(KEY) != fingerprint(OTHER)
    assert KEY.hex()[:16] not in fingerprint(KEY)


def test_a_key_is_the_option_else_the_environments_else_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    first = Keys()
    assert not first.path.exists()
    assert first.all() == ()
    made = first.own()
    assert made == Keys().own() == bytes.fromhex(first.path.read_text())
    assert len(made) == 32
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.path.parent.stat().st_mode) == 0o700
    assert [each.name for each in first.path.parent.iterdir()] == [first.path.name]
    monkeypatch.setenv("TIERWISE_STORE_KEY", HEX)
    assert Keys().own() == bytes.fromhex(HEX)
    assert set(Keys().all()) == {bytes.fromhex(HEX), made}
    assert Keys("ab" * 32).own() == bytes.fromhex("ab" * 32)
    for blank in ("", "  \n"):
        assert Keys(blank).own() == bytes.fromhex(HEX)
        monkeypatch.setenv("TIERWISE_STORE_KEY", blank)
        assert Keys().own() == made
        monkeypatch.setenv("TIERWISE_STORE_KEY", HEX)


@pytest.mark.parametrize("text", ["short", "0f" * 31, "0g" * 32, "é" * 64])
def test_what_is_no_key_is_refused_without_being_shown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="store key: found no key, expected 64 hexadecimal digits") as refused:
        Keys(text)
    assert text not in str(refused.value)
    monkeypatch.setenv("TIERWISE_STORE_KEY", text)
    with pytest.raises(InputError, match=r"\$TIERWISE_STORE_KEY: found no key"):
        Keys()


@pytest.mark.parametrize("content", [b"", b" \n", b"nonsense", b"\xff\xfe"])
def test_a_key_file_that_holds_none_is_left_alone_and_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "tierwise").mkdir()
    keys = Keys()
    keys.path.write_bytes(content)
    assert len(keys.own()) == 32
    assert keys.own() == keys.own()
    assert not keys.is_kept
    assert keys.all() == (keys.own(),)
    assert str(keys.path) not in keys.where
    with pytest.raises(StoreError, match=r"store\.key: found no key in it, expected a key that is kept; set \$"):
        keys.kept()
    assert keys.path.read_bytes() == content
    assert str(keys.path) in caplog.text


def test_programs_that_begin_at_once_make_one_key(tmp_path: Path) -> None:
    code = """
    import threading
    from classifier.outcomes.keys import Keys
    found = []
    threads = [threading.Thread(target=lambda: found.append(Keys().own())) for _ in range(16)]
    for each in threads: each.start()
    for each in threads: each.join()
    print(len(set(found)))
    """
    done = run(code, cwd=tmp_path, XDG_DATA_HOME=str(tmp_path))
    assert done.stdout.split() == ["1"], done.stderr
