"""The decision rule of an artifact: the settings it may run at, and which of them keeps which promise.

Training orders settings into one *path*, from nearly always the reference to nearly always the cheapest tier, and
certifies on rows kept apart how far along it each quality loss allows to go (`training.certify.certify`). So one
artifact serves several wishes, chosen when it is loaded or call by call:

- none: the setting that `train-router` chose;
- ``max_quality_loss``: the cheapest setting certified to lose no more; the reference where none is;
- ``budget``: the best setting whose mean cost, on rows kept apart, is at most this share of the reference's. Its
  quality is not certified.

Without an artifact, `plan_by_rules` routes by the menu's task table and length rule.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from classifier.artifact import MAX_NUMBER, Artifact, header_field
from classifier.catalog import MAX_LABEL_CHARS, STRATEGIES, Menu
from classifier.errors import ArtifactError, InputError
from classifier.untrusted import quoted

RULES = "rules"  # the strategy where nobody has trained: the task table where the task is known, else the length rule
MAX_SETTINGS = 1_000
MAX_PROMISES = 100
LEAST_COST = 1e-15  # USD of a reference call, which other costs are divided by


@dataclass(frozen=True, slots=True)
class Setting:
    """One point of the path.

    Attributes
    ----------
    price_weight : quality points that one reference call's cost is worth.
    reference_bonus : quality points that another tier must win by before the reference is left.
    cost : mean cost of a request as a share of the reference's, on rows that nothing was fitted on.
    """

    price_weight: float
    reference_bonus: float
    cost: float


# Expected quality is at most 1 at no weight on price, so nothing overcomes this bonus: the reference, where it can.
ALWAYS_REFERENCE = Setting(price_weight=0.0, reference_bonus=2.0, cost=1.0)


@dataclass(frozen=True, slots=True)
class Promise:
    """What is certified for one quality loss.

    Attributes
    ----------
    target : quality that may be lost, in the unit of `Rule.relative`.
    setting : place in the path of the cheapest setting that keeps it; None: only the reference does.
    rows_needed : about how many rows for choosing would certify more than the reference; None where it is certified,
        or more rows would not help.
    """

    target: float
    setting: int | None
    rows_needed: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """How requests are to be routed: by strategy, and for "learned" at which setting.

    Attributes
    ----------
    strategy : "learned", "length", "task", "always" or "rules".
    setting : None: each task at its own, or not by the learned rule.
    tier : of "always".
    promise : quality that is certified to be lost at most, in the unit of `Rule.relative`; None: nothing is promised.
    """

    strategy: str
    setting: Setting | None = None
    tier: str | None = None
    promise: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """How an artifact picks a tier.

    Attributes
    ----------
    strategy : "learned", or the floor that ships when nothing better was learned: "length" or "always" (one tier).
    reference : the tier used without routing.
    reference_cost : mean USD of a reference call in training.
    path : settings, safest first.
    chosen : place in the path of the setting in use unless another is asked for; None: the reference.
    target : quality that the choice may lose: a share of the reference's if ``relative``, else points of score.
    confidence : with which all promises hold at once.
    certified : the choice is certified for the target.
    ladder : promises by ascending target.
    tasks : by task label, place in the path that is certified for the task, None: the reference; where each task was
        certified by itself, else None.
    always : the tier of strategy "always".
    cost_factors : by learned tier, what calls cost today as a multiple of what the rule decides by, which stays as it
        was certified; None: the same.
    """

    strategy: str
    reference: str
    reference_cost: float
    path: tuple[Setting, ...]
    chosen: int | None
    target: float
    relative: bool
    confidence: float
    certified: bool
    ladder: tuple[Promise, ...]
    tasks: Mapping[str, int | None] | None = None
    always: str | None = None
    cost_factors: tuple[float, ...] | None = None

    def plan(
        self, strategy: str | None = None, max_quality_loss: float | None = None, budget: float | None = None
    ) -> Plan:
        """How to route for a wish; see the module's first lines.

        Parameters
        ----------
        strategy : "length" or "task"; None or "learned" is what the artifact settled on.

        Raises
        ------
        InputError : the strategy is unknown, a number is out of range, or two wishes contradict each other.
        """
        _check_wish(strategy, max_quality_loss, budget)
        if max_quality_loss is None and budget is None:
            return self._default(strategy)
        return self._affordable(budget) if budget is not None else self._within(max_quality_loss or 0.0)

    def with_aliases(self, aliases: Mapping[str, str]) -> Rule:
        """The rule with other spellings of its tasks: alias -> task label."""
        if self.tasks is None:
            return self
        spelt = {alias: self.tasks[label] for alias, label in aliases.items() if label in self.tasks}
        return replace(self, tasks=spelt | dict(self.tasks))

    def renamed(self, names: Mapping[str, str]) -> Rule:
        """The rule with other names of its tiers: name -> new name."""
        always = None if self.always is None else names[self.always]
        return replace(self, reference=names[self.reference], always=always)

    def task_setting(self, task: str | None) -> Setting:
        """The setting certified for a task, where each was certified by itself; the reference for any other."""
        place = None if self.tasks is None or task is None else self.tasks.get(task)
        return ALWAYS_REFERENCE if place is None else self.path[place]

    def _default(self, strategy: str | None) -> Plan:
        promise = self.target if self.certified else None
        if strategy in ("length", "task"):
            return Plan(strategy, promise=promise if strategy == self.strategy else None)
        if self.strategy != "learned":
            return Plan(self.strategy, tier=self.always, promise=promise)
        return Plan("learned", None if self.tasks is not None else self._at(self.chosen), promise=promise)

    def _affordable(self, budget: float) -> Plan:
        """The first setting, from the one with the best quality on, that the budget pays for; else the cheapest."""
        free = [setting for setting in self.path if setting.reference_bonus == 0] or list(self.path[-1:])
        fitting = next((setting for setting in free if setting.cost <= budget), None)
        return Plan("learned", fitting or min(free, key=lambda setting: setting.cost))

    def _within(self, loss: float) -> Plan:
        nothing_lost = Plan("learned", ALWAYS_REFERENCE, promise=0.0)
        if self.strategy != "learned" or self.tasks is not None:
            return self._default(None) if self.certified and loss >= self.target else nothing_lost
        place = bisect_right([promise.target for promise in self.ladder], loss) - 1
        kept = self.ladder[place] if place >= 0 else None
        if kept is None or kept.setting is None:
            return nothing_lost
        return Plan("learned", self.path[kept.setting], promise=kept.target)

    def _at(self, place: int | None) -> Setting:
        return ALWAYS_REFERENCE if place is None else self.path[place]


def plan_by_rules(
    menu: Menu, strategy: str | None = None, max_quality_loss: float | None = None, budget: float | None = None
) -> Plan:
    """How to route for a wish where nobody has trained.

    With ``max_quality_loss`` it is the menu's dearest tier, the reference: nothing else is certified.

    Raises
    ------
    InputError : as `Rule.plan`, or there is a budget: what requests cost on average is learned.
    """
    _check_wish(strategy, max_quality_loss, budget)
    if budget is not None:
        raise InputError(
            f"budget is {budget:g}; expected none, as no artifact is there that tells what requests cost on average; "
            "leave it out, or train one with train-router"
        )
    if max_quality_loss is not None:
        return Plan("always", tier=menu.tiers[-1].name)
    wanted = strategy or menu.strategy
    return Plan(RULES if wanted == "learned" else wanted)


def _check_wish(strategy: str | None, max_quality_loss: float | None, budget: float | None) -> None:
    if strategy is not None and strategy not in STRATEGIES:
        raise InputError(f"strategy '{strategy}' is not known; expected one of: {', '.join(STRATEGIES)}")
    if max_quality_loss is not None and budget is not None:
        raise InputError("max_quality_loss and budget are given both; expected one: a promise of quality or of cost")
    wish = max_quality_loss if budget is None else budget
    if wish is not None and strategy in ("length", "task"):
        raise InputError(f"strategy '{strategy}' knows no max_quality_loss or budget; leave one of the two out")
    if max_quality_loss is not None and not 0 <= max_quality_loss <= 1:
        raise InputError(f"max_quality_loss is {max_quality_loss:g}; expected a number from 0 to 1, such as 0.02")
    if budget is not None and not (isfinite(budget) and budget > 0):
        raise InputError(f"budget is {budget:g}; expected a share of the reference's cost above 0, such as 0.4")


def load_rule(artifact: Artifact, ladder: list[str]) -> Rule:
    """The rule of an artifact whose learned tiers are ``ladder``.

    Raises
    ------
    ArtifactError : a field is missing or does not fit the others.
    """
    strategy = header_field(artifact, "rule", "strategy", kind=str)
    chosen = artifact.header["rule"].get("chosen")
    rule = Rule(
        strategy=strategy,
        reference=header_field(artifact, "rule", "reference", kind=str),
        reference_cost=header_field(artifact, "rule", "reference_cost", kind=float),
        path=tuple(_setting(row) for row in header_field(artifact, "rule", "path", kind=list)),
        chosen=chosen,
        target=header_field(artifact, "rule", "target", kind=float),
        relative=header_field(artifact, "rule", "relative", kind=bool),
        confidence=header_field(artifact, "rule", "confidence", kind=float),
        certified=header_field(artifact, "rule", "certified", kind=bool),
        ladder=tuple(_promise(step) for step in header_field(artifact, "rule", "ladder", kind=list)),
        tasks=header_field(artifact, "rule", "tasks", kind=dict) if "tasks" in artifact.header["rule"] else None,
        always=header_field(artifact, "rule", "always", kind=str) if strategy == "always" else None,
        cost_factors=_factors(artifact.header["rule"].get("cost_factors")),
    )
    for field, found, sound, expected in _checks(rule, ladder):
        if not sound:
            raise ArtifactError(
                f"{artifact.source}: its decision rule is unsound; train a new one with train-router "
                f"(rule.{field}: found {quoted(str(found))}, expected {expected})"
            )
    return rule


def dump_rule(rule: Rule) -> dict[str, Any]:
    """The inverse of `load_rule`: plain values for an artifact's header."""
    fields: dict[str, Any] = {
        "strategy": rule.strategy,
        "reference": rule.reference,
        "reference_cost": rule.reference_cost,
        "path": [[setting.price_weight, setting.reference_bonus, setting.cost] for setting in rule.path],
        "chosen": rule.chosen,
        "target": rule.target,
        "relative": rule.relative,
        "confidence": rule.confidence,
        "certified": rule.certified,
        "ladder": [[promise.target, promise.setting, promise.rows_needed] for promise in rule.ladder],
    }
    if rule.tasks is not None:
        fields["tasks"] = dict(rule.tasks)
    if rule.always is not None:
        fields["always"] = rule.always
    if rule.cost_factors is not None:
        fields["cost_factors"] = list(rule.cost_factors)
    return fields


def _setting(row: Any) -> Setting:
    """A setting from a header's list; nonsense becomes one that `_checks` refuses."""
    sound = isinstance(row, list) and len(row) == 3 and all(map(_is_figure, row))
    return Setting(*map(float, row)) if sound else Setting(-1.0, -1.0, -1.0)


def _factors(values: Any) -> tuple[float, ...] | None:
    """The factors of a header; nonsense becomes some that `_checks` refuses."""
    if values is None:
        return None
    return tuple(map(float, values)) if isinstance(values, list) and all(map(_is_figure, values)) else (-1.0,)


def _promise(step: Any) -> Promise:
    sound = isinstance(step, list) and len(step) == 3 and _is_figure(step[0])
    return Promise(float(step[0]), step[1], step[2]) if sound else Promise(-1.0, None, None)


def _is_figure(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= MAX_NUMBER


def _is_count(value: Any) -> bool:
    return value is None or (type(value) is int and 0 <= value <= MAX_NUMBER)


def _checks(rule: Rule, ladder: list[str]) -> Iterator[tuple[str, object, bool, str]]:
    """What has to hold: the field, what it holds, whether that is right, what would be; each rests on those before."""
    places = [rule.chosen, *(promise.setting for promise in rule.ladder), *(rule.tasks or {}).values()]
    targets = [promise.target for promise in rule.ladder]
    tiers = f"one of {', '.join(map(quoted, ladder[:5]))}{', ...' if len(ladder) > 5 else ''}"
    yield "strategy", rule.strategy, rule.strategy in (*STRATEGIES, "always"), f"one of {', '.join(STRATEGIES)}, always"
    yield "reference", rule.reference, rule.reference in ladder, tiers
    yield "always", rule.always, rule.always is None or rule.always in ladder, tiers
    cost = rule.reference_cost
    yield "reference_cost", cost, LEAST_COST <= cost <= MAX_NUMBER, f"USD from {LEAST_COST:g} to {MAX_NUMBER:g}"
    size = len(rule.path)
    yield "path", f"{size} settings", 0 < size <= MAX_SETTINGS, f"1 to {MAX_SETTINGS}"
    lowest = min(min(setting.price_weight, setting.reference_bonus, setting.cost) for setting in rule.path)
    yield "path", "another entry", lowest >= 0, f"lists of three numbers from 0 to {MAX_NUMBER:g}"
    yield "ladder", f"{len(targets)} promises", len(targets) <= MAX_PROMISES, f"at most {MAX_PROMISES}"
    known = all(place is None or (type(place) is int and 0 <= place < size) for place in places)
    yield "chosen, ladder and tasks", "another place", known, f"null or places in the path, from 0 below {size}"
    sound = all(_is_count(promise.rows_needed) for promise in rule.ladder)
    yield "ladder", "another number of rows", sound, "null or a whole number"
    yield "target", rule.target, 0 <= rule.target <= 1, "a number from 0 to 1"
    yield (
        "ladder",
        targets,
        all(0 <= t <= 1 for t in targets) and targets == sorted(targets),
        "targets rising from 0 to 1",
    )
    yield "confidence", rule.confidence, 0 < rule.confidence < 1, "a share between 0 and 1"
    factors = rule.cost_factors
    sound = factors is None or (len(factors) == len(ladder) and min(factors, default=0.0) >= 0)
    yield "cost_factors", "other values", sound, f"one number of 0 or more a tier, {len(ladder)} in all"
    longest = max(map(len, rule.tasks or ()), default=0)
    yield "tasks", f"a label of {longest} characters", longest <= MAX_LABEL_CHARS, f"at most {MAX_LABEL_CHARS}"
