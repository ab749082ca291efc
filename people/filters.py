"""What the lists of people can be narrowed by."""

from __future__ import annotations

import django_filters

from common.filters import TrueOrFalse
from people.models import User


class UserFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", help_text="A part of the name.")
    team = django_filters.CharFilter(field_name="memberships__team__slug", help_text="A team's slug.")
    discipline = django_filters.CharFilter(field_name="discipline__slug", help_text="A discipline's slug.")
    is_active = TrueOrFalse()

    class Meta:
        model = User
        fields = ()
