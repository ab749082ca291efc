"""Which incident each alert of a delivery belongs to; one is opened or reopened where the rules say so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max

from alerts import churn, groups, payload, routing, waiters
from alerts.models import Alert, Integration
from alerts.payload import Notification
from alerts.plans import Overtaken, Plan, Times
from alerts.routing import Destination
from alerts.upsert import Identity
from incidents import lifecycle, timeline
from incidents.models import Entry, Incident
from people.actors import Actor

Status = Incident.Status

_LISTED = 500  # alerts that an entry lists one by one; it counts them all


@dataclass(frozen=True, slots=True)
class Strands:
    """What the alerts of a delivery are correlated by: their group, and the keys of routes, all locked."""

    group: groups.Locked
    others: Mapping[str, groups.Locked]
    destinations: Mapping[Identity, Destination]

    @property
    def knows_none(self) -> bool:
        """Whether nothing of it has an incident so far."""
        return not any(strand.incident_id for strand in (self.group, *self.others.values()))

    def of(self, identity: Identity) -> groups.Locked:
        return self.others.get(self.destinations[identity].key, self.group)


def find(
    plan: Plan,
    strands: Strands,
    incidents: dict[int, Incident],
    integration: Integration,
    notification: Notification,
    actor: Actor,
    times: Times,
) -> None:
    """Give every identity its incident, in `plan.home`; open or reopen one where routes and rules say so. What is
    opened joins `incidents`. Raises Overtaken."""
    is_alone = not plan.incidents and strands.knows_none

    def effective(pk: int | None) -> Incident | None:
        incident = incidents.get(pk or 0)
        return incidents.get(incident.merged_into_id) if incident and incident.merged_into_id else incident

    by_key: dict[str, Incident | None] = {}  # emptied where that changes

    def of_strand(strand: groups.Locked) -> Incident | None:
        key = strand.correlation_key
        if key not in by_key:
            open_ones = (i for i in incidents.values() if i.is_open and i.correlation_key == key)
            by_key[key] = next(open_ones, None) or effective(strand.incident_id)
        return by_key[key]

    homeless: dict[str, list[Identity]] = defaultdict(list)  # by the correlation key of what they need
    fired = {identity for identity, _ in plan.fired}
    for identity, verdict in plan.verdicts.items():
        mine = [i.incident_id for i in (verdict.was_open, *verdict.delivered) if i and i.incident_id]
        own = effective(mine[0]) if mine else None
        opening = verdict.is_open if identity in fired or identity in plan.lonely else None
        moved = verdict.was_open and verdict.is_open and verdict.was_open.starts_at != verdict.is_open.starts_at
        if opening is None and not moved:
            if own is not None:
                plan.home[identity] = own
            continue
        starts_at = (opening or verdict.is_open).starts_at  # type: ignore[union-attr]
        # What fires again with the start at which it had resolved began, for us, when it came back.
        began_at = verdict.returned_at or starts_at
        stays = (moved and own is not None) or (verdict.promoted and own is not None and own.is_open)
        strand = strands.of(identity)
        candidate = own if stays else (of_strand(strand) or own)
        goes = strands.destinations[identity]
        if goes.does in ("ignore", "heartbeat") and not stays:
            plan.told[identity] = goes.told(goes.does) or {}
            continue
        if candidate is not None and not stays and _is_past(candidate, goes, times):
            candidate = None
            by_key.clear()
        was_open = candidate is not None and candidate.is_open
        takes = candidate is not None and _takes(candidate, began_at, times, is_known=own is candidate, actor=actor)
        if not was_open:
            by_key.clear()
        if candidate is None or not takes:
            gone_on = of_strand(strand)
            if stays and gone_on is not None and gone_on.is_open:
                plan.home[identity] = gone_on  # the others have gone on to it since its own was over
            else:
                homeless[strand.correlation_key].append(identity)
        else:
            plan.home[identity] = candidate
            if identity in plan.lonely:
                plan.fired.append((identity, plan.sent[(*identity, starts_at)]))
            if (told := goes.told("attached")) is not None and not stays:
                plan.told[identity] = told
        if verdict.promoted and (own is None or plan.home.get(identity) is not own):
            plan.moving.add(identity)
    for key, identities in homeless.items():
        is_plain = is_alone and key == strands.group.correlation_key
        if not (is_plain and _join_churn(identities, plan, incidents, integration, notification, times)):
            _house(key, identities, plan, strands, integration, notification, actor, times)
    incidents |= {opened.pk: opened for opened in plan.opened}
    # What comes resolved and was never heard of opens nothing, but is shown with the others of its group.
    for identity in plan.verdicts.keys() - plan.home.keys():
        if identity in plan.told or identity in plan.waits_for or plan.verdicts[identity].is_open:
            continue
        shown_in = next((i for i in plan.opened if i.correlation_key == strands.of(identity).correlation_key), None)
        shown_in = shown_in or of_strand(strands.of(identity))
        if shown_in is not None and shown_in.is_open:
            plan.home[identity] = shown_in


def _join_churn(
    identities: Sequence[Identity],
    plan: Plan,
    incidents: dict[int, Incident],
    integration: Integration,
    notification: Notification,
    times: Times,
) -> bool:
    """Let one alert that differs from those before it in a number alone join the last of their incidents, where they
    have opened enough. Whether it did. Raises Overtaken where that one must be locked before others are."""
    if len(identities) > 1:
        return False
    found = churn.same(integration, notification.common_labels, at=times.at)
    if found is None:
        return False
    if found.pk not in incidents:
        if incidents:
            raise Overtaken({found.pk})
        incidents |= timeline.lock([found.pk])
    incident = incidents.get(found.pk)
    if incident is None or not incident.is_open:
        return False
    [identity] = identities
    plan.home[identity] = incident
    plan.told[identity] = {"does": "open", "route": None, "because": [], "key": "", "becomes": "churn"}
    return True


def _house(
    key: str,
    identities: Sequence[Identity],
    plan: Plan,
    strands: Strands,
    integration: Integration,
    notification: Notification,
    actor: Actor,
    times: Times,
) -> None:
    """Open an incident of this key for alerts that have none, or let them wait where their route has them wait: for an
    incident to attach to, or until they are so many."""
    alerts: dict[Identity, payload.Alert] = {}
    for identity in identities:
        opening = plan.verdicts[identity].is_open
        assert opening is not None, "what needs an incident fires"
        alerts[identity] = plan.sent[(*identity, opening.starts_at)]
    openers = [identity for identity in identities if strands.destinations[identity].does != "attach"]
    waiting = list(waiters.of(key, plan)) if integration.table else []
    goes = strands.destinations[openers[0]] if openers else None
    if goes is None or not _are_enough(goes, {i: alerts[i] for i in openers}, plan, waiting, times):
        for identity in identities:
            plan.waits_for[identity] = key
            plan.told[identity] = strands.destinations[identity].told("waits") or {}
        return
    joining: list[payload.Alert] = [
        alerts[identity] for identity in (*openers, *(i for i in identities if i not in openers))
    ]
    fields = routing.fields(integration, notification, joining)
    opened = lifecycle.open_incident(
        str(fields.pop("title")),
        by=actor,
        now=times.now,
        heard_at=times.at,
        opening=[timeline.Draft(Entry.Kind.ALERTS_FIRED, actor, times.at, data=listed([*joining, *waiting]))],
        started_at=min(times.at, *(alert.starts_at for alert in joining), *(alert.starts_at for alert in waiting)),
        detected_at=times.at,
        correlation_key=key,
        **fields,
    )
    waiters.join(waiting, opened)
    plan.opened.append(opened)
    for identity in identities:
        plan.home[identity] = opened
        if identity in plan.lonely:
            plan.fired.append((identity, alerts[identity]))
        if (told := strands.destinations[identity].told("opened")) is not None:
            plan.told[identity] = told


def _are_enough(
    goes: Destination,
    alerts: Mapping[Identity, payload.Alert],
    plan: Plan,
    waiting: Sequence[Alert],
    times: Times,
) -> bool:
    """Whether enough of them fire of late: those that are new, and those that have waited no longer than that."""
    since = times.at - (goes.span("threshold_within") or timedelta(0))
    new = [a.labels for identity, a in alerts.items() if identity not in plan.lonely or a.starts_at >= since]
    return goes.is_met([*new, *(alert.labels for alert in waiting if alert.first_seen_at >= since)])


def _is_past(incident: Incident, goes: Destination, times: Times) -> bool:
    """Whether its last alert fired so long ago that it takes no other: then it gives its key away."""
    window = goes.span("window")
    if window is None or not incident.is_open:
        return False
    last = Alert.objects.filter(incident=incident).aggregate(at=Max("first_seen_at"))["at"]
    if last is None or times.at - last <= window:
        return False
    Incident.objects.filter(pk=incident.pk).update(correlation_key="")
    incident.correlation_key = ""
    return True


def _takes(incident: Incident, starts_at: datetime, times: Times, *, is_known: bool, actor: Actor) -> bool:
    """Does this incident take an alert that now fires? One that has ended is reopened by an alert that starts later, or
    that it never knew, within the window; what it knew and what goes on firing changes nothing."""
    if incident.is_open:
        return True
    ended_at = incident.resolved_at or incident.updated_at
    if is_known and starts_at <= ended_at:
        return True
    window = settings.ENV.reopen_window if incident.reopen_window is None else incident.reopen_window
    if times.at - ended_at > timedelta(seconds=window) or incident.status == Status.CLOSED:
        return False
    try:
        with transaction.atomic():
            return lifecycle.reopen(incident, by=actor, now=times.now)
    except IntegrityError:  # another one of this correlation key is open
        return False


def listed(alerts: Sequence[payload.Alert | Alert]) -> dict[str, object]:
    """How many, and the first of them: so many are listed that any delivery has room that a request takes in."""
    return {
        "count": len(alerts),
        "alerts": [
            {"fingerprint": a.fingerprint, "name": a.name, "starts_at": a.starts_at.isoformat()}
            for a in alerts[:_LISTED]
        ],
    }
