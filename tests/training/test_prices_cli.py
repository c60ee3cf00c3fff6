"""``tierwise prices``, and the menu of current models among the examples."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from classifier import ConfigError
from classifier.catalog import load_menu
from classifier.list_prices import find_listed, read_prices
from tests.helpers.commands import Finished
from training.commands.prices import main
from training.prepare.menu_prices import fetch_newest, menu_prices

EXAMPLE = Path(__file__).parents[2] / "examples" / "router.toml"
MENU = """
[tiers.own]
model = "reseller/gpt-5"
input_price = 7.0
output_price = 9.0

[tiers.listed]
model = "gpt-5"

[tiers.unknown]
model = "nobody/knows-it"
"""
DATA = [
    {
        "id": "openai",
        "name": "OpenAI",
        "api_pattern": "https://api\\.openai\\.com",
        "model_match": {"starts_with": "gpt-"},
        "models": [
            {
                "id": "gpt-5",
                "match": {"equals": "gpt-5"},
                "prices": {
                    "input_mtok": {"base": 0.75, "tiers": [{"start": 1000, "price": 1.5}]},
                    "output_mtok": 6,
                    "cache_read_mtok": 0.05,
                },
            }
        ],
    }
]


@pytest.fixture
def tierwise_prices(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    """The command in this process."""
    monkeypatch.setenv("COLUMNS", "200")

    def finish(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["tierwise prices", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return Finished(int(stopped.value.code or 0), printed.out, printed.err)

    return finish


@pytest.fixture
def menu(tmp_path: Path) -> Path:
    (tmp_path / "router.toml").write_text(MENU)
    return tmp_path / "router.toml"


@pytest.fixture
def mirror() -> Iterator[str]:
    """An address that has the package's data, with other prices."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = json.dumps(DATA).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/data.json"
        server.shutdown()


def test_a_menus_own_price_wins_and_what_it_leaves_out_is_listed(menu: Path) -> None:
    found = {each.tier.name: each for each in menu_prices(menu)}
    listed = find_listed("gpt-5")
    assert listed is not None
    assert (found["own"].prices.input_price, found["own"].own) == (7.0, True)
    assert found["own"].listed == listed  # the vendor's, to compare with
    assert (found["listed"].prices, found["listed"].source) == (listed.prices, listed.source)
    assert found["unknown"].prices is None
    tiers = {tier.name: tier.prices for tier in load_menu(menu).tiers}
    assert tiers == {name: each.prices for name, each in found.items()}


def test_update_fetches_prices_and_leaves_the_users_alone(menu: Path, mirror: str, tierwise_prices) -> None:
    said = tierwise_prices("update", "--menu", str(menu), "--from", mirror)
    assert said.returncode == 0
    assert "$0.75 / $6" in said.stdout
    assert "no price is known of nobody/knows-it" in said.stdout
    tiers = {tier.name: tier.prices for tier in load_menu(menu).tiers}
    assert (tiers["own"].input_price, tiers["listed"].input_price, tiers["unknown"]) == (7.0, 0.75, None)
    assert (tiers["listed"].steps[0].above, tiers["listed"].steps[0].input_price) == (1000, 1.5)
    assert menu.read_text() == MENU
    shown = tierwise_prices("show", "--menu", str(menu), "--json", "-")
    assert [each["source"] for each in json.loads(shown.stdout)][1].startswith("prices.toml (genai-prices of ")


def test_update_without_a_network_changes_nothing(menu: Path, tierwise_prices) -> None:
    said = tierwise_prices("update", "--menu", str(menu), "--from", "http://127.0.0.1:9/none")
    assert said.returncode == 1
    assert "no prices could be fetched" in said.stderr
    assert not (menu.parent / "prices.toml").exists()


def test_update_offline_writes_the_packages_prices(menu: Path, tierwise_prices) -> None:
    assert tierwise_prices("update", "--menu", str(menu), "--offline").returncode == 0
    listed = find_listed("gpt-5")
    assert listed is not None
    assert read_prices(menu.parent)["gpt-5"] == listed


def test_show_names_what_a_reseller_asks_beside_what_the_vendor_does(
    monkeypatch, tmp_path: Path, tierwise_prices
) -> None:
    monkeypatch.chdir(tmp_path)
    said = tierwise_prices("show")
    assert "opus: $30 / $150 by packaged menu; anthropic asks" in " ".join(said.stdout.split())


@pytest.mark.parametrize(
    "text", ["source = 3", "[models]", 'source = "x"\n[models.a]\ninput_price = "cheap"\noutput_price = 1.0', "]["]
)
def test_damaged_prices_are_refused_with_the_way_on(menu: Path, text: str) -> None:
    (menu.parent / "prices.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"prices\.toml: "):
        load_menu(menu)


def test_fetched_prices_are_named_by_their_day(mirror: str) -> None:
    found = find_listed("gpt-5", fetch_newest(mirror))
    assert found is not None
    assert found.source.startswith("genai-prices of 20")


def test_the_examples_menu_has_three_vendors_at_their_listed_prices() -> None:
    menu = load_menu(EXAMPLE)
    listed = {tier.name: find_listed(tier.model) for tier in menu.tiers}
    assert {found.vendor for found in listed.values() if found} == {"openai", "anthropic", "google"}
    assert {tier.name: tier.prices for tier in menu.tiers} == {
        name: found.prices if found else None for name, found in listed.items()
    }
    assert [tier.name for tier in menu.sharing("gpt-5.6-sol")] == ["sol low", "sol high"]
