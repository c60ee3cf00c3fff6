"""The page in a real browser, where one is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from html import escape
from pathlib import Path

import pytest
from parsed_page import Page
from report_runs import Run

from training.report import report_html

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


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_no_page_is_wider_than_its_window(learned_run: Run, hostile_run: Run, tmp_path: Path) -> None:
    command = "train-router " + "data.csv " * 40
    pages = [
        report_html(learned_run.report(monthly_spend=10_000.0, command=command)),
        report_html(hostile_run.report(command=command, digest="0f" * 32)),
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
