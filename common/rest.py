"""How the REST API speaks: JSON in and out, times in UTC, nothing ignored that was sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import Model
from django.utils.dateparse import parse_datetime
from drf_spectacular.plumbing import get_lib_doc_excludes
from drf_spectacular.utils import extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from common import years

Row = TypeVar("Row", bound=Model)


class Instant(serializers.DateTimeField):
    """A moment: RFC 3339 with its offset when read, in UTC when written, whoever asks from whichever zone."""

    default_error_messages = {
        "no_offset": "Say the offset from UTC, such as 2026-03-02T09:00:00Z.",
        "far_away": f"A moment lies in the years {years.FIRST} to {years.LAST}.",
    }

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
        moment: datetime = super().to_internal_value(value).astimezone(UTC)
        if not years.hold(moment):
            self.fail("far_away")
        return moment


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
    """What may be sent. A key that is not known is refused, as it was meant to do something; and so is a value of
    another type than its field's, where REST framework would make one into the other."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (faults := dict(self._faults(data))):
            raise serializers.ValidationError(faults)
        return super().to_internal_value(data)

    def _faults(self, data: Mapping[Any, Any]) -> Iterator[tuple[str, list[str]]]:
        for name, value in data.items():
            field = self.fields.get(name)
            if field is None:
                yield str(name), ["This cannot be set here."]
            elif value is not None and (wanted := _wanted(field, value)):
                yield str(name), [f"This must be {wanted}."]


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


def _wanted(field: serializers.Field[Any, Any, Any, Any], value: Any) -> str:
    """What the field takes, if the value is something else that would be made into it; "" where all is well."""
    match field:
        case serializers.BooleanField():
            return "" if isinstance(value, bool) else "true or false"
        case serializers.IntegerField() | serializers.PrimaryKeyRelatedField():
            is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return "" if is_whole and not isinstance(value, bool) else "a whole number"
        case serializers.CharField():
            return "" if isinstance(value, str) else "text"
        case serializers.SlugRelatedField():
            return "" if isinstance(value, str) and value else "a slug"
        case serializers.ListField() | serializers.DictField():
            parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
            faults = (_wanted(field.child, part) for part in parts if part is not None)
            return next((f"{wanted} throughout" for wanted in faults if wanted), "")
    return ""


def undescribed() -> list[type]:
    """Classes whose docstrings are for us, not for the OpenAPI document."""
    return [*get_lib_doc_excludes(), Input, Output, Resource]  # type: ignore[no-untyped-call]


def api_url(context: Mapping[str, Any], name: str, *args: Any) -> str:
    """The absolute address of a resource, on the host where the program came in."""
    return str(reverse(name, args=args, request=context.get("request")))


def page_url(path: str) -> str:
    """The absolute address of a page, where people reach us."""
    return f"{settings.ENV.public_url}{path}"
