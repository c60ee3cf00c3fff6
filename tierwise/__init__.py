"""tierwise: pick the cheapest adequate language-model tier for a request.

    from tierwise import predict_model
    model = predict_model("Summarize this in one line: ...", max_tokens=60, task="summarization")

The names are those of `classifier`, each loaded when it is first asked for; `training` learns the routers.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classifier import (
        AnswerLimits,
        ArtifactError,
        AsyncCascade,
        Budget,
        BudgetExceededError,
        Cascade,
        CascadeResult,
        ConfigError,
        Decision,
        Explanation,
        GateRates,
        InputError,
        MalformedAnswerError,
        Menu,
        NoFeasibleTierError,
        NoStoreError,
        OutcomeStore,
        Request,
        Router,
        RouterError,
        StoreError,
        TableError,
        Tier,
        __version__,
        load_menu,
        make_request,
        outcome_id,
        predict_model,
        route,
        set_shared_router,
    )

__all__ = [
    "AnswerLimits",
    "ArtifactError",
    "AsyncCascade",
    "Budget",
    "BudgetExceededError",
    "Cascade",
    "CascadeResult",
    "ConfigError",
    "Decision",
    "Explanation",
    "GateRates",
    "InputError",
    "MalformedAnswerError",
    "Menu",
    "NoFeasibleTierError",
    "NoStoreError",
    "OutcomeStore",
    "Request",
    "Router",
    "RouterError",
    "StoreError",
    "TableError",
    "Tier",
    "__version__",
    "load_menu",
    "make_request",
    "outcome_id",
    "predict_model",
    "route",
    "set_shared_router",
]


class HiddenPackageError(ImportError):
    """A folder of the user's own has the name of a package of tierwise, and Python finds it first."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    expect_own("classifier")
    found = globals()[name] = getattr(import_module("classifier"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def expect_own(package: str) -> None:
    """Expect that a name leads to this distribution's package, without importing it.

    Raises
    ------
    HiddenPackageError : it leads to a folder that stands before it on Python's path.
    """
    spec = find_spec(package)
    if spec is None:
        return
    places = list(spec.submodule_search_locations or [str(spec.origin)])
    own = Path(__file__).parent.parent / package
    if not any(os.path.exists(place) and os.path.samefile(place, own) for place in places):
        raise HiddenPackageError(
            f"{places[0]} hides the package {package} of tierwise; rename it, or take the folder that it is in off "
            "Python's path: PYTHONPATH, and with python -m the working directory"
        )
