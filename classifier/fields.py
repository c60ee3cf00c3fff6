"""What messages, their parts and tools hold, whatever they are made of: dictionaries, or other libraries' objects.

Nothing that a caller gives is trusted to be small, flat or of one kind: every look is bounded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import Any

_SMALL = 2**13  # values, and 64 characters each, that are written out as JSON to be measured
_SAMPLED_ITEMS = 2
_SAMPLED_DEPTH = 8
_NAMES = ("role", "type", "kind", "part_kind", "content", "parts", "text", "tool_calls", "name", "arguments", "output")


def fields_of(value: Any) -> Mapping[str, Any] | None:
    """The named parts of a dictionary or an object (of pydantic, of dataclasses, of any class); None: it has none.

    Those of an object are not dumped: what is inside stays as it is.
    """
    if isinstance(value, dict | Mapping):  # a dictionary is known at once
        return value
    if value is None or isinstance(value, str | bytes | bytearray | int | float | list | tuple | type):
        return None
    try:
        return _of_object(value)
    except Exception:
        return None


def _of_object(value: Any) -> Mapping[str, Any] | None:
    if is_dataclass(value):
        return {each.name: getattr(value, each.name, None) for each in fields(value)}
    held = getattr(value, "__dict__", None)
    extra = getattr(value, "__pydantic_extra__", None)
    found = {**(held if isinstance(held, dict) else {}), **(extra if isinstance(extra, dict) else {})}
    for name in _NAMES:  # of the class: fixed kinds of messages and parts
        if name not in found and hasattr(value, name):
            found[name] = getattr(value, name)
    return {name: each for name, each in found.items() if not callable(each)} or None


def json_chars(value: Any) -> int:
    """Characters of a value's JSON; of a large one about, from a few of its items."""
    if is_small(value):
        try:
            return len(json.dumps(value, default=_plain))
        except (TypeError, ValueError, RecursionError):
            return max(400, sampled_chars(value, _SAMPLED_DEPTH))
    return sampled_chars(value, _SAMPLED_DEPTH)


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return "=" * (len(value) * 4 // 3)
    found = fields_of(value)
    return str(value)[:1000] if found is None else dict(found)


def is_small(value: Any) -> bool:
    """Whether a value can be written out as JSON at little cost; looks at no more than it takes to know."""
    left, waiting = _SMALL, [value]
    while waiting and left > 0:
        item = waiting.pop()
        if isinstance(item, (str, bytes, bytearray)):
            left -= len(item) // 64
        elif isinstance(item, (dict, list, tuple)):
            left -= len(item)
            if left > 0:
                waiting += [*item, *item.values()] if isinstance(item, dict) else item
    return left > 0


def sampled_chars(value: Any, depth: int) -> int:
    """Characters of a value's JSON, about: a container's from its first few items, to a depth."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, (bytes, bytearray)):
        return len(value) * 4 // 3
    if not isinstance(value, (dict, list, tuple)) or not value or not depth:
        return 8
    if isinstance(value, dict):
        sample = [part for item in islice(value.items(), _SAMPLED_ITEMS) for part in item]
    else:
        sample = list(value[:_SAMPLED_ITEMS])
    chars = sum(sampled_chars(part, depth - 1) + 2 for part in sample)
    return chars * len(value) // min(len(value), _SAMPLED_ITEMS)
