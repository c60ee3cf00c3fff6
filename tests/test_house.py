"""The shape of the repository: one class a name, no circle of imports, arrows that point one way."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Which folder of the runtime may import which others; "" is what lies at the root.
ALLOWED: dict[str, set[str]] = {
    "": {"compiled"},
    "compiled": set(),
    "outcomes": {""},
    "gates": {""},
    "cascade": {"", "gates", "outcomes"},
}
# The parts of training, lowest first: each may import those before it.
ORDER = (
    *("progress", "measure", "versions", "learners", "tables", "imports", "log", "prepare", "feedback", "certify"),
    *("challenge", "training", "gate", "pipeline", "replay", "compile", "report", "drift", "run", "commands"),
)
# What the root's files may take from above: the package's public names.
FACES = {"classifier"}


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, modules: set[str]) -> set[str]:
    """The modules of the repository that a file imports, anywhere in it; of a package's own name, the package."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & modules) or {node.module}
            if not inner <= modules:
                found.add(node.module)
    return (found & modules) - {module_of(path)}


def graph(*folders: str) -> dict[str, set[str]]:
    files = list(sources(*folders))
    modules = {module_of(path) for path in files}
    return {module_of(path): imports(path, modules) for path in files}


def test_no_class_name_is_defined_twice() -> None:
    places = defaultdict(set)
    for path in sources("classifier", "training", "benchmarks"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].add(str(path.relative_to(ROOT)))
    assert {name: sorted(files) for name, files in places.items() if len(files) > 1} == {}


def test_no_module_of_the_runtime_or_of_training_imports_itself_by_way_of_others() -> None:
    try:
        TopologicalSorter(graph("classifier", "training")).prepare()
        circle = None
    except CycleError as error:
        circle = error.args[1]
    assert circle is None


def test_the_runtime_imports_nothing_that_is_built_on_it() -> None:
    above = {"training", "tierwise", "benchmarks", "sklearn", "scipy", "polars", "typer"}
    for path in sources("classifier"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert above.isdisjoint(name.partition(".")[0] for name in names), path


def test_folders_of_the_runtime_import_one_way() -> None:
    for module, others in graph("classifier").items():
        if module in FACES:
            continue
        folder = folder_of(module)
        assert {folder_of(other) for other in others} - {folder} <= ALLOWED[folder], module


def test_parts_of_training_import_one_way() -> None:
    for module, others in graph("training").items():
        part = module.split(".")[1:2]
        if part:  # the package itself names its entries, which it imports when they are asked for
            lower = ORDER[: ORDER.index(part[0])]
            assert {other.split(".")[1] for other in others if "." in other} - {part[0]} <= set(lower), module


@pytest.mark.parametrize("folder", ["classifier", "training", "tierwise", "benchmarks", "models"])
def test_functions_are_short_and_take_little_or_say_why_not(folder: str) -> None:
    """At most 60 lines and 8 parameters; a comment right above what has more says why."""
    for path in sources(folder):
        lines = path.read_text("utf-8").split("\n")
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and is_large(node):
                above = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 2
                assert lines[above].lstrip().startswith("#"), f"{path}: {node.name}"


def is_large(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    taken = [each.arg for each in arguments if each.arg not in ("self", "cls")]
    return len(taken) > 8 or (node.end_lineno or 0) - node.lineno >= 60


def folder_of(module: str) -> str:
    """The runtime's folder that a module lies in; "" at the root."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ALLOWED else ""
