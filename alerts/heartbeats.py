"""Signs of life: an alert that always fires, and the incident that opens where it is not heard in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from alerts import payload
from alerts.models import Heartbeat, Integration
from alerts.upsert import Identity
from common import language, schedule
from incidents import lifecycle, timeline
from incidents.models import Entry, Incident
from people import access, audit
from people.actors import Actor, alerts_from

AT_FIRST = 300.0  # seconds, of one that was heard once
MISSED_AFTER = 3  # intervals
LEAST = 30.0  # seconds: what comes quicker is the same beat from several sides
_SETTLES = 0.8  # how much of what was known of its pace stands when it beats quicker


def heard(
    integration: Integration, beats: Sequence[tuple[Identity, payload.Alert, int | None]], *, at: datetime
) -> None:
    """Note that these were heard; the intervals are those that routes set. Needs the transaction of the delivery."""
    known = {
        (each.fingerprint, each.labels_hash): each
        for each in Heartbeat.objects.select_for_update()
        .filter(integration=integration, fingerprint__in=[fingerprint for (fingerprint, _), _, _ in beats])
        .order_by("fingerprint", "labels_hash")
    }
    for identity, alert, interval in beats:
        before = known.get(identity)
        if before is None:
            Heartbeat.objects.get_or_create(
                integration=integration,
                fingerprint=identity[0],
                labels_hash=identity[1],
                defaults={"name": alert.name, "labels": alert.labels, "heard_at": at, "interval": interval},
            )
            continue
        changes: dict[str, Any] = {"interval": interval, "heard_at": max(before.heard_at, at), "removed_at": None}
        gap = (at - before.heard_at).total_seconds()
        if gap >= LEAST and before.missed_at is None:
            changes["heard_every"] = _pace(before.heard_every, gap)
        Heartbeat.objects.filter(pk=before.pk).update(**changes)


def look(*, now: datetime) -> int:
    """Open an incident for each heartbeat that was not heard in time, and tell those of what is back. How many."""
    expected = Heartbeat.objects.filter(removed_at=None, integration__is_active=True)
    missed = [each.pk for each in expected.filter(missed_at=None) if is_late(each, now)]
    back = expected.filter(missed_at__isnull=False, heard_at__gt=F("missed_at")).values_list("pk", flat=True)
    done = schedule.sweep(missed, lambda pk: _miss(pk, now))
    return done + schedule.sweep(list(back), lambda pk: _return(pk, now))


@transaction.atomic
def remove(heartbeat: Heartbeat, *, by: Actor, now: datetime) -> bool:
    """Expect it no more, until it is heard again. False where it was removed already."""
    access.require(by, access.Act.ADMINISTER)
    removed = Heartbeat.objects.filter(pk=heartbeat.pk, removed_at=None).update(removed_at=now, missed_at=None)
    if removed:
        told = {"heartbeat": str(heartbeat)}
        audit.record(audit.Action.HEARTBEAT_REMOVED, heartbeat.integration, by=by, now=now, before=told)
    return bool(removed)


def allowed(heartbeat: Heartbeat) -> timedelta:
    """How long it may be silent."""
    return timedelta(seconds=MISSED_AFTER * pace(heartbeat))


def pace(heartbeat: Heartbeat) -> float:
    """How often it is expected, in seconds: as its route says, else as it was learned."""
    return float(heartbeat.interval or heartbeat.heard_every or AT_FIRST)


def is_late(heartbeat: Heartbeat, now: datetime) -> bool:
    return now - heartbeat.heard_at > allowed(heartbeat)


def _pace(known: float | None, gap: float) -> float:
    """Slower at once, quicker by and by: a beat that is lost alarms nobody."""
    return gap if known is None or gap >= known else known * _SETTLES + gap * (1 - _SETTLES)


@transaction.atomic
def _miss(pk: int, now: datetime) -> bool:
    heartbeat = Heartbeat.objects.select_for_update(of=("self",)).select_related("integration__team").get(pk=pk)
    if heartbeat.missed_at is not None or heartbeat.removed_at is not None or not is_late(heartbeat, now):
        return False
    integration = heartbeat.integration
    actor = alerts_from(integration.slug, integration.name)
    incident = timeline.lock([heartbeat.incident_id or 0]).get(heartbeat.incident_id or 0)
    with language.of_what_is_kept():
        title = f"No sign of life from {integration.name}: {heartbeat} is missing"
        words = (
            f"It came every {round(pace(heartbeat))} seconds, and was last heard at "
            f"{heartbeat.heard_at:%Y-%m-%d %H:%M:%S} UTC. Until it is back, alerts may not reach Burnline."
        )
    missing = timeline.Draft(Entry.Kind.OBSERVATION, actor, now, text=words)
    if incident is not None and incident.is_open:
        timeline.extend([(incident, missing)], now=now)
        Heartbeat.objects.filter(pk=pk).update(missed_at=now)
        return True
    incident = lifecycle.open_incident(
        title,
        by=actor,
        now=now,
        opening=[missing],
        started_at=heartbeat.heard_at,
        detected_at=now,
        severity=Incident.Severity.SEV2,
        kind=Incident.Kind.OTHER,
        team_id=integration.team_id,
        labels=heartbeat.labels,
    )
    Heartbeat.objects.filter(pk=pk).update(missed_at=now, incident=incident)
    return True


@transaction.atomic
def _return(pk: int, now: datetime) -> bool:
    """It is back: its incident is told, and resolves once it was quiet, where nobody took it."""
    heartbeat = Heartbeat.objects.select_for_update(of=("self",)).select_related("integration").get(pk=pk)
    if heartbeat.missed_at is None or heartbeat.heard_at <= heartbeat.missed_at:
        return False
    Heartbeat.objects.filter(pk=pk).update(missed_at=None)
    incident = timeline.lock([heartbeat.incident_id or 0]).get(heartbeat.incident_id or 0)
    if incident is not None and incident.is_open:
        actor = alerts_from(heartbeat.integration.slug, heartbeat.integration.name)
        text = f"{heartbeat} is heard again."
        back = timeline.Draft(Entry.Kind.OBSERVATION, actor, heartbeat.heard_at, text=text)
        clear = timeline.Draft(Entry.Kind.ALL_CLEAR, actor, now)
        timeline.extend([(incident, back), (incident, clear)], now=now)
    return True
