"""Integrations, what they delivered, and the state of every alert."""

from __future__ import annotations

import secrets
from datetime import UTC, timedelta
from hashlib import sha256
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from common import work
from incidents.models import Incident
from people.actors import Actor
from people.models import Team


class Integration(models.Model):
    """A source of alerts, with a token of its own. Fingerprints and group keys count within it."""

    class Kind(models.TextChoices):
        ALERTMANAGER = "alertmanager", _("Alertmanager")
        GRAFANA = "grafana", _("Grafana")
        GENERIC = "generic", _("Generic")

    PREFIX = "bli_"

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.ALERTMANAGER)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT, related_name="integrations")
    token_hash = models.CharField(max_length=64, unique=True)
    token_hint = models.CharField(max_length=12)
    # the token before, which counts for a while beside the new one
    old_token_hash = models.CharField(max_length=64, null=True, blank=True, unique=True)
    old_token_hint = models.CharField(max_length=12, blank=True, default="", db_default="")
    old_token_until = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name", "id")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(old_token_hash=None, old_token_until=None)
                | Q(old_token_hash__isnull=False, old_token_until__isnull=False),
                name="an_old_token_has_an_end",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("integration-detail", args=[self.slug])

    @staticmethod
    def new_token() -> str:
        return Integration.PREFIX + secrets.token_urlsafe(32)

    @staticmethod
    def hash_of(token: str) -> str:
        return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


class RawBody(models.Model):
    """The bytes of a delivery as they came, once for each content."""

    sha256 = models.BinaryField(primary_key=True, max_length=32)
    size = models.PositiveIntegerField(db_default=0)  # of the body, in bytes
    body = models.BinaryField()

    class Meta:
        indexes: ClassVar = [
            # how much is kept in all, without reading any of it
            models.Index(fields=["size"], name="raw_body_size"),
        ]

    def __str__(self) -> str:
        return bytes(self.sha256).hex()


class Group(models.Model):
    """An Alertmanager group as heard of from one integration, and the incident that it leads to now.

    Its row is the first lock that a delivery takes, so deliveries of one group pass one after another.
    """

    integration = models.ForeignKey(
        Integration, on_delete=models.PROTECT, related_name="groups", db_index=False
    )  # `one_row_per_group_key` begins with it
    key_hash = models.CharField(max_length=64)  # sha256 of the group key, whose length has no bound
    key = models.TextField()
    incident = models.ForeignKey(Incident, null=True, on_delete=models.PROTECT, related_name="alert_groups")
    truncated = models.PositiveIntegerField(default=0)  # alerts that Alertmanager cut off the last delivery
    last_seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["integration", "key_hash"], name="one_row_per_group_key")
        ]

    def __str__(self) -> str:
        return self.key[:80]


class Delivery(models.Model):
    """One POST of an integration and what became of it."""

    class Outcome(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        TAKEN = "taken", _("Taken")
        REFUSED = "refused", _("Refused")

    id = models.UUIDField(primary_key=True)
    integration = models.ForeignKey(
        Integration, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )  # `delivery_latest` begins with it
    group = models.ForeignKey(Group, null=True, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    received_at = models.DateTimeField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    status = models.PositiveSmallIntegerField()  # the HTTP status that was answered
    reason = models.TextField(blank=True)  # why it was refused
    raw = models.ForeignKey(RawBody, null=True, on_delete=models.PROTECT, related_name="deliveries")
    raw_removed_at = models.DateTimeField(null=True)  # when what was kept of its text was cleaned up
    size = models.PositiveIntegerField()
    counts = models.JSONField(default=dict)  # {"received", "opened", "changed", "unchanged", "resolved", "quarantined"}
    incidents = models.JSONField(default=list)  # numbers of the incidents that it touched
    quarantined = models.JSONField(default=list)  # [{"position", "reason", "raw"}]

    class Meta:
        ordering = ("-received_at", "-id")
        indexes: ClassVar = [
            # an integration's last deliveries
            models.Index(fields=["integration", "-received_at"], name="delivery_latest"),
            # all deliveries, newest first
            models.Index(fields=["-received_at", "-id"], name="delivery_newest"),
            # what was refused, in whole or in part
            models.Index(
                fields=["-received_at"], condition=Q(outcome="refused") | ~Q(quarantined=[]), name="delivery_faulty"
            ),
            # those whose text is kept, the oldest of which is cleaned up first
            models.Index(fields=["received_at", "id"], condition=Q(raw__isnull=False), name="delivery_with_text"),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def get_absolute_url(self) -> str:
        return reverse("delivery-detail", args=[self.pk])

    @property
    def is_stuck(self) -> bool:
        """Whether it waits because taking it in was given up."""
        if self.outcome != self.Outcome.WAITING:
            return False
        return self.fan_out.state == FanOut.State.QUARANTINED

    @property
    def why(self) -> str:
        """Why it was refused, or what is wrong with taking it in; empty where all is well."""
        if self.is_stuck:
            return f"Its alerts could not be taken in, and wait for an administrator: {self.fan_out.fault}"
        return self.reason


class FanOut(work.DueWork):
    """A delivery of many alerts that is kept, and whose alerts are still to be taken in. Those of an integration go one
    after another, as they came: several at once would leave others little room to write."""

    TASK: ClassVar[str] = "alerts.tasks.fan_out"
    LANE_LIMIT: ClassVar[int] = 1
    MAX_ATTEMPTS: ClassVar[int] = 10
    KEEP: ClassVar[timedelta | None] = timedelta(days=30)
    CONCERNS: ClassVar[tuple[str, ...]] = ("delivery__integration",)

    delivery = models.OneToOneField(Delivery, on_delete=models.CASCADE, related_name="fan_out")

    class Meta(work.DueWork.Meta):
        verbose_name = _("delivery of many alerts")
        verbose_name_plural = _("deliveries of many alerts")

    @property
    def concerns(self) -> str:
        delivery = self.delivery
        received = f"{delivery.received_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        return f"{delivery.counts['received']:,} alerts from {delivery.integration.name}, received {received}"

    def get_absolute_url(self) -> str:
        return self.delivery.get_absolute_url()


class AlertQuerySet(models.QuerySet["Alert"]):
    def firing(self) -> AlertQuerySet:
        return self.filter(status=Alert.Status.FIRING)

    def for_actor(self, actor: Actor | None) -> AlertQuerySet:
        """Alerts without an incident, and those of incidents that this actor may see."""
        visible = Incident.objects.for_actor(actor)
        return self.filter(Q(incident=None) | Q(incident__in=visible.values("id"))) if actor else self.none()


class Alert(models.Model):
    """One instance of an alert: a fingerprint that started at a moment.

    At most one instance of a fingerprint is open, kept so by a constraint. Resolved is final for an instance; one
    whose start was overtaken by another, or lies within a resolved one, is resolved too and marked superseded.
    """

    class Status(models.TextChoices):
        FIRING = "firing", _("Firing")
        RESOLVED = "resolved", _("Resolved")
        STALE = "stale", _("Stale")

    # `one_row_per_instance` begins with it. That it exists, and the group, is not looked up row by row: whoever writes
    # alerts holds the group's row, whose integration is (docs/decisions/0013).
    integration = models.ForeignKey(
        Integration, on_delete=models.PROTECT, related_name="alerts", db_index=False, db_constraint=False
    )
    fingerprint = models.CharField(max_length=64)  # the sender's, as given
    labels_hash = models.CharField(max_length=16)  # tells apart label sets whose fingerprints collide
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    status = models.CharField(max_length=10, choices=Status.choices)
    was = models.CharField(max_length=10, blank=True)  # the status before the last delivery that brought it; "" if new
    superseded = models.BooleanField(default=False)
    provisional_since = models.DateTimeField(null=True)  # it fires again with the start at which it had resolved
    content_hash = models.CharField(max_length=16)  # of annotations and generator URL: tells a change from a repeat
    name = models.CharField(max_length=300, blank=True)
    labels = models.JSONField(default=dict)
    annotations = models.JSONField(default=dict)
    generator_url = models.TextField(blank=True)
    # without an index, as nobody asks for all of a group; nor for the deliveries of one
    group = models.ForeignKey(
        Group, null=True, on_delete=models.PROTECT, related_name="alerts", db_index=False, db_constraint=False
    )
    incident = models.ForeignKey(Incident, null=True, on_delete=models.PROTECT, related_name="alerts")
    # the incident that it goes back to when that one is no longer merged into `incident`
    merged_from = models.ForeignKey(
        Incident, null=True, on_delete=models.PROTECT, related_name="alerts_elsewhere", db_index=False
    )
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    objects: ClassVar = AlertQuerySet.as_manager()

    class Meta:
        ordering = ("-starts_at", "-id")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["integration", "fingerprint", "labels_hash", "starts_at"], name="one_row_per_instance"
            ),
            models.UniqueConstraint(
                fields=["integration", "fingerprint", "labels_hash"],
                condition=Q(status="firing"),
                name="one_open_instance_per_fingerprint",
            ),
        ]
        indexes: ClassVar = [
            # the firing alerts of an incident, and the count of them
            models.Index(fields=["incident"], condition=Q(status="firing"), name="alert_firing"),
            # what comes back to an incident that was merged
            models.Index(fields=["merged_from"], condition=Q(merged_from__isnull=False), name="alert_merged"),
            # what fires once its grace is over
            models.Index(
                fields=["provisional_since"], condition=Q(provisional_since__isnull=False), name="alert_provisional"
            ),
            # the list of alerts, newest first
            models.Index(fields=["-starts_at", "-id"], name="alert_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.fingerprint} {self.status}"

    @property
    def provisional(self) -> bool:
        return self.provisional_since is not None
