import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import classifier

FORBIDDEN = {
    "sklearn",
    "scipy",
    "pandas",
    "polars",
    "joblib",
    "openai",
    "training",
    "rensa",
    "typer",
    "rich",
    "requests",
}
HELPERS = {"Any", "TYPE_CHECKING", "import_module"}
ROOT = Path(classifier.__file__).parent.parent


def modules_after(code, **variables):
    """Names of the packages that a fresh interpreter holds after running ``code``."""
    report = "import json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, env=environment, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_runtime_loads_nothing_heavy():
    loaded = modules_after("import classifier")
    assert {"classifier", "numpy", "safetensors"} <= loaded
    assert not loaded & FORBIDDEN


def test_routing_loads_nothing_heavy_either(linear):
    code = "from classifier import route; print(route('prove it', tools=[{}], task='code').explain())"
    loaded = modules_after(code, TIERWISE_ARTIFACT=str(linear.path))
    assert not loaded & FORBIDDEN


def test_no_module_of_the_runtime_loads_anything_heavy():
    names = sorted(path.stem for path in Path(classifier.__file__).parent.glob("[!_]*.py"))
    assert "router" in names
    assert not modules_after("\n".join(f"import classifier.{name}" for name in names)) & FORBIDDEN


def test_all_names_exist_are_sorted_and_are_all_there_is():
    assert classifier.__all__ == sorted(classifier.__all__)
    for name in classifier.__all__:
        assert getattr(classifier, name) is not None
    own = {
        name
        for name, value in vars(classifier).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name not in HELPERS
    }
    assert own == set(classifier.__all__) - {"__version__"}


def test_the_documented_imports_work():
    from classifier import Cascade, Decision, Router, predict_model, route

    assert all(map(callable, (Cascade, Decision, Router, predict_model, route)))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Waterfall'"):
        classifier.Waterfall  # noqa: B018


def test_every_error_is_a_router_error():
    errors = [getattr(classifier, name) for name in classifier.__all__ if name.endswith("Error")]
    assert len(errors) >= 5
    assert all(issubclass(error, classifier.RouterError) for error in errors)


def public_parts():
    """Everything public, by its full name: the package's names, and the classes' methods and properties."""
    parts = {}
    for name in classifier.__all__:
        thing = getattr(classifier, name)
        if not (inspect.isclass(thing) or inspect.isfunction(thing)):
            continue
        parts[name] = thing
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                if not member.startswith("_") and (
                    inspect.isfunction(value) or isinstance(value, (property, classmethod, staticmethod))
                ):
                    parts[f"{name}.{member}"] = value
    return parts


@pytest.mark.parametrize("name", public_parts())
def test_everything_public_is_documented(name):
    text = inspect.getdoc(public_parts()[name])
    assert text
    assert text.strip()[0].isupper() or text.strip()[0] in "`$"
    # A dataclass without a docstring is given its signature for one.
    assert not text.startswith(f"{name}(")


def test_values_are_documented_field_by_field():
    for value in (classifier.Decision, classifier.Request, classifier.Tier, classifier.Menu, classifier.Explanation):
        documented = inspect.getdoc(value)
        missing = [
            name
            for name in inspect.signature(value).parameters
            if name not in documented and name not in ("request", "features", "router")
        ]
        assert not missing, value


def test_the_version_is_the_distributions():
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version("tierwise")
    except PackageNotFoundError:
        pytest.skip("tierwise is not installed here, only imported")
    assert classifier.__version__ == installed
