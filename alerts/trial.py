"""What routes would make of alerts, before they are kept: of those that were delivered, and of a payload. Writes
nothing.

Deliveries are walked in their order, with the rules of `alerts.rules` for what fires and ends; incidents open, are
quiet, resolve and reopen as they would by themselves. What people did to them is not known here: so routes are compared
with other routes, never with what was.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from alerts import payload, routes, routing, rules
from alerts.models import Delivery, Integration
from alerts.payload import Notification
from alerts.routing import Destination
from alerts.upsert import Identity
from catalog.models import Model, Service
from people.models import Team

MOST = 5000  # deliveries
BATCH = 100  # of them in memory
SECONDS = 8.0  # at most that it takes
SHOWN = 20  # incidents that are told one by one


@dataclass(slots=True)
class Imagined:
    """An incident that there would be."""

    key: str
    title: str
    opened_at: datetime
    said: Mapping[str, Any]
    route: str | None
    first: Identity
    last_fired_at: datetime
    alerts: set[Identity] = field(default_factory=set)
    firing: set[Identity] = field(default_factory=set)
    clear_at: datetime | None = None

    def is_open(self, at: datetime) -> bool:
        return self.resolved_at is None or self.resolved_at > at

    @property
    def resolved_at(self) -> datetime | None:
        if self.clear_at is None or self.said.get("resolve") == "never":
            return None
        return self.clear_at + timedelta(seconds=self.said.get("quiet_period", settings.ENV.quiet_period))

    def takes(self, at: datetime) -> bool:
        if self.is_open(at):
            window = self.said.get("window")
            return window is None or at - self.last_fired_at <= timedelta(seconds=window)
        assert self.resolved_at is not None, "it is not open"
        return at - self.resolved_at <= timedelta(seconds=self.said.get("reopen_window", settings.ENV.reopen_window))

    def fires(self, identity: Identity, at: datetime) -> None:
        self.alerts.add(identity)
        self.firing.add(identity)
        self.last_fired_at, self.clear_at = at, None

    def ends(self, identity: Identity, at: datetime) -> None:
        self.firing.discard(identity)
        policy = self.said.get("resolve", "all")
        if not self.firing or policy == "any" or (policy == "first" and identity == self.first):
            self.clear_at = at


@dataclass(slots=True)
class Outcome:
    """What routes make of deliveries."""

    incidents: list[Imagined] = field(default_factory=list)
    ignored: set[Identity] = field(default_factory=set)
    waiting: set[Identity] = field(default_factory=set)
    heartbeats: set[Identity] = field(default_factory=set)

    @property
    def largest(self) -> list[Imagined]:
        return sorted(self.incidents, key=lambda each: -len(each.alerts))[:SHOWN]


@dataclass(frozen=True, slots=True)
class Trial:
    """Routes beside those that are kept now, over the same deliveries: `alerts` of them fired."""

    deliveries: int
    since: datetime | None
    alerts: int
    present: Outcome
    tried: Outcome


@dataclass(frozen=True, slots=True)
class Judged:
    """An alert of a payload, where it would go, and what an incident that it opens would say of itself."""

    alert: payload.Alert
    destination: Destination
    fields: Mapping[str, Any]


def of_deliveries(integration: Integration, tried: routes.Table) -> Trial:
    """Walk what this integration delivered last and whose text is kept, as far as there is time for."""
    end = time.monotonic() + SECONDS
    walks = [_Walk(integration.table), _Walk(tried)]
    kept = integration.deliveries.filter(outcome=Delivery.Outcome.TAKEN, raw__isnull=False, replay_of=None)
    keys = list(kept.order_by("-received_at").values_list("pk", flat=True)[:MOST])
    keys.reverse()
    seen, since, fired = 0, None, set[Identity]()
    for start in range(0, len(keys), BATCH):
        batch = kept.filter(pk__in=keys[start : start + BATCH]).select_related("raw").order_by("received_at")
        for delivery in batch:
            assert delivery.raw is not None, "they are those whose text is kept"
            notification = payload.parse(bytes(delivery.raw.body), kind=integration.kind)
            since = since or delivery.received_at
            seen += 1
            fired |= {_identity(alert) for alert in notification.alerts if alert.status == "firing"}
            for walk in walks:
                walk.hear(notification, delivery.received_at)
        if time.monotonic() > end:
            break
    return Trial(seen, since, len(fired), walks[0].outcome, walks[1].outcome)


def of_payload(integration: Integration, tried: routes.Table, body: bytes) -> list[Judged]:
    """Where each alert of it would go. Raises payload.BadPayload."""
    notification = payload.parse(body, kind=integration.kind)
    found = []
    for alert in notification.alerts:
        fields = routing.fields(integration, notification, [alert], table=tried)
        for name, model in (("service", Service), ("model", Model), ("team", Team)):
            pk = fields.pop(f"{name}_id")
            fields[name] = model._default_manager.filter(pk=pk).values_list("slug", flat=True).first() if pk else None
        found.append(Judged(alert, routing.destination(tried, alert), fields))
    return found


class _Walk:
    """One table of routes, and what it has made so far."""

    def __init__(self, table: routes.Table) -> None:
        self.outcome = Outcome()
        self._table = table
        self._known: dict[Identity, dict[datetime, rules.Instance]] = defaultdict(dict)
        self._latest: dict[str, Imagined] = {}  # by key
        self._home: dict[Identity, Imagined] = {}
        self._waiting: dict[str, dict[Identity, tuple[datetime, payload.Alert]]] = defaultdict(dict)
        self._grace = timedelta(seconds=settings.ENV.provisional_grace)

    def hear(self, notification: Notification, at: datetime) -> None:
        for alert in notification.alerts:
            identity = _identity(alert)
            instance = rules.Instance(alert.starts_at, alert.ends_at, alert.status == "firing")
            known = self._known[identity]
            verdict = rules.judge(known.values(), [instance], now=at, grace=self._grace)
            known |= {each.starts_at: each for each in (*verdict.delivered, *verdict.overtaken)}
            if verdict.is_open and not verdict.was_open:
                self._fires(identity, alert, notification, at)
            elif verdict.was_open and not verdict.is_open:
                self._ends(identity, at)

    def _fires(self, identity: Identity, alert: payload.Alert, notification: Notification, at: datetime) -> None:
        goes = routing.destination(self._table, alert)
        match goes.does:
            case "ignore":
                self.outcome.ignored.add(identity)
                return
            case "heartbeat":
                self.outcome.heartbeats.add(identity)
                return
        key = goes.key or f"group {notification.group_key}"
        latest = self._latest.get(key)
        if latest is None or not latest.takes(at):
            waiting = self._waiting[key]
            waiting[identity] = (at, alert)
            if goes.does == "attach" or not _are_enough(goes, waiting, at):
                self.outcome.waiting.add(identity)
                return
            said = goes.decision.said
            words = routes.filled(said.get("title", ""), alert) or routing.title(notification, [alert])
            latest = self._latest[key] = Imagined(key, words, at, said, goes.decision.route, identity, at)
            self.outcome.incidents.append(latest)
            for other in waiting:
                self._home[other] = latest
                latest.fires(other, at)
            self.outcome.waiting -= set(waiting)
            waiting.clear()
            return
        self._home[identity] = latest
        latest.fires(identity, at)

    def _ends(self, identity: Identity, at: datetime) -> None:
        for waiting in self._waiting.values():
            waiting.pop(identity, None)
        if (home := self._home.get(identity)) is not None:
            home.ends(identity, at)


def _are_enough(goes: Destination, waiting: Mapping[Identity, tuple[datetime, payload.Alert]], at: datetime) -> bool:
    since = at - (goes.span("threshold_within") or timedelta(0))
    return goes.is_met([alert.labels for heard_at, alert in waiting.values() if heard_at >= since])


def _identity(alert: payload.Alert) -> Identity:
    return alert.fingerprint, alert.labels_hash
