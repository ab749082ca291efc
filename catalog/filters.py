"""What the lists of services and models can be narrowed by; the pages' and the API's."""

from __future__ import annotations

import django_filters

from catalog.models import Model, Service
from common.filters import AnyOf


class ServiceFilter(django_filters.FilterSet):
    team = AnyOf(field_name="team__slug")
    tier = AnyOf(field_name="tier", choices=[(str(tier), str(tier)) for tier in range(1, 5)])
    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", help_text="A part of the name.")

    class Meta:
        model = Service
        fields = ()


class ModelFilter(django_filters.FilterSet):
    team = AnyOf(field_name="team__slug")
    service = AnyOf(field_name="service__slug")
    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", help_text="A part of the name.")

    class Meta:
        model = Model
        fields = ()
