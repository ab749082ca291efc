"""What the list of SLOs can be narrowed by."""

from __future__ import annotations

import django_filters

from common.filters import AnyOf, Belongs
from slos.models import Slo


class SloFilter(django_filters.FilterSet):
    service = Belongs(field_name="service", help_text="Slugs of services.")
    model = Belongs(field_name="model", help_text="Slugs of models.")
    kind = AnyOf(choices=Slo.Kind.choices)

    class Meta:
        model = Slo
        fields = ()
