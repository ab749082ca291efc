"""What the lists of alerts and deliveries can be narrowed by."""

from __future__ import annotations

from typing import Any

import django_filters

from alerts.models import Alert, Delivery
from common.filters import AnyNumber, AnyOf, HasLabels


class _States(AnyOf):
    """By the state that is shown, which is not the one that is kept."""

    def filter(self, queryset: Any, value: list[str]) -> Any:
        return queryset.shown_as(*value) if value else queryset


class AlertFilter(django_filters.FilterSet):
    integration = AnyOf(field_name="integration__slug", help_text="Slugs of integrations.")
    status = _States(choices=Alert.Status.choices)
    incident = AnyNumber(field_name="incident__number", help_text="Numbers of incidents.")
    fingerprint = AnyOf(help_text="As the sender gave it.")
    label = HasLabels(help_text="As name:value; of several, an alert has all.")

    class Meta:
        model = Alert
        fields = ()


class DeliveryFilter(django_filters.FilterSet):
    integration = AnyOf(field_name="integration__slug", help_text="Slugs of integrations.")
    outcome = AnyOf(choices=Delivery.Outcome.choices)

    class Meta:
        model = Delivery
        fields = ()
