"""New prices for a trained artifact."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifier import InputError, Router
from classifier.artifact import Artifact, read_artifact, write_artifact
from classifier.catalog import Menu, Tier, menu_from_header, with_tiers
from tests.helpers.menus import tier_table, write_menu
from tests.helpers.tables import outcome_rows
from training.commands.models import main
from training.prepare.spending import mean_spending, mean_tokens, priced_tokens
from training.versions import add_version, promote, versions
from training.versions.cautions import cautions
from training.versions.reprice import FIELD, reprice


@pytest.fixture
def artifact(trained: Path) -> Artifact:
    return read_artifact(trained)


def menu_of(artifact: Artifact) -> Menu:
    return menu_from_header(artifact.header["menu"])


def at(menu: Menu, **prices: tuple[float, float]) -> Menu:
    """The menu with other prices of some tiers."""
    tiers = [
        replace(tier, input_price=prices[tier.name][0], output_price=prices[tier.name][1], price_steps=())
        if tier.name in prices
        else tier
        for tier in menu.tiers
    ]
    return with_tiers(menu, tiers)


def certified_place(artifact: Artifact) -> int:
    place = artifact.header["rule"]["chosen"]
    assert artifact.header["rule"]["certified"]
    assert place
    return int(place)


def written(artifact: Artifact, header: dict, folder: Path) -> Artifact:
    write_artifact(folder / "changed.safetensors", header, artifact.tensors)
    return read_artifact(folder / "changed.safetensors")


def test_tokens_cost_what_the_calls_did_at_the_tiers_prices():
    tiers = [Tier("a", "a", 1.0, 5.0), Tier("b", "b", 0.0, 2.0), Tier("c", "c", None, None)]
    costs = np.array([[0.0021, 0.004, 1.0], [0.0005, 0.0, 1.0]])
    tokens = priced_tokens(costs, np.array([1000.0, 1000.0]), tiers)
    assert tokens[0, 0].tolist() == pytest.approx([1000, 220])
    assert tokens[1, 0].tolist() == pytest.approx([500, 0])  # cheaper than its prompt: cached
    assert tokens[0, 1].tolist() == pytest.approx([1000, 2000])
    assert np.isnan(tokens[:, 2]).all()
    assert mean_tokens(tokens) == [pytest.approx([750, 110]), pytest.approx([1000, 1000]), None]
    assert mean_spending(tokens, np.array([[0, 1], [1, 1]]))[0] == [
        pytest.approx([500, 110]),
        pytest.approx([500, 0]),
        None,
    ]


def test_what_an_artifact_says_that_settings_spend_is_what_they_cost(artifact: Artifact) -> None:
    found = reprice(artifact, at(menu_of(artifact), haiku=(1.0 + 1e-12, 5.0)))
    costs = [setting[2] for setting in artifact.header["rule"]["path"]]
    assert [setting.cost for setting in found.after.path] == pytest.approx(costs, rel=1e-6)


def test_prices_that_rise_alike_change_no_setting(artifact: Artifact) -> None:
    twice = {tier.name: (2 * (tier.input_price or 0), 2 * (tier.output_price or 0)) for tier in menu_of(artifact).tiers}
    found = reprice(artifact, at(menu_of(artifact), **twice))
    costs = [setting[2] for setting in artifact.header["rule"]["path"]]
    assert [setting.cost for setting in found.after.path] == pytest.approx(costs, rel=1e-6)
    assert found.reference_cost[1] == pytest.approx(2 * found.reference_cost[0])
    times = [each.times for each in found.changed if each.times is not None]
    assert times == pytest.approx([2.0] * len(times))


def test_only_certified_settings_are_chosen_and_the_cheapest_of_them(artifact: Artifact) -> None:
    place = certified_place(artifact)
    found = reprice(artifact, at(menu_of(artifact), haiku=(0.001, 0.005)))
    assert found.after.chosen is not None
    assert found.after.chosen <= place
    costs = [setting.cost for setting in found.after.path[: place + 1]]
    assert found.after.path[found.after.chosen].cost == min(costs)
    for before, after in zip(found.before.ladder, found.after.ladder, strict=True):
        assert after.setting is None or (before.setting is not None and after.setting <= before.setting)


def test_where_the_reference_becomes_the_cheapest_it_is_chosen(artifact: Artifact) -> None:
    certified_place(artifact)
    reference = artifact.header["rule"]["reference"]
    found = reprice(artifact, at(menu_of(artifact), **{reference: (0.001, 0.001)}))
    assert found.after.chosen is None
    assert found.settings[1].cost == 1.0
    assert found.stayed > 1.0


def test_decisions_at_a_setting_stay_and_their_costs_are_todays(artifact: Artifact, tmp_path: Path) -> None:
    found = reprice(artifact, at(menu_of(artifact), haiku=(2.0, 10.0)))
    last = len(found.after.path) - 1
    old, new = (
        Router(written(artifact, {**header, "rule": {**header["rule"], "chosen": last}}, tmp_path))
        for header in (artifact.header, found.header)
    )
    moved = set()
    for row in outcome_rows(60):
        before, now = old.route(str(row["prompt"])), new.route(str(row["prompt"]))
        assert before.tier == now.tier
        assert now.costs[0] == pytest.approx(2 * before.costs[0], rel=1e-6)
        assert now.costs[1:] == pytest.approx(before.costs[1:])
        moved.add(now.tier)
    assert len(moved) > 1


def test_repricing_twice_is_repricing_once_and_going_back_restores_the_rule(artifact: Artifact, tmp_path: Path) -> None:
    menu = menu_of(artifact)
    first = reprice(artifact, at(menu, haiku=(3.0, 15.0)))
    between = written(artifact, first.header, tmp_path)
    direct, second = reprice(artifact, at(menu, haiku=(2.0, 4.0))), reprice(between, at(menu, haiku=(2.0, 4.0)))
    assert second.after == direct.after
    assert second.header["rule"] == direct.header["rule"]
    back = reprice(between, menu)
    assert back.header["rule"] == artifact.header["rule"]
    assert FIELD not in back.header


def test_a_tier_that_the_menu_lacks_keeps_its_price_and_that_is_said(artifact: Artifact) -> None:
    menu = menu_of(artifact)
    others = with_tiers(menu, [tier for tier in at(menu, opus=(20.0, 100.0)).tiers if tier.name != "haiku"])
    found = reprice(artifact, others)
    assert [each.tier for each in found.changed] == ["opus"]
    assert any("The menu has no haiku" in each for each in found.unsaid)


def test_a_model_that_somebody_else_sells_is_priced_as_he_does_and_another_model_is_not(artifact: Artifact) -> None:
    menu = at(menu_of(artifact), opus=(20.0, 100.0))
    resold = [replace(tier, model=f"reseller/{tier.model.rpartition('/')[2]}") for tier in menu.tiers]
    found = reprice(artifact, with_tiers(menu, resold))
    assert ([each.tier for each in found.changed], found.absent) == (["opus"], ())
    others = [replace(tier, model=f"other-{tier.name}-model") for tier in menu.tiers]
    found = reprice(artifact, with_tiers(menu, others))
    assert found.changed == ()
    assert set(found.absent) == set(artifact.header["tiers"])


@pytest.mark.parametrize(
    ("spending", "said"),
    [
        (None, "found nothing on what its settings spend"),
        ({"rows": 3, "settings": [], "tiers": []}, "does not fit its path"),
        ({"rows": 3, "settings": [["x"]], "tiers": [[1, 2]]}, "does not fit its path"),
    ],
)
def test_artifacts_that_do_not_say_what_they_spend_are_refused(
    artifact: Artifact, tmp_path: Path, spending: object, said: str
) -> None:
    header = {name: value for name, value in artifact.header.items() if name != "spending"}
    odd = written(artifact, header if spending is None else {**header, "spending": spending}, tmp_path)
    with pytest.raises(InputError, match=said):
        reprice(odd, at(menu_of(artifact), haiku=(2.0, 4.0)))


def test_a_reference_that_costs_nothing_and_a_tier_of_unknown_tokens_are_refused(
    artifact: Artifact, tmp_path: Path
) -> None:
    menu, reference = menu_of(artifact), artifact.header["rule"]["reference"]
    with pytest.raises(InputError, match="the reference, costs nothing"):
        reprice(artifact, at(menu, **{reference: (0.0, 0.0)}))
    spending = artifact.header["spending"]
    bare = {**spending, "tiers": [None, *spending["tiers"][1:]]}
    odd = written(artifact, {**artifact.header, "spending": bare}, tmp_path)
    with pytest.raises(InputError, match="nothing on what haiku spends"):
        reprice(odd, at(menu, haiku=(2.0, 4.0)))


def test_unknown_prices_are_refused(artifact: Artifact, tmp_path: Path) -> None:
    tiers = [{**tier, "input_price": None, "output_price": None} for tier in artifact.header["menu"]["tiers"][:1]]
    bare = [{name: value for name, value in tier.items() if value is not None} for tier in tiers]
    menu = {**artifact.header["menu"], "tiers": [*bare, *artifact.header["menu"]["tiers"][1:]]}
    odd = written(artifact, {**artifact.header, "menu": menu}, tmp_path)
    with pytest.raises(InputError, match="found no prices of haiku"):
        reprice(odd, menu_of(artifact))


def test_the_command_keeps_a_candidate_and_says_what_it_did(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("TIERWISE_CONFIG", raising=False)
    Path("models").mkdir()
    Path("models/router.safetensors").write_bytes(trained.read_bytes())

    def run(*arguments: str) -> str:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["tierwise models", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 0
        return capsys.readouterr().out

    assert "its prices are those of the menu" in run("reprice")
    Path("other.toml").write_text("".join(f'[[tiers]]\nname = "{name}"\nmodel = "other-{name}"\n' for name in "ab"))
    assert "no tier of the same model" in run("reprice", "--menu", "other.toml")
    tiers = [
        f'[[tiers]]\nname = "{tier.name}"\nmodel = "{tier.model}"\ninput_price = {tier.input_price}\n'
        f"output_price = {tier.output_price}\n"
        for tier in at(menu_of(read_artifact(trained)), haiku=(2.0, 10.0)).tiers
    ]
    Path("router.toml").write_text("\n".join(tiers))
    said = run("reprice", "--json", "figures.json")
    assert "Still certified" in said
    assert "What cannot be said" in said
    figures = json.loads(Path("figures.json").read_text())
    assert figures["changed"][0]["tier"] == "haiku"
    assert [each.state for each in versions(Path("models"))] == ["candidate"]
    assert "in use" in run("reprice", "--promote")
    assert [each.state for each in versions(Path("models"))] == ["current"]
    assert "nothing to do" in run("reprice")


def test_new_prices_that_the_menu_says_are_promoted_without_asking_and_others_are_not(
    artifact: Artifact, trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIERWISE_CONFIG", raising=False)
    folder = Path("models")
    promote(folder, add_version(folder, trained))
    cheaper = at(menu_of(artifact), haiku=(2.0, 10.0))
    write_artifact(Path("cheaper.safetensors"), reprice(artifact, cheaper).header, artifact.tensors)
    candidate = add_version(folder, Path("cheaper.safetensors"))
    assert cautions(folder, candidate) == ["its menu differs from the one in use: haiku"]
    write_menu("".join(tier_table(tier.name, tier.model, 7.0) for tier in cheaper.tiers))
    assert cautions(folder, candidate) == ["its menu differs from the one in use: haiku"]
    write_menu(
        "".join(
            f'[[tiers]]\nname = "{tier.name}"\nmodel = "{tier.model}"\ninput_price = {tier.input_price}\n'
            f"output_price = {tier.output_price}\n"
            for tier in cheaper.tiers
        )
    )
    assert cautions(folder, candidate) == []
