"""JSON on the wire: how the REST API writes and reads it.

REST framework loads this module while it loads its own views, so it imports nothing that imports those.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

import orjson
from django.conf import settings
from django.utils.functional import Promise
from rest_framework import negotiation
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from common.text import storable_json

if TYPE_CHECKING:
    from rest_framework.request import Request


class TooLarge(APIException):
    """The body is larger than what the API takes."""

    status_code = 413
    default_code = "too_large"


class JsonRenderer(BaseRenderer):
    """UTF-8 JSON; times as RFC 3339 in UTC with a Z."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return b"" if data is None else dumped(data)


class JsonParser(BaseParser):
    """UTF-8 JSON as RFC 8259 has it: no NaN, no Infinity. U+0000 and lone surrogates become U+FFFD."""

    media_type = "application/json"
    renderer_class = JsonRenderer

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise TooLarge(f"The API takes at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes.")
        try:
            return storable_json(_loaded(body))
        except RecursionError as exc:
            raise ParseError("This JSON is nested too deep.") from exc
        except ValueError as exc:
            raise ParseError(f"This is not JSON: {exc}.") from exc


class Negotiation(negotiation.BaseContentNegotiation):
    """One form for each resource, whatever the sender claims to accept; its body must be of a type that is read."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        return negotiation.DefaultContentNegotiation().select_parser(request, parsers)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, first.media_type


def dumped(data: Any) -> bytes:
    """JSON of what serializers give."""
    try:
        return orjson.dumps(data, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)
    except TypeError:  # text from elsewhere with a lone surrogate
        return orjson.dumps(storable_json(json.loads(json.dumps(data, default=_plain))))


def _loaded(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if rb"\u" not in body:
            raise
        # Half an emoji, cut by the sender: orjson refuses the whole, json reads it.
        return json.loads(body.decode(), parse_constant=_refused, parse_float=_finite)


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Decimal() | UUID() | Promise():
            return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
