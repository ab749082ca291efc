"""What the lists of people can be narrowed by."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

import django_filters
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from drf_spectacular.utils import extend_schema_field

from common.filters import AnyNumber, AnyOf, InstantField, InstantFilter, TrueOrFalse
from people.audit import Action
from people.models import AuditEvent, User

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class UserFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", help_text="A part of the name.")
    team = django_filters.CharFilter(field_name="memberships__team__slug", help_text="A team's slug.")
    discipline = django_filters.CharFilter(field_name="discipline__slug", help_text="A discipline's slug.")
    is_active = TrueOrFalse()

    class Meta:
        model = User
        fields = ()


class LastMomentField(InstantField):
    """A moment; of a day without a clock, its end."""

    def to_python(self, value: Any) -> datetime | None:
        moment = super().to_python(value)
        if moment is not None and _DAY.fullmatch(str(value).strip()):
            return moment + timedelta(days=1)
        return moment


@extend_schema_field({"type": "string", "format": "date-time"})
class LastMoment(django_filters.Filter):
    field_class = LastMomentField


class AuditFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(
        method="search", max_length=200, help_text="Words of names, values, codes or user agents; an event has all."
    )
    action = AnyOf(choices=[(code, code) for code in Action.values])
    actor = AnyNumber(field_name="actor_user_id", help_text="Ids of users, who acted themselves or by a token.")
    actor_type = AnyOf(choices=[("user", "user"), ("bot", "bot"), ("system", "system"), ("anonymous", "anonymous")])
    object = django_filters.CharFilter(method="of_object", max_length=241, help_text="As kind, or as kind:id.")
    address = AnyOf(help_text="Where requests came from.")
    seq = AnyNumber(help_text="Numbers of events.")
    after = InstantFilter(field_name="at", lookup_expr="gte", help_text="From this moment on.")
    before = LastMoment(field_name="at", lookup_expr="lt", help_text="Until this moment; of a day, until its end.")

    class Meta:
        model = AuditEvent
        fields = ()

    def search(self, queryset: QuerySet[AuditEvent], name: str, value: str) -> QuerySet[AuditEvent]:
        queryset = queryset.annotate(
            was=Cast("before", output_field=TextField()), became=Cast("after", output_field=TextField())
        )
        for word in value.split()[:10]:
            columns = ("object_name", "object_id", "actor_name", "action", "user_agent", "request_id", "was", "became")
            queryset = queryset.filter(reduce(or_, (Q(**{f"{column}__icontains": word}) for column in columns)))
        return queryset

    def of_object(self, queryset: QuerySet[AuditEvent], name: str, value: str) -> QuerySet[AuditEvent]:
        kind, colon, reference = value.partition(":")
        queryset = queryset.filter(object_kind=kind)
        return queryset.filter(object_id=reference) if colon else queryset
