"""Alerts, integrations and deliveries as JSON."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from alerts import heartbeats, imagined, integrations, queries, trial
from alerts.models import Alert, Delivery, Heartbeat, Integration
from common import rest
from people.serializers import of_team


class RouteMatch(rest.Output):
    """A route that fitted, and by what."""

    route = serializers.CharField()
    matchers = serializers.CharField()


class Routed(rest.Output):
    does = serializers.ChoiceField(["open", "attach", "ignore", "heartbeat"])
    route = serializers.CharField(allow_null=True, help_text="The one that decided; null: the defaults.")
    because = RouteMatch(many=True)
    key = serializers.CharField(help_text="What its incident is found by; empty: the Alertmanager group.")
    becomes = serializers.ChoiceField(["opened", "attached", "waits", "ignore", "heartbeat", "churn"])


class AlertOut(rest.Output):
    fingerprint = serializers.CharField()
    name = serializers.SerializerMethodField()
    status = serializers.ChoiceField(
        Alert.Status.choices, source="state", help_text="stale: it fires, and is not confirmed any more."
    )
    provisional = serializers.BooleanField(
        help_text="It fires again with the start at which it had resolved; whether that lasts is waited for."
    )
    labels = serializers.DictField(child=serializers.CharField())
    annotations = serializers.DictField(child=serializers.CharField(), help_text="Plain text, never Markdown.")
    starts_at = rest.Instant()
    ends_at = rest.Instant(allow_null=True)
    last_seen_at = rest.Instant()
    generator_url = serializers.SerializerMethodField()
    integration = serializers.CharField(source="integration.slug")
    incident = serializers.IntegerField(source="incident.number", default=None, allow_null=True)
    routed: Any = serializers.SerializerMethodField(
        help_text="Which route took it, by which matchers, and what became of it; null where the defaults did."
    )

    @extend_schema_field(Routed(allow_null=True))
    def get_routed(self, alert: Alert) -> dict[str, Any] | None:
        if not alert.routed:
            return None
        because = [{"route": name, "matchers": matchers} for name, matchers in alert.routed["because"]]
        joined = {"becomes": "attached"} if alert.routed["becomes"] == "waits" and alert.incident_id else {}
        told = {name: value for name, value in alert.routed.items() if name != "asks"}
        return {**told, **joined, "because": because}

    @extend_schema_field({"type": "string", "nullable": True})
    def get_name(self, alert: Alert) -> str | None:
        return alert.name or None

    @extend_schema_field({"type": "string", "nullable": True, "description": "As the sender wrote it: not checked."})
    def get_generator_url(self, alert: Alert) -> str | None:
        return alert.generator_url or None


class IntegrationOut(rest.Output):
    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(Integration.Kind.choices)
    team = serializers.CharField(source="team.slug", default=None, allow_null=True)
    is_active = serializers.BooleanField(help_text="Switched off, its token is refused.")
    repeat_interval = serializers.IntegerField(
        allow_null=True, help_text="Seconds within which what fires is sent again; null: it is learned."
    )
    learned_interval = serializers.IntegerField(allow_null=True, help_text="The same, as it was learned.")
    stale_resolves_after = serializers.IntegerField(
        allow_null=True, help_text="Seconds after which what is not confirmed any more resolves; null: never."
    )
    provisional_grace = serializers.IntegerField(
        allow_null=True,
        help_text="Seconds that what had resolved and fires again with its old start has to stay; null: as is usual.",
    )
    token_hint = serializers.CharField(help_text="The first characters of the token.")
    old_token_hint = serializers.SerializerMethodField(help_text="Of the token before, while it goes on beside it.")
    old_token_until = rest.Instant(allow_null=True)
    url = serializers.SerializerMethodField()
    api_url = serializers.SerializerMethodField()
    created_at = rest.Instant()
    updated_at = rest.Instant()
    version = serializers.IntegerField()

    @extend_schema_field({"type": "string", "nullable": True})
    def get_old_token_hint(self, integration: Integration) -> str | None:
        return integration.old_token_hint or None

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, integration: Integration) -> str:
        return rest.page_url(reverse("integration-detail", args=[integration.slug]))

    @extend_schema_field(OpenApiTypes.URI)
    def get_api_url(self, integration: Integration) -> str:
        return rest.api_url(self.context, "api-integration-detail", integration.slug)


class IntegrationIssued(IntegrationOut):
    """An integration with its new token, which `context["token"]` holds."""

    token = serializers.SerializerMethodField(help_text="This once.")
    receiver_yaml = serializers.SerializerMethodField(help_text="For Alertmanager, to paste as it is.")

    def get_token(self, integration: Integration) -> str:
        return str(self.context["token"])

    def get_receiver_yaml(self, integration: Integration) -> str:
        return integrations.receiver_yaml(integration, self.context["token"])


class IntegrationIn(rest.Input):
    name = serializers.CharField(max_length=100)
    kind = serializers.ChoiceField(Integration.Kind.choices, required=False)
    team = of_team(required=False, allow_null=True, help_text="Whose incidents these alerts open, if no label says.")


class IntegrationChange(rest.Input):
    name = serializers.CharField(max_length=100, required=False)
    team = of_team(required=False, allow_null=True)
    is_active = serializers.BooleanField(required=False)
    repeat_interval = serializers.IntegerField(min_value=10, max_value=7 * 86_400, required=False, allow_null=True)
    stale_resolves_after = serializers.IntegerField(
        min_value=60, max_value=30 * 86_400, required=False, allow_null=True
    )
    provisional_grace = serializers.IntegerField(min_value=0, max_value=3600, required=False, allow_null=True)


class RouteShape(rest.Output):
    """One route. Spans are seconds; what is empty or null is left to later routes and to the defaults."""

    name = serializers.CharField(max_length=100)
    matchers = serializers.CharField(
        required=False, allow_blank=True, help_text="As in Alertmanager, with commas or lines between. Empty fits all."
    )
    does = serializers.ChoiceField(["open", "attach", "ignore", "heartbeat"], required=False)
    title = serializers.CharField(required=False, allow_blank=True, help_text="With {{label.name}} in it.")
    service = serializers.CharField(required=False, allow_blank=True)
    model = serializers.CharField(required=False, allow_blank=True)
    team = serializers.CharField(required=False, allow_blank=True)
    kind = serializers.CharField(required=False, allow_blank=True)
    severity = serializers.CharField(required=False, allow_blank=True)
    correlate = serializers.ChoiceField(["", "group", "labels", "service", "model"], required=False)
    correlate_labels = serializers.ListField(child=serializers.CharField(), required=False)
    window = serializers.IntegerField(required=False, allow_null=True)
    threshold = serializers.IntegerField(required=False, allow_null=True)
    threshold_label = serializers.CharField(required=False, allow_blank=True)
    threshold_within = serializers.IntegerField(required=False, allow_null=True)
    resolve = serializers.ChoiceField(["", "all", "any", "first", "never"], required=False)
    quiet_period = serializers.IntegerField(required=False, allow_null=True)
    reopen_window = serializers.IntegerField(required=False, allow_null=True)
    candidate = serializers.BooleanField(required=False, allow_null=True)
    heartbeat_interval = serializers.IntegerField(required=False, allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        goes_on = serializers.BooleanField(required=False, help_text="Says what it says, and lets the next one decide.")
        return {**super().get_fields(), "continue": goes_on}


class RoutesOut(rest.Output):
    routes = RouteShape(many=True)
    version = serializers.IntegerField(help_text="Of the integration.")


class RoutesIn(rest.Input):
    routes = serializers.ListField(child=serializers.DictField(), max_length=50, help_text="In their order.")


class TryIn(rest.Input):
    routes = serializers.ListField(
        child=serializers.DictField(),
        max_length=50,
        required=False,
        help_text="Those that there are where it is not said.",
    )
    payload = serializers.DictField(
        required=False, help_text="The body of a webhook; else what was delivered is walked."
    )


class JudgedOut(rest.Output):
    fingerprint = serializers.CharField(source="alert.fingerprint")
    name = serializers.CharField(source="alert.name")
    does = serializers.CharField(source="destination.does")
    becomes = serializers.ChoiceField(
        ["opens", "joins", "waits", "ignore", "heartbeat", "ended"],
        help_text="With the others of the payload, if nothing fired before; ended: it is resolved, and opens nothing.",
    )
    route = serializers.CharField(source="destination.decision.route", allow_null=True)
    because = serializers.SerializerMethodField()
    key = serializers.CharField(source="destination.key", help_text="Empty: the Alertmanager group.")
    incident: Any = serializers.SerializerMethodField(
        help_text="What the incident says of itself that it opens, or that opens with it; null: none does."
    )

    @extend_schema_field(RouteMatch(many=True))
    def get_because(self, judged: trial.Judged) -> list[dict[str, str]]:
        because = judged.destination.decision.because
        return [{"route": name, "matchers": matchers} for name, matchers in because]

    @extend_schema_field({"type": "object", "nullable": True, "additionalProperties": True})
    def get_incident(self, judged: trial.Judged) -> dict[str, Any] | None:
        return None if judged.fields is None else dict(judged.fields)


class NeedOut(rest.Output):
    """What a route asks for before an incident opens, in its own words."""

    route = serializers.CharField(source="asks.route", allow_null=True)
    threshold = serializers.IntegerField(source="asks.wanted")
    threshold_label = serializers.CharField(
        source="asks.label", help_text="Whose values are counted; empty: every alert counts."
    )
    threshold_within = serializers.IntegerField(source="asks.within", help_text="Seconds.")
    found = serializers.IntegerField(help_text="So many are in the payload.")


class GatheredOut(rest.Output):
    """Alerts of a payload that need the same incident."""

    key = serializers.CharField(help_text="Empty: the Alertmanager group.")
    alerts = serializers.SerializerMethodField(help_text="Their fingerprints; the first speaks for the incident.")
    incident: Any = serializers.SerializerMethodField(help_text="What it says of itself; null: they wait.")
    needs = NeedOut(many=True, help_text="What they wait for; empty where they only join others.")

    def get_alerts(self, gathered: trial.Gathered) -> list[str]:
        return [judged.alert.fingerprint for judged in gathered.alerts]

    @extend_schema_field({"type": "object", "nullable": True, "additionalProperties": True})
    def get_incident(self, gathered: trial.Gathered) -> dict[str, Any] | None:
        return None if gathered.fields is None else dict(gathered.fields)


class OutcomeOut(rest.Output):
    incidents = serializers.SerializerMethodField()
    ignored = serializers.SerializerMethodField()
    waiting = serializers.SerializerMethodField()
    heartbeats = serializers.SerializerMethodField()

    def get_incidents(self, outcome: imagined.Outcome) -> int:
        return len(outcome.incidents)

    def get_ignored(self, outcome: imagined.Outcome) -> int:
        return len(outcome.ignored)

    def get_waiting(self, outcome: imagined.Outcome) -> int:
        return len(outcome.waiting)

    def get_heartbeats(self, outcome: imagined.Outcome) -> int:
        return len(outcome.heartbeats)


class TrialOut(rest.Output):
    """Of a payload, `judged` and `incidents`; else what the routes make of what was delivered, beside those that there
    are."""

    OF_PAYLOAD = ("judged", "incidents")
    OF_DELIVERIES = ("deliveries", "since", "until", "left_out", "alerts", "present", "tried")

    judged = JudgedOut(many=True, allow_null=True)
    incidents = GatheredOut(many=True, allow_null=True)
    deliveries = serializers.IntegerField(allow_null=True, help_text="The newest of those whose text is kept.")
    since = rest.Instant(allow_null=True, help_text="When the first of them came.")
    until = rest.Instant(allow_null=True, help_text="When the last of them came.")
    left_out = serializers.IntegerField(allow_null=True, help_text="Older ones, for which there was no time.")
    alerts = serializers.IntegerField(allow_null=True, help_text="That fired.")
    present = OutcomeOut(allow_null=True)
    tried = OutcomeOut(allow_null=True)


class HeartbeatOut(rest.Output):
    """An alert that always fires, as a sign of life."""

    integration = serializers.CharField(source="integration.slug")
    fingerprint = serializers.CharField()
    name = serializers.SerializerMethodField()
    labels = serializers.DictField(child=serializers.CharField())
    heard_at = rest.Instant()
    missed_at = rest.Instant(allow_null=True)
    interval = serializers.SerializerMethodField(
        help_text="Seconds between two, as set or learned; null while neither is known."
    )
    incident = serializers.IntegerField(source="incident.number", default=None, allow_null=True)

    @extend_schema_field({"type": "string", "nullable": True})
    def get_name(self, heartbeat: Heartbeat) -> str | None:
        return heartbeat.name or None

    def get_interval(self, heartbeat: Heartbeat) -> int | None:
        seconds = heartbeats.pace(heartbeat)
        return None if seconds is None else round(seconds)


class IntegrationRotate(rest.Input):
    keep_old_for = serializers.IntegerField(
        min_value=0,
        max_value=int(integrations.LONGEST_GRACE.total_seconds()),
        required=False,
        help_text="Seconds for which the present token goes on beside the new one; none where it is not said.",
    )


class Tested(rest.Output):
    delivery = serializers.UUIDField()
    incident = serializers.IntegerField(source="incident.number")


class Quarantined(rest.Output):
    """An alert that could not be read; those beside it were taken."""

    position = serializers.IntegerField()
    reason = serializers.CharField()
    raw = serializers.CharField()


class DeliveryOut(rest.Output):
    id = serializers.UUIDField()
    integration = serializers.CharField(source="integration.slug")
    received_at = rest.Instant()
    outcome = serializers.ChoiceField(
        Delivery.Outcome.choices, help_text="waiting: it is kept, and its alerts are taken in within seconds."
    )
    status = serializers.IntegerField(help_text="The HTTP status that was answered.")
    reason = serializers.SerializerMethodField(help_text="Why it was refused, or could not be taken in yet.")
    size = serializers.IntegerField(help_text="Bytes.")
    alerts = serializers.DictField(source="counts", child=serializers.IntegerField())
    incidents = serializers.ListField(child=serializers.IntegerField(), help_text="Numbers of those it touched.")
    quarantined = Quarantined(many=True)
    url = serializers.SerializerMethodField()
    api_url = serializers.SerializerMethodField()

    @extend_schema_field({"type": "string", "nullable": True})
    def get_reason(self, delivery: Delivery) -> str | None:
        return delivery.why or None

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, delivery: Delivery) -> str:
        return rest.page_url(reverse("delivery-detail", args=[delivery.pk]))

    @extend_schema_field(OpenApiTypes.URI)
    def get_api_url(self, delivery: Delivery) -> str:
        return rest.api_url(self.context, "api-delivery-detail", delivery.pk)


class DeliveryDetail(DeliveryOut):
    body: Any = serializers.SerializerMethodField(
        help_text="The start of what was sent, as text; what is not UTF-8 is replaced. null where it is not kept."
    )
    body_is_cut = serializers.SerializerMethodField()
    body_removed_at = rest.Instant(
        source="raw_removed_at",
        allow_null=True,
        help_text="When it was cleaned up, after its time or for want of room.",
    )

    @extend_schema_field({"type": "string", "nullable": True})
    def get_body(self, delivery: Delivery) -> str | None:
        content = queries.content(delivery)
        return content.text if content.is_kept else None

    def get_body_is_cut(self, delivery: Delivery) -> bool:
        return delivery.raw_id is not None and delivery.size > queries.SHOWN_BYTES
