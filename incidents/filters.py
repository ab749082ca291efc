"""What the lists of incidents and entries can be narrowed by, and in which order they come; pages and API alike."""

from __future__ import annotations

import re
from typing import Any

import django_filters
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from common.filters import AnyOf, Belongs, HasLabels, InstantFilter, OneOf, TrueOrFalse, WholeNumber
from incidents.models import Entry, Incident

_NUMBER = re.compile(r"(?:inc-)?(\d{1,9})", re.IGNORECASE)

ORDERS = {
    "-opened": ("-created_at", "-id"),
    "opened": ("created_at", "id"),
    "severity": ("severity", "-id"),
    "urgency": ("waiting", "severity", "created_at", "id"),
}


class IncidentFilter(django_filters.FilterSet):
    status = AnyOf(choices=Incident.Status.choices)
    severity = AnyOf(choices=Incident.Severity.choices)
    kind = AnyOf(choices=Incident.Kind.choices)
    service = Belongs(field_name="service", help_text="Slugs of services.")
    team = Belongs(field_name="team", help_text="Slugs of teams.")
    model = Belongs(field_name="model", help_text="Slugs of models.")
    drill = TrueOrFalse(field_name="is_drill")
    candidate = TrueOrFalse(field_name="is_candidate", help_text="Whether a person has yet to confirm it.")
    label = HasLabels(help_text="As name:value; of several, an incident has all.")
    q = django_filters.CharFilter(method="search", help_text="Words of the title or the summary, or a number.")
    opened_after = InstantFilter(field_name="created_at", lookup_expr="gte")
    opened_before = InstantFilter(field_name="created_at", lookup_expr="lt")
    open = TrueOrFalse(method="is_open", help_text="Triggered, acknowledged or mitigated.")
    ordering = OneOf(
        choices=[(name, name) for name in ORDERS],
        method="order",
        help_text="-opened where it is not said. urgency: unacknowledged first, then by severity and age.",
    )

    class Meta:
        model = Incident
        fields = ()

    def search(self, queryset: QuerySet[Incident], name: str, value: str) -> QuerySet[Incident]:
        for word in value.split()[:10]:
            found = Q(title__icontains=word) | Q(summary__icontains=word)
            if number := _NUMBER.fullmatch(word):
                found |= Q(number=int(number[1]))
            queryset = queryset.filter(found)
        return queryset

    def is_open(self, queryset: QuerySet[Incident], name: str, value: bool) -> QuerySet[Incident]:
        return queryset.filter(status__in=Incident.OPEN) if value else queryset.exclude(status__in=Incident.OPEN)

    def order(self, queryset: QuerySet[Incident], name: str, value: str) -> QuerySet[Incident]:
        return ordered(queryset, value)


class EntryFilter(django_filters.FilterSet):
    kind = AnyOf(choices=Entry.Kind.choices)
    after = WholeNumber(field_name="seq", lookup_expr="gt", help_text="Only entries with a greater seq.")
    ordering = OneOf(
        choices=[("seq", "seq"), ("-seq", "-seq")], method="order", help_text="seq, the oldest first, if not said."
    )

    class Meta:
        model = Entry
        fields = ()

    def order(self, queryset: QuerySet[Entry], name: str, value: str) -> QuerySet[Entry]:
        return queryset.order_by(value)


def ordered(incidents: QuerySet[Incident], ordering: str) -> QuerySet[Incident]:
    """In one of ORDERS."""
    if ordering == "urgency":
        incidents = incidents.annotate(waiting=waiting())
    return incidents.order_by(*ORDERS[ordering])


def waiting() -> Case:
    """0 for what nobody has taken, 1 for what is being worked on, 2 for what is over."""
    ranks: list[Any] = [
        When(status=Incident.Status.TRIGGERED, then=Value(0)),
        When(status__in=Incident.OPEN, then=Value(1)),
    ]
    return Case(*ranks, default=Value(2), output_field=IntegerField())
