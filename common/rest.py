"""How the REST API speaks: JSON in and out, times in UTC, nothing ignored that was sent."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, Any, TypeVar
from uuid import UUID

import orjson
from django.conf import settings
from django.db.models import Model
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from drf_spectacular.utils import extend_schema_field
from rest_framework import generics, negotiation, serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from common.problems import TooLarge
from common.text import storable_json

Row = TypeVar("Row", bound=Model)


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


class Instant(serializers.DateTimeField):
    """A moment: RFC 3339 with its offset when read, in UTC when written, whoever asks from whichever zone."""

    default_error_messages = {"no_offset": "Say the offset from UTC, such as 2026-03-02T09:00:00Z."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def to_internal_value(self, value: Any) -> datetime:
        if isinstance(value, str):
            try:
                parsed = parse_datetime(value)
            except ValueError:
                parsed = None
            if parsed is not None and parsed.tzinfo is None:
                self.fail("no_offset")
        moment: datetime = super().to_internal_value(value)
        return moment.astimezone(UTC)


@extend_schema_field({"type": "string", "pattern": r"^-?\d+(\.\d+)?$"})
class ExactDecimal(serializers.Field[Any, Any, str, Any]):
    """A share or a target, written as a decimal string."""

    def to_representation(self, value: Any) -> str:
        return str(value)


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string", "maxLength": 4000}})
class Labels(serializers.DictField):
    """Names and values, both text."""

    child = serializers.CharField(max_length=4000, allow_blank=True)

    default_error_messages = {"too_many": "At most 100 labels.", "long_name": "A label's name has 1 to 200 characters."}

    def to_internal_value(self, data: Any) -> dict[str, str]:
        labels: dict[str, str] = super().to_internal_value(data)
        if len(labels) > 100:
            self.fail("too_many")
        if any(not 0 < len(name) <= 200 for name in labels):
            self.fail("long_name")
        return labels


class Input(serializers.Serializer[Any]):
    """What may be sent. A key that is not known is refused, as it was meant to do something."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := sorted(map(str, set(data) - set(self.fields)))):
            raise serializers.ValidationError({name: ["This cannot be set here."] for name in unknown})
        return super().to_internal_value(data)


class Output(serializers.Serializer[Any]):
    """What is answered. Every member is always there; unknown is null."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, read_only=True, **kwargs)


class Resource(generics.GenericAPIView[Row]):
    """A view of the API: parses with `taken`, answers one object with `given` of its subclass, a list by `listed`."""

    def taken(self, serializer: type[serializers.BaseSerializer[Any]], **kwargs: Any) -> dict[str, Any]:
        """What was sent, checked. Raises ValidationError, which is answered by 422."""
        parsed = serializer(data=self.request.data, context=self.get_serializer_context(), **kwargs)
        parsed.is_valid(raise_exception=True)
        return dict(parsed.validated_data)

    def listed(self, request: Request) -> Response:
        """The page of the filtered list that was asked for."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None, "every list is paginated"
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


def api_url(context: Mapping[str, Any], name: str, *args: Any) -> str:
    """The absolute address of a resource, on the host where the program came in."""
    return str(reverse(name, args=args, request=context.get("request")))


def page_url(path: str) -> str:
    """The absolute address of a page, where people reach us."""
    return f"{settings.ENV.public_url}{path}"


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
