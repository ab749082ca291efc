"""Incidents, their timelines, the people in them, and the SLOs that they burned."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from catalog.models import Model, Service
from notifications.models import Message
from people.actors import Actor, ActorType
from people.models import Discipline, Role, Team, Token, User
from slos.models import Slo


class IsOpen(models.Func):
    """True of an open status. It names the statuses in the SQL itself, as the condition of an index does: with
    parameters in their place, SQLite does not see that `incident_open` would do, and reads every incident."""

    template = "%(expressions)s IN ('triggered', 'acknowledged', 'mitigated')"
    output_field = models.BooleanField()


class IncidentQuerySet(models.QuerySet["Incident"]):
    def open(self) -> IncidentQuerySet:
        return self.filter(IsOpen("status"))

    def confirmed(self) -> IncidentQuerySet:
        """Those that count: a candidate does once somebody confirms it."""
        return self.filter(is_candidate=False)

    def for_actor(self, actor: Actor | None) -> IncidentQuerySet:
        """What this actor may see: private ones only as a responder of it, a manager of its team, or an admin."""
        if actor is None:
            return self.none()
        user = actor.user
        if user is None or user.is_admin:
            return self
        return self.filter(
            Q(is_private=False)
            | Q(id__in=Responder.objects.filter(user=user).exclude(state="left").values("incident"))
            | Q(team__in=user.memberships.filter(role="manager").values("team"))
        )


_IS_OPEN = Q(status__in=("triggered", "acknowledged", "mitigated"))


class Incident(models.Model):
    """The fold of its timeline. Only `lifecycle` and `fields` change it, only `timeline` moves its head."""

    class Status(models.TextChoices):
        TRIGGERED = "triggered", _("Triggered")
        ACKNOWLEDGED = "acknowledged", _("Acknowledged")
        MITIGATED = "mitigated", _("Mitigated")
        RESOLVED = "resolved", _("Resolved")
        CLOSED = "closed", _("Closed")
        DISMISSED = "dismissed", _("Dismissed")
        MERGED = "merged", _("Merged")

    class Severity(models.TextChoices):
        SEV1 = "sev1", _("SEV1")
        SEV2 = "sev2", _("SEV2")
        SEV3 = "sev3", _("SEV3")
        SEV4 = "sev4", _("SEV4")
        SEV5 = "sev5", _("SEV5")

    class Kind(models.TextChoices):
        AVAILABILITY = "availability", _("Availability")
        LATENCY = "latency", _("Latency")
        QUALITY = "quality", _("Model quality")
        DRIFT = "drift", _("Drift")
        DATA = "data", _("Data")
        COST = "cost", _("Cost")
        SECURITY = "security", _("Security")
        OTHER = "other", _("Other")

    class Resolves(models.TextChoices):
        ALL = "all", _("when all of its alerts have ended")
        ANY = "any", _("when any of its alerts has ended")
        FIRST = "first", _("when the alert that opened it has ended")
        NEVER = "never", _("never by itself")

    OPEN = (Status.TRIGGERED, Status.ACKNOWLEDGED, Status.MITIGATED)
    GONE = (Status.DISMISSED, Status.MERGED)

    number = models.PositiveIntegerField(unique=True)
    title = models.CharField(max_length=300)
    summary = models.TextField(blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.TRIGGERED)
    severity = models.CharField(max_length=4, choices=Severity.choices, default=Severity.SEV3)
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.OTHER)
    is_private = models.BooleanField(default=False)
    is_drill = models.BooleanField(default=False)
    service = models.ForeignKey(Service, null=True, blank=True, on_delete=models.PROTECT, related_name="incidents")
    model = models.ForeignKey(Model, null=True, blank=True, on_delete=models.PROTECT, related_name="incidents")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT, related_name="incidents")
    labels = models.JSONField(default=dict, blank=True)
    links = models.JSONField(default=list, blank=True)  # [{"title", "url"}]

    started_at = models.DateTimeField(null=True, blank=True)
    detected_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    mitigated_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    reason = models.TextField(blank=True)  # why it was dismissed
    merged_into = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="merged")
    correlation_key = models.CharField(max_length=100, blank=True)  # what later alerts find it by; "" when declared
    is_candidate = models.BooleanField(default=False, db_default=False)  # it counts once a person confirms it
    is_news = models.BooleanField(default=False, db_default=False)  # nobody was told yet that alerts opened it
    # which of its alerts have to end before it may resolve by itself, and how long it is quiet until then (seconds;
    # null: as the settings say)
    resolves = models.CharField(
        max_length=5, choices=Resolves.choices, default=Resolves.ALL, db_default=Resolves.ALL.value
    )
    quiet_period = models.PositiveIntegerField(null=True, blank=True)
    reopen_window = models.PositiveIntegerField(null=True, blank=True)  # seconds in which later alerts reopen it

    last_seq = models.PositiveIntegerField(default=0)
    last_hash = models.CharField(max_length=64, blank=True)
    last_entry_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects: ClassVar = IncidentQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["correlation_key"],
                condition=Q(status__in=("triggered", "acknowledged", "mitigated")) & ~Q(correlation_key=""),
                name="one_open_incident_per_correlation_key",
            ),
            models.CheckConstraint(
                condition=Q(status="merged", merged_into__isnull=False)
                | ~Q(status="merged") & Q(merged_into__isnull=True),
                name="merged_means_merged_into_another",
            ),
            models.CheckConstraint(
                condition=~Q(status="dismissed") | ~Q(reason=""), name="a_dismissed_incident_says_why"
            ),
        ]
        indexes: ClassVar = [
            # the list of open incidents, whatever the number of old ones
            models.Index(fields=["severity", "id"], condition=_IS_OPEN, name="incident_open"),
            # of them those of one: SQLite would go through all that it ever had
            models.Index(fields=["service"], condition=_IS_OPEN, name="incident_open_of_service"),
            models.Index(fields=["model"], condition=_IS_OPEN, name="incident_open_of_model"),
            models.Index(fields=["team"], condition=_IS_OPEN, name="incident_open_of_team"),
            # lists by the moment of opening
            models.Index(fields=["created_at", "id"], name="incident_opened"),
            # those of one, by the moment of opening, whatever the number of all others
            models.Index(fields=["service", "created_at", "id"], name="incident_of_service"),
            models.Index(fields=["model", "created_at", "id"], name="incident_of_model"),
            models.Index(fields=["team", "created_at", "id"], name="incident_of_team"),
            # what was merged into one, which few are: to an analysed SQLite an index of all tells nothing
            models.Index(fields=["merged_into"], condition=Q(merged_into__isnull=False), name="incident_merged"),
            # whether there was a drill, among all that were none
            models.Index(fields=["correlation_key"], condition=Q(is_drill=True), name="incident_drill"),
            # what may owe a postmortem, by the moment of its resolution
            models.Index(
                fields=["resolved_at"],
                condition=Q(status__in=("resolved", "closed"), severity__in=("sev1", "sev2"), is_drill=False),
                name="incident_owing",
            ),
            # of which nobody has been told yet: none, nearly always
            models.Index(fields=["id"], condition=Q(is_news=True), name="incident_news"),
        ]

    def __str__(self) -> str:
        return f"INC-{self.number}"

    def get_absolute_url(self) -> str:
        return reverse("incident-detail", args=[self.number])

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def since(self) -> datetime:
        """From when its age is counted: the start of the impact where it is known, else its opening."""
        return self.started_at or self.detected_at or self.created_at


class SavedView(models.Model):
    """A filter of the list under a name: its owner's own, or shared with a team. `saving` alone writes it."""

    name = models.CharField(max_length=60)
    query = models.TextField()  # as the address of the list has it
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_views")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="saved_views")
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["owner", "name"], condition=Q(team=None, deleted_at=None), name="one_view_of_a_name_per_person"
            ),
            models.UniqueConstraint(
                fields=["team", "name"],
                condition=Q(team__isnull=False, deleted_at=None),
                name="one_view_of_a_name_per_team",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Counter(models.Model):
    """The last number given out under a name. Taken in the transaction that uses it, so none is burned."""

    name = models.CharField(max_length=40, primary_key=True)
    last = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {self.last}"


class Entry(models.Model):
    """One line of a timeline. Written by `timeline` alone; triggers refuse any later change."""

    class Kind(models.TextChoices):
        NOTE = "note", _("Note")
        OBSERVATION = "observation", _("Observation")
        HYPOTHESIS = "hypothesis", _("Hypothesis")
        DECISION = "decision", _("Decision")
        ACTION = "action", _("Action")
        UPDATE = "update", _("Update")
        OPENED = "opened", _("Opened")
        STATUS_CHANGED = "status_changed", _("Status changed")
        MOMENT_CORRECTED = "moment_corrected", _("Moment corrected")
        FIELD_CHANGED = "field_changed", _("Field changed")
        SEVERITY_CHANGED = "severity_changed", _("Severity changed")
        ALERTS_FIRED = "alerts_fired", _("Alerts fired")
        ALERTS_RESOLVED = "alerts_resolved", _("Alerts resolved")
        ALL_CLEAR = "all_clear", _("All clear")
        ALERT_STALE = "alert_stale", _("Alert stale")
        ROLE_ASSIGNED = "role_assigned", _("Role assigned")
        ROLE_ENDED = "role_ended", _("Role ended")
        HANDOVER_OFFERED = "handover_offered", _("Handover offered")
        HANDOVER_ACCEPTED = "handover_accepted", _("Handover accepted")
        RESPONDER_ASKED = "responder_asked", _("Responder asked")
        RESPONDER_JOINED = "responder_joined", _("Responder joined")
        RESPONDER_LEFT = "responder_left", _("Responder left")
        NOTIFIED = "notified", _("Notified")
        NOTIFICATION_FAILED = "notification_failed", _("Notification failed")
        MERGED_IN = "merged_in", _("Merged in")
        SPLIT_OFF = "split_off", _("Split off")
        RELATED = "related", _("Related")
        PROTOCOL_APPLIED = "protocol_applied", _("Protocol applied")
        TASK_ADDED = "task_added", _("Task added")
        TASK_DONE = "task_done", _("Task done")
        LINK_ADDED = "link_added", _("Link added")
        ATTACHMENT_ADDED = "attachment_added", _("Attachment added")
        MARKED = "marked", _("Marked")
        AMENDED = "amended", _("Amended")
        REDACTED = "redacted", _("Redacted")
        SLO_LINKED = "slo_linked", _("SLO linked")
        SLO_IMPACT = "slo_impact", _("SLO impact")
        CHANGE_LINKED = "change_linked", _("Change linked")
        EVIDENCE_ADDED = "evidence_added", _("Evidence added")
        OBLIGATION = "obligation", _("Obligation")
        POSTMORTEM_STARTED = "postmortem_started", _("Postmortem started")
        POSTMORTEM_PUBLISHED = "postmortem_published", _("Postmortem published")

    WRITTEN = (Kind.NOTE, Kind.OBSERVATION, Kind.HYPOTHESIS, Kind.DECISION, Kind.ACTION, Kind.UPDATE)

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="entries")
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=30, choices=Kind.choices)
    at = models.DateTimeField()  # when it happened
    recorded_at = models.DateTimeField()  # when it was written down
    actor_type = models.CharField(max_length=10, choices=ActorType.choices)
    actor_user = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    actor_token = models.ForeignKey(Token, null=True, on_delete=models.PROTECT, related_name="+")
    actor_source = models.CharField(max_length=100, blank=True)  # which integration, for alerts
    actor_name = models.CharField(max_length=150)
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    data = models.JSONField(default=dict)
    amends = models.PositiveIntegerField(null=True)  # the seq of the entry that this one corrects, or has starred
    key = models.CharField(max_length=200, blank=True)  # the caller's own, which makes asking twice harmless
    content_hash = models.CharField(max_length=64)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ("incident", "seq")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["incident", "seq"], name="one_entry_per_seq"),
            models.UniqueConstraint(fields=["incident", "key"], condition=~Q(key=""), name="one_entry_per_key"),
        ]
        indexes: ClassVar = [
            # since when nothing fires any more
            models.Index(fields=["incident", "-seq"], condition=Q(kind="all_clear"), name="entry_all_clear"),
            # what corrects or stars other entries of an incident
            models.Index(fields=["incident", "amends"], condition=Q(amends__isnull=False), name="entry_amending"),
        ]

    def __str__(self) -> str:
        return f"{self.incident} #{self.seq} {self.kind}"

    def get_absolute_url(self) -> str:
        """The page of its incident, at the entry, however long ago it was."""
        return f"{self.incident.get_absolute_url()}?entry={self.seq}#entry-{self.seq}"


class Responder(models.Model):
    """Somebody asked to an incident, in it, or gone from it; with the discipline in which they came."""

    class State(models.TextChoices):
        ASKED = "asked", _("Asked")
        JOINED = "joined", _("Joined")
        LEFT = "left", _("Left")

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="responders")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    discipline = models.ForeignKey(Discipline, null=True, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices)
    asked_at = models.DateTimeField(null=True)
    joined_at = models.DateTimeField(null=True)
    left_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["incident", "user"], name="one_responder_row_per_person"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.incident}"


class Announcement(models.Model):
    """That somebody is to be told, at `due_at`, of an incident that alerts have opened; and the message that told it,
    which may tell of others too. `announcing` alone writes it."""

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="announcements")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    due_at = models.DateTimeField()
    message = models.ForeignKey(Message, null=True, on_delete=models.PROTECT, related_name="announcements")

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "incident"], condition=Q(message=None), name="one_announcement_waits_for_each"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(message=None), name="announcement_due"),
        ]

    def __str__(self) -> str:
        return f"{self.incident} to {self.user}"


class RoleAssignment(models.Model):
    """Who holds a role in an incident, from when to when."""

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="role_assignments")
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    is_exclusive = models.BooleanField()
    since = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("role__position", "since")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["incident", "role"],
                condition=Q(ended_at=None, is_exclusive=True),
                name="one_holder_of_an_exclusive_role",
            ),
            models.UniqueConstraint(
                fields=["incident", "role", "user"], condition=Q(ended_at=None), name="a_role_is_held_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} as {self.role} in {self.incident}"


class SloLinkQuerySet(models.QuerySet["SloLink"]):
    def for_actor(self, actor: Actor | None) -> SloLinkQuerySet:
        """Those of incidents that this actor may see."""
        return self.filter(incident__in=Incident.objects.for_actor(actor).values("id"))

    def confirmed(self) -> SloLinkQuerySet:
        """Those of incidents that count."""
        return self.filter(incident__is_candidate=False)

    def awaiting(self) -> SloLinkQuerySet:
        """Those of candidates that somebody may still confirm."""
        return self.filter(incident__is_candidate=True).exclude(incident__status__in=Incident.GONE)


class SloLink(models.Model):
    """That an incident touched an SLO, and when; what it burned is computed from the ledger, never stored here."""

    class Origin(models.TextChoices):
        LABEL = "label", _("by an alert's label")
        RULE = "rule", _("by a rule")
        PERSON = "person", _("by a person")

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="slo_links")
    slo = models.ForeignKey(Slo, on_delete=models.PROTECT, related_name="incident_links")
    origin = models.CharField(max_length=10, choices=Origin.choices)
    impact_from = models.DateTimeField(null=True)  # null: the incident's own start
    impact_to = models.DateTimeField(null=True)  # null: the incident's mitigation or resolution, or now
    created_at = models.DateTimeField()

    objects: ClassVar = SloLinkQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["incident", "slo"], name="an_slo_is_linked_once"),
            models.CheckConstraint(
                condition=Q(impact_from=None) | Q(impact_to=None) | Q(impact_to__gt=models.F("impact_from")),
                name="impact_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slo} in {self.incident}"

    @property
    def begins_at(self) -> datetime:
        """When the impact began: as the link says, or when the incident did."""
        return self.impact_from or self.incident.since

    @property
    def ended_at(self) -> datetime | None:
        """When the impact ended: as the link says, or at mitigation, or at resolution; None while it goes on."""
        return self.impact_to or self.incident.mitigated_at or self.incident.resolved_at
