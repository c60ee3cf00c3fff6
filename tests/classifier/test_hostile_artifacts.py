"""Whatever an artifact holds, it is refused in one line or decides at a bounded cost."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier import NoFeasibleTierError, Router
from classifier.artifact import Artifact, read_artifact
from classifier.errors import ArtifactError
from classifier.gates.learned import LearnedGate
from classifier.request import make_request
from tests.helpers.hostile_artifacts import Header, Tensors, forge, tampered
from tests.helpers.routers import Trained
from training.versions.facts import facts
from training.versions.notes import dump_note, note_of

TAMPERED = 150
PROMPTS = ("hello", "Prove that 2 is even. " * 200, "翻译 证明 这个 定理 " * 400, "def f(x): return x\n" * 200, "")
SECONDS = 5.0  # for all that is asked of one artifact, a thousand times what it takes
BYTES = 64 * 2**20

Change = Callable[[Header, Tensors], object]


def decides(router: Router) -> None:
    """Ask all there is to ask of a router; only a menu that can serve nothing may refuse."""
    for prompt in PROMPTS:
        try:
            decision = router.route(prompt, max_tokens=100, task="summarization")
            router.route(prompt, budget=0.4)
            router.route(prompt, max_quality_loss=0.05)
        except NoFeasibleTierError:
            continue
        assert all(0 <= value <= 1 for value in decision.prediction.quality + decision.prediction.adequate)
        assert all(0 <= value < 1e14 for value in decision.prediction.cost)
        assert 0 <= decision.novelty <= 1
        assert decision.reason.isprintable()
        assert str(decision.explain()).replace("\n", "").isprintable()
    with suppress(NoFeasibleTierError):
        router.route_many([make_request(prompt) for prompt in PROMPTS])
    facts(router)
    dump_note(note_of(router.artifact))


def is_refused_or_decides(path: Path) -> str | None:
    """The message of a refusal, or None after decisions; anything else fails the test."""
    begun = time.process_time()
    try:
        router = Router(read_artifact(path))
        decides(router)
        message = None
        LearnedGate.load(router)
    except ArtifactError as error:
        message = str(error)
        assert message.startswith(f"{path}: ")
        assert message.isprintable()
        assert len(message) < 900
    assert time.process_time() - begun < SECONDS
    return message


@pytest.fixture(scope="module")
def content(request: pytest.FixtureRequest) -> Artifact:
    trained: Trained = request.getfixturevalue("blend")
    return read_artifact(trained.path)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_a_tampered_artifact_is_refused_in_one_line_or_decides(content: Artifact, tmp_path: Path, block: int) -> None:
    path, sound = tmp_path / "a.safetensors", 0
    for seed in range(block * TAMPERED // 5, (block + 1) * TAMPERED // 5):
        what, header, tensors = tampered(content.header, content.tensors, seed)
        path.write_bytes(forge(header, tensors))
        try:
            sound += is_refused_or_decides(path) is None
        except Exception as error:
            error.add_note(what)
            raise
    assert sound < TAMPERED // 5  # or nothing was looked at


def header_change(*keys: Any, value: Any) -> Change:
    def change(header: Header, _: Tensors) -> None:
        holder: Any = header
        for key in keys[:-1]:
            holder = holder[key]
        holder[keys[-1]] = value(holder[keys[-1]]) if callable(value) else value

    return change


def tensor_change(**changes: Callable[[Any], Any]) -> Change:
    def change(_: Header, tensors: Tensors) -> None:
        for name, altered in changes.items():
            tensors[name] = altered(tensors[name])

    return change


def groups(count: int, words: int = 0, substrings: int = 0, text: str = "{}") -> list[dict[str, Any]]:
    return [
        {
            "name": f"g{number}",
            "words": [text.format(place) for place in range(words)],
            "substrings": [text.format(place) for place in range(substrings)],
        }
        for number in range(count)
    ]


def many_tiers(header: Header, _: Tensors) -> None:
    tier = header["menu"]["tiers"][-1]
    header["menu"]["tiers"] += [{**tier, "name": f"t{n}", "model": f"t{n}", "aliases": []} for n in range(5_000)]


def wide_projection(_: Header, tensors: Tensors) -> None:
    tensors["projection_shift"] = np.zeros(1_000_000)
    tensors["projection_buckets"] = tensors["projection_buckets"][:0]
    tensors["projection"] = np.zeros((0, 1_000_000), np.float32)


def many_bends(_: Header, tensors: Tensors) -> None:
    rising = np.linspace(-9, 9, 500_000)
    tiers = len(tensors["calibration_bends"])
    tensors["calibration_bends"] = np.stack([np.stack([rising, 0 * rising])] * tiers)


def many_levels(_: Header, tensors: Tensors) -> None:
    tensors["novelty_quantiles"] = np.stack([np.linspace(0, 1, 500_000)] * 3)


def a_jump(_: Header, tensors: Tensors) -> None:
    tensors["calibration_bends"] = bends = tensors["calibration_bends"].copy()
    bends[0, 0, :2] = 0.0, 5e-324
    bends[0, 1, :2] = 0.0, 1e9


BOMBS: dict[str, tuple[Change, str]] = {
    "a million trees": (tensor_change(forest_roots=lambda roots: np.repeat(roots, 25_000)), "at most 1000"),
    "trees of great depth": (header_change("model", "forest_depth", value=10**9), "from 0 to 32"),
    "a depth of many digits": (header_change("model", "forest_depth", value=10**400), "expected a whole number"),
    "a child that is its own ancestor": (
        lambda _, tensors: tensors.update(forest_children=np.zeros_like(tensors["forest_children"])),
        "",  # a loop ends where the depth does
    ),
    "a projection to a million dimensions": (wide_projection, "at most 256"),
    "half a million bends": (many_bends, "at most 64"),
    "a bend that jumps": (a_jump, "finite slopes"),
    "features that are varied again and again": (
        tensor_change(
            novelty_varied=lambda varied: np.repeat(varied, 1_000),
            novelty_centres=lambda centres: np.repeat(centres, 1_000, axis=1),
        ),
        "expected rising numbers",
    ),
    "ten thousand centres": (
        tensor_change(novelty_centres=lambda centres: np.repeat(centres, 10_000, axis=0)),
        "at most 256",
    ),
    "half a million levels of novelty": (many_levels, "at most 1024"),
    "weights whose sums overflow": (tensor_change(bias=lambda bias: bias * 0 + 1e300), "from -1e+09 to 1e+09"),
    "a scale of nearly nothing": (tensor_change(dense_scale=lambda scale: scale * 1e-300), "at least 1e-09"),
    "thousands of keyword groups": (header_change("features", "keywords", value=groups(5_000)), "at most 256"),
    "one keyword a hundred thousand times": (
        header_change("features", "keywords", value=groups(1, words=100_000, text="a")),
        "at most 20000",
    ),
    "many substrings": (header_change("features", "keywords", value=groups(1, substrings=50_000)), "at most 1000"),
    "substrings that begin alike": (
        header_change("features", "keywords", value=groups(1, substrings=900, text="定定定{}")),
        "at most 128",
    ),
    "a keyword of a megabyte": (
        header_change("features", "keywords", 0, "words", value=["a" * 2**20]),
        "at most 100",
    ),
    "thousands of tiers": (many_tiers, "at most 128"),
    "a name of a megabyte": (header_change("menu", "tiers", 0, "model", value="m" * 2**20), "at most 200"),
    "a price of many digits": (
        lambda header, _: header["menu"]["tiers"][0].update(input_price=10**400, output_price=1.5),
        "at most 1,000,000",
    ),
    "thousands of settings": (header_change("rule", "path", value=lambda path: path * 10_000), "1 to 1000"),
    "a setting of many digits": (header_change("rule", "path", 0, value=[10**400, 0, 1]), "numbers from 0"),
    "thousands of promises": (header_change("rule", "ladder", value=[[0.5, None, None]] * 5_000), "at most 100"),
    "rows that are no number": (header_change("rule", "ladder", value=[[0.5, None, [1]]]), "a whole number"),
    "a reference that costs nearly nothing": (header_change("rule", "reference_cost", value=1e-300), "USD from 1e-15"),
    "a hundred thousand tasks": (
        header_change("menu", "task_aliases", value={f"t{n}": [f"a{n}"] for n in range(100_000)}),
        "at most 10000",
    ),
    "values without end": (header_change("training", value=[0] * 1_000_001), "more than 1000000 values"),
    "a tokenizer that a terminal obeys": (header_change("features", "tokens", value="\x1b[2J\x9b"), ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_what_would_make_decisions_slow_is_refused_with_the_bound(content: Artifact, tmp_path: Path, name: str) -> None:
    header, tensors = read_artifact(content.source).header, dict(content.tensors)
    change, expected = BOMBS[name]
    change(header, tensors)
    path = tmp_path / "bomb.safetensors"
    path.write_bytes(forge(header, tensors))
    message = is_refused_or_decides(path)
    if expected:
        assert message is not None
        assert expected in message
    else:
        assert "holds no learned gate" in str(message)  # which is all that is missing


def test_a_header_nested_deeper_than_any_that_is_written_is_refused(content: Artifact, tmp_path: Path) -> None:
    nested: list[Any] = []
    for _ in range(40):
        nested = [nested]
    (tmp_path / "a").write_bytes(forge({**content.header, "training": nested}, dict(content.tensors)))
    with pytest.raises(ArtifactError, match="deeper than 32 levels"):
        read_artifact(tmp_path / "a")


def test_decisions_at_the_bounds_take_little_memory(content: Artifact, tmp_path: Path) -> None:
    tensors = dict(content.tensors)
    tensors["forest_roots"] = np.resize(tensors["forest_roots"], 1_000)
    header = {**content.header, "model": {**content.header["model"], "forest_depth": 32}}
    path = tmp_path / "a"
    path.write_bytes(forge(header, tensors))
    router = Router(read_artifact(path))
    tracemalloc.start()
    decides(router)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < BYTES


@pytest.mark.parametrize("name", ["current", "x" * 5_000, "a\0b"])
def test_a_path_that_leads_nowhere_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match=r"no such file|cannot be read"):
        Router.load(tmp_path / name)


@pytest.mark.parametrize(
    "line", [b"versions/\x1b[31m.safetensors", b"versions/../../x.safetensors", b"versions/" + b"a" * 600, b"versions/"]
)
def test_a_hostile_pointer_is_one_line(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "current").write_bytes(line)
    with pytest.raises(ArtifactError, match="names no artifact") as caught:
        Router.load(tmp_path / "current")
    assert str(caught.value).isprintable()
