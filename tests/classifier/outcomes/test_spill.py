"""Spill files: added to, taken up, left again."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest

from classifier.outcomes.spill import Spill


def lines(spill: Spill) -> list[str]:
    """Take up everything."""
    return [line.decode() for file in spill.take() for line in file]


def test_what_is_added_is_taken_once_oldest_first(tmp_path: Path) -> None:
    spill, other = Spill([tmp_path]), Spill([tmp_path])
    spill.add(["a\n", "b\n"])
    other.add(["c\n"])
    spill.add(["d\n"])
    assert spill.count() == 4
    assert lines(other) == ["a\n", "b\n", "d\n", "c\n"]
    assert lines(spill) == []
    assert list(tmp_path.iterdir()) == []
    spill.add(["e\n"])
    assert lines(spill) == ["e\n"]


def test_a_file_in_hand_is_nobody_elses_and_goes_on_waiting_when_let_go(tmp_path: Path) -> None:
    spill, other = Spill([tmp_path]), Spill([tmp_path])
    spill.add(["a\n"])
    with closing(spill.take()) as files:
        next(files)
        assert lines(other) == []
        spill.add(["b\n"])  # goes to another file
        assert other.count() == 2
    assert sorted(lines(other)) == ["a\n", "b\n"]


def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    spill = Spill([tmp_path / "made"])
    spill.add(["a\n"])
    spill.set_aside(b"x")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "made").iterdir()} == {0o600}
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o700


def test_the_next_folder_where_one_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    spill = Spill([tmp_path / "file", tmp_path / "second"])
    spill.add(["a\n"])
    spill.set_aside(b"broken")
    assert (tmp_path / "second" / "broken.lines").read_bytes() == b"broken\n"
    assert lines(spill) == ["a\n"]
    nowhere = Spill([tmp_path / "file", tmp_path / "file" / "deeper"])
    with pytest.raises(OSError, match="file"):
        nowhere.add(["a\n"])
    assert (nowhere.count(), nowhere.files()) == (0, [])


def test_lines_are_left_out_on_request(tmp_path: Path) -> None:
    spill = Spill([tmp_path])
    spill.add(["keep 1\n", "drop\n", "keep 2\n"])
    Spill([tmp_path]).add(["drop\n"])
    for line in (b"drop this", b"keep this"):
        spill.set_aside(line)
    spill.rewrite(lambda line: b"drop" not in line)
    assert (tmp_path / "broken.lines").read_bytes() == b"keep this\n"
    assert lines(spill) == ["keep 1\n", "keep 2\n"]
    spill.forget_broken(0.0)
    assert (tmp_path / "broken.lines").exists()
    spill.forget_broken(4e9)
    assert not (tmp_path / "broken.lines").exists()


@pytest.mark.slow
def test_adding_and_taking_at_once_loses_and_doubles_nothing(tmp_path: Path) -> None:
    taken: list[str] = []
    done = threading.Event()

    def add(name: int) -> None:
        spill = Spill([tmp_path])
        for number in range(150):
            spill.add([f"{name} {number}\n"])

    def take() -> None:
        spill = Spill([tmp_path])
        while not done.is_set():
            taken.extend(lines(spill))

    adders = [threading.Thread(target=add, args=[name]) for name in range(3)]
    takers = [threading.Thread(target=take) for _ in range(3)]
    for thread in [*adders, *takers]:
        thread.start()
    for thread in adders:
        thread.join()
    done.set()
    for thread in takers:
        thread.join()
    taken.extend(lines(Spill([tmp_path])))
    assert sorted(taken) == sorted(f"{name} {number}\n" for name in range(3) for number in range(150))
