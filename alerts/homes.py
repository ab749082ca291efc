"""Which incident each alert of a delivery belongs to; one is opened or reopened where the rules say so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max

from alerts import churn, groups, payload, routing, rules, thresholds, waiters
from alerts.models import Alert, Integration
from alerts.payload import Notification
from alerts.plans import Overtaken, Plan, Times
from alerts.routing import Asked, Destination
from alerts.thresholds import Homeless, Waiting
from alerts.upsert import Identity
from incidents import lifecycle, timeline
from incidents.models import Entry, Incident
from people.actors import Actor

Status = Incident.Status

_LEFT_ALONE = ("ignore", "heartbeat")  # what a route does with alerts that belong to no incident
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
    search = _Search(plan, strands, incidents, actor, times)
    fired = {identity for identity, _ in plan.fired}
    for identity, verdict in plan.verdicts.items():
        search.place(identity, verdict, is_opening=identity in fired or identity in plan.lonely)
    waiting: dict[Incident, Collection[Alert]] = {}
    for key, identities in search.homeless.items():
        is_plain = is_alone and key == strands.group.correlation_key
        if is_plain and _join_churn(identities, plan, incidents, integration, notification, times):
            continue
        if (reopened := search.open_by(key)) is not None:  # for another alert of this notification
            for identity in identities:
                search.join(identity, reopened)
                search.count(reopened, strands.destinations[identity])
            continue
        opening = _opening(key, identities, plan, strands, integration, times)
        if opening is None:
            for identity in identities:
                plan.waits_for[identity] = key
                plan.told[identity] = strands.destinations[identity].told("waits") or {}
            continue
        ended = search.ended.get(key)
        if ended is not None and _reopen(ended, times, actor):
            home, becomes = ended, "attached"
        else:
            home, becomes = _open(key, opening, plan, integration, notification, actor, times), "opened"
        waiting[home] = opening.waiting
        for identity in identities:
            search.join(identity, home, becomes)
            search.count(home, strands.destinations[identity])
    waiters.join(waiting, plan)
    incidents |= {opened.pk: opened for opened in plan.opened}
    search.show_with_others()


@dataclass(slots=True)
class _Search:
    """For the alerts of a notification, by their identities: which of the incidents that there are takes them."""

    plan: Plan
    strands: Strands
    incidents: dict[int, Incident]
    actor: Actor
    times: Times
    homeless: dict[str, list[Identity]] = field(default_factory=lambda: defaultdict(list))  # by what they correlate by
    ended: dict[str, Incident] = field(default_factory=dict)  # what takes the homeless again, if they are enough
    _by_key: dict[str, Incident | None] = field(default_factory=dict)  # emptied where that changes
    _past: dict[tuple[int, timedelta], bool] = field(default_factory=dict)

    def place(self, identity: Identity, verdict: rules.Verdict, *, is_opening: bool) -> None:
        """Find the incident of an alert, or say that it needs one. `is_opening`: it fires, and is in none so far."""
        plan, strand, goes = self.plan, self.strands.of(identity), self.strands.destinations[identity]
        mine = [i.incident_id for i in (verdict.was_open, *verdict.delivered) if i and i.incident_id]
        own = self._effective(mine[0]) if mine else None
        opening = verdict.is_open if is_opening else None
        moved = verdict.was_open and verdict.is_open and verdict.was_open.starts_at != verdict.is_open.starts_at
        if opening is None and not moved:
            if own is not None:
                plan.home[identity] = own
            return
        known = opening or verdict.is_open
        assert known is not None, "it fires"
        # What fires again with the start at which it had resolved began, for us, when it came back.
        began_at = verdict.returned_at or known.starts_at
        stays = own is not None and (bool(moved) or (verdict.promoted and own.is_open))
        if goes.does in _LEFT_ALONE and not stays:
            plan.told[identity] = goes.told(goes.does) or {}
            return
        candidate = own if stays else (self._of_strand(strand) or own)
        if candidate is not None and not stays and self._is_past(candidate, goes):
            candidate = None
        if candidate is not None and self._takes(candidate, began_at, goes, is_known=own is candidate):
            if stays:
                plan.home[identity] = candidate
            else:
                self.join(identity, candidate)
                self.count(candidate, goes)
        else:
            gone_on = self._of_strand(strand)
            if stays and gone_on is not None and gone_on.is_open:
                plan.home[identity] = gone_on  # the others have gone on to it since its own was over
            else:
                self.homeless[strand.correlation_key].append(identity)
                if goes.wants_several and candidate is not None:
                    self.ended[strand.correlation_key] = candidate
        if verdict.promoted and (own is None or plan.home.get(identity) is not own):
            plan.moving.add(identity)

    def join(self, identity: Identity, incident: Incident, becomes: str = "attached") -> None:
        """An alert that fires, and was in none that is open, is in this one."""
        plan, goes = self.plan, self.strands.destinations[identity]
        fires = plan.verdicts[identity].is_open
        assert fires is not None, "what joins fires"
        plan.home[identity] = incident
        if identity in plan.lonely:
            plan.fired.append((identity, plan.said_of_open(identity)))
        if (told := goes.told(becomes, is_new=fires.id is None)) is not None:
            plan.told[identity] = told

    def open_by(self, key: str) -> Incident | None:
        """What is open by now that alerts with this key find."""
        return next((i for i in self.incidents.values() if i.is_open and i.correlation_key == key), None)

    def count(self, incident: Incident, goes: Destination) -> None:
        """What counts makes a candidate count that it joins."""
        if incident.is_candidate and goes.makes_count:
            lifecycle.confirm(incident, by=self.actor, now=self.times.now)

    def show_with_others(self) -> None:
        """What comes resolved and was never heard of opens nothing, but is shown with the others of its group."""
        plan = self.plan
        for identity in plan.verdicts.keys() - plan.home.keys():
            if identity in plan.told or identity in plan.waits_for or plan.verdicts[identity].is_open:
                continue
            goes, strand = self.strands.destinations[identity], self.strands.of(identity)
            if goes.does in _LEFT_ALONE:
                plan.told[identity] = goes.told(goes.does) or {}
                continue
            opened = next((i for i in plan.opened if i.correlation_key == strand.correlation_key), None)
            shown_in = opened or self._of_strand(strand)
            if shown_in is not None and shown_in.is_open:
                plan.home[identity] = shown_in

    def _effective(self, pk: int | None) -> Incident | None:
        incident = self.incidents.get(pk or 0)
        if incident is None or incident.merged_into_id is None:
            return incident
        return self.incidents.get(incident.merged_into_id)

    def _of_strand(self, strand: groups.Locked) -> Incident | None:
        key = strand.correlation_key
        if key not in self._by_key:
            self._by_key[key] = self.open_by(key) or self._effective(strand.incident_id)
        return self._by_key[key]

    def _is_past(self, incident: Incident, goes: Destination) -> bool:
        window = goes.span("window")
        if window is None or not incident.is_open:
            return False
        known = (incident.pk, window)
        if known not in self._past:
            self._past[known] = _is_past(incident, window, self.times)
            self._by_key.clear()
        return self._past[known]

    def _takes(self, incident: Incident, began_at: datetime, goes: Destination, *, is_known: bool) -> bool:
        """Does this incident take an alert that now fires? One that has ended is reopened by an alert that starts
        later, or that it never knew, within the window; what it knew and what goes on firing changes nothing."""
        if incident.is_open:
            return True
        self._by_key.clear()
        if is_known and began_at <= _ended_at(incident):
            return True
        return goes.does != "attach" and not goes.wants_several and _reopen(incident, self.times, self.actor)


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


@dataclass(frozen=True, slots=True)
class _Opening:
    """Alerts that need an incident, and are to have one: they join it in this order, the first speaks for it."""

    joining: Sequence[Homeless]
    waiting: Sequence[Alert]  # they join it too
    started_at: datetime  # the earliest start of those that it is opened for


def _opening(
    key: str,
    identities: Sequence[Identity],
    plan: Plan,
    strands: Strands,
    integration: Integration,
    times: Times,
) -> _Opening | None:
    """Whether these alerts of one key are to have an incident: those of one of their routes are as many as it wants,
    with those of it that wait."""
    homeless = []
    for identity in identities:
        alert = plan.said_of_open(identity)
        since = alert.starts_at if identity in plan.lonely else times.at
        homeless.append(Homeless(identity, alert, strands.destinations[identity], since))
    if all(each.goes.does == "attach" for each in homeless):
        return None
    waiting = waiters.of(key, plan) if integration.table else []
    wait = [Waiting(_asks(alert), alert.labels, alert.first_seen_at) for alert in waiting]
    needs = thresholds.needs(homeless, wait, at=times.at)
    met = {need.asks for need in needs if need.is_met}
    if not met:
        return None
    joining = thresholds.in_order(homeless, needs)
    began = [its.alert.starts_at for its in joining if its.goes.does != "attach" and its.goes.asks in met]
    for row, its in zip(waiting, wait, strict=True):
        if its.asks in met and its.since >= times.at - timedelta(seconds=its.asks.within):
            began.append(row.starts_at)
    return _Opening(joining, waiting, min(times.at, *began))


def _asks(waiting: Alert) -> Asked:
    """What its route asked for when it came to wait; of what came before that was kept, what none asks for."""
    return Asked(*((waiting.routed or {}).get("asks") or (None, 0, "", 0)))


def _open(
    key: str,
    opening: _Opening,
    plan: Plan,
    integration: Integration,
    notification: Notification,
    actor: Actor,
    times: Times,
) -> Incident:
    alerts = [each.alert for each in opening.joining]
    fields = routing.fields(integration, notification, alerts)
    told = listed([*alerts, *opening.waiting])
    opened = lifecycle.open_incident(
        str(fields.pop("title")),
        by=actor,
        now=times.now,
        heard_at=times.at,
        opening=[timeline.Draft(Entry.Kind.ALERTS_FIRED, actor, times.at, data=told)],
        started_at=opening.started_at,
        detected_at=times.at,
        correlation_key=key,
        is_news=True,
        **fields,
    )
    plan.opened.append(opened)
    return opened


def _is_past(incident: Incident, window: timedelta, times: Times) -> bool:
    """Whether its last alert fired so long ago that it takes no other: then it gives its key away."""
    last = Alert.objects.filter(incident=incident).aggregate(at=Max("first_seen_at"))["at"]
    if last is None or times.at - last <= window:
        return False
    Incident.objects.filter(pk=incident.pk).update(correlation_key="")
    incident.correlation_key = ""
    return True


def _ended_at(incident: Incident) -> datetime:
    return incident.resolved_at or incident.updated_at


def _reopen(incident: Incident, times: Times, actor: Actor) -> bool:
    """Whether it was reopened, as it ended within its window."""
    window = settings.ENV.reopen_window if incident.reopen_window is None else incident.reopen_window
    if times.at - _ended_at(incident) > timedelta(seconds=window) or incident.status == Status.CLOSED:
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
