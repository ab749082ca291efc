"""Signs of life: an alert that always fires, and the incident that opens where it is not heard in time.

How often one comes is what its route says, else what was learned from two beats or more. While neither is known it is
waited for as long as anything of its integration may take to be repeated, which is hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from alerts import payload
from alerts.models import Heartbeat, Integration
from alerts.upsert import Identity
from common import language, schedule
from incidents import lifecycle, timeline
from incidents.models import Entry, Incident
from people import access, audit
from people.actors import Actor, alerts_from

MISSED_AFTER = 3  # intervals
LEAST = 30.0  # seconds: what comes quicker is the same beat from several sides
_SETTLES = 0.8  # how much of what was known of its pace stands when it beats quicker


def heard(
    integration: Integration, beats: Sequence[tuple[Identity, payload.Alert, int | None]], *, at: datetime
) -> None:
    """Note that these were heard; the intervals are those that routes set. What was heard before it was removed, and is
    taken in again, does not bring it back. Needs the transaction of the delivery."""
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
        if before.removed_at is not None and at <= before.removed_at:
            continue
        changes = {"interval": interval, "heard_at": max(before.heard_at, at), "removed_at": None}
        Heartbeat.objects.filter(pk=before.pk).update(**changes, **_lesson(before, integration, at))


def look(*, now: datetime) -> int:
    """Open an incident for each heartbeat that was not heard in time, and tell those of what is back. How many."""
    expected = Heartbeat.objects.filter(removed_at=None, integration__is_active=True).select_related("integration")
    not_said = expected.filter(Q(missed_at=None) | Q(missed_at__lt=F("integration__active_since")))
    missed = [each.pk for each in not_said if is_late(each, now)]
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
    """How long it may be silent. While its pace is not known, it comes no more seldom than others are repeated."""
    seconds = pace(heartbeat)
    return MISSED_AFTER * (heartbeat.integration.repeats_every if seconds is None else timedelta(seconds=seconds))


def pace(heartbeat: Heartbeat) -> float | None:
    """How often it comes, in seconds: as its route says, else as it was learned; None while neither is known."""
    return heartbeat.interval or heartbeat.heard_every


def is_late(heartbeat: Heartbeat, now: datetime) -> bool:
    return now - _waited_since(heartbeat) > allowed(heartbeat)


def _waited_since(heartbeat: Heartbeat) -> datetime:
    """Since it was heard, or its integration was switched on again."""
    return max(heartbeat.heard_at, heartbeat.integration.active_since or heartbeat.heard_at)


def _lesson(before: Heartbeat, integration: Integration, at: datetime) -> dict[str, float | None]:
    """What this beat teaches of its pace. One that was removed begins anew, and what was not listened to teaches
    nothing. A gap in which a known pace would be missed is an outage, unless the next one is such a gap too: then it
    comes more seldom now."""
    if before.removed_at is not None:
        return {"heard_every": None, "longer_gap": None}
    gap = (at - before.heard_at).total_seconds()
    was_off = integration.active_since is not None and before.heard_at < integration.active_since
    if gap < LEAST or was_off:
        return {}
    known = before.heard_every
    if known is None or gap <= MISSED_AFTER * known:
        return {"heard_every": _pace(known, gap), "longer_gap": None}
    if before.longer_gap is None:
        return {"longer_gap": gap}
    return {"heard_every": min(before.longer_gap, gap), "longer_gap": None}


def _pace(known: float | None, gap: float) -> float:
    """Slower at once, quicker by and by: a beat that is lost alarms nobody."""
    return gap if known is None or gap >= known else known * _SETTLES + gap * (1 - _SETTLES)


@transaction.atomic
def _miss(pk: int, now: datetime) -> bool:
    heartbeat = Heartbeat.objects.select_for_update(of=("self",)).select_related("integration__team").get(pk=pk)
    integration = heartbeat.integration
    since = _waited_since(heartbeat)
    is_said = heartbeat.missed_at is not None and heartbeat.missed_at >= since
    if is_said or heartbeat.removed_at is not None or not is_late(heartbeat, now):
        return False
    if not _is_fed(heartbeat):
        Heartbeat.objects.filter(pk=pk).update(removed_at=now, missed_at=None)
        return False
    actor = alerts_from(integration.slug, integration.name)
    incident = timeline.lock([heartbeat.incident_id or 0]).get(heartbeat.incident_id or 0)
    with language.of_what_is_kept():
        title = f"No sign of life from {integration.name}: {heartbeat} is missing"
        words = f"{_in_words(heartbeat)}. Until it is back, alerts may not reach Burnline."
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
        started_at=since,
        detected_at=now,
        severity=Incident.Severity.SEV2,
        kind=Incident.Kind.OTHER,
        team_id=integration.team_id,
        labels=heartbeat.labels,
        is_news=True,
    )
    Heartbeat.objects.filter(pk=pk).update(missed_at=now, incident=incident)
    return True


def _is_fed(heartbeat: Heartbeat) -> bool:
    """Whether its alert still is a sign of life: a route may take it elsewhere since."""
    fingerprint, labels = heartbeat.fingerprint, heartbeat.labels
    alert = payload.Alert(status="firing", labels=labels, starts_at=heartbeat.heard_at, fingerprint=fingerprint)
    return heartbeat.integration.table.decide(alert).does == "heartbeat"


def _in_words(heartbeat: Heartbeat) -> str:
    """How often it should have come, and when it last did."""
    if heartbeat.interval:
        words = f"It is to come every {heartbeat.interval} seconds"
    elif heartbeat.heard_every:
        words = f"It came every {round(heartbeat.heard_every)} seconds"
    else:
        words = "How often it comes is not known"
    words += f". It was last heard at {heartbeat.heard_at:%Y-%m-%d %H:%M:%S} UTC"
    if (since := _waited_since(heartbeat)) > heartbeat.heard_at:
        words += f", before its integration was switched on at {since:%Y-%m-%d %H:%M:%S} UTC"
    return words


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
