"""``cascade.responses``. Importing this needs a client that has the Responses API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response, ResponseStreamEvent

from classifier.cascade.resources import Answer, AsyncAnswer, AsyncResource, Resource
from classifier.cascade.responses import RESPONSES


class Responses(Resource[Response, ResponseStreamEvent]):
    """``cascade.responses``: as `Completions`, and what is kept at the provider by the id of a response."""

    def __init__(self, client: OpenAI, answer: Answer, keeper: Callable[[str], OpenAI]) -> None:
        """Prepare; ``keeper``: the user's own client that a response's provider is reached through."""
        super().__init__(RESPONSES, client, answer)
        self._keeper = keeper

    def stream(self, *, task: str | None = None, key: str | None = None, **arguments: Any) -> Any:
        """The client's ``responses.stream``; with ``response_id``, of a response that is there already."""
        known = arguments.get("response_id")
        if isinstance(known, str):
            return self._api.resource(self._keeper(known)).stream(**arguments)
        return super().stream(task=task, key=key, **arguments)

    def retrieve(self, response_id: str, **arguments: Any) -> Any:
        """The client's ``responses.retrieve``, at the provider of the tier that answered: a response, or its stream."""
        return self._api.resource(self._keeper(response_id)).retrieve(response_id, **arguments)

    def cancel(self, response_id: str, **arguments: Any) -> Any:
        """The client's ``responses.cancel``, of a response in the background."""
        return self._api.resource(self._keeper(response_id)).cancel(response_id, **arguments)

    def delete(self, response_id: str, **arguments: Any) -> Any:
        """The client's ``responses.delete``."""
        return self._api.resource(self._keeper(response_id)).delete(response_id, **arguments)


class AsyncResponses(AsyncResource[Response, ResponseStreamEvent]):
    """`Responses`, awaited."""

    def __init__(self, client: AsyncOpenAI, answer: AsyncAnswer, keeper: Callable[[str], AsyncOpenAI]) -> None:
        """Prepare; see `Responses`."""
        super().__init__(RESPONSES, client, answer)
        self._keeper = keeper

    def stream(self, *, task: str | None = None, key: str | None = None, **arguments: Any) -> Any:
        """The client's ``responses.stream``; with ``response_id``, of a response that is there already."""
        known = arguments.get("response_id")
        if isinstance(known, str):
            return self._api.resource(self._keeper(known)).stream(**arguments)
        return super().stream(task=task, key=key, **arguments)

    async def retrieve(self, response_id: str, **arguments: Any) -> Any:
        """The client's ``responses.retrieve``; see `Responses.retrieve`."""
        return await self._api.resource(self._keeper(response_id)).retrieve(response_id, **arguments)

    async def cancel(self, response_id: str, **arguments: Any) -> Any:
        """The client's ``responses.cancel``, of a response in the background."""
        return await self._api.resource(self._keeper(response_id)).cancel(response_id, **arguments)

    async def delete(self, response_id: str, **arguments: Any) -> Any:
        """The client's ``responses.delete``."""
        return await self._api.resource(self._keeper(response_id)).delete(response_id, **arguments)
