"""Filters that the lists of every room share, for pages and API alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func, QuerySet, Subquery, TextField, Value
from django.db.models.lookups import In
from django.db.models.sql.compiler import SQLCompiler
from django.forms.utils import from_current_timezone
from django.utils.datastructures import MultiValueDict
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema_field

_TEXT = {"type": "string"}
_DAY = timedelta(days=1)
_PLAIN = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,99}")
Choices = Iterable[tuple[str, object]]  # a value, and what people read, which no filter looks at


class ManyWidget(forms.TextInput):
    """Reads values by repetition or separated by commas."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[str]:
        given = data.getlist(name) if isinstance(data, MultiValueDict) else [data.get(name, "")]
        return [part.strip() for text in given for part in str(text).split(",") if part.strip()]


MOST = 100  # values of one filter


class ManyField(forms.Field):
    """Several words, MOST of them; each one of `choices` where there are any."""

    widget = ManyWidget

    def __init__(self, *, choices: Choices | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allowed = None if choices is None else [value for value, _ in choices]

    def clean(self, value: list[str]) -> list[str]:
        if len(value) > MOST:
            raise ValidationError("%(most)s values at most.", params={"most": MOST})
        if any("\x00" in word for word in value):
            raise ValidationError("U+0000 is in no name.")
        if self.allowed is not None and (unknown := [word for word in value if word not in self.allowed]):
            params = {"word": unknown[0], "words": ", ".join(self.allowed)}
            raise ValidationError("%(word)s is not one of %(words)s.", params=params)
        return value


class AnyOf(django_filters.Filter):
    """Rows whose column is one of the values given, by repetition or comma."""

    field_class = ManyField

    def __init__(self, *args: Any, choices: Choices | None = None, **kwargs: Any) -> None:
        if choices is not None:
            kwargs["choices"] = list(choices)
        super().__init__(*args, **kwargs)
        items = {**_TEXT, "enum": [value for value, _ in kwargs["choices"]]} if choices is not None else _TEXT
        extend_schema_field({"type": "array", "items": items, "maxItems": MOST})(self)

    def filter(self, queryset: QuerySet[Any], value: list[str]) -> QuerySet[Any]:
        return queryset.filter(**{f"{self.field_name}__in": value}) if value else queryset


class TextsWidget(forms.TextInput):
    """By repetition only, as a text may hold a comma."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[str]:
        given = data.getlist(name) if isinstance(data, MultiValueDict) else [data.get(name, "")]
        return [str(text) for text in given if text]


class AnyText(AnyOf):
    """Rows whose column is one of the texts given, by repetition only: each is taken as it stands."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"widget": TextsWidget, **kwargs})


class AnyLabelText(AnyOf):
    """Rows with a label that has one of the texts given, by repetition or comma. `label` is its name."""

    def __init__(self, *args: Any, label: str, **kwargs: Any) -> None:
        super().__init__(*args, **{"field_name": "labels", **kwargs})
        self.label = label

    def filter(self, queryset: QuerySet[Any], value: list[str]) -> QuerySet[Any]:
        return queryset.filter(In(LabelText(self.field_name, self.label), value)) if value else queryset


class Belongs(AnyOf):
    """Rows that belong to one of those that are named by their slugs. `field_name` is the foreign key."""

    def filter(self, queryset: QuerySet[Any], value: list[str]) -> QuerySet[Any]:
        if not value:
            return queryset
        named = queryset.model._meta.get_field(self.field_name).related_model._default_manager.filter(slug__in=value)
        if len(value) == 1:
            # Not joined: so the database knows that it is one, and enters an index by it.
            return queryset.filter(**{self.field_name: Subquery(named.values("pk")[:1])})
        return queryset.filter(**{f"{self.field_name}__in": named.values("pk")})


class NumbersField(ManyField):
    """Several whole numbers."""

    def clean(self, value: list[str]) -> list[str]:
        words = super().clean(value)
        if any(not (word.isascii() and word.isdigit() and len(word) < 10) for word in words):
            raise ValidationError("Write whole numbers.")
        return words


class AnyNumber(AnyOf):
    """Rows whose column is one of the numbers given, by repetition or comma."""

    field_class = NumbersField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        items = {"type": "integer", "minimum": 0, "maximum": 999_999_999}
        extend_schema_field({"type": "array", "items": items})(self)


class OneOfField(forms.ChoiceField):
    """One word out of several, or none."""

    widget = forms.TextInput


class OneOf(django_filters.Filter):
    """One of `choices`; what it does is a method of the filter set."""

    field_class = OneOfField

    def __init__(self, *args: Any, choices: Choices, **kwargs: Any) -> None:
        super().__init__(*args, choices=list(choices), **kwargs)
        extend_schema_field({**_TEXT, "enum": [value for value, _ in choices]})(self)


class TrueOrFalseField(forms.Field):
    widget = forms.TextInput

    def to_python(self, value: Any) -> bool | None:
        if value in self.empty_values:
            return None
        known = {"true": True, "1": True, "false": False, "0": False}.get(str(value).strip().lower())
        if known is None:
            raise ValidationError("Write true or false.")
        return known


class TrueOrFalse(django_filters.Filter):
    """true or false; nothing else is taken for either."""

    field_class = TrueOrFalseField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        extend_schema_field({"type": "boolean"})(self)


class WholeNumber(django_filters.Filter):
    """A whole number that a column can hold."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=0, max_value=2**31 - 1, **kwargs)
        extend_schema_field({"type": "integer", "minimum": 0, "maximum": 2**31 - 1})(self)


class LabelsField(ManyField):
    """Several `name:value`."""

    def clean(self, value: list[str]) -> list[str]:
        words = super().clean(value)
        if any(not word.partition(":")[0] or ":" not in word for word in words):
            raise ValidationError("Write a label as name:value.")
        return words


class HasLabels(django_filters.Filter):
    """Rows whose labels have every `name:value` given."""

    field_class = LabelsField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"field_name": "labels", "widget": TextsWidget, **kwargs})
        extend_schema_field({"type": "array", "items": {**_TEXT, "pattern": "^[^:\\x00]+:"}})(self)

    def filter(self, queryset: QuerySet[Any], value: list[str]) -> QuerySet[Any]:
        for word in value:
            name, _, text = word.partition(":")
            queryset = queryset.filter(HasLabel(self.field_name, name, text))
        return queryset


class InstantField(forms.Field):
    """An RFC 3339 moment; without an offset it is of the reader's zone, as a form sends it."""

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            # a "+" that nobody escaped arrives as a space
            moment = parse_datetime(str(value).strip().replace(" ", "+") if "T" in str(value) else str(value))
            if moment is None:
                raise ValueError
            moment = from_current_timezone(moment).astimezone(UTC)
            _ = moment - _DAY, moment + _DAY  # so that it is shown in any zone
            return moment
        except (ValueError, OverflowError) as exc:
            raise ValidationError("Write a moment such as 2026-03-02T09:00:00Z.") from exc


@extend_schema_field({"type": "string", "format": "date-time"})
class InstantFilter(django_filters.Filter):
    field_class = InstantField


class HasLabel(Func):
    """True where a JSON object has this text under this name, whatever characters the name is made of."""

    output_field = BooleanField()

    def __init__(self, column: str, name: str, text: str) -> None:
        super().__init__(F(column), Value(name), Value(text))

    def as_sql(  # type: ignore[override]
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, list[Any]]:
        parts = [compiler.compile(each) for each in self.get_source_expressions() if each is not None]
        labels, name, text = (sql for sql, _ in parts)
        parameters = [parameter for _, given in parts for parameter in given]
        if connection.vendor == "postgresql":
            return f"{labels} @> jsonb_build_object({name}::text, {text}::text)", parameters
        return f"EXISTS (SELECT 1 FROM json_each({labels}) WHERE key = {name} AND atom = {text})", parameters


class LabelText(Func):
    """The text that a JSON object has under this name, whatever characters the name is made of; else null."""

    output_field = TextField()

    def __init__(self, column: str, name: str) -> None:
        super().__init__(F(column), Value(name))
        self.name = name

    def as_sql(  # type: ignore[override]
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, list[Any]]:
        parts = [compiler.compile(each) for each in self.get_source_expressions() if each is not None]
        labels, name = (sql for sql, _ in parts)
        parameters = [parameter for _, given in parts for parameter in given]
        if connection.vendor == "postgresql":
            return f"({labels} ->> {name}::text)", parameters
        if _PLAIN.fullmatch(self.name):
            # which takes a tenth of walking through the object
            return f"json_extract({labels}, '$.{self.name}')", parameters[:-1]
        return f"(SELECT atom FROM json_each({labels}) WHERE key = {name})", parameters
