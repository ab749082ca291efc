"""What is typed about incidents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from catalog.models import Model, Service
from common import years
from common.forms import ChangeForm, Form, labels_of
from incidents import moments
from incidents.models import Entry, Incident
from incidents.queries import web_address
from people import access, queries
from people.actors import Actor
from people.models import Discipline, Role, Team, User
from slos.models import Slo


class Moment(forms.DateTimeField):
    """In the reader's zone, to the second."""

    def __init__(self, **kwargs: Any) -> None:
        attributes = {"type": "datetime-local", "step": "1"}
        super().__init__(widget=forms.DateTimeInput(attrs=attributes, format="%Y-%m-%dT%H:%M:%S"), **kwargs)

    def to_python(self, value: Any) -> datetime | None:
        moment: datetime | None = super().to_python(value)
        if moment is not None and not years.hold(moment):
            raise forms.ValidationError(
                _("A moment lies in the years {first} to {last}.").format(first=years.FIRST, last=years.LAST)
            )
        return moment


class PersonField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Somebody who may respond, told with their discipline."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=queries.able_to_respond(), **kwargs)

    def label_from_instance(self, obj: User) -> str:
        return f"{obj.name} · {obj.discipline}" if obj.discipline else obj.name


class SavedViewForm(Form):
    name = forms.CharField(max_length=60, label=_("Name"))
    team = forms.ModelChoiceField(
        Team.objects.none(), required=False, empty_label=_("Nobody: mine alone"), label=_("Shared with")
    )

    def __init__(self, *args: Any, teams: QuerySet[Team], of: Team | None = None, **kwargs: Any) -> None:
        """`teams` are those with which one may share, `of` the one with which it is."""
        super().__init__(*args, **kwargs)
        field = self.fields["team"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Team.objects.filter(Q(pk__in=teams.values("pk")) | Q(pk=of and of.pk))


class _AboutForm(Form):
    title = forms.CharField(label=_("Title"), max_length=300, help_text=_("What is wrong, in a few words."))
    severity = forms.ChoiceField(label=_("Severity"), choices=Incident.Severity.choices, initial=Incident.Severity.SEV3)
    kind = forms.ChoiceField(label=_("Kind"), choices=Incident.Kind.choices, initial=Incident.Kind.OTHER)
    service = forms.ModelChoiceField(
        Service.objects.select_related("team"), required=False, label=_("Service"), empty_label=_("None yet")
    )
    model = forms.ModelChoiceField(Model.objects.all(), required=False, label=_("Model"), empty_label=_("None yet"))
    team = forms.ModelChoiceField(Team.objects.all(), required=False, label=_("Team"), empty_label=_("The service's"))
    summary = forms.CharField(
        label=_("Summary"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("What is known of it: what happens, to whom, since when. Read by everyone who comes in."),
    )
    is_private = forms.BooleanField(required=False, label=_("Private: seen by its responders and managers only"))
    is_drill = forms.BooleanField(required=False, label=_("A drill: nothing is really broken"))


class DeclareForm(_AboutForm):
    started_at = Moment(required=False, label=_("Impact began"))

    field_order = ("title", "severity", "kind", "service", "model", "team", "started_at", "summary")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = timezone.get_current_timezone()
        self.fields["started_at"].help_text = gettext("In your zone, %(zone)s. Empty: not known yet.") % {"zone": zone}


class EditForm(_AboutForm, ChangeForm):
    """An incident as it is changed. Privacy and drill are a manager's."""

    labels = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("One a line: name=value."),
        label=_("Labels"),
    )
    links = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("One a line: the address, then what it is called."),
        label=_("Links"),
    )

    def __init__(self, *args: Any, incident: Incident, by: Actor, **kwargs: Any) -> None:
        names = ("title", "severity", "kind", "summary", "is_private", "is_drill")
        kwargs["initial"] = {
            **{name: getattr(incident, name) for name in names},
            **{name: getattr(incident, f"{name}_id") for name in ("service", "model", "team")},
            "labels": "\n".join(f"{name}={value}" for name, value in incident.labels.items()),
            "links": "\n".join(f"{link.get('url', '')} {link.get('title', '')}".strip() for link in incident.links),
        }
        super().__init__(*args, **kwargs)
        self.fields["team"].empty_label = _("No team")  # type: ignore[attr-defined]
        if not access.can(by, access.Act.MANAGE, incident.team):
            del self.fields["is_private"], self.fields["is_drill"]

    def clean_labels(self) -> dict[str, str]:
        return labels_of(self.cleaned_data["labels"])

    def clean_links(self) -> list[dict[str, str]]:
        links = []
        for line in filter(str.strip, self.cleaned_data["links"].splitlines()):
            url, __, title = line.strip().partition(" ")
            if not web_address(url):
                raise forms.ValidationError(
                    _("“{address}” is no address that begins with http:// or https://.").format(address=url[:60])
                )
            links.append({"title": title.strip() or url[:200], "url": url})
        return links


class NoteForm(Form):
    kind = forms.ChoiceField(
        choices=[(kind.value, kind.label) for kind in Entry.WRITTEN],
        initial=Entry.Kind.NOTE,
        required=False,
        widget=forms.RadioSelect,
        label=_("Kind"),
    )
    text = forms.CharField(
        max_length=50_000, widget=forms.Textarea, error_messages={"required": _("Write something.")}, label=_("Text")
    )
    amends = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1, widget=forms.HiddenInput)

    def clean_kind(self) -> str:
        return self.cleaned_data["kind"] or Entry.Kind.NOTE


class StatusForm(Form):
    """A move. What a dismissal or a merger needs, `lifecycle` asks for."""

    status = forms.ChoiceField(choices=Incident.Status.choices, label=_("Status"))
    reason = forms.CharField(required=False, max_length=2000, label=_("Reason"))
    note = forms.CharField(required=False, max_length=50_000, label=_("Note"))
    merged_into = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1, label=_("Incident number"))


class ResolveForm(Form):
    """What is asked of who resolves. Where somebody mitigated it, that was the end of the impact."""

    impact_ended_at = Moment(
        required=False,
        label=_("The impact ended"),
        help_text=_("In your zone. From it follows what the incident burned."),
    )
    note = forms.CharField(
        required=False,
        max_length=50_000,
        label=_("What made it stop"),
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        help_text=_("And how one can tell that it is over. It stands in the timeline."),
    )

    def __init__(self, *args: Any, incident: Incident, now: datetime, **kwargs: Any) -> None:
        kwargs["initial"] = {"impact_ended_at": now.replace(microsecond=0)}
        super().__init__(*args, **kwargs)
        if incident.mitigated_at is not None:
            del self.fields["impact_ended_at"]


class MarkForm(Form):
    seq = forms.IntegerField(min_value=1, max_value=2**31 - 1, label=_("Number"))
    marked = forms.BooleanField(required=False, label=_("Marked"))


class SeverityForm(Form):
    severity = forms.ChoiceField(choices=Incident.Severity.choices, label=_("Severity"))


class RoleForm(Form):
    role = forms.ModelChoiceField(
        Role.objects.offered(), to_field_name="slug", empty_label=_("Which role?"), label=_("Role")
    )
    user = PersonField(empty_label=_("Who?"), label=_("Person"))


class AskForm(Form):
    """Somebody is asked to come; with a role, they hold it from now on."""

    user = PersonField(empty_label=_("Who?"), label=_("Person"))
    role = forms.ModelChoiceField(
        Role.objects.offered(), required=False, to_field_name="slug", empty_label=_("No role"), label=_("Role")
    )
    discipline = forms.ModelChoiceField(
        Discipline.objects.offered(), required=False, empty_label=_("Their own"), label=_("Discipline")
    )


class JoinForm(Form):
    discipline = forms.ModelChoiceField(
        Discipline.objects.offered(), required=False, empty_label=_("Your own"), label=_("Discipline")
    )


class SloForm(Form):
    slo = forms.ModelChoiceField(
        Slo.objects.select_related("service").order_by("service__name", "name"),
        to_field_name="slug",
        empty_label=_("Which SLO?"),
        label=_("SLO"),
    )


class MomentsForm(Form):
    """The five moments; only those that differ are corrected."""

    started_at = Moment(required=False, label=_("Impact began"))
    detected_at = Moment(required=False, label=_("Detected"))
    acknowledged_at = Moment(required=False, label=_("Acknowledged"))
    mitigated_at = Moment(required=False, label=_("Mitigated"))
    resolved_at = Moment(required=False, label=_("Resolved"))
    reason = forms.CharField(
        max_length=2000, help_text=_("Why they are corrected; it stands in the timeline."), label=_("Reason")
    )

    def __init__(self, *args: Any, incident: Incident, **kwargs: Any) -> None:
        known = {name: getattr(incident, name) for name in moments.NAMES}
        kwargs["initial"] = {name: at and at.replace(microsecond=0) for name, at in known.items()}
        super().__init__(*args, **kwargs)

    def changes(self) -> Mapping[str, datetime | None]:
        return {name: self.cleaned_data[name] for name in moments.NAMES if name in self.changed_data}
