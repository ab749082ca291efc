"""Text from outside, made fit for a database: PostgreSQL holds neither U+0000 nor lone surrogates."""

import re
from typing import Any

import orjson

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_SURROGATE = re.compile("[\ud800-\udfff]")


def storable(text: str) -> str:
    """The text with U+0000 and lone surrogates replaced by U+FFFD; nothing else is touched or normalised."""
    if "\x00" in text:
        text = text.replace("\x00", REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = _SURROGATE.sub(REPLACEMENT, text)
    return text


def storable_json(value: Any) -> Any:
    """The same for every string within a JSON value, keys included."""
    try:
        if b"\\u0000" not in orjson.dumps(value):
            return value  # as nearly all are, and seen at a glance
    except TypeError:
        pass
    return _storable_json(value)


def _storable_json(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case dict():
            return {storable(k): _storable_json(v) for k, v in value.items()}
        case list():
            return [_storable_json(v) for v in value]
    return value


def shortened(text: str, length: int) -> str:
    """The text on one line, cut with an ellipsis where it is longer than `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
