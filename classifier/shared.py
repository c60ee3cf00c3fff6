"""One router for a whole process, loaded at its first use: what stands behind `predict_model` and `route`.

It is the router of the artifact in use (`classifier.locate`). Make a `Router` of your own to have several;
`Router.watch` makes one that picks up new artifacts.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from classifier.decision import Decision
from classifier.request import Messages
from classifier.router import Router

_shared: Router | None = None
_lock = threading.Lock()


def shared_router() -> Router:
    """The router behind `predict_model` and `route`, loaded at its first use."""
    global _shared
    if _shared is None:
        with _lock:
            if _shared is None:
                _shared = Router.load()
    return _shared


def set_shared_router(router: Router | None) -> None:
    """Make `predict_model` and `route` use ``router``; None: load anew at the next call."""
    global _shared
    with _lock:
        _shared = router


# As many parameters as `Router.route` has, so that editors show them.
def route(
    prompt: str | None = None,
    *,
    messages: Messages | None = None,
    max_tokens: int | None = None,
    max_completion_tokens: int | None = None,
    max_output_tokens: int | None = None,
    task: str | None = None,
    tools: Sequence[Any] | None = None,
    response_format: Any = None,
    reasoning_effort: str | None = None,
    strategy: str | None = None,
    max_quality_loss: float | None = None,
    budget: float | None = None,
) -> Decision:
    """Pick the tier for one request with the shared router; see `Router.route`."""
    return shared_router().route(
        prompt,
        messages=messages,
        max_tokens=max_tokens,
        max_completion_tokens=max_completion_tokens,
        max_output_tokens=max_output_tokens,
        task=task,
        tools=tools,
        response_format=response_format,
        reasoning_effort=reasoning_effort,
        strategy=strategy,
        max_quality_loss=max_quality_loss,
        budget=budget,
    )


def predict_model(
    prompt: str | None = None, max_tokens: int | None = None, task: str | None = None, **request: Any
) -> str:
    """The model name for a request, by the shared router; takes what `Router.route` takes."""
    return shared_router().predict_model(prompt, max_tokens, task, **request)
