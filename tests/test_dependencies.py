"""What is depended on: in a range that is tested, and locked for development."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RANGE = re.compile(r"([a-z0-9_-]+)(?:\[[a-z]+\])?>=([0-9.]+)(?:,<([0-9.]+))?(?:; python_version < '[0-9.]+')?")


def pins(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: version for line in lines if "==" in line for name, version in [line.split(" ")[0].split("==")]}


def release(version: str) -> tuple[int, ...]:
    return tuple(map(int, (version + ".0.0").split(".")[:3]))


def direct(*extras: str) -> list[str]:
    named = [each for extra in extras for each in PROJECT["optional-dependencies"][extra]]
    return [each for each in (*PROJECT["dependencies"], *named) if not each.startswith("tierwise[")]


def test_the_oldest_versions_that_are_tested_are_the_lower_bounds():
    oldest = pins(ROOT / ".ci" / "oldest.txt")
    for name, least, _ in (RANGE.fullmatch(each).groups() for each in direct("code", "postgres")):
        assert release(oldest[name]) == release(least), name


def test_the_locked_versions_are_within_the_bounds():
    locked = pins(ROOT / "requirements-dev.lock")
    for name, least, below in (RANGE.fullmatch(each).groups() for each in direct("code", "dev")):
        assert release(locked[name]) >= release(least), name
        assert below is None or release(locked[name]) < release(below), name


def test_what_is_reached_into_has_an_upper_bound():
    bounded = {RANGE.fullmatch(each)[1] for each in direct() if "<" in each}
    assert "openai" in bounded


def test_the_lock_holds_no_place_of_one_machine():
    for path in (ROOT / "requirements-dev.lock", ROOT / ".ci" / "oldest.txt"):
        assert not re.search(r"://|^-|@ |^/", path.read_text(encoding="utf-8"), re.MULTILINE)
