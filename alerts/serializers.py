"""Alerts, integrations and deliveries as JSON."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from alerts import integrations, queries
from alerts.models import Alert, Delivery, Integration
from common import rest
from people.serializers import of_team


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
