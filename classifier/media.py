"""Images, files, audio and video in a request: which a part is, and what it is taken to cost in tokens.

No upstream says beforehand what a picture or a recording costs. The figures below are rules of thumb by what providers
publish (images of about a megapixel; audio at some 10 to 32 tokens a second; video at about 300; a page of a PDF at
some 1,500 to 3,000), on the side of too many. What only an address or an id is given of has the size named last.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from classifier.fields import fields_of

KINDS = ("image", "file", "audio", "video")
TOKENS_PER_IMAGE = 1000
TOKENS_PER_SMALL_IMAGE = 100  # asked for with "detail": "low"
# Bytes for a token, where the data itself is given, and tokens where it is not.
_BYTES_PER_TOKEN = {"file": 25, "audio": 250, "video": 400}
_BYTES_PER_TOKEN_OF_TEXT = 2.5
_BYTES_PER_TOKEN_OF_WAVE = 1000
_TOKENS_UNSEEN = {"file": 3000, "audio": 2000, "video": 20_000}
_WORDS = {
    "image": "image",
    "screenshot": "image",
    "file": "file",
    "document": "file",
    "audio": "audio",
    "video": "video",
    "media": "file",
    "binary": "file",
    "inline": "file",
}
# In names of what tools do, such as "file_search_call", "update_file", "tool-readFile".
_NO_MEDIA = re.compile(
    "search|call|result|output(?!_(?:image|audio|video|file)$)|tool|update|create|delete|read|write|edit|open|list|move|"
    "rename|find|patch|view"
)
# What holds the data, or says where it is; where nothing does, a part only tells of a file.
_HOLDERS = frozenset(
    [
        "base64",
        "blob",
        "bytes",
        "data",
        "document",
        "file",
        "fileData",
        "file_data",
        "file_id",
        "file_url",
        "files",
        "inlineData",
        "inline_data",
        "source",
    ]
)
_ADDRESSES = ("url", "uri", "file_uri", "fileUri")
_TEXT_TYPES = ("json", "xml", "yaml", "csv", "txt", "html", "md", "javascript", "plain")
_TYPE_NAMES = ("mime_type", "mimeType", "media_type", "mediaType", "format")
_ELSEWHERE = ("http:", "https:", "gs:", "s3:")
_LEAST_DATA = 256  # characters; what is shorter names something
_LOOKED_AT = 400  # characters of a text, to know whether it is base64
_MOST_VALUES, _EACH = 96, 16  # that are looked at within a part, and within a value of it


def media_kind(name: str, part: Mapping[str, Any]) -> str | None:
    """Which of `KINDS` a part is, by its type and the kind of data that it names; None: none of them."""
    lowered = name.lower()
    if lowered == "image_generation_call":  # its result is the image
        return "image"
    kind = next((kind for word, kind in _WORDS.items() if word in lowered), None)
    if kind is None or _NO_MEDIA.search(lowered):
        return None
    if kind != "file":
        return kind
    if not _holds_file(part):
        return None
    named = _media_type(part).partition("/")[0]
    return named if named in KINDS else kind


def _holds_file(part: Mapping[str, Any]) -> bool:
    """Whether a part has a file's data, or says where it is, and does not only list one among others."""
    if any(part.get(name) is not None for name in _HOLDERS):
        return True
    return any(part.get(name) is not None for name in _ADDRESSES) and part.get("path") is None


def data_kind(text: str) -> str | None:
    """Which of `KINDS` a whole text is, as an address that holds the data; None: it is a text."""
    if not text.startswith("data:"):
        return None
    head = text[5:60].partition(",")[0].partition(";")
    named = head[0].partition("/")[0]
    if named in KINDS:
        return named
    return "file" if "base64" in head[2] else None


def media_tokens(kind: str, part: Mapping[str, Any]) -> float:
    """Tokens that a part is taken to cost."""
    if kind == "image":
        return TOKENS_PER_SMALL_IMAGE if _detail(part) == "low" else TOKENS_PER_IMAGE
    size, texts = _payload(part)
    if not size + texts:
        return _TOKENS_UNSEEN[kind]
    media_type = _media_type(part)
    if kind == "audio" and any(word in media_type for word in ("wav", "pcm")):
        return size / _BYTES_PER_TOKEN_OF_WAVE
    if kind == "file" and (media_type.startswith("text/") or any(word in media_type for word in _TEXT_TYPES)):
        return (size + texts) / _BYTES_PER_TOKEN_OF_TEXT
    return size / _BYTES_PER_TOKEN[kind] + texts / _BYTES_PER_TOKEN_OF_TEXT


def _detail(part: Mapping[str, Any]) -> Any:
    image = fields_of(part.get("image_url"))
    return part.get("detail") if image is None else image.get("detail")


def _payload(part: Any) -> tuple[float, float]:
    """Bytes of the data within a part, as bytes or as base64, and characters of texts that are data themselves."""
    size = chars = 0.0
    for value, times in _within(part):
        if isinstance(value, bytes | bytearray):
            size += len(value) * times
        elif isinstance(value, str) and len(value) >= _LEAST_DATA and not value.startswith(_ELSEWHERE):
            if " " in value[:_LOOKED_AT]:
                chars += len(value) * times
            else:
                size += len(value) * 0.75 * times
    return size, chars


def _media_type(part: Mapping[str, Any]) -> str:
    """What a part says that its data is ("application/pdf", "mp3"), lower-cased; "" where it does not."""
    for value, _ in _within(part):
        if isinstance(value, str) and value.startswith("data:"):
            return value[5:100].partition(";")[0].lower()
        found = None if isinstance(value, str) else fields_of(value)
        named = next((found[name] for name in _TYPE_NAMES if isinstance(found.get(name), str)), None) if found else None
        if named is not None:
            return str(named[:100]).lower()
    return ""


def _within(part: Any) -> Iterator[tuple[Any, float]]:
    """What a part holds at any depth, itself first, and how many values each stands for; bounded."""
    waiting = deque([(part, 1.0)])
    for _ in range(_MOST_VALUES):
        if not waiting:
            return
        value, times = waiting.popleft()
        yield value, times
        if isinstance(value, list | tuple):
            head = value[:_EACH]
            waiting += [(each, times * len(value) / len(head)) for each in head]
        elif not isinstance(value, str) and (found := fields_of(value)) is not None:
            waiting += [(each, times) for each in islice(found.values(), _EACH)]
