"""The page in a real browser, where one is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import pytest

from classifier import Router
from tests.helpers.challenges import always, log_of, minutes, observed_of, variant
from tests.helpers.page import Page
from tests.helpers.runs import Run
from training.challenge.challenge import Challenge, challenge
from training.report import report_html
from training.report.changes_page import changes_html

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTHS = (390, 1280)
# For each frame: its width, that of the page in it, and whatever sticks out without scrolling in a frame of its own.
MEASURE = """<pre></pre><script>
onload = () => {
  document.querySelector("pre").textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, width = frame.contentWindow.innerWidth;
    const out = [...page.querySelectorAll("body *")].filter(
      each => !each.closest(".scroll table") && each.getBoundingClientRect().right > width + 0.5);
    return [width, page.documentElement.scrollWidth, out.map(each => each.tagName + "." + each.className)];
  }));
};
</script>"""


def _challenges(trained: Path, folder: Path) -> list[tuple[str, Challenge]]:
    """One that may take over, on a log too thin to tell, with a task and a prompt that hardly break."""
    old = Router.load(always(trained, folder / "opus.safetensors", "opus"))
    new = Router.load(variant(trained, folder / "learned.safetensors"))
    observed = observed_of(old, log_of(old, 400, explore=0.01))
    found = challenge(observed, old.menu, old, new, minutes(-1), prompts=True)
    moves = tuple(replace(move, task="task" * 60, prompts=("prompt" * 60,)) for move in found.moves)
    return [("20260101T000000Z-0123456789ab" * 3, replace(found, moves=moves))]


@pytest.mark.browser
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_no_page_is_wider_than_its_window(learned_run: Run, hostile_run: Run, trained: Path, tmp_path: Path) -> None:
    command = "train-router " + "data.csv " * 40
    pages = [
        report_html(learned_run.report(monthly_spend=10_000.0, command=command)),
        report_html(hostile_run.report(command=command, digest="0f" * 32)),
        changes_html("the champion's name " * 9, _challenges(trained, tmp_path), "said " * 40, date=datetime.now(UTC)),
    ]
    frames = "".join(
        f'<iframe style="width:{width}px;height:900px;border:0" srcdoc="{escape(page)}"></iframe>'
        for page in pages
        for width in WIDTHS
    )
    outer = tmp_path / "frames.html"
    outer.write_text(f'<!doctype html><meta charset="utf-8">{frames}{MEASURE}', encoding="utf-8")
    dumped = subprocess.run(
        [
            str(BROWSER),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--hide-scrollbars",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            outer.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    found = json.loads(Page(dumped[dumped.index("<pre>") : dumped.index("</pre>")]).text)
    assert found == [[width, width, []] for _ in pages for width in WIDTHS]
