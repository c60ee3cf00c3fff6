"""Images, files, audio and video in a request: which a part is, and what it is taken to cost in tokens.

No upstream says beforehand what a picture or a recording costs. The figures below are rules of thumb by what providers
publish (images of about a megapixel; audio at some 10 to 32 tokens a second; video at about 300; a page of a PDF at
some 1,500 to 3,000), on the side of too many. What only an address or an id is given of has the size named last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
_NO_MEDIA = ("search", "call", "result", "output")  # in names of tools' parts, such as "file_search_call"
_DEPTH = 4


def media_kind(name: str, part: Mapping[str, Any]) -> str | None:
    """Which of `KINDS` a part is, by its type and the kind of data that it names; None: none of them."""
    lowered = name.lower()
    if any(word in lowered for word in _NO_MEDIA):
        return None
    kind = next((kind for word, kind in _WORDS.items() if word in lowered), None)
    if kind != "file":
        return kind
    named = _media_type(part).partition("/")[0]
    return named if named in KINDS else kind


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
    size = _payload(part, _DEPTH)
    if not size:
        return _TOKENS_UNSEEN[kind]
    media_type = _media_type(part)
    if kind == "audio" and any(word in media_type for word in ("wav", "pcm")):
        return size / _BYTES_PER_TOKEN_OF_WAVE
    if kind == "file" and (media_type.startswith("text/") or "json" in media_type or "xml" in media_type):
        return size / _BYTES_PER_TOKEN_OF_TEXT
    return size / _BYTES_PER_TOKEN[kind]


def _detail(part: Mapping[str, Any]) -> Any:
    image = part.get("image_url")
    return image.get("detail") if isinstance(image, Mapping) else part.get("detail")


def _payload(value: Any, depth: int) -> float:
    """Bytes of the data within a part: of its longest text, taken as base64, or of its bytes."""
    if isinstance(value, bytes | bytearray):
        return len(value)
    if isinstance(value, str):
        return 0 if value.startswith(("http:", "https:", "gs:", "s3:")) or len(value) < 256 else len(value) * 0.75
    if isinstance(value, Mapping) and depth:
        return max((_payload(each, depth - 1) for each in list(value.values())[:16]), default=0)
    return 0


def _media_type(part: Mapping[str, Any], depth: int = _DEPTH) -> str:
    """What a part says that its data is ("application/pdf", "mp3"), lower-cased; "" where it does not."""
    for name in ("mime_type", "mimeType", "media_type", "format"):
        if isinstance(part.get(name), str):
            return str(part[name][:100]).lower()
    for each in list(part.values())[:16]:
        if isinstance(each, str) and each.startswith("data:"):
            return each[5:100].partition(";")[0].lower()
        if isinstance(each, Mapping) and depth:
            found = _media_type(each, depth - 1)
            if found:
                return found
    return ""
