"""Canonical JSON (RFC 8785), quickly where that is easy."""

from __future__ import annotations

from typing import Any

import orjson
import rfc8785

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


def dumps(value: Any) -> bytes:
    """The very bytes of `rfc8785.dumps`. Where there are no floats, and no keys that sort otherwise by their UTF-8 than
    by their UTF-16, orjson writes them some ten times as fast. Raises rfc8785.CanonicalizationError."""
    if _is_plain(value):
        try:
            return orjson.dumps(value, option=_OPTIONS)
        except TypeError:  # a number or a string that is not for JSON: said by the other in its own words
            pass
    return rfc8785.dumps(value)


def _is_plain(value: Any) -> bool:
    rest = [value]
    while rest:
        value = rest.pop()
        kind = type(value)
        if kind is dict:
            for key, held in value.items():
                if not (isinstance(key, str) and key.isascii()):
                    return False
                if type(held) is not str:
                    rest.append(held)
        elif kind is list:
            rest += value
        elif value is not None and not isinstance(value, str | int):
            return False
    return True
