"""What is typed about integrations, and what lists of alerts and deliveries are filtered by."""

from __future__ import annotations

from django import forms

from alerts.models import Alert, Integration
from common.forms import Form
from people.models import Team

ALL = "all"


class IntegrationForm(Form):
    name = forms.CharField(max_length=100, help_text="Where the alerts come from, such as “Production EU”.")
    team = forms.ModelChoiceField(
        Team.objects.all(),
        required=False,
        empty_label="No team",
        help_text="Whose incidents its alerts open, where no service says it.",
    )


class AlertFilter(Form):
    """Which alerts are shown; what it cannot read counts as not asked for."""

    q = forms.CharField(required=False, max_length=200, label="Search")
    status = forms.ChoiceField(required=False, choices=[*Alert.Status.choices, (ALL, "All")])
    integration = forms.ModelChoiceField(
        Integration.objects.all(), required=False, to_field_name="slug", empty_label="All integrations"
    )


class DeliveryFilter(Form):
    faulty = forms.BooleanField(required=False)
    integration = forms.ModelChoiceField(
        Integration.objects.all(), required=False, to_field_name="slug", empty_label="All integrations"
    )
