"""Outcome tables: files in any of four forms and three formats in, one `OutcomeTable` out.

    files.py          path -> format, checks, digest        columns.py    column names -> form
    delimited.py      CSV, TSV  -> raw rows                 cells.py      cell -> value
    jsonlines.py      JSON Lines -> raw rows                forms.py      raw rows -> outcomes, form by form
    parquet.py        Parquet -> raw rows                   outcomes.py   where outcomes are gathered
    problems.py       what could not be used, row by row    reading.py    `read_tables`, the way in
    joining.py        two tables -> one

Forms, recognised by their columns (all may also have ``task``, ``max_tokens``, ``group``, ``timestamp``, ``tools`` and
``response_format``; ``messages`` may stand in for ``prompt``, and wins where a row has both):

- wide: ``prompt`` and ``score__<tier>``, optional ``cost__<tier>``, ``tokens_out__<tier>``, ``response__<tier>``;
- labelled: ``prompt`` and ``tier``, the cheapest adequate one; optional ``cost__<tier>`` and its like, as above;
- long: ``prompt``, ``model``, ``score``, optional ``cost``, ``tokens_out``, ``response``: one row a request and model;
- pairwise: ``prompt``, ``model_a``, ``model_b``, ``winner``. The winner scores 1 and the loser 0; in a tie both score
  1; where both are bad both score 0.

Rows of the long and pairwise forms that hold the same request (text, task, max_tokens, tools, ...) become one row,
across files too, so that one file a model is as good as one file. What is known several times of one request and tier
is averaged.

Cells: a score is a number from 0 to 1, or true or false. An empty cell, null, ``nan``, ``na``, ``n/a`` or ``none``
is a number not observed. Prompts are kept exactly as they stand.
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
