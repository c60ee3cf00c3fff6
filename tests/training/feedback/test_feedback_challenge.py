"""Champion against challenger on a log: who may take over, what the figures are, which rows they rest on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifier import Router
from classifier.catalog import LengthRule, Menu
from classifier.outcomes import Outcome
from tests.helpers.challenges import RATES, always, fill, log_of, minutes, observed_of, only_features, variant
from tests.helpers.outcomes import Opener
from tests.helpers.tables import TIERS, outcome_rows
from training.challenge.challenge import Challenge, challenge
from training.challenge.estimators import Log
from training.challenge.sequential import PromotionRule
from training.challenge.starts import FOREIGN, HASHED, feature_kind, find_starts
from training.challenge.values import SHOWN, walking_means
from training.log.observed import observe

RULE = PromotionRule(margin=0.05)
NEVER = minutes(-1)


@pytest.fixture(scope="module", autouse=True)
def no_menu() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TIERWISE_CONFIG", raising=False)
        yield


@pytest.fixture(scope="module")
def routers(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Router]:
    """The learned one, one like it, and those that send everything to one tier."""
    folder = tmp_path_factory.mktemp("artifacts")
    paths = {tier: always(trained, folder / f"{tier}.safetensors", tier) for tier in TIERS}
    paths["twin"] = variant(trained, folder / "twin.safetensors")
    return {"learned": Router.load(trained)} | {name: Router.load(path) for name, path in paths.items()}


def contest(
    routers: dict[str, Router], champion: str, challenger: str, rows: int = 1500, seed: int = 0, **shares: float
) -> Challenge:
    old, new = routers[champion], routers[challenger]
    return challenge(observed_of(old, log_of(old, rows, seed, **shares)), old.menu, old, new, NEVER, rule=RULE)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_better_challenger_takes_over(routers: dict[str, Router], seed: int) -> None:
    found = contest(routers, "opus", "learned", seed=seed)
    assert found.promotion.promote, found.promotion.reasons
    assert found.of("cost").difference.high < 0
    assert found.of("quality").difference.high > -0.05


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_worse_challenger_does_not(routers: dict[str, Router], seed: int) -> None:
    """Cheap answers whose failures the gate lets pass; the better part of the hard requests is answered wrong."""
    found = contest(routers, "opus", "haiku", seed=seed)
    assert not found.promotion.promote
    assert found.of("quality").difference.high < 0
    assert found.of("start_quality").difference.value < found.of("quality").difference.value


@pytest.mark.slow
def test_an_equal_challenger_stays_with_the_reason(routers: dict[str, Router]) -> None:
    found = contest(routers, "learned", "twin")
    assert not found.promotion.promote
    assert found.moves == found.gaps == found.remedies == ()
    assert found.moved == 0
    assert "challenger and champion agree on every row" in found.promotion.reasons
    assert found.of("quality").difference.value == 0.0


@pytest.mark.slow
def test_figures_agree_with_the_truth_within_their_intervals(routers: dict[str, Router]) -> None:
    """Quality of a first answer: every tier's score is known in the table that the log was made from."""
    hit = 0
    for seed in range(8):
        rows = outcome_rows(1500, seed=seed + 100)
        scores = np.array([[row[f"score__{tier}"] for tier in TIERS] for row in rows])
        found = contest(routers, "opus", "haiku", seed=seed)
        truth = float((scores[:, 0] - scores[:, 2]).mean())
        assert {each.estimator for each in found.values.start_quality} == set(SHOWN)
        hit += all(each.difference.low <= truth <= each.difference.high for each in found.values.start_quality)
        assert found.of("start_quality").champion.effective_rows > 500
    assert hit >= 6


@pytest.mark.slow
def test_intervals_hold_the_doubt_about_the_gate(routers: dict[str, Router]) -> None:
    """Whole cascades, of which nothing tells but a gate that is hardly audited."""
    hit, widths = 0, []
    for seed in range(5):
        rows = outcome_rows(800, seed=seed + 100)
        small, middle, large = np.array([[row[f"score__{tier}"] for tier in TIERS] for row in rows]).T
        passing = [scores * RATES.pass_adequate + (1 - scores) * RATES.pass_inadequate for scores in (small, middle)]
        later = passing[1] * middle + (1 - passing[1]) * large
        truth = float((passing[0] * small + (1 - passing[0]) * later - large).mean())
        doubtful, known = (
            contest(routers, "opus", "haiku", 800, seed, feedback=feedback).of("quality").difference
            for feedback in (0.0, 1.0)
        )
        hit += doubtful.low <= truth <= doubtful.high
        widths.append((doubtful.high - doubtful.low) / (known.high - known.low))
    assert hit == 5
    assert min(widths) > 1


@pytest.mark.slow
def test_only_rows_after_the_training_count(routers: dict[str, Router]) -> None:
    old, new = routers["opus"], routers["learned"]
    observed = observed_of(old, log_of(old, 600))
    found = challenge(observed, old.menu, old, new, minutes(399), rule=RULE)
    assert found.rows == 200
    assert found.since == minutes(400)
    assert found.until == minutes(599)
    none = challenge(observed, old.menu, old, new, minutes(10_000), rule=RULE)
    assert (none.rows, none.values, none.moves, none.looks) == (0, None, (), ())
    assert not none.promotion.promote


def test_rows_may_come_in_any_order(routers: dict[str, Router]) -> None:
    old, new = routers["opus"], routers["learned"]
    outcomes = log_of(old, 300)
    one, other = (
        challenge(observed_of(old, each), old.menu, old, new, NEVER, rule=RULE) for each in (outcomes, outcomes[::-1])
    )
    assert one.promotion.quality_low == other.promotion.quality_low
    assert one.looks == other.looks


def test_earlier_looks_are_not_taken_back(routers: dict[str, Router]) -> None:
    """Where users judged every answer, what is shown after 400 rows is the same with later rows beside them."""
    old, new = routers["opus"], routers["learned"]
    outcomes = log_of(old, 800)
    early, late = (
        challenge(observed_of(old, outcomes[:rows]), old.menu, old, new, NEVER, rule=RULE) for rows in (400, 800)
    )
    reached = [look.quality_low for look in late.looks if look.rows <= 400][-1]
    assert reached <= early.promotion.quality_low + 1e-9
    assert late.promotion.quality_low >= early.promotion.quality_low - 1e-9
    assert [look.quality_low for look in late.looks] == sorted(look.quality_low for look in late.looks)


@pytest.mark.slow
def test_stored_features_do_as_well_as_prompts(routers: dict[str, Router], sqlite_url: str, open_store: Opener) -> None:
    old, new = routers["opus"], routers["learned"]
    outcomes = log_of(old, 300)
    store = open_store(sqlite_url)
    fill(store, [only_features(old)(outcome) for outcome in outcomes])
    by_features = challenge(observe(store.outcomes(), old.menu), old.menu, old, new, NEVER, rule=RULE)
    by_prompts = challenge(observed_of(old, outcomes), old.menu, old, new, NEVER, rule=RULE)
    assert by_features.promotion.reasons == by_prompts.promotion.reasons
    assert by_features.promotion.quality_low == by_prompts.promotion.quality_low
    assert [move.reasons for move in by_features.moves] == [move.reasons for move in by_prompts.moves]
    assert by_features.left_out == ()


def hashed(outcome: Outcome) -> Outcome:
    return replace(outcome, decision=replace(outcome.decision, prompt=None, prompt_hash="00"))


def test_rows_that_cannot_be_routed_are_counted_and_named(routers: dict[str, Router]) -> None:
    old, new = routers["opus"], routers["learned"]
    outcomes = log_of(old, 100)
    foreign = log_of(old, 140, digest="ab" * 32)[100:]
    mixed = [*map(hashed, outcomes[:30]), *outcomes[30:], *map(only_features(old), foreign)]
    found = challenge(observed_of(old, mixed), old.menu, old, new, NEVER, rule=RULE)
    assert found.rows == 70
    assert found.left_out == (
        f"40 of 140 requests are left out: {FOREIGN}",
        f"30 of 140 requests are left out: {HASHED}",
    )


def test_picks_that_todays_menu_lacks_are_named(routers: dict[str, Router]) -> None:
    """Haiku is gone from the menu: rows that began there and went on to opus are no evidence any more."""
    old, new = routers["learned"], routers["opus"]
    today = Menu(old.learned_tiers[1:], {}, {}, LengthRule("sonnet", "sonnet", "opus"))
    observed = observe(log_of(old, 600, seed=3), today)
    found = challenge(observed, today, old, new, NEVER, rule=RULE)
    gone = f"it would go to {old.menu.find('haiku').model}, which is not of today's menu"
    said = {sentence.partition(": ")[2]: int(sentence.split()[0]) for sentence in found.left_out}
    assert set(said) == {gone}
    assert said[gone] == int((observed.planned < 0).sum()) > 0
    assert found.rows == len(observed) - sum(said.values()) > 0
    backwards = challenge(observed, today, new, old, NEVER, rule=RULE)
    assert backwards.rows == found.rows


def test_the_champions_own_rows_show_where_it_begins(routers: dict[str, Router]) -> None:
    """A log that the champion wrote under another setting: its rows say where it meant to begin, drawn or not."""
    old = routers["learned"]
    observed = observed_of(old, log_of(routers["haiku"], 300, digest=old.artifact.digest))
    kinds = {old.artifact.digest: feature_kind(old)}
    assert observed.explored.any()
    found = find_starts(old, observed, old.menu, kinds)
    assert (found.place == 0).all()
    unknown = replace(observed, artifacts=("another",))
    assert (find_starts(old, unknown, old.menu, kinds).place > 0).any()


def test_the_length_rule_is_a_champion_as_well(trained: Path, routers: dict[str, Router]) -> None:
    length = Router.load(trained, strategy="length")
    outcomes = log_of(length, 300, digest="none")
    found = challenge(observed_of(length, outcomes), length.menu, length, routers["learned"], NEVER, rule=RULE)
    assert found.rows == 300
    assert found.moved > 0


def test_moves_say_where_to_why_and_what_was_seen(routers: dict[str, Router]) -> None:
    found = contest(routers, "opus", "learned", 600)
    largest = found.moves[0]
    assert (largest.before, largest.after, largest.task) == ("opus", "haiku", "chat")
    assert sum(move.requests for move in found.moves) == found.moved
    assert largest.share == pytest.approx(largest.requests / 600)
    assert 0 < largest.seen_after.requests < largest.requests
    assert largest.seen_after.quality > 0.8
    assert largest.seen_after.cost < largest.seen_before.cost
    assert largest.by_challenger.cost_after < largest.by_challenger.cost_before
    assert len(largest.examples) == 3
    assert largest.prompts == ()


def test_prompts_are_shown_only_where_asked(routers: dict[str, Router]) -> None:
    old, new = routers["opus"], routers["learned"]
    observed = observed_of(old, log_of(old, 100))
    without, asked = (
        challenge(observed, old.menu, old, new, NEVER, rule=RULE, prompts=prompts) for prompts in (False, True)
    )
    assert "thing" in asked.moves[0].prompts[0]
    assert "thing" not in repr(asked)
    assert all(move.prompts == () for move in without.moves)


def test_thin_logs_say_so_and_how_exploring_would_mend_them(routers: dict[str, Router]) -> None:
    found = contest(routers, "opus", "haiku", 400, explore=0.0)
    assert not found.promotion.promote
    assert {gap.tier for gap in found.gaps} == {"haiku"}
    assert sum(gap.share for gap in found.gaps) == pytest.approx(1.0)
    assert found.promotion.unseen == 1.0
    shares = [remedy.explore for remedy in found.remedies]
    needed = [remedy.requests for remedy in found.remedies]
    assert shares == sorted(shares)
    assert needed == sorted(needed, reverse=True)


def test_walking_means_know_nothing_of_their_own_row() -> None:
    random = np.random.default_rng(0)
    values = np.where(random.random((200, 2)) < 0.5, random.random((200, 2)), np.nan)
    log = Log(values, np.full((200, 2), 0.5), np.zeros((200, 2)))
    groups = [("a", "b", None)[place] for place in random.integers(0, 3, 200)]
    before = walking_means(log, groups, np.ones((200, 2)), 0.5)
    changed = values.copy()
    changed[120:] = 1.0
    after = walking_means(replace(log, values=changed), groups, np.ones((200, 2)), 0.5)
    assert after[:121] == pytest.approx(before[:121])
    assert (after[121:] > before[121:]).any()
    assert before[0].tolist() == [0.5, 0.5]


def test_walking_means_follow_the_scale() -> None:
    random = np.random.default_rng(1)
    scale = random.random((4000, 2)) + 0.5
    log = Log(scale * [2.0, 3.0], np.ones((4000, 2)), np.zeros((4000, 2)), (0.0, np.inf))
    found = walking_means(log, [None] * 4000, scale, 1.0)
    assert found[-1] == pytest.approx(scale[-1] * [2.0, 3.0], rel=0.01)
