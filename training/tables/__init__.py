"""Outcome tables: files in any of four forms and any usual format in, one `OutcomeTable` out.

    reading.py    `read_tables`, the way in                  options.py   what users say of tables
    locate.py     names, patterns, folders -> files          stored.py    a file -> the bytes of its tables
    opening.py    bytes -> a raw table, by its kind: encodings, dialects, delimited; jsonfiles, paths; arrow; excel
    exports.py    the seam for exports of tools              columns.py, names.py   column names -> form and columns
    forms.py      raw rows -> outcomes, form by form         chats.py, times.py, cells.py   cell -> value
    measured.py   cells -> numbers, what they may mean being in numbers, scales, words; settling.py decides
    bulk.py       large CSV files, with structure, rows      identity.py, joins.py  one request in several rows
    outcomes.py   where outcomes are gathered                problems.py  what could not be used, row by row
    joining.py    two tables -> one

Forms, recognised by their columns (all may also have ``task``, ``max_tokens``, ``group``, ``timestamp``, ``tools`` and
``response_format``; ``messages`` may stand in for ``prompt``, and wins where a row has both):

- wide: ``prompt`` and ``score__<tier>``, optional ``cost__<tier>``, ``tokens_out__<tier>``, ``response__<tier>``;
- labelled: ``prompt`` and ``tier``, the cheapest adequate one; optional ``cost__<tier>`` and its like, as above;
- long: ``prompt``, ``model``, ``score``, optional ``cost``, ``tokens_out``, ``response``: one row a request and model;
- pairwise: ``prompt``, ``model_a``, ``model_b``, ``winner``. The winner scores 1 and the loser 0; in a tie both score
  1; where both are bad both score 0.

Rows of the long and pairwise forms that hold the same request (text but for blanks, task, max_tokens, tools, ...)
become one row, across files too, so that one file a model is as good as one file. What is known several times of one
request and tier is averaged.

Scores are judged by all of their file: numbers from 0 to 1 as they are, other scales, percentages and words where they
are certain; what is not raises `UnsureError`. An empty cell, null, ``nan``, ``n/a`` and their like are not observed.
Prompts are kept exactly as they stand.
"""

from training.tables.columns import Columns, Form
from training.tables.joining import join_tables
from training.tables.options import ReadOptions
from training.tables.outcomes import FileSummary, Logged, OutcomeTable
from training.tables.problems import RowProblem, Source, UnsureError
from training.tables.reading import read_tables
from training.tables.scales import ScoreScale, parse_scale

__all__ = [
    "Columns",
    "FileSummary",
    "Form",
    "Logged",
    "OutcomeTable",
    "ReadOptions",
    "RowProblem",
    "ScoreScale",
    "Source",
    "UnsureError",
    "join_tables",
    "parse_scale",
    "read_tables",
]
