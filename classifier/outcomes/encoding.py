"""Values -> text that any database and file can hold, and back without loss.

PostgreSQL refuses NUL, UTF-8 has no place for half of a surrogate pair, and JSON readers join two halves that Python
holds apart. Such characters are written as the control character DLE and four hexadecimal digits; DLE itself, too. Any
other text stands as it is, so that it can be read and searched in the database.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any

_DLE = "\x10"
_REFUSED = re.compile("[\x00\x10\ud800-\udfff]")
_ESCAPED = re.compile("\x10([0-9a-f]{4})")
_DLE_IN_JSON = "\\u0010"
_MOST_COPIED, _DEEPEST = 5000, 50


def snapshot(value: Any) -> Any:
    """The value with its lists and dicts copied, so that whoever gave it may change them.

    Beyond `_MOST_COPIED` of them, or nested deeper than `_DEEPEST`, they are shared: this is done while a caller waits.
    """
    return _copied(value, [_MOST_COPIED], _DEEPEST)


def _copied(value: Any, left: list[int], depth: int) -> Any:
    kind = type(value)
    if (kind is not dict and kind is not list) or not left[0] or not depth:
        return value
    left[0] -= 1
    copy = value.copy()  # at once, whatever other threads do
    for place, part in copy.items() if kind is dict else enumerate(copy):
        if type(part) is dict or type(part) is list:
            copy[place] = _copied(part, left, depth - 1)
    return copy


def escape(text: str) -> str:
    """Text without NUL, DLE and surrogates."""
    return _REFUSED.sub(lambda found: f"{_DLE}{ord(found[0]):04x}", text)


def unescape(text: str) -> str:
    """The inverse of `escape`."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if _DLE in text else text


def dump_json(value: Any) -> str:
    """JSON on one line, valid Unicode without NUL; `load_json` is its inverse.

    Numbers that are not finite become null. Objects of other libraries (a client's messages) are dumped by their
    ``model_dump`` where they have it; of anything else, of what fails in that, and of iterators, which are for others
    to go through, only the name of the type is kept.

    Raises
    ------
    ValueError, RecursionError : the value holds itself, or is nested too deeply. TypeError : a key that is no plain
        value. RuntimeError : it was changed meanwhile.
    """
    try:
        text = _dumped(value)
    except ValueError:  # a number that is not finite; a value that holds itself fails again below
        text = _DLE_IN_JSON
    if _DLE_IN_JSON in text or _REFUSED.search(text):
        return _dumped(_mapped(value, escape))
    return text


def load_json(text: str) -> Any:
    """The value of `dump_json`'s text.

    Raises
    ------
    ValueError, RecursionError : the text is not JSON, or is nested too deeply.
    """
    value = json.loads(text)
    return _mapped(value, unescape) if _DLE_IN_JSON in text else value


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    """What JSON can hold of an object that it does not know; whatever goes wrong in asking it, its type's name."""
    try:
        return _parts(value)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return _named(value)


def _parts(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Real):  # numpy's
        return int(value) if isinstance(value, Integral) else float(value)
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        return dump(mode="json")
    if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray | Iterator):
        return list(value)
    return _named(value)


def _named(value: Any) -> str:
    return f"<{type(value).__name__}>"


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """The value with every string in it changed, and null for numbers that are not finite."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {_mapped(key, change): _mapped(part, change) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(part, change) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else _mapped(_plain(value), change)
