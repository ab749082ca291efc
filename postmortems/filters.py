"""What the lists of postmortems and action items can be narrowed by; several values by repetition or comma."""

from __future__ import annotations

import django_filters
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field

from common.filters import AnyOf, ManyField, TrueOrFalse
from postmortems.models import ActionItem, Postmortem, Revision


class NumbersField(ManyField):
    """Several whole numbers that a column can hold."""

    def clean(self, value: list[str]) -> list[str]:
        if any(not (word.isascii() and word.isdigit() and len(word) < 10) for word in super().clean(value)):
            raise ValidationError(_("These are numbers."))
        return value


@extend_schema_field({"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 999_999_999}})
class AnyNumberOf(django_filters.Filter):
    """Rows whose number is one of those given."""

    field_class = NumbersField
    filter = AnyOf.filter


class PostmortemFilter(django_filters.FilterSet):
    status = AnyOf(choices=Postmortem.Status.choices)
    owner = AnyNumberOf(field_name="owner_id", help_text="A user's id.")
    team = AnyOf(field_name="incident__team__slug", help_text="The slug of the incident's team.")
    service = AnyOf(field_name="incident__service__slug", help_text="The slug of the incident's service.")
    model = AnyOf(field_name="incident__model__slug", help_text="The slug of the incident's model.")
    q = django_filters.CharFilter(
        field_name="incident__title", lookup_expr="icontains", help_text="A part of the incident's title."
    )

    class Meta:
        model = Postmortem
        fields = ()


class ActionItemFilter(django_filters.FilterSet):
    postmortem = AnyNumberOf(field_name="postmortem__incident__number", help_text="The incident's number.")
    status = AnyOf(choices=ActionItem.Status.choices)
    type = AnyOf(choices=ActionItem.Type.choices)
    priority = AnyOf(choices=ActionItem.Priority.choices)
    owner = AnyNumberOf(field_name="owner_id", help_text="A user's id.")
    team = AnyOf(field_name="team__slug", help_text="A team's slug.")
    q = django_filters.CharFilter(field_name="title", lookup_expr="icontains", help_text="A part of the title.")

    class Meta:
        model = ActionItem
        fields = ()


class RevisionFilter(django_filters.FilterSet):
    section = AnyOf(field_name="section__key", help_text="A section's key.")
    is_conflict = TrueOrFalse(help_text="Only texts that lost a race, or only those that stood.")

    class Meta:
        model = Revision
        fields = ()
