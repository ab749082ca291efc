"""What the lists of alerts and deliveries can be narrowed by."""

from __future__ import annotations

from typing import Any

import django_filters

from alerts import outcomes
from alerts.models import Alert, Delivery
from common.filters import AnyLabelText, AnyNumber, AnyOf, AnyText, HasLabels, InstantFilter


class _States(AnyOf):
    """By the state that is shown, which is not the one that is kept."""

    def filter(self, queryset: Any, value: list[str]) -> Any:
        return queryset.shown_as(*value) if value else queryset


class _Outcomes(AnyOf):
    def filter(self, queryset: Any, value: list[str]) -> Any:
        return outcomes.narrowed(queryset, value) if value else queryset


class AlertFilter(django_filters.FilterSet):
    integration = AnyOf(field_name="integration__slug", help_text="Slugs of integrations.")
    status = _States(choices=Alert.Status.choices)
    incident = AnyNumber(field_name="incident__number", help_text="Numbers of incidents.")
    fingerprint = AnyOf(help_text="As the sender gave it.")
    label = HasLabels(help_text="As name:value; of several, an alert has all.")
    severity = AnyLabelText(label="severity", help_text="Of the label severity.")
    service = AnyLabelText(label="service", help_text="Of the label service.")
    name = AnyText(help_text="Of the label alertname; several by repetition, as it may hold a comma.")
    becomes = _Outcomes(choices=outcomes.Outcome.choices, help_text="What became of it.")
    started_after = InstantFilter(field_name="starts_at", lookup_expr="gte")
    started_before = InstantFilter(field_name="starts_at", lookup_expr="lt")

    class Meta:
        model = Alert
        fields = ()


class ListFilter(AlertFilter):
    """Of the page, which searches, too: `alerts.searching` says how."""

    q = django_filters.CharFilter(max_length=500)


class DeliveryFilter(django_filters.FilterSet):
    integration = AnyOf(field_name="integration__slug", help_text="Slugs of integrations.")
    outcome = AnyOf(choices=Delivery.Outcome.choices)

    class Meta:
        model = Delivery
        fields = ()
