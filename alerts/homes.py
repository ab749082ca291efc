"""Which incident each alert of a delivery belongs to; one is opened or reopened where the rules say so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from alerts import groups, payload, routing
from alerts.models import Integration
from alerts.payload import Notification
from alerts.plans import Plan, Times
from alerts.upsert import Identity
from incidents import lifecycle, timeline
from incidents.models import Entry, Incident
from people.actors import Actor

Status = Incident.Status

_LISTED = 500  # alerts that an entry lists one by one; it counts them all


def find(
    plan: Plan,
    group: groups.Locked,
    incidents: dict[int, Incident],
    integration: Integration,
    notification: Notification,
    actor: Actor,
    times: Times,
) -> Incident | None:
    """Give every identity its incident; open or reopen one where the rules say so. Returns the one that was opened."""

    def effective(pk: int | None) -> Incident | None:
        incident = incidents.get(pk or 0)
        return incidents.get(incident.merged_into_id) if incident and incident.merged_into_id else incident

    of_group = next((i for i in incidents.values() if i.is_open and i.correlation_key == group.correlation_key), None)
    of_group = of_group or effective(group.incident_id)
    homeless: list[tuple[Identity, payload.Alert]] = []
    fired = dict(plan.fired)
    for identity, verdict in plan.verdicts.items():
        mine = [i.incident_id for i in (verdict.was_open, *verdict.delivered) if i and i.incident_id]
        own = effective(mine[0]) if mine else None
        opening = verdict.is_open if identity in fired else None
        moved = verdict.was_open and verdict.is_open and verdict.was_open.starts_at != verdict.is_open.starts_at
        if opening is None and not moved:
            if own is not None:
                plan.home[identity] = own
            continue
        starts_at = (opening or verdict.is_open).starts_at  # type: ignore[union-attr]
        # What fires again with the start at which it had resolved began, for us, when it came back.
        began_at = verdict.returned_at or starts_at
        stays = moved or (verdict.promoted and own is not None and own.is_open)
        candidate = own if stays else (of_group or own)
        if candidate is None or not _takes(candidate, began_at, times, is_known=own is candidate, actor=actor):
            homeless.append((identity, plan.sent[(*identity, starts_at)]))
        else:
            plan.home[identity] = candidate
        if verdict.promoted and plan.home.get(identity) is not own:
            plan.moving.add(identity)
    opened = None
    if homeless:
        opened = _open(integration, group, notification, [alert for _, alert in homeless], actor, times)
        plan.home |= {identity: opened for identity, _ in homeless}
    # What comes resolved and was never heard of opens nothing, but is shown with the others of its group.
    shown_in = opened or (of_group if of_group is not None and of_group.is_open else None)
    if shown_in is not None:
        plan.home = dict.fromkeys(plan.verdicts, shown_in) | plan.home
    return opened


def _takes(incident: Incident, starts_at: datetime, times: Times, *, is_known: bool, actor: Actor) -> bool:
    """Does this incident take an alert that now fires? One that has ended is reopened by an alert that starts later, or
    that it never knew, within the window; what it knew and what goes on firing changes nothing."""
    if incident.is_open:
        return True
    ended_at = incident.resolved_at or incident.updated_at
    if is_known and starts_at <= ended_at:
        return True
    if times.at - ended_at > timedelta(seconds=settings.ENV.reopen_window) or incident.status == Status.CLOSED:
        return False
    try:
        with transaction.atomic():
            return lifecycle.reopen(incident, by=actor, now=times.now)
    except IntegrityError:  # another one of this correlation key is open
        return False


def _open(
    integration: Integration,
    group: groups.Locked,
    notification: Notification,
    alerts: list[payload.Alert],
    actor: Actor,
    times: Times,
) -> Incident:
    fields = routing.fields(integration, notification, alerts)
    return lifecycle.open_incident(
        str(fields.pop("title")),
        by=actor,
        now=times.now,
        heard_at=times.at,
        opening=[timeline.Draft(Entry.Kind.ALERTS_FIRED, actor, times.at, data=listed(alerts))],
        started_at=min(times.at, *(alert.starts_at for alert in alerts)),
        detected_at=times.at,
        correlation_key=group.correlation_key,
        **fields,
    )


def listed(alerts: Sequence[payload.Alert]) -> dict[str, object]:
    """How many, and the first of them: so many are listed that any delivery has room that a request takes in."""
    return {
        "count": len(alerts),
        "alerts": [
            {"fingerprint": a.fingerprint, "name": a.name, "starts_at": a.starts_at.isoformat()}
            for a in alerts[:_LISTED]
        ],
    }
