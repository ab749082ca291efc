"""Integrations, what they delivered, and the state of every alert."""

from __future__ import annotations

import secrets
from datetime import UTC, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Case, Q, Value, When
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from alerts.routes import Table
from alerts.routes import table as compiled
from common import work
from common.constraints import UniqueWhere
from incidents.models import Incident
from people.actors import Actor
from people.models import Team

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise


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
    active_since = models.DateTimeField(null=True, editable=False)  # where it was switched on again
    routes = models.JSONField(default=list, db_default=Value([], models.JSONField()))  # as `alerts.routes` reads them
    # seconds within which what fires is sent again: as an admin says, else as it is learned from what is sent
    repeat_interval = models.PositiveIntegerField(null=True, blank=True)
    learned_interval = models.PositiveIntegerField(null=True)
    # what becomes of an alert that is not confirmed any more: seconds after which it counts as resolved; null: never
    stale_resolves_after = models.PositiveIntegerField(null=True, blank=True)
    # seconds that an alert has to stay which fires again with the start at which it had resolved; null: as is usual
    provisional_grace = models.PositiveIntegerField(null=True, blank=True)
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

    @property
    def repeats_every(self) -> timedelta:
        """How often what fires is sent again: as an admin says, as it was learned, else as Alertmanager does by
        itself."""
        return timedelta(seconds=self.repeat_interval or self.learned_interval or settings.ENV.repeat_interval)

    @property
    def grace(self) -> timedelta:
        """How long what fires again with its old start may be a stale copy, that its resolve follows."""
        usual = settings.ENV.provisional_grace
        return timedelta(seconds=usual if self.provisional_grace is None else self.provisional_grace)

    @cached_property
    def table(self) -> Table:
        """Its routes, compiled once for each time that it is read."""
        return compiled(self.routes)

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
    """An Alertmanager group as heard of from one integration, and the incident that it leads to now; or what else
    alerts are correlated by, where a route says so: then `key` is that, and no delivery has it.

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
    replay_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="replays", db_index=False)
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
            # what was taken in again: else SQLite looks through all deliveries for each that comes with a new text
            models.Index(fields=["replay_of"], name="delivery_replays"),
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

    def shown_as(self, *states: str) -> AlertQuerySet:
        """Those of such states: what fires and is not confirmed any more is stale, and not firing."""
        stale = Q(status=Alert.Status.FIRING, stale_since__isnull=False)
        kinds = {
            Alert.Status.FIRING: Q(status=Alert.Status.FIRING, stale_since=None),
            Alert.Status.RESOLVED: Q(status=Alert.Status.RESOLVED),
            Alert.Status.STALE: stale,
        }
        wanted = Q(pk__in=())
        for state in states:
            wanted |= kinds[Alert.Status(state)]
        return self.filter(wanted)

    def for_actor(self, actor: Actor | None) -> AlertQuerySet:
        """Alerts without an incident, and those of incidents that this actor may see."""
        if actor is None:
            return self.none()
        # A CASE, which enters no index: SQLite would visit all alerts by incident, to sort them for the first page.
        visible = Q(incident=None) | Q(incident__in=Incident.objects.for_actor(actor).values("id"))
        return self.filter(Case(When(visible, then=Value(True)), default=Value(False)))


class Alert(models.Model):
    """One instance of an alert: a fingerprint that started at a moment.

    At most one instance of a fingerprint is open, kept so by a constraint. Resolved is final for an instance; one
    whose start was overtaken by another, or lies within a resolved one, is resolved too and marked superseded.
    """

    class Status(models.TextChoices):
        FIRING = "firing", _("Firing")
        RESOLVED = "resolved", _("Resolved")
        STALE = "stale", _("Stale")  # only ever shown: such an alert fires, and is not confirmed any more

    # `one_row_per_instance` begins with it. That it exists, and the group and the incident, is not looked up row by
    # row: whoever writes alerts holds those (docs/decisions/0013).
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
    # `alert_of_incident` begins with it
    incident = models.ForeignKey(
        Incident, null=True, on_delete=models.PROTECT, related_name="alerts", db_index=False, db_constraint=False
    )
    # the incident that it goes back to when that one is no longer merged into `incident`
    merged_from = models.ForeignKey(
        Incident, null=True, on_delete=models.PROTECT, related_name="alerts_elsewhere", db_index=False
    )
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    stale_since = models.DateTimeField(null=True)  # since when a firing one is not confirmed any more
    # What its route made of it, {"does", "route", "because"}; null where the defaults opened, or attached it.
    routed = models.JSONField(null=True)
    waits_for = models.CharField(max_length=100, null=True)  # the correlation key of an incident that may yet take it

    objects: ClassVar = AlertQuerySet.as_manager()

    class Meta:
        ordering = ("-starts_at", "-id")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["integration", "fingerprint", "labels_hash", "starts_at"], name="one_row_per_instance"
            ),
            UniqueWhere(
                fields=["integration", "fingerprint", "labels_hash"],
                column="status",
                value="firing",
                name="one_open_instance_per_fingerprint",
            ),
        ]
        indexes: ClassVar = [
            # the alerts of an incident, and those that fire, and the count of them
            models.Index(fields=["incident", "status"], name="alert_of_incident"),
            # what comes back to an incident that was merged
            models.Index(fields=["merged_from"], condition=Q(merged_from__isnull=False), name="alert_merged"),
            # what fires once its grace is over
            models.Index(
                fields=["provisional_since"], condition=Q(provisional_since__isnull=False), name="alert_provisional"
            ),
            # what waits for an incident of its key
            models.Index(fields=["waits_for"], condition=Q(waits_for__isnull=False), name="alert_waiting"),
            # the list of alerts, newest first: read backwards, as an index grows with less work at its end
            models.Index(fields=["starts_at", "id"], name="alert_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.fingerprint} {self.status}"

    @property
    def state(self) -> str:
        """Its status, as people see it: of what fires and is not confirmed any more, stale."""
        return self.Status.STALE.value if self.is_stale else self.status

    @property
    def is_stale(self) -> bool:
        return self.status == self.Status.FIRING and self.stale_since is not None

    @property
    def state_label(self) -> StrOrPromise:
        return self.Status(self.state).label

    @property
    def provisional(self) -> bool:
        return self.provisional_since is not None


class Heartbeat(models.Model):
    """An alert that always fires, as a sign of life of whoever sends it: where it is not heard in time, an incident
    opens."""

    integration = models.ForeignKey(Integration, on_delete=models.PROTECT, related_name="heartbeats", db_index=False)
    fingerprint = models.CharField(max_length=64)
    labels_hash = models.CharField(max_length=16)
    name = models.CharField(max_length=300, blank=True)
    labels = models.JSONField(default=dict)
    heard_at = models.DateTimeField()
    heard_every = models.FloatField(null=True)  # seconds between two beats: the most of late
    longer_gap = models.FloatField(null=True)  # seconds: an outage, or a slower pace if the next one is as long
    interval = models.PositiveIntegerField(null=True)  # seconds, where a route sets it
    missed_at = models.DateTimeField(null=True)  # when it was missed
    incident = models.ForeignKey(Incident, null=True, on_delete=models.PROTECT, related_name="heartbeats")
    # when a person said that it is not expected any more, or a route was found to take its alert
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("name", "id")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["integration", "fingerprint", "labels_hash"], name="one_heartbeat_per_fingerprint"
            )
        ]

    def __str__(self) -> str:
        return self.name or self.fingerprint
