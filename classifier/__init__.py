"""tierwise at run time: pick the cheapest adequate language-model tier for a request.

from classifier import predict_model
model = predict_model("Summarize this in one line: ...", max_tokens=60, task="summarization")
"""

from classifier.catalog import Menu, Tier, load_menu
from classifier.decision import Decision
from classifier.errors import (
    ArtifactError,
    ConfigError,
    InputError,
    NoFeasibleTierError,
    RouterError,
    TableError,
)
from classifier.explain import Explanation
from classifier.request import Request, make_request
from classifier.router import Router, predict_model, route, set_shared_router
from classifier.version import __version__

__all__ = [
    "ArtifactError",
    "ConfigError",
    "Decision",
    "Explanation",
    "InputError",
    "Menu",
    "NoFeasibleTierError",
    "Request",
    "Router",
    "RouterError",
    "TableError",
    "Tier",
    "__version__",
    "load_menu",
    "make_request",
    "predict_model",
    "route",
    "set_shared_router",
]
