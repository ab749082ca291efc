"""What routes would make of alerts, before they are kept: of those that were delivered, and of a payload. Writes
nothing.

What people did to the incidents is not known here: so routes are compared with other routes, never with what was.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from django.utils.translation import gettext as _

from alerts import payload, plans, routes, routing, rules, thresholds
from alerts.imagined import Outcome, Walk
from alerts.models import Delivery, Integration
from alerts.routing import Destination
from alerts.thresholds import Homeless, Need
from alerts.upsert import Identity
from catalog.models import Model, Service
from common.errors import Invalid
from people.models import Team

MOST = 5000  # deliveries
READABLE = 500  # alerts of a payload
BATCH = 100  # of them in memory
SECONDS = 8.0  # at most that it takes
PROBE = 2000  # alerts, about: the newest of them tell how fast it goes
_OF_A_DELIVERY = 5  # alerts: what a delivery costs by itself

Becomes = Literal["opens", "joins", "waits", "ignore", "heartbeat", "ended"]


@dataclass(frozen=True, slots=True)
class Trial:
    """Routes beside those that are kept now, over the same deliveries: `alerts` of them fired. The newest are walked,
    from the first of them to the last, and older ones are `left_out`."""

    deliveries: int
    since: datetime | None
    until: datetime | None
    left_out: int
    alerts: int
    present: Outcome
    tried: Outcome


@dataclass(frozen=True, slots=True)
class Judged:
    """An alert of a payload, where it would go, and what an incident that it opens, with others, says of itself."""

    alert: payload.Alert
    destination: Destination
    becomes: Becomes
    fields: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Gathered:
    """Alerts of a payload that need the same incident. Where it opens, what it says of itself; else what it waits for:
    `needs` is empty where its alerts only join others."""

    key: str  # "": it is that of the Alertmanager group
    alerts: Sequence[Judged]
    fields: Mapping[str, Any] | None
    needs: Sequence[Need]


@dataclass(frozen=True, slots=True)
class Answer:
    """What routes make of a payload: each of its alerts, those that need an incident together, and the others."""

    judged: Sequence[Judged]
    incidents: Sequence[Gathered]

    @property
    def others(self) -> Sequence[Judged]:
        return [each for each in self.judged if each.becomes in ("ignore", "heartbeat", "ended")]


def of_deliveries(integration: Integration, tried: routes.Table, *, now: datetime) -> Trial:
    """Walk what this integration delivered last and whose text is kept: as far back as there is time for."""
    end = time.monotonic() + SECONDS
    kept = integration.deliveries.filter(outcome=Delivery.Outcome.TAKEN, raw__isnull=False, replay_of=None)
    newest = kept.order_by("-received_at", "-id").values_list("pk", "counts")[:MOST]
    costs = {pk: _OF_A_DELIVERY + int(counts.get("received", 0)) for pk, counts in newest}
    total = kept.count()
    first = _affordable(costs, PROBE)
    began = time.monotonic()
    found = _walked(integration, tried, first, now, total=total)
    assert found is not None, "it has all the time it takes"
    if len(first) < len(costs):
        a_second = sum(costs[pk] for pk in first) / max(time.monotonic() - began, 0.001)
        more = _affordable(costs, a_second * max(end - time.monotonic(), 0) * 0.8)
        if len(more) > len(first):
            found = _walked(integration, tried, more, now, total=total, end=end) or found
    return found


def of_payload(integration: Integration, tried: routes.Table, body: bytes, *, now: datetime) -> Answer:
    """What its alerts would come to if nothing fired before. Raises payload.BadPayload, and Invalid where they are so
    many that nobody would read it."""
    notification = payload.parse(body, kind=integration.kind)
    if len(notification.alerts) > READABLE:
        words = _("At most {n} alerts are tried at once.").format(n=READABLE)
        raise Invalid(words, errors=[("payload", words)])
    plan = plans.make(notification, {}, rules.judge, at=now, grace=timedelta(0))
    goes = {alert.identity: routing.destination(tried, alert) for alert in notification.alerts}
    homeless: dict[str, list[Homeless]] = {}
    for identity, alert in plan.fired:
        if goes[identity].does in ("open", "attach"):
            homeless.setdefault(goes[identity].key, []).append(Homeless(identity, alert, goes[identity], now))
    judged: list[Judged] = []
    incidents = []
    for key, alerts in homeless.items():
        needs = thresholds.needs(alerts, [], at=now)
        opens = any(need.is_met for need in needs)
        joining = thresholds.in_order(alerts, needs)
        fields = None
        if opens:
            said = routing.fields(integration, notification, [each.alert for each in joining], table=tried)
            fields = _named(said)
        mine = [Judged(each.alert, each.goes, _together(each, needs), fields) for each in joining]
        judged += mine
        incidents.append(Gathered(key, mine, fields, [] if opens else needs))
    in_them = {id(each.alert) for each in judged}
    for alert in notification.alerts:
        if id(alert) not in in_them:
            judged.append(Judged(alert, goes[alert.identity], _aside(alert, goes[alert.identity]), None))
    place = {id(alert): n for n, alert in enumerate(notification.alerts)}
    return Answer(sorted(judged, key=lambda each: place[id(each.alert)]), incidents)


def _affordable(costs: Mapping[UUID, int], most: float) -> list[UUID]:
    """As many of them as cost no more, from the first on; at least one."""
    found: list[UUID] = []
    for pk, cost in costs.items():
        most -= cost
        if found and most < 0:
            break
        found.append(pk)
    return found


def _walked(
    integration: Integration,
    tried: routes.Table,
    keys: Sequence[UUID],
    now: datetime,
    *,
    total: int,
    end: float | None = None,
) -> Trial | None:
    """What comes of these deliveries, given newest first, of so many in all; None where it is not over by `end`."""
    walks = [Walk(integration, integration.table), Walk(integration, tried)]
    times: list[datetime] = []
    fired = set[Identity]()
    in_order = list(reversed(keys))
    for start in range(0, len(in_order), BATCH):
        batch = Delivery.objects.filter(pk__in=in_order[start : start + BATCH], raw__isnull=False).select_related("raw")
        for delivery in batch.order_by("received_at", "id"):
            assert delivery.raw is not None, "they are those whose text is kept"
            notification = payload.parse(bytes(delivery.raw.body), kind=integration.kind)
            times.append(delivery.received_at)
            fired |= {alert.identity for alert in notification.alerts if alert.status == "firing"}
            for walk in walks:
                walk.hear(notification, delivery.received_at)
            if end is not None and time.monotonic() > end:
                return None
    for walk in walks:
        walk.wait_until(now)
    return Trial(
        deliveries=len(times),
        since=times[0] if times else None,
        until=times[-1] if times else None,
        left_out=max(total - len(times), 0),
        alerts=len(fired),
        present=walks[0].outcome,
        tried=walks[1].outcome,
    )


def _named(fields: dict[str, Any]) -> dict[str, Any]:
    """With names for people in place of ids."""
    for name, model in (("service", Service), ("model", Model), ("team", Team)):
        pk = fields.pop(f"{name}_id")
        fields[name] = model._default_manager.filter(pk=pk).values_list("slug", flat=True).first() if pk else None
    return fields


def _together(homeless: Homeless, needs: Sequence[Need]) -> Becomes:
    """What becomes of an alert that needs an incident, with the others that need the same."""
    met = [need.asks for need in needs if need.is_met]
    if not met:
        return "waits"
    return "opens" if homeless.goes.does != "attach" and homeless.goes.asks in met else "joins"


def _aside(alert: payload.Alert, goes: Destination) -> Becomes:
    """What becomes of an alert that needs no incident."""
    if goes.does == "ignore":
        return "ignore"
    return "heartbeat" if goes.does == "heartbeat" and alert.status == "firing" else "ended"
