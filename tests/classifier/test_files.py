"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from classifier.files import atomic_write, write_whole


def test_a_block_that_fails_leaves_the_file_as_it_was_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "old")

    def interrupted() -> None:
        with atomic_write(path) as draft:
            draft.write_text("half")
            assert path.read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


def test_text_is_written_byte_by_byte_as_utf_8(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", "é\n")
    assert (tmp_path / "file").read_bytes() == b"\xc3\xa9\n"


def test_a_name_as_long_as_the_file_system_allows_can_be_written(tmp_path: Path) -> None:
    write_whole(tmp_path / ("n" * 255), "kept")
    assert (tmp_path / ("n" * 255)).read_text() == "kept"


@pytest.mark.skipif(os.name != "posix", reason="needs links and POSIX modes")
def test_a_private_file_is_its_owners_and_takes_the_place_of_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with atomic_write(tmp_path / "link", private=True) as draft:
        assert draft.stat().st_mode & 0o077 == 0
        draft.write_text("secret")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "file").read_text() == "kept"
