"""What the list of SLOs can be narrowed by."""

from __future__ import annotations

import django_filters

from common.filters import AnyOf
from slos.models import Slo


class SloFilter(django_filters.FilterSet):
    service = AnyOf(field_name="service__slug", help_text="Slugs of services.")
    model = AnyOf(field_name="model__slug", help_text="Slugs of models.")
    kind = AnyOf(choices=Slo.Kind.choices)

    class Meta:
        model = Slo
        fields = ()
