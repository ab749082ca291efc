"""What is typed about services and models."""

from __future__ import annotations

from typing import Any

from django import forms

from catalog import access
from catalog.models import Model, Service
from common.forms import ChangeForm, Form, choosable
from people.actors import Actor
from people.models import Team

_TIERS = [(1, "1, users cannot do without it"), (2, "2, users notice"), (3, "3, some users notice"), (4, "4, internal")]


_SLUG_HELP = "What alerts and the API call it, for good. Made from the name if left empty."


class _OwnedForm(Form):
    """For whoever manages a team: of the teams, theirs can be chosen."""

    name = forms.CharField(max_length=150)
    team = forms.ModelChoiceField(Team.objects.none(), required=False, empty_label="No team")

    def __init__(self, *args: Any, by: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choosable(self, "team").queryset = access.managed_teams(by)


class _ServiceForm(_OwnedForm):
    tier = forms.TypedChoiceField(choices=_TIERS, coerce=int, initial=3)
    depends_on = forms.ModelMultipleChoiceField(
        Service.objects.all(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="The services that it cannot work without.",
    )


class NewServiceForm(_ServiceForm):
    slug = forms.SlugField(max_length=60, required=False, help_text=_SLUG_HELP)
    field_order = ("name", "slug", "team", "tier", "depends_on")


class ServiceForm(_ServiceForm, ChangeForm):
    """A service as it is changed; its slug stays."""

    def __init__(self, *args: Any, service: Service, **kwargs: Any) -> None:
        depends_on = list(service.depends_on.all())
        initial = {"name": service.name, "team": service.team_id, "tier": service.tier, "depends_on": depends_on}
        super().__init__(*args, initial=initial, **kwargs)
        choosable(self, "depends_on").queryset = Service.objects.exclude(pk=service.pk)


class _ModelForm(_OwnedForm):
    service = forms.ModelChoiceField(
        Service.objects.all(), required=False, empty_label="None yet", help_text="The service that serves it."
    )


class NewModelForm(_ModelForm):
    slug = forms.SlugField(max_length=60, required=False, help_text=_SLUG_HELP)
    field_order = ("name", "slug", "service", "team")


class ModelForm(_ModelForm, ChangeForm):
    """A model as it is changed; its slug stays."""

    field_order = ("name", "service", "team")

    def __init__(self, *args: Any, model: Model, **kwargs: Any) -> None:
        initial = {"name": model.name, "team": model.team_id, "service": model.service_id}
        super().__init__(*args, initial=initial, **kwargs)
