"""Exports of the tools that people evaluate and log with, recognised by their content and read as tables.

    content.py     a file -> records or a document       recognise.py   a file's content -> the tool that wrote it
    archive.py     inspect_ai's .eval archives           scores.py      which of several kinds of score counts
    calls.py       what exports hold                     table.py       an export -> rows of the long or pairwise form
    requests.py    any shape of a request -> one         spans.py       traces -> calls with their scores

One reader a tool: promptfoo, lm_eval, inspect_ai, openai_evals, langfuse, langsmith, litellm, helicone, opentelemetry,
braintrust, alpaca_eval, arena. A tool that no reader knows needs a file of its own and a line in `recognise.TOOLS`.
"""

from training.imports.recognise import open_exports

__all__ = ["open_exports"]
