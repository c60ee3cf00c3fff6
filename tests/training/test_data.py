from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.catalog import default_menu
from classifier.errors import InputError
from classifier.keywords import load_keywords
from classifier.text import excerpt_of
from classifier.tokens import estimate_tokens
from tests.helpers.tables import outcome_rows, write_csv
from training.certify.rule import Target
from training.learners.presets import Effort, learners_for
from training.pipeline import train
from training.prepare.adequacy import Adequacy
from training.prepare.data import MIN_ROWS, DataOptions, RoutingData, prepare
from training.tables import read_tables
from training.training import Training

MENU, KEYWORDS = default_menu(), load_keywords()


def prepared(folder: Path, rows: list[dict[str, Any]], *more: list[dict[str, Any]], **options: Any) -> RoutingData:
    files = [write_csv(folder / f"table{number}.csv", each) for number, each in enumerate((rows, *more))]
    return prepare(read_tables(files), MENU, KEYWORDS, DataOptions(jobs=1, **options))


def trained(data: RoutingData) -> Training:
    return train(data, MENU, learners_for(Effort.FASTEST), Target(), seed=0, jobs=1, force=False)


def prompts(count: int) -> list[str]:
    return [row["prompt"] for row in outcome_rows(count)]


def wide(count: int = 80, **columns: Any) -> list[dict[str, Any]]:
    """Rows of two tiers of the menu, of which the dearer is the better; ``columns`` are values, or functions of a row's
    number, that replace these or are added."""
    given = {
        "score__haiku": lambda row: float(row % 2),
        "score__opus": lambda row: float(row % 10 > 0),
        **columns,
    }
    return [
        {"prompt": prompt, **{name: value(row) if callable(value) else value for name, value in given.items()}}
        for row, prompt in enumerate(prompts(count))
    ]


def test_tiers_are_put_in_the_order_of_their_costs_with_all_that_belongs_to_them(tmp_path: Path) -> None:
    rows = [
        {"prompt": prompt, "score__dear": 1.0, "cost__dear": 0.5, "score__cheap": row % 2, "cost__cheap": 0.1}
        for row, prompt in enumerate(prompts(60))
    ]
    data = prepared(tmp_path, rows)
    assert data.names == ("cheap", "dear")
    np.testing.assert_array_equal(data.costs, np.tile([0.1, 0.5], (60, 1)))
    np.testing.assert_array_equal(data.scores, np.column_stack([np.arange(60) % 2, np.ones(60)]))
    assert data.reference == 1
    assert data.cost_known
    assert len(data) == len(data.matrix) == 60


def test_costs_come_from_prices_where_the_table_has_none(tmp_path: Path) -> None:
    data = prepared(tmp_path, wide(max_tokens=100))
    assert not data.cost_known
    np.testing.assert_allclose(data.costs[:, 0], (data.matrix.tokens * 1 + 100 * 5) / 1e6)
    assert all("$" in source and "max_tokens" in source for source in data.cost_sources)


def test_without_token_counts_the_texts_of_answers_say_what_they_cost(tmp_path: Path) -> None:
    answers = ["One short answer.", "One of many words, again and again. " * 40]
    rows = [
        {**row, "response__haiku": answers[0], "response__opus": answers[1] if place % 2 else ""}
        for place, row in enumerate(wide(max_tokens=100))
    ]
    data = prepared(tmp_path, rows)
    for column, answer, price in ((0, answers[0], 5.0), (-1, answers[1], 150.0)):
        tokens = estimate_tokens(excerpt_of(answer))
        spent = data.costs[1::2, column] - data.matrix.tokens[1::2] * price / 5 / 1e6
        np.testing.assert_allclose(spent, tokens * price / 1e6)
        assert "texts of answers" in data.cost_sources[column]


def test_each_tier_keeps_the_source_of_its_costs(tmp_path: Path) -> None:
    # In the file the tiers stand in the other order.
    rows = [
        {"prompt": prompt, "score__opus": 1.0, "score__haiku": row % 2, "cost__opus": 0.5, "max_tokens": 9}
        for row, prompt in enumerate(prompts(60))
    ]
    data = prepared(tmp_path, rows)
    assert data.names == ("haiku", "opus")
    assert data.cost_sources[0].startswith("prices $1 / $5")
    assert data.cost_sources[1] == "the table's cost column"


def test_missing_scores_stay_missing(tmp_path: Path) -> None:
    data = prepared(tmp_path, wide(score__haiku=lambda row: "" if row % 3 == 0 else row % 2))
    np.testing.assert_array_equal(np.isnan(data.quality[:, 0]), np.arange(80) % 3 == 0)
    np.testing.assert_array_equal(np.isnan(data.adequate), np.isnan(data.quality))


def test_labels_become_scores_in_the_order_of_prices(tmp_path: Path) -> None:
    labels = ["opus", "haiku", "sonnet"] * 20
    data = prepared(tmp_path, [{"prompt": p, "tier": label} for p, label in zip(prompts(60), labels, strict=True)])
    assert data.names == ("haiku", "sonnet", "opus")
    assert [data.names[int(np.argmax(row))] for row in data.quality] == labels
    assert data.names[data.reference] == "opus"


def test_a_labelled_table_trains(tmp_path: Path) -> None:
    rows = [
        {"prompt": row["prompt"], "tier": "haiku" if row["task"] == "chat" else "opus"} for row in outcome_rows(200)
    ]
    run = trained(prepared(tmp_path, rows))
    assert run.data.names[run.data.reference] == "opus"


def test_preferences_observe_two_tiers_a_row(tmp_path: Path) -> None:
    rows = [
        {
            "prompt": prompt,
            "model_a": ("haiku", "sonnet")[row % 2],
            "model_b": "opus",
            "winner": ("model_b", "tie", "model_a", "tie (bothbad)")[row // 2 % 4],
        }
        for row, prompt in enumerate(prompts(160))
    ]
    data = prepared(tmp_path, rows)
    assert ((~np.isnan(data.quality)).sum(axis=1) == 2).all()
    # No row observed every tier: nothing can be certified, so the reference is shipped, and nothing breaks.
    run = trained(data)
    assert not run.rule.certified
    assert run.shipped.always == data.names[data.reference]


@pytest.mark.slow
def test_a_tier_never_seen_beside_the_reference_breaks_nothing(tmp_path: Path) -> None:
    rows = wide(
        160,
        score__haiku=lambda row: row % 2 if row < 60 else "",
        score__sonnet=lambda row: row % 4 > 0 if row < 60 else "",
        score__opus=lambda row: "" if row < 60 else float(row % 20 > 0),
    )
    data = prepared(tmp_path, rows)
    assert np.isnan(data.adequate[:, 0]).all()
    run = trained(data)
    assert np.isfinite(run.predicted.adequate).all()
    assert not run.rule.certified


def test_rows_that_know_one_tier_only_are_used(tmp_path: Path) -> None:
    rows = wide(
        200,
        score__haiku=lambda row: "" if row % 2 else float(row % 4 > 0),
        score__opus=lambda row: float(row % 10 > 1) if row % 2 else "",
    )
    data = prepared(tmp_path, rows)
    assert ((~np.isnan(data.quality)).sum(axis=1) == 1).all()
    assert trained(data).shipped.strategy == "always"


@pytest.mark.slow
def test_two_to_six_tiers_of_equal_price_train(tmp_path: Path) -> None:
    for tiers in (2, 6):
        columns: dict[str, Any] = {}
        for tier in range(tiers):
            columns |= {f"score__t{tier}": lambda row, tier=tier: float((row + tier) % 3 > 0), f"cost__t{tier}": 0.01}
        rows = [
            {"prompt": p, **{name: value(row) if callable(value) else value for name, value in columns.items()}}
            for row, p in enumerate(prompts(90))
        ]
        data = prepared(tmp_path, rows)
        assert data.names == tuple(f"t{tier}" for tier in range(tiers))
        assert np.isfinite([result.saving for result in trained(data).results]).all()


def test_the_reference_may_be_called_by_any_of_its_names(tmp_path: Path) -> None:
    for name in ("haiku", "small", "Claude-Haiku 4_5", "tokenfast/claude-haiku-4-5-20251001"):
        assert prepared(tmp_path, wide(), reference=name).reference == 0
    with pytest.raises(InputError, match="the reference 'gpt' is not a tier of the data; expected one of: haiku, opus"):
        prepared(tmp_path, wide(), reference="gpt")


def test_adequacy_by_threshold_is_quality_in_the_model_too(tmp_path: Path) -> None:
    run = trained(prepared(tmp_path, wide(200), adequacy=Adequacy(at=0.5)))
    assert run.model.calibration.adequate is None
    np.testing.assert_array_equal(run.predicted.adequate, run.predicted.quality)


def test_tasks_are_brought_to_the_menus_words(tmp_path: Path) -> None:
    data = prepared(tmp_path, wide(task=lambda row: ("TL;DR", "Summarisation", "my own_Task", "")[row % 4]))
    assert data.matrix.tasks[:4] == ("summarization", "summarization", "my own task", None)


@pytest.mark.slow
def test_a_single_task_and_none_train(tmp_path: Path) -> None:
    for task in ("chat", ""):
        assert len(trained(prepared(tmp_path, wide(task=task))).results) > 3


@pytest.mark.slow
def test_constant_and_partly_free_costs_train(tmp_path: Path) -> None:
    partly_free = {"cost__haiku": lambda row: 0.0 if row % 4 else 0.01, "cost__opus": lambda row: float(row % 3 > 0)}
    for columns in ({"cost__haiku": 0.01, "cost__opus": 0.5}, partly_free, {"cost__haiku": 0.0, "cost__opus": 0.5}):
        run = trained(prepared(tmp_path, wide(120, **columns)))
        assert np.isfinite([(result.saving, result.kept) for result in run.results]).all()
        assert run.predicted.cost.max() < 5.0


def test_groups_and_like_prompts_are_numbered(tmp_path: Path) -> None:
    rows = wide(60, group=lambda row: row // 2 if row < 20 else "")
    rows[50]["prompt"] = rows[40]["prompt"].upper()
    groups = prepared(tmp_path, rows).groups
    assert (groups[:20:2] == groups[1:20:2]).all()
    assert groups[50] == groups[40]


def test_half_the_rows_in_one_group_train(tmp_path: Path) -> None:
    run = trained(prepared(tmp_path, wide(160, group=lambda row: "one" if row < 80 else row)))
    assert np.isin(np.arange(80), run.split.fit).all()
    assert (len(run.split.choose), len(run.split.test)) == (24, 16)


def test_by_time_the_last_rows_are_tested_on(tmp_path: Path) -> None:
    run = trained(prepared(tmp_path, wide(100, timestamp=lambda row: 1.7e9 + row)))
    assert run.split.by == "time"
    assert run.split.fit.max() < run.split.choose.min()
    assert run.split.choose.max() < run.split.test.min()


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"table0.csv: {MIN_ROWS - 1} usable rows, expected at least {MIN_ROWS}"):
        prepared(tmp_path, wide(MIN_ROWS - 1))
    assert len(prepared(tmp_path, wide(MIN_ROWS))) == MIN_ROWS


def test_a_single_tier_is_refused(tmp_path: Path) -> None:
    rows = [{"prompt": prompt, "score__opus": row % 2} for row, prompt in enumerate(prompts(60))]
    with pytest.raises(InputError, match=r"found one tier \(opus\), expected at least two"):
        prepared(tmp_path, rows)
    labels = [{"prompt": prompt, "tier": "opus"} for prompt in prompts(60)]
    with pytest.raises(InputError, match="found one tier"):
        prepared(tmp_path, labels)


@pytest.mark.parametrize(("score", "advice"), [(1.0, "always use haiku, the cheapest"), (0.0, "how the scores were")])
def test_scores_that_are_all_the_same_are_refused(tmp_path: Path, score: float, advice: str) -> None:
    with pytest.raises(InputError, match=f"score {score:g} on every row: there is nothing to learn.*{advice}"):
        prepared(tmp_path, wide(score__haiku=score, score__opus=score))


def test_a_threshold_that_all_answers_pass_or_none_is_refused_by_name(tmp_path: Path) -> None:
    rows = wide(score__haiku=lambda row: 0.2 + row % 2 / 10, score__opus=0.4)
    with pytest.raises(
        InputError, match=r"with adequacy from a score of 0\.1, every answer is adequate.*use another threshold"
    ):
        prepared(tmp_path, rows, adequacy=Adequacy(at=0.1))
    with pytest.raises(
        InputError, match=r"with adequacy from a score of 0\.9, every answer is inadequate.*use another threshold"
    ):
        prepared(tmp_path, rows, adequacy=Adequacy(at=0.9))


def test_a_free_reference_leaves_nothing_to_save(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="calls of the reference tier opus cost nothing: there is nothing to save"):
        prepared(tmp_path, wide(cost__opus=0.0, cost__haiku=0.0))
    data = prepared(tmp_path, wide(cost__opus=0.0, cost__haiku=0.1), reference="haiku")
    assert data.names == ("opus", "haiku")


def test_messages_are_one_line_and_quote_no_prompt(tmp_path: Path) -> None:
    for rows in (wide(10), wide(score__haiku=1, score__opus=1), wide(cost__opus=0.0, cost__haiku=0.0)):
        with pytest.raises(InputError) as raised:
            prepared(tmp_path, rows)
        assert "\n" not in str(raised.value)
        assert not any(row["prompt"] in str(raised.value) for row in rows)
