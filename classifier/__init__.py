"""tierwise at run time: pick the cheapest adequate language-model tier for a request.

from classifier import predict_model
model = predict_model("Summarize this in one line: ...", max_tokens=60, task="summarization")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from classifier.catalog import Menu, Tier, load_menu
from classifier.decision import Decision
from classifier.errors import (
    ArtifactError,
    BudgetExceededError,
    ConfigError,
    InputError,
    MalformedAnswerError,
    NoFeasibleTierError,
    NoStoreError,
    RouterError,
    StoreError,
    TableError,
)
from classifier.explain import Explanation
from classifier.request import Request, make_request
from classifier.router import Router
from classifier.shared import predict_model, route, set_shared_router
from classifier.version import __version__

if TYPE_CHECKING:
    from classifier.cascade import AnswerLimits, AsyncCascade, Budget, Cascade, CascadeResult, GateRates, outcome_id
    from classifier.outcomes import OutcomeStore

# What loads the openai client or SQLAlchemy is loaded when it is first asked for.
_LATER = {
    "AnswerLimits": "cascade",
    "AsyncCascade": "cascade",
    "Budget": "cascade",
    "Cascade": "cascade",
    "CascadeResult": "cascade",
    "GateRates": "cascade",
    "OutcomeStore": "outcomes",
    "outcome_id": "cascade",
}

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


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    return found
