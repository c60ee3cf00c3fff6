"""All runs that certify one promise on the same rows share its error, and anything else starts anew."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_tables import outcome_rows, write_csv

from classifier.catalog import load_menu
from classifier.errors import InputError
from classifier.keywords import load_keywords
from training.data import DataOptions, RoutingData, prepare
from training.ledger import LEDGER, enter_try, rows_digest, share_of
from training.tables import read_tables

PROMISE = {"loss": 0.02, "confidence": 0.95}


def data_of(path: Path) -> RoutingData:
    return prepare(read_tables([path]), load_menu(None), load_keywords(None), DataOptions(jobs=1))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RoutingData:
    return data_of(write_csv(tmp_path_factory.mktemp("ledger") / "a.csv", outcome_rows(60)))


def test_all_shares_together_are_less_than_the_whole() -> None:
    shares = [share_of(number) for number in range(1, 200)]
    assert shares == sorted(shares, reverse=True)
    assert 0.99 < sum(shares) <= 1


def test_another_seed_is_another_try_and_the_same_one_is_not(tmp_path: Path, data: RoutingData) -> None:
    tries = [enter_try(tmp_path, data, PROMISE, {"seed": seed}).number for seed in (0, 1, 0, 2, 1)]
    assert tries == [1, 2, 1, 3, 2]


def test_another_promise_starts_anew(tmp_path: Path, data: RoutingData) -> None:
    assert enter_try(tmp_path, data, PROMISE, {"seed": 0}).number == 1
    assert enter_try(tmp_path, data, {**PROMISE, "loss": 0.05}, {"seed": 1}).number == 1


def test_other_rows_start_anew(tmp_path: Path, data: RoutingData) -> None:
    enter_try(tmp_path, data, PROMISE, {"seed": 0})
    scores = data.scores.copy()
    scores[0, 0] = 1 - scores[0, 0]
    assert enter_try(tmp_path, replace(data, scores=scores), PROMISE, {"seed": 1}).number == 1


def test_rows_are_known_again_in_another_order_and_another_form(tmp_path: Path, data: RoutingData) -> None:
    rows = outcome_rows(60)
    shuffled = [rows[place] for place in np.random.default_rng(0).permutation(60)]
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in shuffled), encoding="utf-8")
    assert rows_digest(data_of(tmp_path / "b.jsonl")) == rows_digest(data)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"version":2,"tables":{}}', '{"version":1,"tables":{"a":{"b":[1]}}}', "[" * 90_000],
)
def test_a_ledger_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path, data: RoutingData, text: str) -> None:
    (tmp_path / LEDGER).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=LEDGER) as refused:
        enter_try(tmp_path, data, PROMISE, {"seed": 0})
    assert "\n" not in str(refused.value)
    assert (tmp_path / LEDGER).read_text(encoding="utf-8") == text


def test_runs_at_the_same_time_are_all_counted(tmp_path: Path, data: RoutingData) -> None:
    with ThreadPoolExecutor(8) as threads:
        tries = list(threads.map(lambda seed: enter_try(tmp_path, data, PROMISE, {"seed": seed}).number, range(16)))
    assert sorted(tries) == list(range(1, 17))
