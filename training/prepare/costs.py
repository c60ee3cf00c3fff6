"""What each call costs: from the table where it says so, else from token counts and prices.

Where the table knows neither, output lengths are estimated by a model fitted on the rows that know them, then from
``max_tokens``, then taken to be `DEFAULT_TOKENS_OUT`; `CostTable.how` says which it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from classifier.catalog import Tier
from training.learners.amounts import log_amounts

DEFAULT_TOKENS_OUT = 256
_ROWS_FOR_MODEL = 20
_MOST_TASKS = 100


@dataclass(frozen=True, slots=True)
class CostTable:
    """Costs of every call, known or estimated.

    Attributes
    ----------
    usd : (n, t) USD per call, no NaN.
    how : per tier, where its costs come from, in words.
    """

    usd: NDArray[np.float64]
    how: tuple[str, ...]


def fill_costs(
    known: NDArray[np.float64],
    tokens_out: NDArray[np.float64],
    tokens_in: NDArray[np.float64],
    max_tokens: NDArray[np.float64],
    tasks: Sequence[str | None],
    tiers: Sequence[Tier],
    written: NDArray[np.float64] | None = None,
) -> CostTable:
    """Complete the costs.

    Parameters
    ----------
    known, tokens_out : (n, t), NaN where the table says nothing.
    tokens_in : (n,) input tokens.
    max_tokens : (n,) the callers' limits, NaN where none was set.
    written : (n, t) tokens of the answers' texts, NaN where there is none. They count for tiers without `tokens_out`.
    """
    design = _design(tokens_in, max_tokens, tasks)
    usd = known.copy()
    how = []
    for position, tier in enumerate(tiers):
        column = usd[:, position]
        missing = np.isnan(column)
        if not missing.any():
            how.append("the table's cost column")
            continue
        known_rows = len(column) - int(missing.sum())
        prices = tier.prices
        if prices is None or known_rows >= _ROWS_FOR_MODEL:
            column[missing] = _regress(column, design)[missing]
            how.append(f"the table's cost column, {missing.sum()} of {len(column)} rows estimated from the others")
            continue
        if written is not None and np.isnan(tokens_out[:, position]).all() and np.isfinite(written[:, position]).any():
            length, words = _output_length(written[:, position], max_tokens, design, "the texts of answers")
        else:
            length, words = _output_length(tokens_out[:, position], max_tokens, design, "the table")
        column[missing] = prices.usual(tokens_in, length, tier.service)[missing]
        source = f"prices ${prices.input_price:g} / ${prices.output_price:g} per 1M tokens; output length {words}"
        how.append(source if missing.all() else f"the table's cost column, {missing.sum()} rows from {source}")
    return CostTable(usd, tuple(how))


def _output_length(
    known: NDArray[np.float64], max_tokens: NDArray[np.float64], design: NDArray[np.float64], origin: str
) -> tuple[NDArray[np.float64], str]:
    """(n,) tokens of answers, and where they come from; ``origin``: of those that are known."""
    seen = ~np.isnan(known)
    if seen.all():
        return known, f"from {origin}"
    if seen.sum() >= _ROWS_FOR_MODEL:
        return np.where(seen, known, _regress(known, design)), f"from a model fitted on {seen.sum()} rows of {origin}"
    limited = ~np.isnan(max_tokens)
    length = np.where(seen, known, np.where(limited, max_tokens, float(DEFAULT_TOKENS_OUT)))
    known_rows = f"from {origin} in {seen.sum()} rows, else " if seen.any() else ""
    if limited.all():
        return length, f"{known_rows}taken to be max_tokens"
    if limited.any():
        return length, f"{known_rows}taken to be max_tokens, or {DEFAULT_TOKENS_OUT} where a row has none"
    return length, f"{known_rows}taken to be {DEFAULT_TOKENS_OUT} tokens"


def _design(
    tokens_in: NDArray[np.float64], max_tokens: NDArray[np.float64], tasks: Sequence[str | None]
) -> NDArray[np.float64]:
    limited = ~np.isnan(max_tokens)
    columns = [np.log1p(tokens_in), limited.astype(float), np.log1p(np.where(limited, max_tokens, 0.0))]
    labels = np.array(tasks, dtype=object)
    common = Counter(task for task in tasks if task is not None).most_common(_MOST_TASKS)
    columns += [(labels == name).astype(float) for name, rows in common if rows >= _ROWS_FOR_MODEL]
    return np.column_stack(columns)


def _regress(values: NDArray[np.float64], design: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positive values of all rows from a ridge on their logarithms; smeared back to means (Duan, JASA 78, 1983)."""
    seen = ~np.isnan(values)
    if seen.sum() < _ROWS_FOR_MODEL:
        return np.full(len(values), float(np.mean(values[seen])))
    logs = log_amounts(values[seen])
    model = Ridge(alpha=1.0).fit(design[seen], logs)
    smearing = float(np.mean(np.exp(logs - model.predict(design[seen]))))
    return np.asarray(np.exp(model.predict(design)) * smearing)
