"""What a router decides by, made ready: an artifact over a menu, or the menu's rules alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from classifier.artifact import Artifact, header_field
from classifier.catalog import Menu, Tier, default_menu, load_menu, menu_from_header
from classifier.errors import ArtifactError, InputError
from classifier.escapes import for_terminal
from classifier.features import FEATURE_VERSION, FeatureExtractor, around_column, dense_names
from classifier.forecast import Forecaster, TokenForecaster
from classifier.keywords import KeywordGroups, dump_keywords, load_keywords, parse_keywords
from classifier.locate import TRAINED_ARTIFACT, models_folder
from classifier.model import Model, load_model
from classifier.novelty import Novelty, load_novelty
from classifier.overlay import joined_menu
from classifier.policy import feasible_tiers, least_able, why_unfit
from classifier.request import Request
from classifier.rule import Plan, Rule, load_rule, plan_by_rules
from classifier.support import load_support
from classifier.tokens import ESTIMATE, TokenCounter, estimate_tokens, runtime_counter

_log = logging.getLogger(__name__)
_NAMED = 5  # tiers in a message
_NEVER_VARIED = 1e6  # a dense feature's scale, from which it was the same for all training requests


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What holds for everything that a router loads.

    Attributes
    ----------
    menu : whose tiers and rules route; None: the artifact's own, and without an artifact the one that
        `classifier.load_menu` finds.
    strategy, max_quality_loss, budget : see `classifier.Router.load`.
    """

    menu: Menu | None = None
    strategy: str | None = None
    max_quality_loss: float | None = None
    budget: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ArtifactParts:
    """What an artifact knows.

    Attributes
    ----------
    artifact : what the rest was made from.
    rule : how a tier is picked, and which quality losses are certified (``rule.ladder``).
    model : the learned part.
    novelty : how unlike the training requests a request is.
    knows_context : what stands around the ask differed between the training requests, so that costs depend on it.
    """

    artifact: Artifact
    rule: Rule
    model: Model
    novelty: Novelty
    knows_context: bool


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """All that a decision depends on; threads may share it.

    Attributes
    ----------
    learned : what the artifact knows; None: nobody has trained, and the menu's rules route.
    menu : first the tiers that the artifact has learned about in price order, then the others.
    tiers : the menu's tiers.
    learned_tiers : those that the artifact has learned about, the first of ``tiers``; none without one.
    reference : index of the tier that would be used without routing: the artifact's, else the menu's dearest.
    plan : how requests are routed where a call asks for nothing else.
    keywords : the keyword groups of the features.
    extract : makes a request's features.
    forecast : what is expected of a request.
    column_of : by name, a tier's index in ``tiers``.
    every_column : the indexes of all tiers.
    least_able : a tier that can serve just what every tier can.
    """

    learned: ArtifactParts | None
    menu: Menu
    tiers: tuple[Tier, ...]
    learned_tiers: tuple[Tier, ...]
    reference: int
    plan: Plan
    keywords: KeywordGroups
    extract: FeatureExtractor
    forecast: Forecaster | TokenForecaster
    column_of: Mapping[str, int]
    every_column: tuple[int, ...]
    least_able: Tier

    @property
    def digest(self) -> str | None:
        """The artifact's; None: there is none."""
        return None if self.learned is None else self.learned.artifact.digest

    @property
    def name(self) -> str:
        """How the artifact's digest begins, or that rules route; for messages."""
        return "the menu's rules" if self.digest is None else self.digest[:12]

    @property
    def artifact(self) -> Artifact:
        """What an artifact's parts were made from. Raises ArtifactError: there is none."""
        return self._expect_learned().artifact

    @property
    def rule(self) -> Rule:
        """The artifact's rule. Raises ArtifactError: there is none."""
        return self._expect_learned().rule

    @property
    def model(self) -> Model:
        """The artifact's model. Raises ArtifactError: there is none."""
        return self._expect_learned().model

    @property
    def novelty(self) -> Novelty:
        """The artifact's novelty score. Raises ArtifactError: there is none."""
        return self._expect_learned().novelty

    @property
    def feature_kind(self) -> Mapping[str, object]:
        """What features of two have to share to mean the same: their version, token counter and keyword groups."""
        if self.learned is None:
            return rules_feature_kind()
        return header_field(self.learned.artifact, "features", kind=dict)

    def plan_for(self, strategy: str | None, max_quality_loss: float | None, budget: float | None) -> Plan:
        """How to route for a wish. Raises InputError as `Rule.plan`."""
        if self.learned is None:
            return plan_by_rules(self.menu, strategy, max_quality_loss, budget)
        return self.learned.rule.plan(strategy, max_quality_loss, budget)

    def feasible(self, request: Request, tokens: float) -> tuple[int, ...]:
        """Indexes of the tiers that can serve a request of so many input tokens, in order.

        Raises
        ------
        NoFeasibleTierError : none can.
        """
        if why_unfit(self.least_able, request, tokens) is None:
            return self.every_column
        return tuple(feasible_tiers(self.tiers, request, tokens))

    def _expect_learned(self) -> ArtifactParts:
        if self.learned is None:
            raise ArtifactError("no artifact is loaded, the menu's rules route; train one with train-router")
        return self.learned


@dataclass(slots=True)
class InUse:
    """Holds what a router decides by; a watcher replaces it, in one step."""

    loaded: Loaded


def make_ready(artifact: Artifact | None, options: LoadOptions | None = None) -> Loaded:
    """Put an artifact's parts together with a menu; None: nobody has trained, so that the menu's rules route.

    Raises
    ------
    ArtifactError : a part is missing, or does not fit the others or the menu.
    InputError : an option is out of range.
    """
    options = options or LoadOptions()
    return _by_rules(options) if artifact is None else _by_artifact(artifact, options)


def menu_to_overlay(menu: Menu | None) -> Menu | None:
    """The menu that routes in place of an artifact's own: the one given, else a ``router.toml``'s; None: neither."""
    if menu is not None:
        return menu
    loaded = load_menu()
    return None if loaded is default_menu() else loaded


def rules_feature_kind() -> Mapping[str, object]:
    """`Loaded.feature_kind` where rules route."""
    return {"version": FEATURE_VERSION, "tokens": ESTIMATE, "keywords": dump_keywords(_default_keywords())}


def tell_rules_route(loaded: Loaded) -> None:
    """Warn that nobody has trained, and say what routes instead."""
    names = [for_terminal(tier.name) for tier in loaded.tiers[:_NAMED]] + (["..."] if loaded.tiers[_NAMED:] else [])
    _log.warning(
        "%s: no artifact is there yet, so the menu's rules route, over the tiers %s; make one from your own outcomes "
        "with train-router",
        for_terminal(str(models_folder() / TRAINED_ARTIFACT.name)),
        ", ".join(names),
    )


def _by_rules(options: LoadOptions) -> Loaded:
    menu = options.menu or load_menu()
    plan = plan_by_rules(menu, options.strategy, options.max_quality_loss, options.budget)
    extract = FeatureExtractor(_default_keywords(), estimate_tokens)
    return _loaded(None, menu, plan, _default_keywords(), extract, TokenForecaster(extract))


def _by_artifact(artifact: Artifact, options: LoadOptions) -> Loaded:
    trained = menu_from_header(header_field(artifact, "menu", kind=dict), artifact.source)
    names = header_field(artifact, "tiers", kind=list)
    if [tier.name for tier in trained.tiers[: len(names)]] != names or not names:
        raise ArtifactError(f"{artifact.source}: its tiers do not fit its menu; train a new one with train-router")
    menu = trained if options.menu is None else joined_menu(trained, len(names), options.menu, artifact.source)
    rule = load_rule(artifact, names).with_aliases(menu.task_aliases)
    keywords, count_tokens = _feature_spec(artifact)
    extract, dense = FeatureExtractor(keywords, count_tokens), len(dense_names(keywords))
    model = load_model(artifact, len(names), dense, menu.task_aliases)
    if names[model.reference] != rule.reference:
        raise ArtifactError(
            f"{artifact.source}: its rule and its model differ in the reference; retrain with train-router"
        )
    rule = rule.renamed({name: tier.name for name, tier in zip(names, menu.tiers, strict=False)})
    novelty = load_novelty(artifact, model.weights)
    support = load_support(artifact, names, dense, model.reference, menu.task_aliases)
    knows_context = bool(model.weights.dense_scale[around_column(keywords)] < _NEVER_VARIED)
    learned = ArtifactParts(artifact, rule, model, novelty, knows_context)
    forecast = Forecaster(extract, model, novelty, support)
    return _loaded(learned, menu, _plan(rule, options), keywords, extract, forecast)


def _loaded(
    learned: ArtifactParts | None,
    menu: Menu,
    plan: Plan,
    keywords: KeywordGroups,
    extract: FeatureExtractor,
    forecast: Forecaster | TokenForecaster,
) -> Loaded:
    known = 0 if learned is None else learned.model.tiers
    return Loaded(
        learned=learned,
        menu=menu,
        tiers=menu.tiers,
        learned_tiers=menu.tiers[:known],
        reference=len(menu.tiers) - 1 if learned is None else learned.model.reference,
        plan=plan,
        keywords=keywords,
        extract=extract,
        forecast=forecast,
        column_of={tier.name: column for column, tier in enumerate(menu.tiers)},
        every_column=tuple(range(len(menu.tiers))),
        least_able=least_able(menu.tiers),
    )


@cache
def _default_keywords() -> KeywordGroups:
    return load_keywords()


def _plan(rule: Rule, options: LoadOptions) -> Plan:
    """The plan that the options ask for; a menu's own strategy counts where they ask for nothing."""
    asks_for_loss_or_budget = options.max_quality_loss is not None or options.budget is not None
    preset = None if options.menu is None or asks_for_loss_or_budget else options.menu.strategy
    return rule.plan(options.strategy or preset, options.max_quality_loss, options.budget)


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
