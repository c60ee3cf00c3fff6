"""The certificate's promise on real tables, split anew 200 times: see ``benchmarks/certificate.py``."""

from __future__ import annotations

from pathlib import Path

import pytest
from certificate import make_world, simulate
from quality import CASES, read_case

DATA = Path(__file__).parents[3] / "shared" / "data"
ROWS = 1000


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name != "claude_tiers, haiku sonnet"])
def test_no_more_certificates_are_wrong_than_chance_explains(name: str) -> None:
    if not (DATA / CASES[name].file).is_file():
        pytest.skip(f"the real outcome table {CASES[name].file} is not on this machine")
    found = simulate(make_world(read_case(DATA, CASES[name]), ROWS), 200, jobs=2)
    assert found["any wrong"] <= found["allowed"]
    assert found["certified"][-1] > 0.9
    savings, best = found["saving"], found["best saving"]
    assert savings == sorted(savings)
    assert all(
        saving <= most + 1e-9 or wrong for saving, most, wrong in zip(savings, best, found["wrong"], strict=True)
    )
