"""`import tierwise`: the runtime's names, and what stands in their way said in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import classifier
import tierwise
from tierwise.__main__ import TRAIN_MODULES

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# What a package of pyproject.toml is imported as.
IMPORTED = {
    "python-dateutil": "dateutil",
    "charset-normalizer": "charset_normalizer",
    "python-calamine": "python_calamine",
    "scikit-learn": "sklearn",
    "typing-extensions": "typing_extensions",
}
BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
sys.argv = {arguments!r}
"""


def python(code: str, folder: Path, *, path: str = str(ROOT)) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": path, "TIERWISE_ARTIFACT": "", "TIERWISE_CONFIG": ""}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def without_train(code: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What comes of code where nothing of the extra "train" is installed."""
    return python(BLOCKED.format(blocked=set(TRAIN_MODULES), arguments=["tierwise", *arguments]) + code, folder)


def test_its_names_are_those_of_the_runtime() -> None:
    assert tierwise.__all__ == classifier.__all__
    assert set(tierwise.__all__) <= set(dir(tierwise))
    for name in tierwise.__all__:
        assert getattr(tierwise, name) is getattr(classifier, name)
    with pytest.raises(AttributeError, match="no attribute 'Waterfall'"):
        tierwise.Waterfall  # noqa: B018


@pytest.mark.slow
def test_the_runtime_needs_nothing_of_the_training_extra(tmp_path: Path) -> None:
    code = """
import tierwise
print(tierwise.predict_model("hi"))
from tierwise import AsyncCascade, Cascade, OutcomeStore, Router, route
print(route("prove it", tools=[{}], task="code").explain())
OutcomeStore("sqlite:///o.db").close()
"""
    done = without_train(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tokenfast/")


@pytest.mark.parametrize(
    ("entry", "arguments"),
    [("main", ("train", "x.csv")), ("main", ("--help",)), ("main", ()), ("train_router", ()), ("models", ("list",))],
)
def test_a_command_without_the_training_extra_says_how_to_install_it(
    entry: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    done = without_train(f"from tierwise.__main__ import {entry}; {entry}()", tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.endswith('install it: pip install "tierwise[train]"\n')


@pytest.mark.slow
def test_routing_from_the_command_line_needs_no_extra(tmp_path: Path) -> None:
    done = without_train("from tierwise.__main__ import main; main()", tmp_path, "route", "hi")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tokenfast/")
    done = without_train("from tierwise.__main__ import main; main()", tmp_path, "route", "hi", "--budget", "-1")
    assert done.returncode == 2
    assert done.stderr.startswith("tierwise route: budget is -1")


def test_what_is_said_to_be_missing_is_what_the_extra_brings() -> None:
    extra = PROJECT["optional-dependencies"]["train"]
    wanted = [part for part in extra if "python_version" not in part]  # Python itself has the others later
    names = {part.partition(">")[0] for part in wanted}
    assert {IMPORTED.get(name, name) for name in names} - {"typing_extensions"} == set(TRAIN_MODULES)


@pytest.mark.parametrize("package", ["training", "classifier"])
@pytest.mark.parametrize("first", ["__init__.py", "notes.py"])
def test_a_folder_that_hides_a_package_is_named_in_one_line(package: str, first: str, tmp_path: Path) -> None:
    (tmp_path / package).mkdir()
    (tmp_path / package / first).write_text("raise SystemExit('the folder was imported')")
    started = "import sys; sys.argv = ['tierwise', 'models', 'list']; from tierwise.__main__ import main; "
    # Where ours is reached by a hook behind the path, as after an installation with pip install -e, a folder without
    # __init__.py hides it as well.
    editable = f"""
import sys
from importlib.machinery import PathFinder
class Finder:
    def find_spec(self, name, path=None, target=None):
        return PathFinder.find_spec(name, path or [{str(ROOT)!r}])
sys.meta_path.insert(sys.meta_path.index(PathFinder) + 1, Finder())
"""
    done = python(editable + started + "main()", tmp_path, path=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert f"{tmp_path / package} hides the package {package} of tierwise; rename it" in done.stderr


@pytest.mark.slow
def test_a_folder_without_init_that_stands_before_an_installed_package_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    code = "import sys; sys.argv = ['tierwise', 'models', 'list']; from tierwise.__main__ import main; main()"
    done = python(code, tmp_path, path=os.pathsep.join((str(tmp_path), str(ROOT))))
    assert done.returncode == 0, done.stderr
    assert "No versions in models yet" in done.stdout


def test_importing_a_name_behind_a_hidden_runtime_says_so(tmp_path: Path) -> None:
    (tmp_path / "classifier").mkdir()
    (tmp_path / "classifier" / "__init__.py").write_text("")
    done = python("from tierwise import route", tmp_path, path=os.pathsep.join((str(tmp_path), str(ROOT))))
    assert done.returncode == 1
    assert "hides the package classifier of tierwise" in done.stderr.splitlines()[-1]
