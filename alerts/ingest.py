"""A delivery becomes rows: one transaction, a constant number of statements, and only then an answer. One of very many
alerts is kept in that transaction, and its alerts are taken in by `fanout` soon after.

The walk is `take_in`, and each of its steps has its module. Locks are taken in one order, here and everywhere: the
group, what else routes correlate by, heartbeats, incidents by id, the number counter, alerts by fingerprint.
What two deliveries do at once is decided by constraints and by what the statements return: where that is not what was
planned, the transaction is undone and done again with what has become visible meanwhile.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias, TypeVar

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count
from django.db.models.functions import Now

from alerts import deliveries, groups, heartbeats, homes, payload, plans, routes, routing, rules, upsert
from alerts.models import Alert, Delivery, FanOut, Integration
from alerts.payload import Notification
from alerts.plans import Judge, Plan, Times
from alerts.upsert import Identity, Key
from common import wake
from common.errors import DomainError
from common.text import shortened, storable
from incidents import impact, timeline
from incidents.models import Entry, Incident
from people.actors import Actor, alerts_from

AT_ONCE = 500  # alerts of one delivery that its request takes in itself

_TRIES = 5

Written = TypeVar("Written")
Write: TypeAlias = Callable[[Collection[int]], Written]


class Contended(DomainError):
    """Other deliveries of the same alerts won every race; the sender shall come again."""

    code = "contended"
    status = 503
    title = "Try again"


class _Overtaken(Exception):
    """Something else changed what this delivery was planned upon. `incidents` are to be locked too, the next time."""

    def __init__(self, incidents: Iterable[int] = ()) -> None:
        super().__init__()
        self.incidents = set(incidents)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery, as it is answered."""

    delivery: uuid.UUID
    counts: dict[str, int]
    incidents: list[int]
    is_waiting: bool = False  # its alerts are taken in soon


class Taken(NamedTuple):
    """What was written down of a notification."""

    group_id: int
    counts: dict[str, int]
    incidents: list[int]  # numbers of those that it touched


def receive(integration: Integration, body: bytes, *, now: datetime, replay_of: Delivery | None = None) -> Receipt:
    """Take a delivery in, or keep it until its alerts are. Returns after the commit; raises payload.BadPayload (the
    body is then kept as refused), Contended, or a database error, and then nothing of it is kept. What is taken in
    again is judged by when it was received."""
    try:
        if (
            len(body) > AT_ONCE * payload.SMALLEST
            and (received := payload.count(body, kind=integration.kind)) > AT_ONCE
        ):
            return _put_off(integration, body, received, now, replay_of)
        notification = payload.parse(body, kind=integration.kind)
    except payload.BadPayload as exc:
        refuse(integration, body, size=len(body), status=exc.status, reason=exc.message, now=now)
        raise

    def write(further: Collection[int]) -> Receipt:
        with transaction.atomic(durable=True):
            return _take(integration, notification, body, further, now, replay_of)

    return settle(integration, notification, write)


def settle(integration: Integration, notification: Notification, write: Write[Written]) -> Written:
    """What `write` gives, which is one transaction; begun anew as long as others overtake it. It is told which
    incidents to lock beside those that it finds itself. Raises Contended where others win every race."""
    further: set[int] = set()
    for _ in range(_TRIES):
        try:
            return write(further)
        except _Overtaken as exc:
            further |= exc.incidents
        except IntegrityError as exc:
            if "foreign key" in str(exc).lower():
                routing.forget()  # a service, model or team that has been removed since it was read
                continue
            if not _is_race(exc):
                raise
            # Such as an incident of this group that people have reopened, after the group had gone on to another.
            further |= _open_of_group(integration, notification)
    raise Contended("The same alerts are being delivered from several sides. Send again.")


@transaction.atomic(durable=True)
def refuse(
    integration: Integration, body: bytes | None, *, size: int, status: int, reason: str, now: datetime
) -> uuid.UUID:
    """Keep what was refused for its content, so that an admin can see it. `body` is None when it was not read."""
    refused = Delivery.Outcome.REFUSED
    return deliveries.record(integration, body, outcome=refused, status=status, size=size, reason=reason, now=now)


def complete(delivery: Delivery, notification: Notification, further: Collection[int], *, now: datetime) -> None:
    """Take in the alerts of a delivery that waits, and say in it what became of them. Needs the transaction in which
    `settle` does this."""
    came = delivery if delivery.replay_of is None else delivery.replay_of
    taken = take_in(delivery.integration, notification, further, Times.of_receipt(came.received_at, now))
    quarantined = deliveries.put_aside(notification)
    _end(delivery, Delivery.Outcome.TAKEN, quarantined=quarantined, **taken._asdict())


def give_up(delivery: Delivery, reason: str) -> None:
    """Refuse a delivery after all, as its alerts cannot be read."""
    _end(delivery, Delivery.Outcome.REFUSED, reason=shortened(storable(reason), 500))


def take_in(
    integration: Integration,
    notification: Notification,
    further: Collection[int],
    times: Times,
    judge: Judge = rules.judge,
) -> Taken:
    """Write down what the notification says, as it is judged. Needs the transaction in which `settle` does this."""
    group = groups.lock(integration, notification, seen_at=times.seen_at)
    known = upsert.known(integration.pk, notification.alerts, is_late=times.at < times.now)
    grace = timedelta(seconds=settings.ENV.provisional_grace)
    plan = plans.make(notification, known, judge, at=times.at, grace=grace)
    if _is_repeat(plan, group):
        return _hear_again(plan, group, notification, times)

    actor = alerts_from(integration.slug, integration.name)
    strands = _strands(integration, group, plan, times)
    incidents = _lock_incidents(plan, strands, further)
    homes.find(plan, strands, incidents, integration, notification, actor, times)
    written = _write_alerts(integration, group, plan, times.seen_at)
    _lend(group, incidents, times.seen_at)
    touched = _tell(plan, actor, times)
    _follow(strands, plan)
    return Taken(group.id, _counts(plan, notification, written), touched)


def _take(
    integration: Integration,
    notification: Notification,
    body: bytes,
    further: Collection[int],
    now: datetime,
    replay_of: Delivery | None,
) -> Receipt:
    received_at = now if replay_of is None else replay_of.received_at
    taken = take_in(integration, notification, further, Times.of_receipt(received_at, now))
    quarantined = deliveries.put_aside(notification)
    pk = deliveries.record(
        integration,
        body,
        outcome=Delivery.Outcome.TAKEN,
        status=200,
        now=now,
        quarantined=quarantined,
        **taken._asdict(),
    )
    _mark(pk, replay_of)
    return Receipt(pk, taken.counts, taken.incidents)


def _mark(pk: uuid.UUID, replay_of: Delivery | None) -> None:
    """Say of a delivery what it takes in again: the one that came from outside."""
    if replay_of is not None:
        Delivery.objects.filter(pk=pk).update(replay_of=replay_of)


@transaction.atomic(durable=True)
def _put_off(
    integration: Integration, body: bytes, received: int, now: datetime, replay_of: Delivery | None
) -> Receipt:
    """Keep the delivery, and have its alerts taken in by the engine."""
    counts = {"received": received}
    pk = deliveries.record(integration, body, outcome=Delivery.Outcome.WAITING, status=202, counts=counts, now=now)
    FanOut.objects.create(delivery_id=pk, lane=str(integration.pk), due_at=Now())
    wake.after_commit(wake.WORK)
    _mark(pk, replay_of)
    return Receipt(pk, counts, [], is_waiting=True)


def _end(delivery: Delivery, outcome: Delivery.Outcome, **fields: Any) -> None:
    waiting = Delivery.objects.filter(pk=delivery.pk, outcome=Delivery.Outcome.WAITING)
    ended = waiting.update(outcome=outcome, **fields)
    assert ended, "a delivery is taken in once"


def _is_repeat(plan: Plan, group: groups.Locked) -> bool:
    """Whether all is known already, and belongs to the group's own incident: as most of what Alertmanager sends."""
    return (
        group.incident_number is not None
        and plan.brings_nothing_new
        and all(instance.incident_id == group.incident_id for instance in plan.known.values())
    )


def _hear_again(plan: Plan, group: groups.Locked, notification: Notification, times: Times) -> Taken:
    """Write down that it was heard, and nothing else."""
    if upsert.touch(plan.known.values(), group.id, seen_at=times.seen_at) != len(plan.known):
        raise _Overtaken
    assert group.incident_number is not None, "it is a repeat"
    counts = {**_none_of(notification), "unchanged": len(notification.alerts)}
    return Taken(group.id, counts, [group.incident_number])


def _strands(integration: Integration, group: groups.Locked, plan: Plan, times: Times) -> homes.Strands:
    """What the alerts are correlated by, all of it locked; and where each of them goes. Signs of life are noted."""
    if not integration.table and not any(alert.name == routes.WATCHDOG for alert in plan.sent.values()):
        return homes.Strands(group, {}, dict.fromkeys(plan.verdicts, routing.DEFAULT))
    sent = _last_words(plan)
    destinations = {identity: routing.destination(integration.table, sent[identity]) for identity in plan.verdicts}
    keys = {goes.key for goes in destinations.values() if goes.key}
    others = groups.lock_more(integration, keys, seen_at=times.seen_at)
    beats = [
        (identity, sent[identity], goes.decision.said.get("heartbeat_interval"))
        for identity, goes in destinations.items()
        if goes.does == "heartbeat" and sent[identity].status == "firing"
    ]
    if beats:
        heartbeats.heard(integration, beats, at=times.seen_at)
    return homes.Strands(group, others, destinations)


def _lock_incidents(plan: Plan, strands: homes.Strands, further: Collection[int]) -> dict[int, Incident]:
    """Every incident that this delivery may touch, locked by id. A merged one brings the one that it went into: where
    that is not among them, all begins anew, as it may come before those that are locked."""
    wanted = plan.incidents | set(further)
    wanted |= {each.incident_id for each in (strands.group, *strands.others.values()) if each.incident_id}
    found = timeline.lock(wanted)
    if missing := {i.merged_into_id for i in found.values() if i.merged_into_id} - set(found):
        raise _Overtaken(missing)
    return found


def _write_alerts(
    integration: Integration, group: groups.Locked, plan: Plan, seen_at: datetime
) -> dict[Key, upsert.Written]:
    """Close what was overtaken, upsert what was delivered, and make sure that the database agrees with the plan."""
    if plan.overtaken or len(plan.sent) > len(plan.verdicts):  # what ends an instance is written before what begins one
        upsert.hold({instance.id for instance in plan.known.values() if instance.id} | set(plan.overtaken))
    if plan.overtaken and upsert.close(plan.overtaken) != len(plan.overtaken):
        raise _Overtaken
    rows = []
    for identity, verdict in plan.verdicts.items():
        home = plan.home.get(identity)
        # What is resolved goes before what fires, as only one instance of a fingerprint may be open at any time.
        for instance in sorted(verdict.delivered, key=lambda i: (i.is_firing, i.starts_at)):
            promoted = verdict.promoted and instance.is_firing and instance.id is not None
            if promoted and identity not in plan.moving:
                home = None  # it is in its incident already, or in one that is merged into it
            row = _row(identity, instance, plan.sent[(*identity, instance.starts_at)], home, promoted=promoted)
            row.waits_for, row.routed = plan.waits_for.get(identity), plan.told.get(identity)
            rows.append(row)
    written = upsert.write(integration.pk, group.id, rows, seen_at=seen_at)
    for row in rows:
        if written.get(row.key) != _foreseen(plan, row):
            raise _Overtaken
    return written


def _foreseen(plan: Plan, row: upsert.Row) -> upsert.Written | None:
    """What becomes of the row if nobody else has written it since it was read."""
    known = plan.known.get(row.key)
    if known is None:
        return None
    was = Alert.Status.RESOLVED.value if known.id in plan.overtaken else known.status
    return upsert.Written(was, row.status)


def _lend(group: groups.Locked, incidents: dict[int, Incident], seen_at: datetime) -> None:
    """What is new to a group whose incident is merged comes back to that one when it is so no more."""
    incident = incidents.get(group.incident_id or 0)
    if incident is not None and incident.merged_into_id is not None:
        new = Alert.objects.filter(
            group=group.id, incident=incident.merged_into_id, first_seen_at=seen_at, merged_from=None
        )
        new.update(merged_from=incident)


def _tell(plan: Plan, actor: Actor, times: Times) -> list[int]:
    """One entry for each incident and kind of transition; the numbers of the incidents that were touched. That nothing
    fires any more is only known when it is written down."""
    fired: dict[int, list[payload.Alert]] = defaultdict(list)
    ended: dict[int, list[rules.Instance]] = defaultdict(list)
    names: dict[int, list[payload.Alert]] = defaultdict(list)
    by_id = {incident.id: incident for incident in plan.home.values()}
    last_words = _last_words(plan) if plan.ended else {}
    for identity, alert in plan.fired:
        if (home := plan.home.get(identity)) is not None and home not in plan.opened:
            fired[home.id].append(alert)
    for identity, instance in plan.ended:
        if (home_of := plan.home.get(identity)) is not None:
            ended[home_of.pk].append(instance)
            names[home_of.pk].append(last_words[identity])
    drafts = [
        (by_id[pk], timeline.Draft(Entry.Kind.ALERTS_FIRED, actor, times.at, data=homes.listed(alerts)))
        for pk, alerts in sorted(fired.items())
    ]
    still_firing = _still_firing(ended) if ended else {}
    for pk in sorted(ended):
        resolved = timeline.Draft(Entry.Kind.ALERTS_RESOLVED, actor, times.at, data=homes.listed(names[pk]))
        drafts.append((by_id[pk], resolved))
        if not still_firing.get(pk):
            drafts.append((by_id[pk], timeline.Draft(Entry.Kind.ALL_CLEAR, actor, times.now)))
        elif _is_enough(by_id[pk], ended[pk]):
            told = {"policy": by_id[pk].resolves}
            drafts.append((by_id[pk], timeline.Draft(Entry.Kind.ALL_CLEAR, actor, times.now, data=told)))
    timeline.extend(drafts, now=times.now)
    _link_slos(plan, actor, times.now)
    return sorted({incident.number for incident in plan.home.values()})


def _is_enough(incident: Incident, ended: Sequence[rules.Instance]) -> bool:
    """Whether its route lets it resolve although others still fire."""
    if incident.resolves == Incident.Resolves.FIRST:
        first = Alert.objects.filter(incident=incident).order_by("first_seen_at", "id").values_list("pk", flat=True)
        return first.first() in {instance.id for instance in ended}
    return incident.resolves == Incident.Resolves.ANY


def _link_slos(plan: Plan, actor: Actor, now: datetime) -> None:
    """Link the SLOs that alerts name by their `slo_id` label."""
    named: dict[int, set[str]] = defaultdict(set)
    for identity, alert in plan.fired:
        if (slug := alert.labels.get("slo_id")) and identity in plan.home:
            named[plan.home[identity].pk].add(slug)
    by_id = {incident.id: incident for incident in plan.home.values()}
    for pk, slugs in sorted(named.items()):
        impact.link_by_labels(by_id[pk], slugs, by=actor, now=now)


def _follow(strands: homes.Strands, plan: Plan) -> None:
    """Point the group, and what routes correlate by, at the incident of their next alerts: the one that was opened, or
    the open one of their alerts where they have none, or where it is their own."""
    for strand in (strands.group, *strands.others.values()):
        found = [i for i in plan.opened if i.correlation_key == strand.correlation_key]
        if not found:
            homes_of = (home for identity, home in plan.home.items() if strands.of(identity) is strand)
            found = [
                home
                for home in homes_of
                if home.is_open and (strand.incident_id is None or home.correlation_key == strand.correlation_key)
            ]
        if found and found[0].pk != strand.incident_id:
            groups.follow(strand, found[0].pk)


def _open_of_group(integration: Integration, notification: Notification) -> set[int]:
    """The open incidents with the group's own correlation key, and with those that routes give its alerts."""
    keys = {routing.destination(integration.table, alert).key for alert in notification.alerts} - {""}
    wanted = [groups.correlation_key(integration, notification), *groups.correlation_keys(integration, keys)]
    return set(Incident.objects.open().filter(correlation_key__in=wanted).values_list("pk", flat=True))


def _counts(plan: Plan, notification: Notification, written: dict[Key, upsert.Written]) -> dict[str, int]:
    """How many alerts of the delivery fired, resolved, changed in what they say, or brought nothing new."""
    counts = _none_of(notification)
    fired = {(*identity, alert.starts_at) for identity, alert in plan.fired}
    for identity, verdict in plan.verdicts.items():
        for instance in verdict.delivered:
            key = (*identity, instance.starts_at)
            if key in fired:
                counts["opened"] += 1
            elif not instance.is_firing and (key not in written or written[key].was == Alert.Status.FIRING):
                counts["resolved"] += 1
            elif key not in written or instance.content_hash != plan.sent[key].content_hash:
                counts["changed"] += 1
            else:
                counts["unchanged"] += 1
    counts["unchanged"] += len(notification.alerts) - len(plan.sent)
    return counts


def _none_of(notification: Notification) -> dict[str, int]:
    """The counts of a delivery before any of its alerts is looked at."""
    return {
        "received": notification.received,
        **dict.fromkeys(("opened", "changed", "unchanged", "resolved"), 0),
        "quarantined": len(notification.quarantined),
    }


def _still_firing(incidents: Iterable[int]) -> dict[int, int]:
    counted = Alert.objects.firing().filter(incident__in=list(incidents)).order_by().values_list("incident")
    return dict(counted.annotate(n=Count("id")))


def _last_words(plan: Plan) -> dict[Identity, payload.Alert]:
    """The latest instance of each identity in the delivery."""
    return {(fingerprint, labels): plan.sent[fingerprint, labels, at] for fingerprint, labels, at in sorted(plan.sent)}


def _row(
    identity: Identity, instance: rules.Instance, alert: payload.Alert, home: Incident | None, *, promoted: bool
) -> upsert.Row:
    return upsert.Row(
        *identity,
        starts_at=instance.starts_at,
        ends_at=instance.ends_at,
        status=Alert.Status.FIRING.value if instance.is_firing else Alert.Status.RESOLVED.value,
        was=upsert.PROMOTE if promoted else "",
        superseded=instance.superseded,
        provisional_since=instance.provisional_since,
        name=alert.name,
        labels=alert.labels,
        annotations=alert.annotations,
        generator_url=alert.generator_url,
        content_hash=alert.content_hash,
        incident_id=home.id if home else None,
    )


def _is_race(exc: IntegrityError) -> bool:
    """Did the transaction lose to another that opened the same alert or the same incident first?"""
    text = str(exc)
    return any(
        name in text
        for name in (
            *("one_open_instance_per_fingerprint", "one_open_incident_per_correlation_key"),
            *("alerts_alert.integration_id, alerts_alert.fingerprint", "incidents_incident.correlation_key"),
        )
    )
