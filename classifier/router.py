"""The runtime: an artifact and a menu in, a tier for every request out.

``predict_model`` and ``route`` use one shared `Router`, loaded at the first call from, in this order: the file that
``$TIERWISE_ARTIFACT`` names, in the working directory the version that ``models/current`` names (where
``tierwise models`` promotes) and ``models/router.safetensors`` (where ``train-router`` writes), the artifact that ships
with the package. ``$TIERWISE_MODELS`` names another folder than ``models``. Make a `Router` of your own to have
several; `Router.watch` makes one that picks up new artifacts.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classifier.artifact import Artifact, header_field, read_artifact
from classifier.batch import by_chunks, choose_rows
from classifier.catalog import Menu, Tier, default_menu, load_menu, menu_from_header, normalise_label
from classifier.decision import Decision
from classifier.errors import ArtifactError, InputError
from classifier.features import FEATURE_VERSION, FeatureExtractor, Features, dense_names, request_form
from classifier.forecast import Forecaster
from classifier.heuristic import length_tier
from classifier.keywords import KeywordGroups, parse_keywords
from classifier.model import Expectations, Model, Prediction, load_model
from classifier.novelty import NOVEL, Novelty, load_novelty
from classifier.pointer import POINTER, follow
from classifier.policy import choose, feasible_tiers, least_able, misfit, supported
from classifier.request import Message, Request, make_request
from classifier.rule import ALWAYS_REFERENCE, Plan, load_rule
from classifier.support import load_support
from classifier.tasks import task_tier
from classifier.tokens import TokenCounter, runtime_counter

if TYPE_CHECKING:
    from classifier.watch import WatchedRouter

ARTIFACT_VARIABLE = "TIERWISE_ARTIFACT"
MODELS_VARIABLE = "TIERWISE_MODELS"
MODELS = Path("models")
TRAINED_ARTIFACT = MODELS / "router.safetensors"


@dataclass(frozen=True, slots=True)
class _Picked:
    """What `Router.decide` finds on its way to a decision, for some requests."""

    positions: list[int]
    feasible: list[tuple[int, ...]]
    tokens: list[float]
    expected: Expectations
    novelty: list[float]


class Router:
    """Routes requests by one artifact; threads may share it.

    Attributes
    ----------
    menu : the tiers; the artifact's own, first those it has learned about in price order, then the others.
    tiers : the menu's tiers.
    rule : how a tier is picked, and which quality losses are certified (``rule.ladder``).
    plan : what is in force where a call asks for nothing else.
    artifact : what the router was made from.
    keywords : the artifact's keyword groups.
    novelty : how unlike the training requests a request is.
    """

    def __init__(
        self,
        artifact: Artifact,
        *,
        menu: Menu | None = None,
        strategy: str | None = None,
        max_quality_loss: float | None = None,
        budget: float | None = None,
    ) -> None:
        """Make a router from a loaded artifact; see `load` for the parameters."""
        trained = menu_from_header(header_field(artifact, "menu", kind=dict), artifact.source)
        ladder = header_field(artifact, "tiers", kind=list)
        self.menu = trained if menu is None else _overlaid(trained, menu)
        self.tiers = self.menu.tiers
        if [tier.name for tier in trained.tiers[: len(ladder)]] != ladder or not ladder:
            raise ArtifactError(f"{artifact.source}: its tiers do not fit its menu; train a new one with train-router")
        self.rule = load_rule(artifact, ladder).with_aliases(self.menu.task_aliases)
        wished = max_quality_loss is not None or budget is not None
        preset = menu.strategy if menu is not None and not wished else None
        self.plan = self.rule.plan(strategy or preset, max_quality_loss, budget)
        self.artifact = artifact
        self._position = {tier.name: position for position, tier in enumerate(self.tiers)}
        self._ladder = len(ladder)
        self._every = tuple(range(len(self.tiers)))
        self._least = least_able(self.tiers)
        self.keywords, count_tokens = _feature_spec(artifact)
        self._extract = FeatureExtractor(self.keywords, count_tokens)
        self._model = load_model(artifact, len(ladder), len(dense_names(self.keywords)), self.menu.task_aliases)
        if ladder[self._model.reference] != self.rule.reference:
            raise ArtifactError(
                f"{artifact.source}: its rule and its model differ in the reference; retrain with train-router"
            )
        self.novelty: Novelty = load_novelty(artifact, self._model.weights)
        support = load_support(
            artifact, ladder, len(dense_names(self.keywords)), self._model.reference, self.menu.task_aliases
        )
        self._forecast = Forecaster(self._extract, self._model, self.novelty, support)

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
        """Load an artifact.

        Parameters
        ----------
        path : the artifact, or a pointer to it such as ``models/current``; None: where `predict_model` looks for it.
        menu : overrides the artifact's models, limits, task table and length rule, tier by tier of the same name; None:
            ``$TIERWISE_CONFIG`` or ``router.toml`` in the working directory, where there is one.
        strategy : "learned", "length" or "task"; None: the menu's, else the artifact's.
        max_quality_loss : route at the cheapest setting certified to lose no more quality than this, as a share of the
            reference's (points of score where the artifact was trained so); the reference where none is certified.
        budget : instead: route at the best setting whose mean cost is at most this share of the reference's.

        Raises
        ------
        ArtifactError : the artifact cannot be used; the message says exactly why.
        ConfigError : ``router.toml`` is wrong.
        InputError : the strategy is unknown, a number is out of range, or both numbers are given.
        """
        return cls(
            read_artifact(follow(Path(path)) if path else find_artifact()),
            menu=_override(menu),
            strategy=strategy,
            max_quality_loss=max_quality_loss,
            budget=budget,
        )

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

        A thread looks at the file every few seconds and loads what is new while the old one goes on deciding. One that
        cannot be used is refused with a warning, and the old one stays. `classifier.watch` says more.

        Parameters
        ----------
        path : as in `load`; a pointer is followed anew each time. Where it leads from is settled by the working
            directory of this moment, and so is the menu.
        interval : seconds between two looks.
        on_change : called, in that thread, with the router that was in force and the one that is.
        menu, strategy, max_quality_loss, budget : as in `load`, for every artifact.

        Raises
        ------
        InputError : the interval is no number above 0, or as in `load`.
        ArtifactError, ConfigError : as in `load`, of the first artifact alone.
        """
        from classifier.watch import WatchedRouter, finder

        override = _override(menu)

        def load(found: Path) -> Router:
            return Router(
                read_artifact(found),
                menu=override,
                strategy=strategy,
                max_quality_loss=max_quality_loss,
                budget=budget,
            )

        return WatchedRouter(finder(path), load, interval, on_change)

    def route(
        self,
        prompt: str | None = None,
        *,
        messages: Sequence[Message] | None = None,
        max_tokens: int | None = None,
        task: str | None = None,
        tools: Sequence[Any] | None = None,
        response_format: Any = None,
        strategy: str | None = None,
        max_quality_loss: float | None = None,
        budget: float | None = None,
    ) -> Decision:
        """Pick the tier for one request.

        Parameters
        ----------
        prompt, messages : the request's text; exactly one of the two.
        max_tokens : limit on the answer's tokens.
        task : a label such as "summarization"; one the artifact never saw changes nothing.
        tools, response_format : as passed to chat completions; tiers that cannot serve them are left out.
        strategy, max_quality_loss, budget : as in `load`, for this call alone.

        Raises
        ------
        TypeError : neither or both of ``prompt`` and ``messages``.
        NoFeasibleTierError : no tier of the menu can serve the request.
        InputError : the strategy is unknown, a number is out of range, or both numbers are given.
        """
        request = make_request(
            prompt,
            messages=messages,
            max_tokens=max_tokens,
            task=task,
            tools=tools,
            response_format=response_format,
        )
        if strategy is None and max_quality_loss is None and budget is None:
            return self.decide(request)
        return self.decide(request, self.rule.plan(strategy, max_quality_loss, budget))

    def route_many(self, requests: Iterable[Request]) -> list[Decision]:
        """Decisions for many requests, in order; faster than one by one, and shared among threads.

        Raises
        ------
        NoFeasibleTierError : no tier of the menu can serve one of them.
        """
        return [decision for chunk in by_chunks(list(requests), self._decide_chunk) for decision in chunk]

    def predict_models(
        self, prompts: Iterable[str], max_tokens: int | None = None, task: str | None = None
    ) -> list[str]:
        """The model names for many prompts, in order; raises as `route_many`."""
        requests = [make_request(prompt, max_tokens=max_tokens, task=task) for prompt in prompts]
        models = [tier.model for tier in self.tiers]
        chunks = by_chunks(requests, lambda chunk: self._pick_chunk(chunk).positions)
        return [models[position] for positions in chunks for position in positions]

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
        position, *_ = self._pick(make_request(prompt, max_tokens=max_tokens, task=task), self.plan)
        return self.tiers[position].model

    def decide(self, request: Request, plan: Plan | None = None) -> Decision:
        """Pick the tier for a request made by `classifier.request.make_request`, by a plan of `Rule.plan`."""
        plan = plan or self.plan
        position, feasible, tokens, prediction, novelty = self._pick(request, plan)
        tier = self.tiers[position]
        return Decision(tier.name, tier.model, plan, novelty, prediction, position, feasible, request, tokens, self)

    def decide_on(self, features: Features) -> Decision:
        """Pick the tier for a request of which only the features are known, such as a store may keep them.

        The decision's ``request`` has the form that they tell of, and no text.

        Raises
        ------
        InputError : they are not of this artifact's kind.
        NoFeasibleTierError : no tier of the menu can serve the request.
        """
        wanted = len(self._model.weights.dense_mean)
        if len(features.dense) != wanted:
            raise InputError(f"features: found {len(features.dense)} dense ones, expected the artifact's {wanted}")
        request, (_, prediction, novelty) = request_form(features), self._forecast.of(features)
        feasible = self._feasible(request, features.tokens)
        place = self._chosen(request, self.plan, prediction, novelty, feasible)
        tier = self.tiers[place]
        return Decision(
            tier.name, tier.model, self.plan, novelty, prediction, place, feasible, request, features.tokens, self
        )

    def _pick(self, request: Request, plan: Plan) -> tuple[int, tuple[int, ...], float, Prediction, float]:
        """Position of the tier, of all that can serve the request, and the forecast that led there."""
        tokens, prediction, novelty = self._forecast(request)
        feasible = self._feasible(request, tokens)
        return self._chosen(request, plan, prediction, novelty, feasible), feasible, tokens, prediction, novelty

    def _chosen(
        self, request: Request, plan: Plan, prediction: Prediction, novelty: float, feasible: tuple[int, ...]
    ) -> int:
        """Position of the tier for a request of which all is known that decides."""
        if feasible[0] >= self._ladder:
            return feasible[0]
        if plan.strategy == "learned":
            return self._learned(plan, request.task, prediction, novelty, feasible)
        return self._nearest(self._fixed(plan, request), feasible)

    def _feasible(self, request: Request, tokens: float) -> tuple[int, ...]:
        if misfit(self._least, request, tokens) is None:
            return self._every
        return tuple(feasible_tiers(self.tiers, request, tokens))

    def _decide_chunk(self, requests: Sequence[Request]) -> list[Decision]:
        """`decide` for some requests."""
        found = self._pick_chunk(requests)
        expected = found.expected
        predictions = _predictions(expected)
        tiers = [self.tiers[position] for position in found.positions]
        columns = (tiers, found.novelty, predictions, found.positions, found.feasible, requests, found.tokens)
        return [
            Decision(tier.name, tier.model, self.plan, novelty, prediction, position, feasible, request, tokens, self)
            for tier, novelty, prediction, position, feasible, request, tokens in zip(*columns, strict=True)
        ]

    def _pick_chunk(self, requests: Sequence[Request]) -> _Picked:
        """`_pick` for some requests, by the plan in force."""
        tokens, expected, novelty = self._forecast.many(requests)
        counts: list[float] = tokens.tolist()
        feasible = [self._feasible(*each) for each in zip(requests, counts, strict=True)]
        if self.plan.strategy == "learned":
            positions = self._learned_chunk(requests, expected, novelty, feasible)
        else:
            wanted = [self._fixed(self.plan, request) for request in requests]
            positions = [self._nearest(*each) for each in zip(wanted, feasible, strict=True)]
        return _Picked(positions, feasible, counts, expected, novelty.tolist())

    def _learned_chunk(
        self,
        requests: Sequence[Request],
        expected: Expectations,
        novelty: NDArray[np.float64],
        feasible: Sequence[tuple[int, ...]],
    ) -> list[int]:
        """`_learned` for some requests; where no learned tier can serve one, the first that can."""
        settings = [
            ALWAYS_REFERENCE if novel else self.plan.setting or self.rule.task_setting(normalise_label(request.task))
            for novel, request in zip((novelty > NOVEL).tolist(), requests, strict=True)
        ]
        quality = expected.quality.copy()
        quality[:, self._model.reference] += [setting.reference_bonus for setting in settings]
        weights = np.array([setting.price_weight for setting in settings])
        allowed = np.ones(quality.shape, bool)
        for row, places in enumerate(feasible):
            if places is not self._every:
                allowed[row] = np.isin(np.arange(self._ladder), places)
        if expected.unsupported is not None:
            left = allowed & ~expected.unsupported
            allowed = np.where(left.any(axis=1, keepdims=True), left, allowed)
        chosen: list[int] = choose_rows(quality, expected.cost / self.rule.reference_cost, weights, allowed).tolist()
        return [
            place if places[0] < self._ladder else places[0] for place, places in zip(chosen, feasible, strict=True)
        ]

    def features(self, request: Request) -> Features:
        """The features that this artifact's model sees of a request."""
        return self._extract(request)

    def forecast(self, request: Request) -> tuple[float, Prediction, float]:
        """What a decision on a request rests on: input tokens, what the model expects of each tier, novelty (0..1)."""
        return self._forecast(request)

    def forecast_of(self, features: Features) -> tuple[float, Prediction, float]:
        """The same of a request of which the features are known."""
        return self._forecast.of(features)

    @property
    def strategy(self) -> str:
        """The strategy in force: "learned", "length", "task" or "always"."""
        return self.plan.strategy

    @property
    def model(self) -> Model:
        """The learned part."""
        return self._model

    @property
    def learned_tiers(self) -> tuple[Tier, ...]:
        """The tiers that the model has learned about, in price order."""
        return self.tiers[: self._ladder]

    def _learned(
        self, plan: Plan, task: str | None, prediction: Prediction, novelty: float, feasible: Sequence[int]
    ) -> int:
        """Position of the tier that the learned rule picks; what is novel goes to the reference."""
        setting = plan.setting or self.rule.task_setting(normalise_label(task))
        if novelty > NOVEL:
            setting = ALWAYS_REFERENCE
        price_weight = setting.price_weight / self.rule.reference_cost
        reference, bonus = self._model.reference, setting.reference_bonus
        learned = feasible if feasible[-1] < self._ladder else [place for place in feasible if place < self._ladder]
        if prediction.unsupported:
            learned = supported(learned, prediction.unsupported)
        return choose(prediction.quality, prediction.cost, price_weight, learned, reference, bonus)

    def _fixed(self, plan: Plan, request: Request) -> int:
        """Position of the tier that a rule without learning picks."""
        name = plan.tier
        if plan.strategy == "task":
            name = task_tier(request.task, self.menu)
        if name is None:
            name = length_tier(request.chars, request.max_tokens, self.menu.length)
        return self._position[name]

    def _nearest(self, wanted: int, allowed: Sequence[int]) -> int:
        """The wanted tier where it can serve the request, else the next dearer one that can, else the dearest."""
        return next((position for position in allowed if position >= wanted), allowed[-1])


def _predictions(expected: Expectations) -> Iterator[Prediction]:
    """Those of each request."""
    columns = (expected.quality.tolist(), expected.adequate.tolist(), expected.cost.tolist())
    if expected.unsupported is None:
        return map(Prediction, *columns)
    return map(Prediction, *columns, [tuple(np.flatnonzero(row).tolist()) for row in expected.unsupported])


def find_artifact(folder: Path = Path(), models: Path | None = None) -> Path:
    """The artifact in use, which is the shared router's: see this module's first lines.

    Parameters
    ----------
    folder : the working directory.
    models : the folder of versions; None: the one that ``$TIERWISE_MODELS`` names, else ``models``.

    Raises
    ------
    ArtifactError : there is a pointer, and it is damaged.
    """
    named = os.environ.get(ARTIFACT_VARIABLE)
    if named:
        return follow(folder / named)
    kept = folder / (models or os.environ.get(MODELS_VARIABLE) or MODELS)
    places = (kept / POINTER, kept / TRAINED_ARTIFACT.name)
    return next((follow(place) for place in places if os.path.isfile(place)), shipped_artifact())


def shipped_artifact() -> Path:
    """The artifact that ships with the package: inside it when installed, in ``models/`` in a checkout."""
    inside = Path(__file__).with_name("default.safetensors")
    return inside if inside.is_file() else Path(__file__).parent.parent / "models" / "default.safetensors"


_shared: Router | None = None
_shared_lock = threading.Lock()


def shared_router() -> Router:
    """The router behind `predict_model` and `route`, loaded at its first use."""
    global _shared
    if _shared is None:
        with _shared_lock:
            if _shared is None:
                _shared = Router.load()
    return _shared


def set_shared_router(router: Router | None) -> None:
    """Make `predict_model` and `route` use ``router``; None: load anew at the next call."""
    global _shared
    with _shared_lock:
        _shared = router


def route(
    prompt: str | None = None,
    *,
    messages: Sequence[Message] | None = None,
    max_tokens: int | None = None,
    task: str | None = None,
    tools: Sequence[Any] | None = None,
    response_format: Any = None,
    strategy: str | None = None,
    max_quality_loss: float | None = None,
    budget: float | None = None,
) -> Decision:
    """Pick the tier for one request with the shared router; see `Router.route`."""
    return shared_router().route(
        prompt,
        messages=messages,
        max_tokens=max_tokens,
        task=task,
        tools=tools,
        response_format=response_format,
        strategy=strategy,
        max_quality_loss=max_quality_loss,
        budget=budget,
    )


def predict_model(
    prompt: str | None = None, max_tokens: int | None = None, task: str | None = None, **request: Any
) -> str:
    """The model name for a request, by the shared router; takes what `Router.route` takes."""
    return shared_router().predict_model(prompt, max_tokens, task, **request)


def _override(menu: Menu | None) -> Menu | None:
    """The menu to lay over an artifact's own: the one given, else that of ``router.toml`` where there is one."""
    found = load_menu() if menu is None else menu
    return None if menu is None and found is default_menu() else found


def _overlaid(trained: Menu, menu: Menu) -> Menu:
    """The trained menu with models, prices and limits of the user's tiers of the same name, and the user's rules."""
    own = {tier.name: tier for tier in menu.tiers}
    tiers = tuple(own.get(tier.name, tier) for tier in trained.tiers)
    names = {tier.name for tier in tiers}
    known = {menu.length.small, menu.length.medium, menu.length.large} <= names
    return replace(
        trained,
        tiers=tiers,
        strategy=menu.strategy,
        length=menu.length if known else replace(trained.length, thresholds=menu.length.thresholds),
        task_table={label: name for label, name in menu.task_table.items() if name in names} or trained.task_table,
        task_aliases={**trained.task_aliases, **menu.task_aliases},
        task_default=menu.task_default if menu.task_default in names else trained.task_default,
    )


def _feature_spec(artifact: Artifact) -> tuple[KeywordGroups, TokenCounter]:
    version = header_field(artifact, "features", "version", kind=int)
    if version != FEATURE_VERSION:
        raise ArtifactError(
            f"{artifact.source}: trained on feature version {version}, this tierwise computes version "
            f"{FEATURE_VERSION}; train a new one with train-router, or install the version that made it"
        )
    groups = header_field(artifact, "features", "keywords", kind=list)
    try:
        keywords = parse_keywords(groups, artifact.source)
    except InputError as error:
        raise ArtifactError(f"{error}; train a new one with train-router") from error
    return keywords, runtime_counter(header_field(artifact, "features", "tokens", kind=str))
