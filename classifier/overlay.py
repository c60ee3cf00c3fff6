"""A user's menu over the one that an artifact was trained with.

The user's menu routes: its tiers, models, prices, limits and rules. An artifact fits it where every tier that it has
learned about is in it: by name, by an alias, else by the model. Then

- a tier of another name takes the learned tier's place and keeps its own name;
- a tier whose model is another is routed by what was learned of the old one, with a warning;
- a tier that the artifact knows nothing of serves what no learned tier can, with a warning;
- a tier that is no more in the user's menu, and that nothing was learned about, is left out.

Where a learned tier is missing, what was learned and certified does not hold, and the artifact is refused. A menu that
only says other rules (a ``router.toml`` without ``[[tiers]]``) leaves an artifact its tiers.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from classifier.catalog import Menu, Tier, default_menu, normalise_label
from classifier.errors import ArtifactError
from classifier.escapes import for_terminal

_log = logging.getLogger(__name__)
_NAMED = 5  # tiers in a message


def joined_menu(trained: Menu, learned: int, own: Menu, source: str) -> Menu:
    """The user's menu in an artifact's order: first the tiers that it has learned about, then the others.

    Parameters
    ----------
    trained : the artifact's own menu.
    learned : how many of its tiers, the first, the artifact has learned about.
    own : the user's.
    source : the artifact's file, for messages.

    Raises
    ------
    ArtifactError : a learned tier is missing in the user's menu.
    """
    if own.tiers == default_menu().tiers and not own.own_tiers:
        return _with_rules(trained, own)
    known = trained.tiers[:learned]
    found = [_stand_in(tier, own) for tier in known]
    stand_ins = [tier for tier in found if tier is not None]
    if len({tier.name for tier in stand_ins}) < learned:
        raise ArtifactError(_mismatch(source, known, found, own))
    others = [tier for tier in own.tiers if tier not in stand_ins]
    _warn(source, trained, list(zip(known, stand_ins, strict=True)), others)
    return replace(own, tiers=(*stand_ins, *others), task_aliases=_aliases(trained, own))


def _stand_in(tier: Tier, own: Menu) -> Tier | None:
    """The user's tier that is a learned one: by name or alias, else the only one of the same model."""
    named = own.find(tier.name)
    alike = [each for each in own.tiers if normalise_label(each.model) == normalise_label(tier.model)]
    return named or (alike[0] if len(alike) == 1 else None)


def _mismatch(source: str, known: Sequence[Tier], found: Sequence[Tier | None], own: Menu) -> str:
    twice = [tier for tier in found if found.count(tier) > 1]
    missing = [tier for tier, each in zip(known, found, strict=True) if each is None or each in twice]
    return (
        f"{source}: trained on the tiers {_names(known)}, of which the menu (router.toml) has no "
        f"{_names(missing, ' or ')}, it has {_names(own.tiers)}; train a new one with train-router, or give the "
        f'tier that stands for {missing[0].name} the alias "{missing[0].name}" in router.toml, or remove the artifact '
        "to route by the menu's rules"
    )


def _warn(source: str, trained: Menu, pairs: Sequence[tuple[Tier, Tier]], others: Sequence[Tier]) -> None:
    changed = [
        f"{now.name} ({before.model}, now {now.model})" for before, now in pairs if not is_same_model(before, now)
    ]
    if changed:
        _log.warning(
            "%s was trained with other models: %s; what it expects is of those, train anew with train-router",
            for_terminal(source),
            for_terminal(_listed(changed)),
        )
    added = [tier.name for tier in others if trained.find(tier.name) is None and trained.find(tier.model) is None]
    if added:
        _log.warning(
            "%s has learned nothing about %s, which only serve what no other tier can; train anew with train-router",
            for_terminal(source),
            for_terminal(_listed(added)),
        )


def is_same_model(before: Tier, now: Tier) -> bool:
    """Whether two models are one, whoever sells it; a tier that a table brought has no model but its name."""
    one, other = (normalise_label(tier.model.rpartition("/")[2]) or "" for tier in (before, now))
    return before.model == before.name or one.startswith(other) or other.startswith(one)


def _with_rules(trained: Menu, own: Menu) -> Menu:
    """An artifact's tiers with the user's rules, as far as these lead to tiers that are there."""
    names = {tier.name for tier in trained.tiers}
    known = {own.length.small, own.length.medium, own.length.large} <= names
    table = {label: name for label, name in own.task_table.items() if name in names}
    return replace(
        trained,
        strategy=own.strategy,
        length=own.length if known else replace(trained.length, thresholds=own.length.thresholds),
        task_table=table or trained.task_table,
        task_aliases=_aliases(trained, own) if table else trained.task_aliases,
        task_default=own.task_default if own.task_default in names else trained.task_default,
    )


def _aliases(trained: Menu, own: Menu) -> dict[str, str]:
    """The user's spellings of tasks, and the artifact's, which its model knows tasks by."""
    known = {alias: label for alias, label in trained.task_aliases.items() if alias not in own.task_table}
    return {**known, **own.task_aliases}


def _names(tiers: Sequence[Tier], last: str = " and ") -> str:
    return _listed([tier.name for tier in tiers], last)


def _listed(names: Sequence[str], last: str = " and ") -> str:
    """At most some names, as a list in a sentence."""
    shown = [*names[:_NAMED], *([f"{len(names) - _NAMED} more"] if len(names) > _NAMED else [])]
    return last.join([part for part in (", ".join(shown[:-1]), shown[-1]) if part])
