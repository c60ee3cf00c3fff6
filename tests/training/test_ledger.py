"""All runs that certify one promise on the same rows share its error, and anything else starts anew."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from classifier.catalog import load_menu
from classifier.errors import InputError
from classifier.keywords import load_keywords
from tests.helpers.tables import outcome_rows, write_csv
from training.certify.ledger import LEDGER, enter_try, resemblance, share_of
from training.prepare.data import DataOptions, RoutingData, prepare
from training.tables import read_tables


def data_of(path: Path) -> RoutingData:
    return prepare(read_tables([path]), load_menu(None), load_keywords(None), DataOptions(jobs=1))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RoutingData:
    return data_of(write_csv(tmp_path_factory.mktemp("ledger") / "a.csv", outcome_rows(60)))


def test_all_shares_together_are_less_than_the_whole() -> None:
    shares = [share_of(number) for number in range(1, 200)]
    assert shares == sorted(shares, reverse=True)
    assert 0.99 < sum(shares) <= 1


def number(folder: Path, data: RoutingData, **settings: object) -> int:
    entered = enter_try(folder, data, settings)
    assert entered is not None
    return entered.number


def test_another_seed_is_another_try_and_the_same_one_is_not(tmp_path: Path, data: RoutingData) -> None:
    assert [number(tmp_path, data, seed=seed) for seed in (0, 1, 0, 2, 1)] == [1, 2, 1, 3, 2]


def test_another_promise_is_another_try(tmp_path: Path, data: RoutingData) -> None:
    assert [number(tmp_path, data, loss=loss) for loss in (0.02, 0.0201, 0.05)] == [1, 2, 3]


def test_other_rows_start_anew(tmp_path: Path, data: RoutingData) -> None:
    other = data_of(write_csv(tmp_path / "other.csv", outcome_rows(60, seed=1)))
    assert number(tmp_path, data) == 1
    assert number(tmp_path, other) == 1


WAYS = {
    "shuffled": lambda rows: [rows[place] for place in np.random.default_rng(0).permutation(len(rows))],
    "fewer": lambda rows: rows[3:],
    "blanks": lambda rows: [{**row, "prompt": f" {row['prompt']} "} for row in rows],
    "a tier left out": lambda rows: [
        {name: value for name, value in row.items() if not name.endswith("sonnet")} for row in rows
    ],
    "groups": lambda rows: [{**row, "group": f"g{place // 2}"} for place, row in enumerate(rows)],
    "without tasks": lambda rows: [{name: value for name, value in row.items() if name != "task"} for row in rows],
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_rows_in_another_shape_are_another_try(tmp_path: Path, data: RoutingData, way: str) -> None:
    changed = data_of(write_csv(tmp_path / "changed.csv", WAYS[way](outcome_rows(60))))
    assert number(tmp_path, data, seed=0) == 1
    assert number(tmp_path, changed, seed=0) == 2


def test_sketches_say_how_much_rows_overlap() -> None:
    numbers = [f"{place:016x}" for place in range(0, 2000, 2)]
    assert resemblance(numbers, numbers) == 1.0
    assert resemblance(numbers, [f"{place:016x}" for place in range(1, 2001, 2)]) == 0.0
    assert resemblance([], []) == 0.0


def test_a_ledger_that_cannot_be_written_counts_nothing(tmp_path: Path, data: RoutingData) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert enter_try(tmp_path / "file", data, {}) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"version":2,"tables":[]}', '{"version":1,"tables":[{"rows":[1]}]}', "[" * 90_000],
)
def test_a_ledger_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path, data: RoutingData, text: str) -> None:
    (tmp_path / LEDGER).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=LEDGER) as refused:
        enter_try(tmp_path, data, {"seed": 0})
    assert "\n" not in str(refused.value)
    assert (tmp_path / LEDGER).read_text(encoding="utf-8") == text


def test_runs_at_the_same_time_are_all_counted(tmp_path: Path, data: RoutingData) -> None:
    with ThreadPoolExecutor(8) as threads:
        tries = list(threads.map(lambda seed: number(tmp_path, data, seed=seed), range(16)))
    assert sorted(tries) == list(range(1, 17))
