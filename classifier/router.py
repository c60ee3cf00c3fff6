"""`Router`: an artifact or a menu's rules in, a tier for every request out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from classifier import choosing
from classifier.arguments import answer_limit
from classifier.artifact import Artifact, read_artifact
from classifier.catalog import Menu, Tier
from classifier.decision import Decision
from classifier.features import Features
from classifier.forecast import Forecast
from classifier.keywords import KeywordGroups
from classifier.loaded import InUse, Loaded, LoadOptions, make_ready, menu_to_overlay, tell_rules_route
from classifier.locate import locate
from classifier.model import Model
from classifier.novelty import Novelty
from classifier.request import Messages, Request, make_request, wants_reasoning
from classifier.rule import Plan, Rule
from classifier.watch import ArtifactWatch


class Router:
    """Routes requests by one artifact, or before anyone has trained by a menu's rules; threads may share it."""

    def __init__(
        self,
        artifact: Artifact | Loaded | InUse | None = None,
        *,
        menu: Menu | None = None,
        strategy: str | None = None,
        max_quality_loss: float | None = None,
        budget: float | None = None,
    ) -> None:
        """Make a router from an artifact that was read, or of rules (None); see `load` for the other parameters.

        From one that was made ready already, or from what holds one, the other parameters change nothing.
        """
        if artifact is None or isinstance(artifact, Artifact):
            artifact = make_ready(artifact, LoadOptions(menu, strategy, max_quality_loss, budget))
        self._in_use = InUse(artifact) if isinstance(artifact, Loaded) else artifact

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        *,
        menu: Menu | None = None,
        strategy: str | None = None,
        max_quality_loss: float | None = None,
        budget: float | None = None,
    ) -> Router:
        """Load an artifact; where none is there yet, the menu's rules route, which a warning says.

        Parameters
        ----------
        path : the artifact, or a pointer to it such as ``models/current``; None: where `predict_model` looks for it,
            and the menu's rules (its task table, else its length rule) where nobody has trained.
        menu : routes in place of the artifact's own (`classifier.overlay`): its tiers, models, limits and rules; None:
            ``$TIERWISE_CONFIG`` or ``router.toml`` in the working directory, where there is one.
        strategy : "learned", "length" or "task"; None: the menu's, else the artifact's.
        max_quality_loss : route at the cheapest setting certified to lose no more quality than this, as a share of the
            reference's (points of score where the artifact was trained so); the reference where none is certified.
        budget : instead: route at the best setting whose mean cost is at most this share of the reference's.

        Raises
        ------
        ArtifactError : the artifact cannot be used, or was trained on other tiers than the menu's; the message says
            exactly why.
        ConfigError : ``router.toml`` is wrong.
        InputError : the strategy is unknown, a number is out of range, both numbers are given, or a budget without an
            artifact.
        """
        place = locate(path or None)
        router = cls(
            None if place is None else read_artifact(place),
            menu=menu_to_overlay(menu),
            strategy=strategy,
            max_quality_loss=max_quality_loss,
            budget=budget,
        )
        if place is None:
            tell_rules_route(router.loaded)
        return router

    @staticmethod
    def watch(
        path: str | Path | None = None,
        *,
        interval: float = 5.0,
        on_change: Callable[[Router, Router], object] | None = None,
        menu: Menu | None = None,
        strategy: str | None = None,
        max_quality_loss: float | None = None,
        budget: float | None = None,
    ) -> WatchedRouter:
        """Load an artifact, and every other that takes its place from then on.

        Where `predict_model` would find none yet, the menu's rules route until there is one. A thread looks at the file
        every few seconds and loads what is new while the old one goes on deciding. One that
        cannot be used is refused with a warning, and the old one stays. `classifier.watch` says more.

        Parameters
        ----------
        path : as in `load`; a pointer is followed anew each time. Where it leads from is settled by the working
            directory of this moment, and so is the menu.
        interval : seconds between two looks.
        on_change : called, in that thread, with the router that was in use and the one that is.
        menu, strategy, max_quality_loss, budget : as in `load`, for every artifact.

        Raises
        ------
        InputError : the interval is no number above 0, or as in `load`.
        ArtifactError, ConfigError : as in `load`, of the first artifact alone.
        """
        options = LoadOptions(menu_to_overlay(menu), strategy, max_quality_loss, budget)
        return WatchedRouter(path, options, interval, on_change)

    # As many parameters as a request and a call have: what chat completions take, and three wishes.
    def route(
        self,
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
        """Pick the tier for one request.

        Parameters
        ----------
        prompt, messages : the request's text; exactly one of the two. Messages may be those of chat completions, the
            Responses API's input, or what `classifier.messages` names.
        max_tokens, max_completion_tokens, max_output_tokens : limit on the answer's tokens, under any of its names; of
            several, the smallest.
        task : a label such as "summarization"; one the artifact never saw changes nothing.
        tools, response_format, reasoning_effort : as passed to chat completions; tiers that cannot serve them are left
            out.
        strategy, max_quality_loss, budget : as in `load`, for this call alone.

        Raises
        ------
        TypeError : neither or both of ``prompt`` and ``messages``.
        NoFeasibleTierError : no tier of the menu can serve the request.
        InputError : the messages or a limit are not understood, the strategy is unknown, a number is out of range, or
            both numbers are given.
        """
        request = make_request(
            prompt,
            messages=messages,
            max_tokens=answer_limit(max_tokens, max_completion_tokens, max_output_tokens),
            task=task,
            tools=tools,
            response_format=response_format,
            reasoning=wants_reasoning(reasoning_effort),
        )
        loaded = self._in_use.loaded
        if strategy is None and max_quality_loss is None and budget is None:
            return choosing.decide(loaded, request, loaded.plan)
        return choosing.decide(loaded, request, loaded.plan_for(strategy, max_quality_loss, budget))

    def route_many(self, requests: Iterable[Request]) -> list[Decision]:
        """Decisions for many requests, in order; faster than one by one, and shared among threads.

        Raises
        ------
        NoFeasibleTierError : no tier of the menu can serve one of them.
        """
        return choosing.decide_many(self._in_use.loaded, list(requests))

    def predict_models(
        self, prompts: Iterable[str], max_tokens: int | None = None, task: str | None = None
    ) -> list[str]:
        """The model names for many prompts, in order; raises as `route_many`."""
        requests = [make_request(prompt, max_tokens=max_tokens, task=task) for prompt in prompts]
        return [tier.model for tier in choosing.pick_tiers(self._in_use.loaded, requests)]

    def predict_model(
        self,
        prompt: str | None = None,
        max_tokens: int | None = None,
        task: str | None = None,
        **request: Any,
    ) -> str:
        """The model name for a request, ready to be passed on; takes what `route` takes."""
        if request:
            return self.route(prompt, max_tokens=max_tokens, task=task, **request).model
        loaded = self._in_use.loaded
        return choosing.pick_tier(loaded, make_request(prompt, max_tokens=max_tokens, task=task), loaded.plan).model

    def decide(self, request: Request, plan: Plan | None = None) -> Decision:
        """Pick the tier for a request made by `classifier.request.make_request`, by a plan of `Rule.plan`."""
        loaded = self._in_use.loaded
        return choosing.decide(loaded, request, plan or loaded.plan)

    def decide_on(self, features: Features) -> Decision:
        """Pick the tier for a request of which only the features are known, such as a store may keep them.

        The decision's ``request`` has the form that they tell of, and no text.

        Raises
        ------
        InputError : they are not of this artifact's kind.
        NoFeasibleTierError : no tier of the menu can serve the request.
        """
        return choosing.decide_on(self._in_use.loaded, features)

    def features(self, request: Request) -> Features:
        """The features that the model sees of a request; without an artifact, those that one trained here would see."""
        return self._in_use.loaded.extract(request)

    def forecast(self, request: Request) -> Forecast:
        """What a decision on a request rests on: input tokens, what the model expects of each tier, novelty (0..1).

        Without an artifact there are only the tokens.
        """
        return self._in_use.loaded.forecast(request)

    def forecast_of(self, features: Features) -> Forecast:
        """The same of a request of which the features are known."""
        return self._in_use.loaded.forecast.of(features)

    @property
    def loaded(self) -> Loaded:
        """The artifact or the rules in use, made ready: all that a decision depends on."""
        return self._in_use.loaded

    @property
    def artifact(self) -> Artifact:
        """What the router was made from. Raises ArtifactError: by rules."""
        return self._in_use.loaded.artifact

    @property
    def digest(self) -> str | None:
        """The artifact's SHA-256, 64 hexadecimal digits; None: there is none, the menu's rules route."""
        return self._in_use.loaded.digest

    @property
    def menu(self) -> Menu:
        """First the tiers that the artifact has learned about in price order, then the others."""
        return self._in_use.loaded.menu

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The menu's tiers."""
        return self._in_use.loaded.tiers

    @property
    def learned_tiers(self) -> tuple[Tier, ...]:
        """The tiers that the model has learned about, in price order; none without an artifact."""
        return self._in_use.loaded.learned_tiers

    @property
    def rule(self) -> Rule:
        """How a tier is picked, and which losses are certified (``rule.ladder``). Raises ArtifactError: by rules."""
        return self._in_use.loaded.rule

    @property
    def plan(self) -> Plan:
        """How requests are routed where a call asks for nothing else."""
        return self._in_use.loaded.plan

    @property
    def strategy(self) -> str:
        """The plan's strategy: "learned", "length", "task", "always", or without an artifact "rules"."""
        return self._in_use.loaded.plan.strategy

    @property
    def keywords(self) -> KeywordGroups:
        """The keyword groups of the features."""
        return self._in_use.loaded.keywords

    @property
    def model(self) -> Model:
        """The learned part. Raises ArtifactError: by rules."""
        return self._in_use.loaded.model

    @property
    def novelty(self) -> Novelty:
        """How unlike the training requests a request is. Raises ArtifactError: by rules."""
        return self._in_use.loaded.novelty


class WatchedRouter(Router):
    """A `Router` that `Router.watch` made: it decides by the artifact that is in place at the moment.

    Several calls may be answered by several artifacts. Take `current` for some that belong together.
    """

    def __init__(
        self,
        path: str | Path | None,
        options: LoadOptions,
        interval: float,
        on_change: Callable[[Router, Router], object] | None = None,
    ) -> None:
        """Load and start to watch; see `Router.watch`."""
        self._watch = ArtifactWatch(path, options, interval, _of_routers(on_change))
        super().__init__(self._watch.in_use)
        self._current = Router(self.loaded)

    def __repr__(self) -> str:
        loaded = self.loaded
        if loaded.learned is None:
            return "WatchedRouter(by the menu's rules)"
        return f"WatchedRouter({loaded.artifact.source!r}, digest={loaded.name!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def current(self) -> Router:
        """A router that stays with what is in use now."""
        loaded, current = self.loaded, self._current
        if current.loaded is not loaded:
            self._current = current = Router(loaded)
        return current

    @property
    def refused(self) -> str | None:
        """Why the file that is in place is not in use; None: it is."""
        return self._watch.refused

    def close(self) -> None:
        """Look no more; the artifact in use stays."""
        self._watch.close()

    def refresh(self) -> bool:
        """Look now instead of waiting for the next time.

        Returns
        -------
        Whether another artifact came into use.
        """
        return self._watch.refresh()

    def load_beside(self, path: Path) -> Router:
        """A router of another artifact, with the menu and wishes that all get here; raises as `Router.load`."""
        return Router(make_ready(read_artifact(path), self._watch.options))


def _of_routers(on_change: Callable[[Router, Router], object] | None) -> Callable[[Loaded, Loaded], object] | None:
    """A listener of artifacts from one of routers."""
    return None if on_change is None else lambda old, new: on_change(Router(old), Router(new))
