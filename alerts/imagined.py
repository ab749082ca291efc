"""Incidents that there would be by other routes: deliveries are walked in memory, by the rules of `homes`, and nothing
is written.

Each walk knows what the database would: instances of alerts, incidents, which of them each correlation key follows, and
who waits. Between deliveries time passes: what came back outlives its grace, and what was quiet resolves. Nobody takes
an incident here, no sign of life is missed, and nothing ends because it is not repeated.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, islice, takewhile
from typing import Any

from django.conf import settings
from msgspec.structs import replace

from alerts import churn, payload, plans, routes, routing, rules, thresholds
from alerts.models import Integration
from alerts.payload import Notification
from alerts.plans import Judge, Plan
from alerts.routing import Destination
from alerts.thresholds import Homeless, Waiting
from alerts.upsert import Identity

SHOWN = 20  # incidents that are told one by one


@dataclass(slots=True, eq=False)
class Imagined:
    """An incident that there would be. `said` are its fields, as they are when it opens."""

    pk: int
    key: str  # "" where it takes no other alerts
    said: Mapping[str, Any]
    created_at: datetime
    route: str | None
    first: Identity
    alerts: set[Identity] = field(default_factory=set)
    firing: set[Identity] = field(default_factory=set)
    newest_at: datetime | None = None  # when the last of its alerts was heard of first
    clear_at: datetime | None = None
    resolved_at: datetime | None = None
    is_candidate: bool = False

    @property
    def title(self) -> str:
        return str(self.said["title"])

    @property
    def labels(self) -> Mapping[str, str]:
        labels: Mapping[str, str] = self.said["labels"]
        return labels

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None

    @property
    def resolves(self) -> str:
        return str(self.said.get("resolves", "all"))

    @property
    def quiet_at(self) -> datetime | None:
        """When it resolves, if nothing disturbs it until then."""
        if self.clear_at is None or self.resolves == "never":
            return None
        return self.clear_at + timedelta(seconds=self.said.get("quiet_period", settings.ENV.quiet_period))

    def is_within_reopen_window(self, at: datetime) -> bool:
        assert self.resolved_at is not None, "it has ended"
        window = self.said.get("reopen_window", settings.ENV.reopen_window)
        return at - self.resolved_at <= timedelta(seconds=window)


@dataclass(slots=True)
class Outcome:
    """What routes make of deliveries. `waiting` are alerts that waited for an incident and never came to be in one."""

    incidents: list[Imagined] = field(default_factory=list)
    ignored: set[Identity] = field(default_factory=set)
    waiting: set[Identity] = field(default_factory=set)
    heartbeats: set[Identity] = field(default_factory=set)

    @property
    def largest(self) -> list[Imagined]:
        return sorted(self.incidents, key=lambda each: -len(each.alerts))[:SHOWN]


@dataclass(slots=True)
class _Placing:
    """Where the alerts of one delivery go, while that is found out."""

    notification: Notification
    plan: Plan
    at: datetime
    goes: Mapping[Identity, Destination]
    keys: Mapping[Identity, str]  # the correlation key of each
    group: str  # that of the Alertmanager group
    fired: set[Identity]
    home: dict[Identity, Imagined] = field(default_factory=dict)
    waits: set[Identity] = field(default_factory=set)
    moving: set[Identity] = field(default_factory=set)  # what returned after its own incident was over, to another
    past: dict[str, Imagined] = field(default_factory=dict)  # by key, what has ended and may be opened again
    opened: list[Imagined] = field(default_factory=list)


class Walk:
    """One table of routes, and what it has made so far."""

    def __init__(self, integration: Integration, table: routes.Table) -> None:
        self.outcome = Outcome()
        self._integration = integration
        self._table = table
        self._grace = integration.grace
        self._numbers = count(1)
        self._known: dict[Identity, dict[datetime, rules.Instance]] = defaultdict(dict)
        self._first_seen: dict[tuple[Identity, datetime], datetime] = {}
        self._said: dict[Identity, payload.Alert] = {}  # the last words on each
        self._group_of: dict[Identity, str] = {}
        self._truncated: dict[str, int] = {}  # by group
        self._firing_in: dict[Identity, Imagined] = {}
        self._waiting: dict[str, dict[Identity, Waiting]] = defaultdict(dict)  # by correlation key
        self._waits_for: dict[Identity, str] = {}
        self._incidents: dict[int, Imagined] = {}
        self._follows: dict[str, Imagined] = {}  # by correlation key, the incident of its last alerts
        self._open: dict[str, Imagined] = {}  # by correlation key
        self._quiet: list[tuple[datetime, int, Imagined]] = []  # a heap: when to look whether they resolve
        self._returning: list[tuple[datetime, int, Identity, datetime]] = []  # a heap: when which instance fires again

    def hear(self, notification: Notification, at: datetime) -> None:
        """Take in what was delivered then; the next is of the same time, or later."""
        self.wait_until(at)
        self._take_in(notification, f"group {notification.group_key}", at, rules.judge)
        self._resolve_quiet(at)

    def wait_until(self, at: datetime) -> None:
        """Let time pass without a delivery."""
        while self._returning and self._returning[0][0] <= at:
            due = self._returning[0][0]
            self._resolve_quiet(due)
            self._end_grace(due)
            self._resolve_quiet(due)
        self._resolve_quiet(at)

    def _take_in(self, notification: Notification, group: str, at: datetime, judge: Judge) -> None:
        self._truncated[group] = notification.truncated
        plan = plans.make(notification, self._known_of(notification), judge, at=at, grace=self._grace)
        self._group_of |= dict.fromkeys(plan.verdicts, group)
        if not plan.sent or self._is_repeat(plan, group):
            return
        last = {(f, h): plan.sent[f, h, starts_at] for f, h, starts_at in sorted(plan.sent)}
        self._said |= last
        goes = {identity: routing.destination(self._table, alert) for identity, alert in last.items()}
        keys = {identity: f"route {each.key}" if each.key else group for identity, each in goes.items()}
        fired = {identity for identity, _ in plan.fired}
        placing = _Placing(notification, plan, at, goes, keys, group, fired)
        self._find_homes(placing)
        for identity in plan.verdicts:
            self._write(identity, placing)
        self._tell(placing)
        self._follow(placing)

    def _known_of(self, notification: Notification) -> dict[Identity, list[rules.Instance]]:
        """What can matter, as `upsert.known` reads it."""
        earliest = min((alert.starts_at for alert in notification.alerts), default=None)
        if earliest is None:
            return {}
        return {
            identity: [
                each
                for each in self._known[identity].values()
                if each.is_firing or each.starts_at >= earliest or (each.ends_at and each.ends_at > earliest)
            ]
            for identity in (alert.identity for alert in notification.alerts)
            if identity in self._known
        }

    def _is_repeat(self, plan: Plan, group: str) -> bool:
        follows = self._follows.get(group)
        return (
            follows is not None
            and plan.brings_nothing_new
            and all(instance.incident_id == follows.pk for instance in plan.heard)
        )

    def _find_homes(self, placing: _Placing) -> None:
        plan = placing.plan
        is_alone = not plan.incidents and not any(
            key in self._follows for key in {placing.group, *placing.keys.values()}
        )
        homeless: dict[str, list[Identity]] = defaultdict(list)
        for identity in plan.verdicts:
            if not self._find_home(identity, placing):
                homeless[placing.keys[identity]].append(identity)
        for key, identities in homeless.items():
            if not (is_alone and key == placing.group and self._join_churn(identities, placing)):
                self._house(key, identities, placing)
        for identity in plan.verdicts.keys() - placing.home.keys() - placing.waits:
            # What comes resolved and was never heard of opens nothing, but is shown with the others.
            if not plan.verdicts[identity].is_open and placing.goes[identity].does in ("open", "attach"):
                shown_in = self._of(placing.keys[identity])
                if shown_in is not None and shown_in.is_open:
                    placing.home[identity] = shown_in

    def _find_home(self, identity: Identity, placing: _Placing) -> bool:
        """False where it needs an incident and finds none."""
        plan, at, goes = placing.plan, placing.at, placing.goes[identity]
        verdict = plan.verdicts[identity]
        mine = [each.incident_id for each in (verdict.was_open, *verdict.delivered) if each and each.incident_id]
        own = self._incidents[mine[0]] if mine else None
        opening = verdict.is_open if identity in placing.fired or identity in plan.lonely else None
        moved = verdict.was_open and verdict.is_open and verdict.was_open.starts_at != verdict.is_open.starts_at
        if opening is None and not moved:
            if own is not None:
                placing.home[identity] = own
            return True
        assert verdict.is_open is not None, "it fires"
        stays = own is not None and bool(moved or (verdict.promoted and own.is_open))
        if goes.does in ("ignore", "heartbeat") and not stays:
            (self.outcome.ignored if goes.does == "ignore" else self.outcome.heartbeats).add(identity)
            return True
        key = placing.keys[identity]
        incident = own if stays else (self._of(key) or own)
        if incident is not None and not stays and self._is_past(incident, goes, at):
            incident = None
        began_at = verdict.returned_at or verdict.is_open.starts_at
        if incident is not None and self._takes(incident, began_at, goes, at, is_known=own is incident):
            placing.home[identity] = incident
            if not stays:
                incident.is_candidate &= not goes.makes_count
        elif stays and (gone_on := self._of(key)) is not None and gone_on.is_open:
            placing.home[identity] = gone_on  # the others have gone on to it since its own was over
        elif incident is not None:
            placing.past[key] = incident
        if verdict.promoted and (own is None or placing.home.get(identity) is not own):
            placing.moving.add(identity)
        return identity in placing.home

    def _join_churn(self, identities: Sequence[Identity], placing: _Placing) -> bool:
        if len(identities) > 1:
            return False
        since = placing.at - churn.SINCE
        lately = takewhile(lambda each: each.created_at > since, reversed(self.outcome.incidents))
        recent = [each for each in islice(lately, churn.LOOKED_AT) if each.key]
        labels = placing.notification.common_labels
        found = churn.among(recent, labels, lambda each: each.newest_at, at=placing.at)
        if found is None or not found.is_open:
            return False
        placing.home[identities[0]] = found
        return True

    def _house(self, key: str, identities: Sequence[Identity], placing: _Placing) -> None:
        """Open an incident of this key, or one that has ended again, where the alerts are enough for it; else they
        wait."""
        at, plan = placing.at, placing.plan
        homeless = []
        for identity in identities:
            opening = plan.verdicts[identity].is_open
            assert opening is not None, "what needs an incident fires"
            alert = plan.said_of_open(identity)
            since = alert.starts_at if identity in plan.lonely else at
            homeless.append(Homeless(identity, alert, placing.goes[identity], since))
        waiting = {who: each for who, each in self._waiting[key].items() if who not in plan.verdicts}
        needs = thresholds.needs(homeless, list(waiting.values()), at=at)
        incident = self._open.get(key)  # others of this delivery have opened it again
        if incident is None and not any(need.is_met for need in needs):
            placing.waits |= set(identities)
            self.outcome.waiting |= set(identities)
            return
        if incident is None:
            joining = thresholds.in_order(homeless, needs)
            past = placing.past.get(key)
            if past is not None and not past.is_open and self._reopens(past, at):
                incident = past
            else:
                incident = self._opened(key, joining, placing)
                placing.opened.append(incident)
            for who in waiting:
                self._place(who, incident)
        incident.is_candidate &= not any(each.goes.makes_count for each in homeless)
        placing.home |= dict.fromkeys(identities, incident)

    def _opened(self, key: str, joining: Sequence[Homeless], placing: _Placing) -> Imagined:
        said = routing.fields(
            self._integration, placing.notification, [each.alert for each in joining], table=self._table
        )
        first = joining[0]
        opened = Imagined(next(self._numbers), key, said, placing.at, first.goes.decision.route, first.identity)
        opened.is_candidate = bool(said.get("is_candidate"))
        self.outcome.incidents.append(opened)
        self._incidents[opened.pk] = self._open[key] = opened
        return opened

    def _of(self, key: str) -> Imagined | None:
        return self._open.get(key) or self._follows.get(key)

    def _is_past(self, incident: Imagined, goes: Destination, at: datetime) -> bool:
        """Whether its last alert fired so long ago that it takes no other: then it gives its key away."""
        window = goes.span("window")
        if window is None or not incident.is_open or incident.newest_at is None or at - incident.newest_at <= window:
            return False
        if self._open.get(incident.key) is incident:
            del self._open[incident.key]
        incident.key = ""
        return True

    def _takes(
        self, incident: Imagined, began_at: datetime, goes: Destination, at: datetime, *, is_known: bool
    ) -> bool:
        if incident.resolved_at is None or (is_known and began_at <= incident.resolved_at):
            return True
        if goes.does == "attach" or goes.wants_several:
            return False  # alone it opens nothing again
        return self._reopens(incident, at)

    def _reopens(self, incident: Imagined, at: datetime) -> bool:
        if not incident.is_within_reopen_window(at) or (incident.key and incident.key in self._open):
            return False
        incident.resolved_at = incident.clear_at = None
        if incident.key:
            self._open[incident.key] = incident
        return True

    def _write(self, identity: Identity, placing: _Placing) -> None:
        """Keep what became of it, as rows would."""
        verdict, home, rows = placing.plan.verdicts[identity], placing.home.get(identity), self._known[identity]
        rows |= {old.starts_at: old for old in verdict.overtaken}
        for instance in verdict.delivered:
            before = rows.get(instance.starts_at)
            belongs = before.incident_id if before else None
            if home is not None and (belongs is None or (identity in placing.moving and instance.is_firing)):
                belongs = home.pk
                if before and before.incident_id and not self._is_in(before.incident_id, identity, instance.starts_at):
                    self._incidents[before.incident_id].alerts.discard(identity)
            rows[instance.starts_at] = replace(
                instance, id=before.id if before else next(self._numbers), incident_id=belongs
            )
            seen_at = self._first_seen.setdefault((identity, instance.starts_at), placing.at)
            if belongs is not None:
                self._joins(identity, self._incidents[belongs], seen_at)
            since = None if before is None else before.provisional_since
            if instance.provisional_since is not None and instance.provisional_since != since:
                self._await(identity, instance.starts_at, instance.provisional_since + self._grace)
        if (uncovered := verdict.uncovered) is not None:
            rows[uncovered.starts_at] = replace(uncovered, provisional_since=uncovered.starts_at)
            self._await(identity, uncovered.starts_at, max(placing.at, uncovered.starts_at + self._grace))
        self._note_where_it_fires(identity)
        self._note_whether_it_waits(identity, placing)

    def _place(self, identity: Identity, incident: Imagined) -> None:
        """It has waited, and is in this incident from now on."""
        rows = self._known[identity]
        for starts_at, instance in rows.items():
            if instance.is_firing:
                rows[starts_at] = replace(instance, incident_id=incident.pk)
                self._joins(identity, incident, self._first_seen[identity, starts_at])
        self._waiting[self._waits_for.pop(identity)].pop(identity)
        self._note_where_it_fires(identity)

    def _joins(self, identity: Identity, incident: Imagined, seen_at: datetime) -> None:
        incident.alerts.add(identity)
        incident.newest_at = max(incident.newest_at or seen_at, seen_at)
        self.outcome.waiting.discard(identity)

    def _is_in(self, pk: int, identity: Identity, but: datetime) -> bool:
        """Whether another instance of it is in this incident."""
        return any(each.incident_id == pk for each in self._known[identity].values() if each.starts_at != but)

    def _note_where_it_fires(self, identity: Identity) -> None:
        before = self._firing_in.pop(identity, None)
        if before is not None:
            before.firing.discard(identity)
        instance = next((each for each in self._known[identity].values() if each.is_firing), None)
        if instance is not None and instance.incident_id is not None:
            incident = self._firing_in[identity] = self._incidents[instance.incident_id]
            incident.firing.add(identity)

    def _note_whether_it_waits(self, identity: Identity, placing: _Placing) -> None:
        opening = placing.plan.verdicts[identity].is_open
        is_confirmed = identity in placing.plan.confirmed
        if opening is not None and not is_confirmed and (*identity, opening.starts_at) not in placing.plan.sent:
            return  # another instance was spoken of
        if (key := self._waits_for.pop(identity, None)) is not None:
            self._waiting[key].pop(identity, None)
        if identity not in placing.waits or identity in self._firing_in:
            return
        assert opening is not None, "what waits fires"
        labels = placing.plan.said_of_open(identity).labels
        key, asks = placing.keys[identity], placing.goes[identity].asks
        self._waiting[key][identity] = Waiting(asks, labels, self._first_seen[identity, opening.starts_at])
        self._waits_for[identity] = key

    def _tell(self, placing: _Placing) -> None:
        """What fires disturbs the quiet of its incident; what ends may begin it."""
        plan = placing.plan
        ended: dict[Imagined, set[str]] = defaultdict(set)
        for identity, home in placing.home.items():
            verdict = plan.verdicts[identity]
            if identity in placing.fired or identity in plan.lonely:
                home.clear_at = None
            elif verdict.was_open and not verdict.is_open:
                ended[home].add(identity[0])
        for incident, fingerprints in ended.items():
            policy = incident.resolves
            is_clear = not incident.firing
            is_enough = policy == "any" or (policy == "first" and incident.first[0] in fingerprints)
            if incident.is_open and (is_clear or is_enough):
                incident.clear_at = placing.at
                if (quiet_at := incident.quiet_at) is not None:
                    heapq.heappush(self._quiet, (quiet_at, next(self._numbers), incident))

    def _follow(self, placing: _Placing) -> None:
        """Let each key lead to the incident that was opened, or to the open one of its alerts where it leads nowhere,
        or where that is its own."""
        for opened in placing.opened:
            self._follows[opened.key] = opened
        for identity, home in placing.home.items():
            key = placing.keys[identity]
            if home.is_open and (key not in self._follows or home.key == key):
                self._follows[key] = home

    def _resolve_quiet(self, at: datetime) -> None:
        disturbed = []
        while self._quiet and self._quiet[0][0] <= at:
            due, _, incident = heapq.heappop(self._quiet)
            if not incident.is_open or incident.quiet_at is None or incident.quiet_at > due:
                continue
            if incident.resolves == "all" and self._is_disturbed(incident):
                disturbed.append(incident)
                continue
            incident.resolved_at = due
            if self._open.get(incident.key) is incident:
                del self._open[incident.key]
        for incident in disturbed:
            heapq.heappush(self._quiet, (at, next(self._numbers), incident))

    def _is_disturbed(self, incident: Imagined) -> bool:
        """By what fires, or may: again within its grace, or left out by Alertmanager."""
        instances = (each for identity in incident.alerts for each in self._known[identity].values())
        may_return = any(each.provisional_since and each.incident_id == incident.pk for each in instances)
        return bool(incident.firing) or may_return or self._is_cut_off(incident)

    def _is_cut_off(self, incident: Imagined) -> bool:
        return any(self._truncated.get(self._group_of[identity]) for identity in incident.alerts)

    def _await(self, identity: Identity, starts_at: datetime, due: datetime) -> None:
        heapq.heappush(self._returning, (due, next(self._numbers), identity, starts_at))

    def _end_grace(self, due: datetime) -> None:
        """Let fire what has outlived its grace, group by group, as `grace` does."""
        by_group: dict[str, list[payload.Alert]] = defaultdict(list)
        while self._returning and self._returning[0][0] <= due:
            _, _, identity, starts_at = heapq.heappop(self._returning)
            instance = self._known[identity][starts_at]
            if instance.provisional_since is not None and due - instance.provisional_since >= self._grace:
                again = replace(self._said[identity], status="firing", starts_at=starts_at, ends_at=None)
                by_group[self._group_of[identity]].append(again)
        for group, alerts in by_group.items():
            notification = Notification(group, {}, {}, {}, self._truncated[group], alerts, [])
            self._take_in(notification, group, due, rules.lapse)
