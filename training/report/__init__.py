"""The report on a training run: one HTML file for the person who decides whether to switch the router on.

gather.py       a training run -> `ReportData`, with    verdict.py   verdict, promise and warnings in words
learned.py      what the model learned, by              vocabulary.py   the words behind hash buckets
offer.py        what comes first, with                  untaken.py   why other rows were not taken
today.py        against the tier used today             advice.py    what to do next, what is not said
mistakes.py     the worst rows                          reliability.py  predicted against observed
data.py         `ReportData`, plain values
sections.py     `ReportData` -> HTML, with              charts.py, svg.py, markup.py, figures.py
page.py         all of it as one file, and as JSON
"""

from training.report.data import ReportData
from training.report.gather import report_data
from training.report.page import report_html, report_json, write_report

__all__ = ["ReportData", "report_data", "report_html", "report_json", "write_report"]
