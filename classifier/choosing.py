"""From what is expected of a request, and a plan, to its tier: for one request, and for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.batch import by_chunks
from classifier.catalog import Tier, normalise_label
from classifier.decision import Decision
from classifier.errors import InputError
from classifier.evident import known_task
from classifier.features import Features, dense_names, request_form
from classifier.forecast import Forecast, Forecasts
from classifier.heuristic import length_tier
from classifier.loaded import Loaded
from classifier.novelty import NOVEL
from classifier.policy import choose, choose_many, supported
from classifier.request import Request
from classifier.rule import ALWAYS_REFERENCE, RULES, Plan
from classifier.tasks import task_tier


def decide(loaded: Loaded, request: Request, plan: Plan) -> Decision:
    """The decision on one request.

    Raises
    ------
    NoFeasibleTierError : no tier of the menu can serve the request.
    """
    return _decided(loaded, request, plan, loaded.forecast(request))


def decide_on(loaded: Loaded, features: Features) -> Decision:
    """The decision on a request of which only the features are known, by the plan in use.

    Raises
    ------
    InputError : the features are not of this artifact's kind.
    NoFeasibleTierError : as `decide`.
    """
    wanted = len(dense_names(loaded.keywords))
    if len(features.dense) != wanted:
        whose = "the rules'" if loaded.learned is None else "the artifact's"
        raise InputError(f"features: found {len(features.dense)} dense ones, expected {whose} {wanted}")
    return _decided(loaded, request_form(features), loaded.plan, loaded.forecast.of(features))


def decide_many(loaded: Loaded, requests: Sequence[Request]) -> list[Decision]:
    """`decide` for many requests, in order, by the plan in use; shared among threads."""
    chunks = by_chunks(requests, lambda chunk: _decided_chunk(loaded, chunk))
    return [decision for chunk in chunks for decision in chunk]


def pick_tier(loaded: Loaded, request: Request, plan: Plan) -> Tier:
    """The tier that `decide` would pick."""
    forecast = loaded.forecast(request)
    return loaded.tiers[_column(loaded, request, plan, forecast, loaded.feasible(request, forecast.tokens))]


def pick_tiers(loaded: Loaded, requests: Sequence[Request]) -> list[Tier]:
    """The tiers that `decide_many` would pick."""
    chunks = by_chunks(requests, lambda chunk: _chosen_chunk(loaded, chunk, loaded.forecast.many(chunk)).columns)
    return [loaded.tiers[column] for columns in chunks for column in columns]


def _decided(loaded: Loaded, request: Request, plan: Plan, forecast: Forecast) -> Decision:
    feasible = loaded.feasible(request, forecast.tokens)
    column = _column(loaded, request, plan, forecast, feasible)
    return Decision(request=request, plan=plan, forecast=forecast, feasible=feasible, position=column, loaded=loaded)


def _column(loaded: Loaded, request: Request, plan: Plan, forecast: Forecast, feasible: tuple[int, ...]) -> int:
    """Index of the request's tier."""
    if loaded.learned is not None and feasible[0] >= len(loaded.learned_tiers):
        return feasible[0]
    if plan.strategy == "learned":
        return _learned(loaded, plan, request.task, forecast, feasible)
    return _nearest(_fixed(loaded, plan, request), feasible)


def _learned(loaded: Loaded, plan: Plan, task: str | None, forecast: Forecast, feasible: tuple[int, ...]) -> int:
    """Index of the tier that the learned rule picks; what is novel goes to the reference."""
    rule, prediction = loaded.rule, forecast.prediction
    setting = plan.setting or rule.task_setting(normalise_label(task))
    if forecast.novelty > NOVEL:
        setting = ALWAYS_REFERENCE
    price_weight = setting.price_weight / rule.reference_cost
    count = len(loaded.learned_tiers)
    allowed: Sequence[int] = feasible if feasible[-1] < count else [column for column in feasible if column < count]
    if prediction.unsupported:
        allowed = supported(allowed, prediction.unsupported)
    reference, bonus = loaded.reference, setting.reference_bonus
    return choose(prediction.quality, prediction.cost, price_weight, allowed, reference, bonus)


def _fixed(loaded: Loaded, plan: Plan, request: Request) -> int:
    """Index of the tier that a rule without learning picks."""
    name = plan.tier
    if plan.strategy == "task":
        name = task_tier(request.task, loaded.menu)
    elif plan.strategy == RULES:
        label = known_task(loaded.menu, request)
        name = None if label is None else loaded.menu.task_table[label]
    if name is None:
        name = length_tier(request.chars, request.max_tokens, loaded.menu.length)
    return loaded.column_of[name]


def _nearest(wanted: int, feasible: Sequence[int]) -> int:
    """The wanted tier where it can serve the request, else the next dearer one that can, else the dearest."""
    return next((column for column in feasible if column >= wanted), feasible[-1])


@dataclass(frozen=True, slots=True)
class _Chosen:
    """For each of some requests: its tier's index, and those of all tiers that can serve it."""

    columns: list[int]
    feasible: list[tuple[int, ...]]


def _decided_chunk(loaded: Loaded, requests: Sequence[Request]) -> list[Decision]:
    forecasts = loaded.forecast.many(requests)
    chosen = _chosen_chunk(loaded, requests, forecasts)
    return [
        Decision(
            request=request,
            plan=loaded.plan,
            forecast=forecast,
            feasible=feasible,
            position=column,
            loaded=loaded,
        )
        for request, forecast, feasible, column in zip(
            requests, forecasts.single(), chosen.feasible, chosen.columns, strict=True
        )
    ]


def _chosen_chunk(loaded: Loaded, requests: Sequence[Request], forecasts: Forecasts) -> _Chosen:
    feasible = [
        loaded.feasible(request, tokens) for request, tokens in zip(requests, forecasts.tokens.tolist(), strict=True)
    ]
    if loaded.plan.strategy == "learned":
        return _Chosen(_learned_chunk(loaded, requests, forecasts, feasible), feasible)
    wanted = [_fixed(loaded, loaded.plan, request) for request in requests]
    return _Chosen([_nearest(*each) for each in zip(wanted, feasible, strict=True)], feasible)


def _learned_chunk(
    loaded: Loaded, requests: Sequence[Request], forecasts: Forecasts, feasible: Sequence[tuple[int, ...]]
) -> list[int]:
    """`_learned` for some requests; where no learned tier can serve one, the first that can."""
    rule, expected, count = loaded.rule, forecasts.expected, len(loaded.learned_tiers)
    settings = [
        ALWAYS_REFERENCE if novel else loaded.plan.setting or rule.task_setting(normalise_label(request.task))
        for novel, request in zip((forecasts.novelty > NOVEL).tolist(), requests, strict=True)
    ]
    quality = expected.quality.copy()
    quality[:, loaded.reference] += [setting.reference_bonus for setting in settings]
    weights = np.array([setting.price_weight for setting in settings])
    allowed = _allowed(loaded, feasible, expected.unsupported)
    chosen: list[int] = choose_many(quality, expected.cost / rule.reference_cost, weights, allowed).tolist()
    return [column if columns[0] < count else columns[0] for column, columns in zip(chosen, feasible, strict=True)]


def _allowed(
    loaded: Loaded, feasible: Sequence[tuple[int, ...]], unsupported: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """(n, t): whether a learned tier can serve a request, and was observed on requests like it."""
    count = len(loaded.learned_tiers)
    allowed = np.ones((len(feasible), count), bool)
    for row, columns in enumerate(feasible):
        if columns is not loaded.every_column:
            allowed[row] = np.isin(np.arange(count), columns)
    if unsupported is None:
        return allowed
    left = allowed & ~unsupported
    return np.where(left.any(axis=1, keepdims=True), left, allowed)
