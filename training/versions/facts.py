"""What an artifact says of itself, as short texts that people read and that can be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from classifier.catalog import Tier
from classifier.keywords import KeywordGroups, dump_keywords
from classifier.prices import plain_amount
from classifier.router import Router
from classifier.rule import Promise, Rule, Setting
from training.versions.notes import one_line, shipped_result, training_of

Facts = dict[str, dict[str, str]]


def facts(router: Router) -> Facts:
    """What a router's artifact is: part -> name -> text, in the order in which it matters.

    Parts: "rule", "promises", "tasks" (what each is certified for), "tiers", "prices", "limits", "task table",
    "features", "keywords", "model", "training", "test rows".
    """
    artifact, menu = router.artifact, router.menu
    found = {
        "rule": _rule(router.rule),
        "promises": {_loss(router.rule, step.target): _promise(router.rule, step) for step in router.rule.ladder},
        "tasks": {task: _place(router.rule, place) for task, place in (router.rule.tasks or {}).items()},
        "tiers": {
            tier.name: tier.model
            + (f" with {json.dumps(tier.arguments.table(), ensure_ascii=False)}" if tier.arguments else "")
            + ("" if tier in router.learned_tiers else " (nothing learned about it)")
            for tier in menu.tiers
        },
        "prices": {tier.name: _prices(tier) for tier in menu.tiers},
        "limits": {tier.name: _limits(tier) for tier in menu.tiers},
        "task table": dict(menu.task_table),
        "features": _flat({key: value for key, value in artifact.header["features"].items() if key != "keywords"}),
        "keywords": _keywords(router.keywords),
        "model": _flat(artifact.header.get("model")),
        "training": _training(training_of(artifact)),
        "test rows": _test_rows(shipped_result(artifact)),
    }
    return {part: texts for part, texts in found.items() if texts}


def _rule(rule: Rule) -> dict[str, str]:
    since = " when certified" if rule.cost_factors else ""
    texts = {
        "strategy": rule.strategy if rule.always is None else f"always {rule.always}",
        "reference": rule.reference,
        "cost of a reference call": f"${plain_amount(rule.reference_cost, 6)}{since}",
        "may lose": _loss(rule, rule.target),
        "certified": "yes" if rule.certified else "no",
        "confidence": f"{rule.confidence:g}",
    }
    if rule.strategy == "learned" and rule.tasks is None:
        texts["setting"] = _place(rule, rule.chosen)
    return texts


def _loss(rule: Rule, loss: float) -> str:
    return f"{loss:.2%} of quality" if rule.relative else f"{loss:g} points of score"


def _promise(rule: Rule, step: Promise) -> str:
    needed = f": about {step.rows_needed:,} rows for choosing needed" if step.rows_needed else ""
    return _place(rule, step.setting) + (needed if step.setting is None else "")


def _place(rule: Rule, place: int | None) -> str:
    return f"only {rule.reference}" if place is None else _setting(rule.path[place])


def _setting(setting: Setting) -> str:
    bonus = f", bonus {setting.reference_bonus:g}" if setting.reference_bonus else ""
    return f"costs {setting.cost:.1%} of the reference (price weight {setting.price_weight:.4g}{bonus})"


def _prices(tier: Tier) -> str:
    prices = tier.prices
    if prices is None:
        return "unknown"
    cached = "" if prices.cached_input_price is None else f", ${prices.cached_input_price:g} from a cache"
    steps = f", more above {prices.steps[0].above:,} tokens" if prices.steps else ""
    return f"${prices.input_price:g} in, ${prices.output_price:g} out per 1M tokens{cached}{steps}"


def _limits(tier: Tier) -> str:
    sizes = [
        f"{size:,} tokens {what}"
        for size, what in ((tier.context_window, "of context"), (tier.max_output_tokens, "of answer"))
        if size is not None
    ]
    able = {"images": tier.images, "tools": tier.tools, "JSON schemas": tier.json_schema}
    return ", ".join([*sizes, *(what for what, can in able.items() if can)]) or "none known"


def _keywords(groups: KeywordGroups) -> dict[str, str]:
    texts = {}
    for group in dump_keywords(groups):
        words, substrings = sorted(group["words"]), sorted(group["substrings"])
        checksum = hashlib.sha256(json.dumps([words, substrings]).encode()).hexdigest()[:8]
        texts[group["name"]] = f"{len(words)} words, {len(substrings)} substrings, checksum {checksum}"
    return texts


def _training(training: Mapping[str, Any]) -> dict[str, str]:
    """The summary's plain values; tables by name. The certificate is in the rule, figures have a part of their own."""
    tables = training.get("tables")
    named = [str(table.get("file")) for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
    plain = {
        key: value
        for key, value in training.items()
        if key not in ("tables", "test", "certificate", "target", "against_random_mix", "sources")
    }
    return {**({"tables": one_line(", ".join(named))} if named else {}), **_flat(plain)}


def _test_rows(result: Mapping[str, Any]) -> dict[str, str]:
    forms: dict[str, Callable[[float], str]] = {
        "saving": "{:.1%}".format,
        "kept": "{:.1%}".format,
        "quality": "{:.4f}".format,
        "cost": lambda cost: f"${plain_amount(cost, 6)}",
    }
    return {name: form(result[name]) for name, form in forms.items() if type(result.get(name)) in (int, float)}


def _flat(value: Any, name: str = "") -> dict[str, str]:
    """Plain values in nested objects, by names joined with spaces."""
    if isinstance(value, dict):
        return {
            inner: text for key, part in value.items() for inner, text in _flat(part, f"{name} {key}".strip()).items()
        }
    text = ", ".join(map(str, value)) if isinstance(value, list) else "none" if value is None else str(value)
    return {one_line(name): one_line(text)} if name else {}
