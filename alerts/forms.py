"""What is typed about integrations, and what lists of alerts and deliveries are filtered by."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from alerts.models import Alert, Integration
from common.forms import ChangeForm, Form
from people.models import Team

ALL = "all"
HOUR, DAY = 3600, 86400


class IntegrationForm(Form):
    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("Where the alerts come from, such as “Production EU”.")
    )
    team = forms.ModelChoiceField(
        Team.objects.all(),
        label=_("Team"),
        required=False,
        empty_label=_("No team"),
        help_text=_("Whose incidents its alerts open, where no service says it."),
    )


class IntegrationChangeForm(ChangeForm, IntegrationForm):
    field_order = ("name", "team")


class RotateForm(Form):
    """How long the present token goes on."""

    keep_old_for = forms.TypedChoiceField(
        label=_("The present token"),
        coerce=int,
        initial=DAY,
        choices=[
            (DAY, _("goes on for a day, beside the new one")),
            (HOUR, _("goes on for an hour, beside the new one")),
            (7 * DAY, _("goes on for a week, beside the new one")),
            (0, _("stops within five seconds")),
        ],
    )


class AlertFilter(Form):
    """Which alerts are shown; what it cannot read counts as not asked for."""

    q = forms.CharField(required=False, max_length=200, label=_("Search"))
    status = forms.ChoiceField(label=_("Status"), required=False, choices=[*Alert.Status.choices, (ALL, _("All"))])
    integration = forms.ModelChoiceField(
        Integration.objects.all(),
        label=_("Integration"),
        required=False,
        to_field_name="slug",
        empty_label=_("All integrations"),
    )


class DeliveryFilter(Form):
    faulty = forms.BooleanField(label=_("Faulty only"), required=False)
    integration = forms.ModelChoiceField(
        Integration.objects.all(),
        label=_("Integration"),
        required=False,
        to_field_name="slug",
        empty_label=_("All integrations"),
    )
