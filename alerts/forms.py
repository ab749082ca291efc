"""What is typed about integrations, and what lists of alerts and deliveries are filtered by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from alerts.models import Integration
from common.errors import Invalid
from common.forms import ChangeForm, Form, refuse
from incidents.models import Incident
from people.models import Team


class Minutes(forms.FloatField):
    """A span, typed in minutes and kept in seconds."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": 7 * 1440, "step_size": 0.5, **kwargs})

    def clean(self, value: Any) -> int | None:
        typed = super().clean(value)
        return None if typed is None else round(typed * 60)


def minutes(seconds: int | None) -> float | int | None:
    """As such a field shows it."""
    return None if seconds is None else seconds // 60 if seconds % 60 == 0 else round(seconds / 60, 2)


HOUR, DAY = 3600, 86400


class _IntegrationForm(Form):
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


class IntegrationForm(_IntegrationForm):
    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=Integration.Kind.choices,
        initial=Integration.Kind.ALERTMANAGER,
        required=False,
        help_text=_("Which form its webhooks have. Generic: as Alertmanager's, from a program of your own."),
    )
    field_order = ("name", "kind", "team")

    def clean_kind(self) -> str:
        return str(self.cleaned_data["kind"] or Integration.Kind.ALERTMANAGER)


class IntegrationChangeForm(ChangeForm, _IntegrationForm):
    repeat_interval = Minutes(
        label=_("Repeated every"),
        required=False,
        min_value=1,
        max_value=7 * 1440,
        help_text=_("Minutes: the repeat_interval of its route. Empty: it is learned from what is sent."),
    )
    stale_resolves_after = Minutes(
        label=_("Unconfirmed alerts resolve after"),
        required=False,
        min_value=1,
        max_value=30 * 1440,
        help_text=_("Minutes. Empty: never by themselves, as a resolve that does not come is not a resolve."),
    )
    provisional_grace = Minutes(
        label=_("A returned alert counts after"),
        required=False,
        min_value=0,
        max_value=60,
        help_text=_(
            "Minutes. What had resolved and fires again with its old start may be a late copy from another "
            "Alertmanager: it counts once it has stayed so long. Empty: as this server is set."
        ),
    )
    field_order = ("name", "team", "repeat_interval", "stale_resolves_after", "provisional_grace")


_LATER = _("As later routes say")


class RouteForm(ChangeForm):
    """A route. Spans are typed in minutes; what is left empty is left to later routes and to the defaults."""

    CONTINUE = "continue"

    name = forms.CharField(label=_("Name"), max_length=100)
    matchers = forms.CharField(
        label=_("Alerts that fit"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "font-monospace"}),
        help_text=_(
            'As in Alertmanager, one a line: severity="critical", env!="dev", job=~"web|api". Empty: all. '
            "A Watchdog is only taken where they ask for its alertname."
        ),
    )
    does = forms.ChoiceField(
        label=_("What becomes of them"),
        choices=[
            ("open", _("They open an incident, or join the one that is open")),
            ("attach", _("They join an incident that is open, and wait where there is none")),
            ("ignore", _("They are ignored: shown among the alerts, in no incident")),
            ("heartbeat", _("They are a sign of life: an incident opens where it is missing")),
            (CONTINUE, _("What is said below counts, and the next route goes on to decide")),
        ],
    )
    title = forms.CharField(
        label=_("Title"),
        required=False,
        max_length=300,
        help_text=_("With labels in it: {{label.alertname}} in {{label.env}}"),
    )
    service = forms.CharField(
        label=_("Service"), required=False, max_length=300, help_text=_("Its slug, or {{label.app}}")
    )
    model = forms.CharField(
        label=_("Model"), required=False, max_length=300, help_text=_("Its slug, or {{label.model}}")
    )
    team = forms.CharField(label=_("Team"), required=False, max_length=300, help_text=_("Its slug, or {{label.team}}"))
    kind = forms.CharField(
        label=_("Kind"), required=False, max_length=300, help_text=_("Such as latency, or {{label.kind}}")
    )
    severity = forms.CharField(
        label=_("Severity"), required=False, max_length=300, help_text=_("Such as sev2, or {{label.priority}}")
    )
    correlate = forms.ChoiceField(
        label=_("One incident for each"),
        required=False,
        choices=[
            ("", _LATER),
            ("group", _("group of Alertmanager")),
            ("labels", _("value of the labels named beside")),
            ("service", _("service")),
            ("model", _("model")),
        ],
    )
    correlate_labels = forms.CharField(
        label=_("Labels"), required=False, max_length=1000, help_text=_("With commas between: cluster, namespace")
    )
    window = Minutes(
        label=_("It takes alerts for"),
        required=False,
        help_text=_("Minutes after its last one; what fires later opens another. Empty: as long as it is open."),
    )
    threshold = forms.IntegerField(
        label=_("It opens when so many fire"),
        required=False,
        min_value=1,
        max_value=1000,
        help_text=_("Empty: at the first."),
    )
    threshold_within = Minutes(label=_("Within"), required=False, help_text=_("Minutes."))
    threshold_label = forms.CharField(
        label=_("Counted by the values of"),
        required=False,
        max_length=300,
        help_text=_("A label, such as instance. Empty: every alert counts."),
    )
    resolve = forms.ChoiceField(
        label=_("It may resolve by itself"),
        required=False,
        choices=[("", _LATER), *((value, label) for value, label in Incident.Resolves.choices)],
    )
    quiet_period = Minutes(label=_("After a quiet time of"), required=False, min_value=0, help_text=_("Minutes."))
    reopen_window = Minutes(
        label=_("It is reopened within"), required=False, min_value=0, help_text=_("Minutes after it was resolved.")
    )
    candidate = forms.TypedChoiceField(
        label=_("It counts"),
        required=False,
        empty_value=None,
        coerce=lambda value: value == "yes",
        choices=[("", _LATER), ("no", _("at once")), ("yes", _("once a person confirms it"))],
    )
    heartbeat_interval = Minutes(
        label=_("A sign of life comes every"),
        required=False,
        help_text=_("Minutes. Empty: it is learned from when it comes."),
    )

    ABOUT = ("title", "service", "model", "team", "kind", "severity")
    WHICH = ("correlate", "correlate_labels", "window", "threshold", "threshold_within", "threshold_label")
    HOW = ("resolve", "quiet_period", "reopen_window", "candidate", "heartbeat_interval")

    @classmethod
    def of(cls, route: Mapping[str, Any]) -> dict[str, Any]:
        """What it shows of a route that is kept."""
        shown = {**route, "correlate_labels": ", ".join(route.get("correlate_labels", ()))}
        for name in ("window", "threshold_within", "quiet_period", "reopen_window", "heartbeat_interval"):
            if route.get(name) is not None:
                shown[name] = minutes(route[name])
        if shown.pop("continue", False):
            shown["does"] = cls.CONTINUE
        if route.get("candidate") is not None:
            shown["candidate"] = "yes" if route["candidate"] else "no"
        return shown

    def route(self) -> dict[str, Any]:
        """The route that was typed, as JSON."""
        typed, _version = self.changes()
        labels = [label.strip() for label in typed.pop("correlate_labels").split(",") if label.strip()]
        continues = typed["does"] == self.CONTINUE
        kept = {
            **typed,
            "correlate_labels": labels,
            "does": "open" if continues else typed["does"],
            "continue": continues,
        }
        return {name: value for name, value in kept.items() if value not in ("", None)}

    def tell(self, place: int, refusal: Invalid) -> None:
        """Put what is wrong with the route at this place beside its fields."""
        own = [(name.removeprefix(f"routes.{place}."), message) for name, message in refusal.errors]
        refuse(self, Invalid(refusal.message, errors=own))
        self.http_status = refusal.status


class TryForm(Form):
    payload = forms.CharField(
        label=_("A payload"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "class": "font-monospace"}),
        help_text=_("The body of a webhook, to see where each of its alerts would go."),
    )


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


class DeliveryFilter(Form):
    faulty = forms.BooleanField(label=_("Faulty only"), required=False)
    integration = forms.ModelChoiceField(
        Integration.objects.all(),
        label=_("Integration"),
        required=False,
        to_field_name="slug",
        empty_label=_("All integrations"),
    )
