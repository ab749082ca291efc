"""What the lists of postmortems and action items can be narrowed by; several values by repetition or comma."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django_filters.widgets import QueryArrayWidget

from postmortems.models import ActionItem, Postmortem


class _Numbers(forms.Field):
    """Ids or incidents' numbers."""

    widget = QueryArrayWidget

    def clean(self, value: Any) -> list[int]:
        given = [str(one).strip() for one in value or []]
        if any(not (one.isascii() and one.isdigit() and len(one) < 10) for one in given):
            raise forms.ValidationError("These are numbers.")
        return [int(one) for one in given]


class _Slugs(forms.Field):
    widget = QueryArrayWidget

    def clean(self, value: Any) -> list[str]:
        return [str(one).strip() for one in value or []]


class Numbers(django_filters.Filter):
    """Rows whose number is one of those given."""

    field_class: type[forms.Field] = _Numbers

    def filter(self, qs: Any, value: Any) -> Any:
        return qs.filter(**{f"{self.field_name}__in": value}) if value else qs


class Slugs(Numbers):
    """Rows whose slug is one of those given."""

    field_class = _Slugs


class Choices(django_filters.MultipleChoiceFilter):
    """Rows whose choice is one of those given."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=QueryArrayWidget, **kwargs)


class PostmortemFilter(django_filters.FilterSet):
    status = Choices(choices=Postmortem.Status.choices)
    owner = Numbers(field_name="owner_id", help_text="A user's id.")
    team = Slugs(field_name="incident__team__slug", help_text="The slug of the incident's team.")
    service = Slugs(field_name="incident__service__slug", help_text="The slug of the incident's service.")
    model = Slugs(field_name="incident__model__slug", help_text="The slug of the incident's model.")
    q = django_filters.CharFilter(
        field_name="incident__title", lookup_expr="icontains", help_text="A part of the incident's title."
    )

    class Meta:
        model = Postmortem
        fields = ()


class ActionItemFilter(django_filters.FilterSet):
    postmortem = Numbers(field_name="postmortem__incident__number", help_text="The incident's number.")
    status = Choices(choices=ActionItem.Status.choices)
    type = Choices(choices=ActionItem.Type.choices)
    priority = Choices(choices=ActionItem.Priority.choices)
    owner = Numbers(field_name="owner_id", help_text="A user's id.")
    team = Slugs(field_name="team__slug", help_text="A team's slug.")
    q = django_filters.CharFilter(field_name="title", lookup_expr="icontains", help_text="A part of the title.")

    class Meta:
        model = ActionItem
        fields = ()


class RevisionFilter(django_filters.FilterSet):
    section = Slugs(field_name="section__key", help_text="A section's key.")
    is_conflict = django_filters.BooleanFilter(help_text="Only texts that lost a race, or only those that stood.")
