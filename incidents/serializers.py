"""Incidents, entries and responders as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from catalog.serializers import of_model, of_service
from common import rest
from incidents import moments
from incidents.models import Entry, Incident, Responder
from incidents.overview import Overview
from people.actors import ActorType
from people.serializers import UserRef, of_discipline, of_role, of_team, of_user
from slos.serializers import Share

_OWN_NAMES = {"private": "is_private", "drill": "is_drill", "candidate": "is_candidate"}


class Durations(rest.Output):
    """Whole seconds; null where a moment is unknown. The last two count from the start of the impact, or from its
    detection where the start is unknown."""

    to_detect = serializers.IntegerField(allow_null=True)
    to_acknowledge = serializers.IntegerField(allow_null=True)
    to_mitigate = serializers.IntegerField(allow_null=True)
    to_resolve = serializers.IntegerField(allow_null=True)


class AlertCounts(rest.Output):
    firing = serializers.IntegerField()
    resolved = serializers.IntegerField()
    stale = serializers.IntegerField()


class HeldRole(rest.Output):
    role = serializers.CharField(source="role.slug")
    user = UserRef()
    since = rest.Instant()


class BurnedSlo(rest.Output):
    slo = serializers.CharField(source="slo.slug")
    share = Share(
        allow_null=True, help_text="Of the SLO's error budget; null is unknown. A candidate's does not count."
    )
    provisional = serializers.BooleanField(help_text="The impact goes on, or the period that it counts against.")


class Link(rest.Output):
    title = serializers.CharField()
    url = serializers.CharField()


class IncidentOut(rest.Output):
    """What `overview` gives."""

    number = serializers.IntegerField(source="incident.number")
    title = serializers.CharField(source="incident.title")
    summary = serializers.SerializerMethodField()
    status = serializers.ChoiceField(Incident.Status.choices, source="incident.status")
    severity = serializers.ChoiceField(Incident.Severity.choices, source="incident.severity")
    kind = serializers.ChoiceField(Incident.Kind.choices, source="incident.kind")
    private = serializers.BooleanField(source="incident.is_private")
    drill = serializers.BooleanField(source="incident.is_drill")
    candidate = serializers.BooleanField(
        source="incident.is_candidate", help_text="Opened by alerts, and nobody has confirmed yet that it counts."
    )
    service = serializers.CharField(source="incident.service.slug", default=None, allow_null=True)
    team = serializers.CharField(source="incident.team.slug", default=None, allow_null=True)
    model = serializers.CharField(source="incident.model.slug", default=None, allow_null=True)
    started_at = rest.Instant(source="incident.started_at", allow_null=True)
    detected_at = rest.Instant(source="incident.detected_at", allow_null=True)
    acknowledged_at = rest.Instant(source="incident.acknowledged_at", allow_null=True)
    mitigated_at = rest.Instant(source="incident.mitigated_at", allow_null=True)
    resolved_at = rest.Instant(source="incident.resolved_at", allow_null=True)
    closed_at = rest.Instant(source="incident.closed_at", allow_null=True)
    durations = serializers.SerializerMethodField()
    alerts = AlertCounts()
    labels = serializers.DictField(source="incident.labels", child=serializers.CharField())
    last_seq = serializers.IntegerField(source="incident.last_seq")
    commander = UserRef(allow_null=True)
    roles = HeldRole(many=True)
    missing_disciplines = serializers.SerializerMethodField(help_text="Asked for by the protocol, and not there.")
    protocol = serializers.SerializerMethodField(help_text="null where none is applied.")
    slos = BurnedSlo(source="impacts", many=True)
    postmortem = serializers.IntegerField(allow_null=True)
    merged_into = serializers.IntegerField(source="incident.merged_into.number", default=None, allow_null=True)
    reason = serializers.SerializerMethodField(help_text="Why it was dismissed.")
    links = Link(source="incident.links", many=True)
    url = serializers.SerializerMethodField()
    api_url = serializers.SerializerMethodField()
    created_at = rest.Instant(source="incident.created_at")
    updated_at = rest.Instant(source="incident.updated_at")
    version = serializers.IntegerField(source="incident.version")

    @extend_schema_field({"type": "string", "nullable": True})
    def get_summary(self, overview: Overview) -> str | None:
        return overview.incident.summary or None

    @extend_schema_field(Durations)
    def get_durations(self, overview: Overview) -> dict[str, int | None]:
        return asdict(moments.durations(overview.incident))

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_missing_disciplines(self, overview: Overview) -> list[str]:
        return []

    @extend_schema_field({"type": "string", "nullable": True})
    def get_protocol(self, overview: Overview) -> None:
        return None

    @extend_schema_field({"type": "string", "nullable": True})
    def get_reason(self, overview: Overview) -> str | None:
        return overview.incident.reason or None

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, overview: Overview) -> str:
        return rest.page_url(overview.incident.get_absolute_url())

    @extend_schema_field(OpenApiTypes.URI)
    def get_api_url(self, overview: Overview) -> str:
        return rest.api_url(self.context, "api-incident-detail", overview.incident.number)


class LinkIn(rest.Input):
    title = serializers.CharField(max_length=200)
    url = serializers.RegexField(r"^https?://[^\s\x00-\x20]+$", max_length=2000)


class IncidentIn(rest.Input):
    title = serializers.CharField(max_length=300)
    summary = serializers.CharField(max_length=20_000, allow_blank=True, allow_null=True, required=False)
    severity = serializers.ChoiceField(Incident.Severity.choices, required=False)
    kind = serializers.ChoiceField(Incident.Kind.choices, required=False)
    service = of_service(required=False, allow_null=True)
    team = of_team(required=False, allow_null=True, help_text="The service's where it is not said.")
    model = of_model(required=False, allow_null=True)
    private = serializers.BooleanField(required=False)
    drill = serializers.BooleanField(required=False)
    started_at = rest.Instant(required=False, allow_null=True)
    detected_at = rest.Instant(required=False, allow_null=True, help_text="Now where it is not said.")
    labels = rest.Labels(required=False)
    links = serializers.ListField(child=LinkIn(), required=False, max_length=50)


class IncidentChange(rest.Input):
    """Private and drill, and any of the five moments, are for managers of the team; a moment needs a reason."""

    title = serializers.CharField(max_length=300, required=False)
    summary = serializers.CharField(max_length=20_000, allow_blank=True, allow_null=True, required=False)
    severity = serializers.ChoiceField(Incident.Severity.choices, required=False)
    kind = serializers.ChoiceField(Incident.Kind.choices, required=False)
    service = of_service(required=False, allow_null=True)
    team = of_team(required=False, allow_null=True)
    model = of_model(required=False, allow_null=True)
    private = serializers.BooleanField(required=False)
    drill = serializers.BooleanField(required=False)
    candidate = serializers.BooleanField(
        required=False, help_text="false confirms it; true says that it does not count, and needs a manager."
    )
    started_at = rest.Instant(required=False, allow_null=True)
    detected_at = rest.Instant(required=False, allow_null=True)
    acknowledged_at = rest.Instant(required=False, allow_null=True)
    mitigated_at = rest.Instant(required=False, allow_null=True)
    resolved_at = rest.Instant(required=False, allow_null=True)
    labels = rest.Labels(required=False)
    links = serializers.ListField(child=LinkIn(), required=False, max_length=50)
    reason = serializers.CharField(max_length=2000, allow_blank=True, required=False)


class StatusIn(rest.Input):
    status = serializers.ChoiceField(Incident.Status.choices)
    note = serializers.CharField(max_length=20_000, allow_blank=True, required=False)
    reason = serializers.CharField(max_length=2000, allow_blank=True, required=False, help_text="Needed to dismiss.")
    merged_into = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, required=False, allow_null=True, help_text="Needed to merge: a number."
    )


class EntryActor(rest.Output):
    """Who did it: a user's or a token's id, an integration's slug, null for the system itself."""

    type = serializers.ChoiceField(ActorType.choices, source="actor_type")
    id = serializers.SerializerMethodField()
    name = serializers.CharField(source="actor_name")

    @extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string"}], "nullable": True})
    def get_id(self, entry: Entry) -> int | str | None:
        match entry.actor_type:
            case ActorType.USER:
                return entry.actor_user_id
            case ActorType.BOT:
                return entry.actor_token_id
        return entry.actor_source or None


class EntryOut(rest.Output):
    seq = serializers.IntegerField()
    at = rest.Instant(help_text="When it happened.")
    recorded_at = rest.Instant(help_text="When it was written down.")
    kind = serializers.ChoiceField(Entry.Kind.choices)
    actor = EntryActor(source="*")
    text = serializers.CharField()
    html = serializers.CharField(help_text="The text as safe HTML.")
    data: Any = serializers.DictField()
    key = serializers.SerializerMethodField()
    amends = serializers.IntegerField(
        allow_null=True, help_text="The seq of the entry that this one corrects, or has starred."
    )
    hash = serializers.CharField()

    @extend_schema_field({"type": "string", "nullable": True})
    def get_key(self, entry: Entry) -> str | None:
        return entry.key or None


class EntryIn(rest.Input):
    kind = serializers.ChoiceField([(kind.value, kind.label) for kind in Entry.WRITTEN])
    text = serializers.CharField(max_length=60_000, help_text="Markdown.")
    at = rest.Instant(required=False, allow_null=True, help_text="Now where it is not said.")
    key = serializers.CharField(
        max_length=200, required=False, allow_null=True, help_text="Of your own: sent twice, it is written once."
    )
    amends = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False, allow_null=True)


class MarkIn(rest.Input):
    marked = serializers.BooleanField(default=True, help_text="False takes the star away.")


class ResponderOut(rest.Output):
    id = serializers.IntegerField()
    user = UserRef()
    role = serializers.SerializerMethodField(help_text="The first of the roles that they hold.")
    discipline = serializers.CharField(source="discipline.slug", default=None, allow_null=True)
    state = serializers.ChoiceField(Responder.State.choices)
    asked_at = rest.Instant(allow_null=True)
    joined_at = rest.Instant(allow_null=True)
    left_at = rest.Instant(allow_null=True)

    @extend_schema_field({"type": "string", "nullable": True})
    def get_role(self, responder: Responder) -> str | None:
        roles: dict[int, str] = self.context.get("roles", {})
        return roles.get(responder.user_id)


class ResponderIn(rest.Input):
    user = of_user()
    role = of_role(required=False, allow_null=True)
    discipline = of_discipline(required=False, allow_null=True, help_text="The person's own where it is not said.")


def own_names(given: dict[str, Any]) -> dict[str, Any]:
    """What was sent, by the names that an incident has for it."""
    return {_OWN_NAMES.get(name, name): value for name, value in given.items()}
