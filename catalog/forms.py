"""What is typed about services and models."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _lazy

from catalog import access
from catalog.models import Model, Service
from common.forms import ChangeForm, Form, choosable
from people.actors import Actor
from people.models import Team

_TIERS = [
    (1, _lazy("1, users cannot do without it")),
    (2, _lazy("2, users notice")),
    (3, _lazy("3, some users notice")),
    (4, _lazy("4, internal")),
]


_SLUG_HELP = _lazy("What alerts and the API call it, for good. Made from the name if left empty.")


class _OwnedForm(Form):
    """For whoever manages a team: of the teams, theirs can be chosen."""

    name = forms.CharField(max_length=150, label=_lazy("Name"))
    team = forms.ModelChoiceField(
        Team.objects.none(), required=False, empty_label=_lazy("No team"), label=_lazy("Team")
    )

    def __init__(self, *args: Any, by: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choosable(self, "team").queryset = access.managed_teams(by)


class _ServiceForm(_OwnedForm):
    tier = forms.TypedChoiceField(choices=_TIERS, coerce=int, initial=3, label=_lazy("Tier"))
    depends_on = forms.ModelMultipleChoiceField(
        Service.objects.all(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_lazy("The services that it cannot work without."),
        label=_lazy("Depends on"),
    )


class NewServiceForm(_ServiceForm):
    slug = forms.SlugField(max_length=60, required=False, help_text=_SLUG_HELP, label=_lazy("Slug"))
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
        Service.objects.all(),
        required=False,
        empty_label=_lazy("None yet"),
        help_text=_lazy("The service that serves it."),
        label=_lazy("Service"),
    )


class NewModelForm(_ModelForm):
    slug = forms.SlugField(max_length=60, required=False, help_text=_SLUG_HELP, label=_lazy("Slug"))
    field_order = ("name", "slug", "service", "team")


class ModelForm(_ModelForm, ChangeForm):
    """A model as it is changed; its slug stays."""

    field_order = ("name", "service", "team")

    def __init__(self, *args: Any, model: Model, **kwargs: Any) -> None:
        initial = {"name": model.name, "team": model.team_id, "service": model.service_id}
        super().__init__(*args, initial=initial, **kwargs)
