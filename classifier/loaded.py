"""One artifact made ready to decide: read, checked against the menu, and put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from classifier.artifact import Artifact, header_field
from classifier.catalog import Menu, Tier, default_menu, load_menu, menu_from_header
from classifier.errors import ArtifactError, InputError
from classifier.features import FEATURE_VERSION, FeatureExtractor, dense_names
from classifier.forecast import Forecaster
from classifier.keywords import KeywordGroups, parse_keywords
from classifier.model import Model, load_model
from classifier.novelty import Novelty, load_novelty
from classifier.policy import feasible_tiers, least_able, why_unfit
from classifier.request import Request
from classifier.rule import Plan, Rule, load_rule
from classifier.support import load_support
from classifier.tokens import TokenCounter, runtime_counter


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What holds for every artifact that a router loads.

    Attributes
    ----------
    menu : overrides the artifact's models, limits, task table and length rule, tier by tier of the same name.
    strategy, max_quality_loss, budget : see `classifier.Router.load`.
    """

    menu: Menu | None = None
    strategy: str | None = None
    max_quality_loss: float | None = None
    budget: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """An artifact's parts; threads may share it.

    Attributes
    ----------
    artifact : what all else was made from.
    menu : the artifact's own, first the tiers that it has learned about in price order, then the others.
    tiers : the menu's tiers.
    learned_tiers : those that the model has learned about, the first of ``tiers``.
    rule : how a tier is picked, and which quality losses are certified (``rule.ladder``).
    plan : how requests are routed where a call asks for nothing else.
    keywords : the artifact's keyword groups.
    extract : makes a request's features.
    model : the learned part.
    novelty : how unlike the training requests a request is.
    forecast : what is expected of a request, from ``extract``, ``model`` and ``novelty``.
    column_of : by name, a tier's index in ``tiers``.
    every_column : the indexes of all tiers.
    least_able : a tier that can serve just what every tier can.
    """

    artifact: Artifact
    menu: Menu
    tiers: tuple[Tier, ...]
    learned_tiers: tuple[Tier, ...]
    rule: Rule
    plan: Plan
    keywords: KeywordGroups
    extract: FeatureExtractor
    model: Model
    novelty: Novelty
    forecast: Forecaster
    column_of: Mapping[str, int]
    every_column: tuple[int, ...]
    least_able: Tier

    def feasible(self, request: Request, tokens: float) -> tuple[int, ...]:
        """Indexes of the tiers that can serve a request of so many input tokens, in order.

        Raises
        ------
        NoFeasibleTierError : none can.
        """
        if why_unfit(self.least_able, request, tokens) is None:
            return self.every_column
        return tuple(feasible_tiers(self.tiers, request, tokens))


@dataclass(slots=True)
class InUse:
    """Holds the artifact that a router decides by; a watcher replaces it, in one step."""

    loaded: Loaded


def make_ready(artifact: Artifact, options: LoadOptions | None = None) -> Loaded:
    """Put an artifact's parts together.

    Raises
    ------
    ArtifactError : a part is missing, or does not fit the others.
    InputError : an option is out of range.
    """
    options = options or LoadOptions()
    trained = menu_from_header(header_field(artifact, "menu", kind=dict), artifact.source)
    names = header_field(artifact, "tiers", kind=list)
    menu = trained if options.menu is None else _overlaid(trained, options.menu)
    if [tier.name for tier in trained.tiers[: len(names)]] != names or not names:
        raise ArtifactError(f"{artifact.source}: its tiers do not fit its menu; train a new one with train-router")
    rule = load_rule(artifact, names).with_aliases(menu.task_aliases)
    plan = _plan(rule, options)
    keywords, count_tokens = _feature_spec(artifact)
    extract, dense = FeatureExtractor(keywords, count_tokens), len(dense_names(keywords))
    model = load_model(artifact, len(names), dense, menu.task_aliases)
    if names[model.reference] != rule.reference:
        raise ArtifactError(
            f"{artifact.source}: its rule and its model differ in the reference; retrain with train-router"
        )
    novelty = load_novelty(artifact, model.weights)
    support = load_support(artifact, names, dense, model.reference, menu.task_aliases)
    return Loaded(
        artifact=artifact,
        menu=menu,
        tiers=menu.tiers,
        learned_tiers=menu.tiers[: len(names)],
        rule=rule,
        plan=plan,
        keywords=keywords,
        extract=extract,
        model=model,
        novelty=novelty,
        forecast=Forecaster(extract, model, novelty, support),
        column_of={tier.name: column for column, tier in enumerate(menu.tiers)},
        every_column=tuple(range(len(menu.tiers))),
        least_able=least_able(menu.tiers),
    )


def menu_to_overlay(menu: Menu | None) -> Menu | None:
    """The menu to lay over an artifact's own: the one given, else that of ``router.toml`` where there is one."""
    if menu is not None:
        return menu
    loaded = load_menu()
    return None if loaded is default_menu() else loaded


def _plan(rule: Rule, options: LoadOptions) -> Plan:
    """The plan that the options ask for; a menu's own strategy counts where they ask for nothing."""
    asks_for_loss_or_budget = options.max_quality_loss is not None or options.budget is not None
    preset = None if options.menu is None or asks_for_loss_or_budget else options.menu.strategy
    return rule.plan(options.strategy or preset, options.max_quality_loss, options.budget)


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
