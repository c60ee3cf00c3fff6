"""The training pipeline: tables and outcomes in, a routing artifact out.

`train_router` and `evaluate_router` are the commands ``tierwise train`` and ``tierwise evaluate`` for Python. They are
imported when they are first used, since they bring scikit-learn and polars along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.replay import EvaluateOptions, Evaluation, evaluate_router
    from training.run import Run, TrainOptions, train_router

__all__ = ["EvaluateOptions", "Evaluation", "Run", "TrainOptions", "evaluate_router", "train_router"]

_HOMES = {
    **dict.fromkeys(("EvaluateOptions", "Evaluation", "evaluate_router"), "training.replay"),
    **dict.fromkeys(("Run", "TrainOptions", "train_router"), "training.run"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
