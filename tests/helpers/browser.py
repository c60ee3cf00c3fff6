"""Pages laid out by a real browser, where one is installed: how wide they are, and which chart labels overprint."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.page import Page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--hide-scrollbars",
)
# Labels may share a pixel of their line height, which no letter reaches.
MEASURE = """<pre></pre><script>
const named = text => ({text: text.textContent, box: text.getBoundingClientRect()});
const shared = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
  && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
const outside = (a, b) =>
  a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1 || a.bottom > b.bottom + 1;
function labels(page) {
  const found = [];
  for (const chart of page.querySelectorAll("svg")) {
    const frame = chart.getBoundingClientRect();
    const drawn = [...chart.querySelectorAll("text")].map(named).filter(each => each.box.width > 0);
    drawn.forEach((one, place) => {
      if (outside(one.box, frame)) found.push([one.text, "the chart's edge"]);
      for (const other of drawn.slice(place + 1)) if (shared(one.box, other.box)) found.push([one.text, other.text]);
    });
  }
  return found;
}
onload = () => {
  document.querySelector("pre").textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, width = frame.contentWindow.innerWidth;
    const out = [...page.querySelectorAll("body *")].filter(
      each => !each.closest(".scroll table") && each.getBoundingClientRect().right > width + 0.5);
    return {
      width: width,
      page_width: page.documentElement.scrollWidth,
      out: out.map(each => each.tagName + "." + each.className),
      overprints: labels(page),
      ground: frame.contentWindow.getComputedStyle(page.body).backgroundColor,
      texts: [...page.querySelectorAll("svg text")].filter(each => each.getBoundingClientRect().width > 0).length,
    };
  }));
};
</script>"""


@dataclass(frozen=True)
class LaidOut:
    """A page at one width.

    Attributes
    ----------
    width, page_width : of the window, and of what is in it.
    out : elements that stick out without scrolling in a frame of their own.
    overprints : pairs of labels of one chart that overlap, or a label that leaves its chart.
    ground : the page's colour. texts : how many labels its charts show.
    """

    width: int
    page_width: int
    out: list[str]
    overprints: list[list[str]]
    ground: str
    texts: int


def lay_out(
    pages: Sequence[str], widths: Sequence[int], folder: Path, schemes: Sequence[str] = ("light",)
) -> list[LaidOut]:
    """Each page at each width in each colour scheme, in that order."""
    frames = "".join(
        f'<iframe style="width:{width}px;height:900px;border:0;color-scheme:{scheme}" srcdoc="{escape(page)}"></iframe>'
        for page in pages
        for width in widths
        for scheme in schemes
    )
    outer = folder / "frames.html"
    outer.write_text(f'<!doctype html><meta charset="utf-8">{frames}{MEASURE}', encoding="utf-8")
    profile = f"--user-data-dir={folder / 'profile'}"
    dumped = subprocess.run(
        [str(BROWSER), *OPTIONS, profile, "--dump-dom", outer.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    found: list[dict[str, Any]] = json.loads(Page(dumped[dumped.index("<pre>") : dumped.index("</pre>")]).text)
    return [LaidOut(**each) for each in found]
