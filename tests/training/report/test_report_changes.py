"""What changes when a challenger takes over: the section, the page, the words."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from classifier import Router
from tests.helpers.challenges import always, log_of, minutes, observed_of, variant
from tests.helpers.page import Page
from tests.helpers.runs import ATTACK
from training.challenge.challenge import Challenge, Look, challenge
from training.challenge.estimators import Estimate
from training.challenge.moves import Believed
from training.challenge.sequential import PromotionRule
from training.report.challenge_charts import evidence_chart, interval_chart
from training.report.challenge_words import basis, headline, money_of, mood, why, within
from training.report.changes_page import challenge_json, changes_html
from training.report.figures import score, usd
from training.report.markup import printable
from training.report.sections.changes import changes_section

DATE = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = ("better", "worse", "same", "thin", "none")


@pytest.fixture(scope="module")
def found(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Challenge]:
    """Challenges of every kind."""
    folder = tmp_path_factory.mktemp("artifacts")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TIERWISE_CONFIG", raising=False)
        opus, haiku = (Router.load(always(trained, folder / f"{tier}.safetensors", tier)) for tier in ("opus", "haiku"))
        learned = Router.load(variant(trained, folder / "learned.safetensors"))
    observed, thin = (observed_of(opus, log_of(opus, 1000, explore=explore)) for explore in (0.4, 0.0))
    cases = {
        "better": (observed, learned, minutes(-1)),
        "worse": (observed, haiku, minutes(-1)),
        "same": (observed, opus, minutes(-1)),
        "thin": (thin, learned, minutes(-1)),
        "none": (observed, learned, minutes(9999)),
    }
    rule = PromotionRule(margin=0.05)
    return {
        name: challenge(log, opus.menu, opus, challenger, until, rule=rule)
        for name, (log, challenger, until) in cases.items()
    }


@pytest.mark.slow
def test_the_verdict_comes_first_and_in_one_sentence(found: dict[str, Challenge]) -> None:
    expected = {
        "better": ("good", "The challenger may take over: it saves $"),
        "worse": ("stop", "The challenger is worse: its answers are "),
        "same": ("caution", "The challenger begins where the champion does, on all of 1,000 requests."),
        "thin": ("caution", "The challenger is not proven at least as good: its quality may be "),
        "none": ("caution", "The challenger cannot be judged yet"),
    }
    for name, (colour, words) in expected.items():
        assert mood(found[name])[0] == colour
        assert headline(found[name]).startswith(words)
        assert len(re.findall(r"\.(?:\s|$)", headline(found[name]))) == 1
        page = Page(str(changes_section(found[name])))
        assert page.text.index(headline(found[name])) < page.text.index(basis(found[name]))


@pytest.mark.slow
def test_a_challenger_that_is_no_worse_but_no_better_is_said_so(found: dict[str, Challenge]) -> None:
    level = replace(found["better"], promotion=replace(found["better"].promotion, promote=False))
    assert headline(level) == "The challenger is at least as good, but not proven cheaper or better."


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_whole_and_needs_nothing(found: dict[str, Challenge], name: str) -> None:
    page = Page(changes_html("A", [("B", found[name])], "Something was done.", date=DATE))
    assert not page.misnested
    assert not page.open
    kinds = {kind for kind, _ in page.elements}
    assert not kinds & {"script", "img", "iframe", "object", "embed", "link", "form"}
    assert len(page.all("h1")) == 1
    assert "Something was done." in page.text
    assert "nan" not in page.text
    assert "inf" not in page.text.replace("information", "")


def test_figures_are_those_of_the_challenge(found: dict[str, Challenge]) -> None:
    better = found["better"]
    page = Page(str(changes_section(better)))
    cost, quality = better.of("cost"), better.of("quality")
    assert usd(cost.difference.value * 1000) in page.text
    assert within(quality.difference, score).replace("-", "\u2212").split(" to ")[0][:5] in page.text
    for move in better.moves:
        assert f"{move.requests:,}" in page.text
    for digest in (better.champion, better.challenger):
        assert digest in page.text
    assert {"SNDR", "SNIPS", "DR"} <= set(re.findall(r"SNDR|SNIPS|DR", page.text))


def test_money_by_the_month(found: dict[str, Challenge]) -> None:
    by_thousand, by_month = money_of(found["better"]), money_of(found["better"], 6500.0)
    assert by_month.champion.value == pytest.approx(6500.0)
    shares = [money.difference.value / money.champion.value for money in (by_thousand, by_month)]
    assert shares[0] == pytest.approx(shares[1])
    assert "a month" in headline(found["better"], 6500.0)
    assert money_of(found["none"]) is None


def test_gaps_and_how_to_mend_them(found: dict[str, Challenge]) -> None:
    text = Page(str(changes_section(found["thin"]))).text
    assert all(str(gap) in text for gap in found["thin"].gaps)
    assert str(found["thin"].remedies[-1]) in text
    assert "too thin" not in Page(str(changes_section(found["same"]))).text


def test_several_challengers_those_that_pass_first(found: dict[str, Challenge]) -> None:
    judged = [(name, found[name]) for name in ("worse", "better", "thin")]
    page = Page(changes_html("A", judged, "Something was done.", date=DATE))
    assert "1 of 3 candidates may take over." in page.text
    places = [page.texts.index(name) for name in ("better", "thin", "worse")]
    assert places == sorted(places)
    none = Page(changes_html("A", judged[:1] * 2, "Something was done.", date=DATE))
    assert "None of 2 candidates may take over." in none.text
    assert "There is no candidate to judge." in changes_html("A", [], "Nothing.", date=DATE)


def test_hostile_text_is_shown_as_text(found: dict[str, Challenge]) -> None:
    moves = tuple(replace(move, task=ATTACK, before=ATTACK, prompts=(ATTACK,)) for move in found["better"].moves)
    page = Page(changes_html(ATTACK, [(ATTACK, replace(found["better"], moves=moves))], ATTACK, date=DATE))
    assert not {kind for kind, _ in page.elements} & {"script", "img", "iframe", "u"}
    assert not page.misnested
    assert printable(ATTACK) in page.text


def test_json_takes_whatever_there_is(found: dict[str, Challenge]) -> None:
    for name in NAMES:
        read = json.loads(json.dumps(challenge_json(found[name]), allow_nan=False))
        assert read["headline"] == headline(found[name])
        assert read["promotion"]["rows"] == found[name].rows
    assert json.loads(json.dumps(challenge_json(found["none"])))["promotion"]["saving_low"] is None


def test_why_tells_what_changed_in_what_is_expected(found: dict[str, Challenge]) -> None:
    move = replace(found["better"].moves[0], reasons=(("the task label", 0.5),))
    assert list(why(move))[-1].startswith("Expectations hardly differ")
    changed = replace(move, by_champion=replace(move.by_champion, quality_after=0.2))
    first, second = why(changed)
    assert first.startswith(f"The champion expects 0.2 of {move.after}")
    assert second == f"Speaks more for {move.after} than before: the task label (0.500)."
    unknown = Believed(None, None, None, None)
    assert "champion has not learned about both" in " ".join(why(replace(move, by_champion=unknown)))
    assert list(why(replace(move, by_challenger=unknown))) == [
        f"The challenger has not learned about {move.before} and {move.after} both."
    ]


def test_intervals_without_an_end_are_unknown(found: dict[str, Challenge]) -> None:
    endless = Estimate(0.5, -np.inf, np.inf, 0.0, 0.0)
    assert within(endless, score) == "unknown"
    drawn = str(interval_chart("Money", [("one", endless), ("other", endless)], usd))
    assert "nan" not in drawn
    assert "inf" not in drawn


def test_the_line_never_falls(found: dict[str, Challenge]) -> None:
    drawn = str(evidence_chart(found["better"]))
    (points, _) = re.findall(r'points="([^"]+)"', drawn)
    heights = [float(point.split(",")[1]) for point in points.split()]
    assert heights == sorted(heights, reverse=True)
    single = replace(found["better"], looks=(Look(1, -1.0),))
    assert "polyline" in str(evidence_chart(single))
