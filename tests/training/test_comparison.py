from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.catalog import default_menu
from training.certify.comparison import LEARNED, at_cost, baselines, compare, length_ladder
from training.certify.rule import RuleView
from training.measure.evaluate import Outcomes

NAMES = ("haiku", "sonnet", "opus")


def world(seed: int, count: int = 80) -> tuple[RuleView, Outcomes]:
    random = np.random.default_rng(seed)
    expected = np.sort(random.random((count, 3)), axis=1)
    costs = np.array([1.0, 3.0, 9.0]) * random.uniform(0.5, 1.5, (count, 3))
    quality = (random.random((count, 3)) < expected).astype(float)
    tasks = tuple(random.choice(["summarization", "creative writing", "anything"], count).tolist())
    rows = Outcomes(quality, costs, np.arange(count), random.integers(1, 9000, count), tasks, 2)
    return RuleView(expected, costs / costs[:, 2].mean(), np.zeros(count, bool), 2), rows


def test_fixed_rules_pick_what_they_say() -> None:
    _, rows = world(0)
    menu = default_menu()
    choices = baselines(NAMES, rows, menu, (100, 200))
    assert set(choices) == {
        *("always haiku", "always sonnet", "always opus"),
        *("length 500 / 5000", "length, tuned", "task table"),
    }
    assert (choices["always sonnet"] == 1).all()
    given_rule = [0 if size < 500 else 1 if size < 5000 else 2 for size in rows.sizes]
    assert choices["length 500 / 5000"].tolist() == given_rule
    assert choices["length, tuned"].tolist() == [0 if size < 100 else 1 if size < 200 else 2 for size in rows.sizes]
    by_task = {"summarization": 0, "creative writing": 2}
    wanted = [by_task.get(str(task), length) for task, length in zip(rows.tasks, given_rule, strict=True)]
    assert choices["task table"].tolist() == wanted
    assert "length, tuned" not in baselines(NAMES, rows, menu)
    assert length_ladder(menu, NAMES) == [0, 1, 2]


@given(st.integers(0, 2**16), st.floats(0.01, 20))
def test_a_peer_spends_what_it_may_and_no_more(seed: int, budget: float) -> None:
    expected, rows = world(seed)
    spent = rows.costs[np.arange(len(rows)), at_cost(expected, rows, budget)].mean()
    if budget >= rows.costs[:, 0].mean():
        assert spent <= budget + 1e-6
    best = rows.costs[np.arange(len(rows)), expected.choose(0.0, 0.0)].mean()
    if budget >= best:
        assert spent == pytest.approx(best)


def test_mix_and_peers_cost_what_the_router_costs() -> None:
    expected, rows = world(1, 2000)
    router = expected.choose(0.4, 0.0)
    found = {
        result.name: result
        for result in compare(baselines(NAMES, rows, default_menu()), router, rows, 0, peers={"twin": expected})
    }
    assert list(found)[-4:] == ["random mix, same cost", "twin, same cost", LEARNED, "oracle"]
    cost = rows.costs[np.arange(2000), router].mean()
    assert found[LEARNED].cost == pytest.approx(cost)
    assert found["random mix, same cost"].cost == pytest.approx(cost)
    assert found["twin, same cost"].cost == pytest.approx(cost, rel=0.02)
    assert found["twin, same cost"].quality > found["random mix, same cost"].quality
    assert found["oracle"].kept >= 1
