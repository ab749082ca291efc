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
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias, TypeVar

import orjson
from django.db import IntegrityError, transaction
from django.db.models import Count
from django.db.models.functions import Now

from alerts import deliveries, groups, heartbeats, homes, payload, plans, routes, routing, rules, upsert
from alerts.models import Alert, Delivery, FanOut, Integration
from alerts.payload import Notification
from alerts.plans import Judge, Overtaken, Plan, Times
from alerts.upsert import Identity
from common import statements, wake
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


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery, as it is answered."""

    delivery: uuid.UUID
    counts: dict[str, int]
    incidents: list[int]
    is_waiting: bool = False  # its alerts are taken in soon

    @property
    def status(self) -> int:
        return 202 if self.is_waiting else 200

    def document(self) -> bytes:
        """The answer, as JSON."""
        answer: dict[str, object] = {"delivery": str(self.delivery), "alerts": self.counts}
        if not self.is_waiting:
            answer["incidents"] = self.incidents
        return orjson.dumps(answer)


class Sent(NamedTuple):
    """A notification, and whose it is."""

    integration: Integration
    notification: Notification

    @property
    def is_plain(self) -> bool:
        """Whether it locks nothing but its group, incidents and alerts, so that others may be taken in with it."""
        return not self.integration.table and all(alert.name != routes.WATCHDOG for alert in self.notification.alerts)


class Parcel(NamedTuple):
    """A notification in the bytes in which it came."""

    sent: Sent
    body: bytes


_Told: TypeAlias = tuple[Incident, list[payload.Alert]]


class Taken(NamedTuple):
    """What was written down of a notification."""

    group_id: int
    counts: dict[str, int]
    incidents: list[int]  # numbers of those that it touched


@dataclass(frozen=True, slots=True)
class _Reading:
    """A notification while it is taken in: its group, locked, what it means, and where its alerts go."""

    sent: Sent
    group: groups.Locked
    plan: Plan
    strands: homes.Strands
    actor: Actor


def receive(integration: Integration, body: bytes, *, now: datetime, replay_of: Delivery | None = None) -> Receipt:
    """Take a delivery in, or keep it until its alerts are. Returns after the commit; raises payload.BadPayload (the
    body is then kept as refused), Contended, or a database error, and then nothing of it is kept. What is taken in
    again is judged by when it was received."""
    parcel = read(integration, body, now=now, replay_of=replay_of)
    if isinstance(parcel, Receipt):
        return parcel
    [receipt] = receive_all([parcel], now=now, replay_of=replay_of)
    return receipt


def read(
    integration: Integration, body: bytes, *, now: datetime, replay_of: Delivery | None = None
) -> Parcel | Receipt:
    """Understand a delivery, so that it can be taken in; one of very many alerts is kept instead, until its alerts
    are. Raises payload.BadPayload (the body is then kept as refused), or a database error."""
    try:
        parcel = understand(integration, body)
    except payload.BadPayload as exc:
        refuse(integration, body, size=len(body), status=exc.status, reason=exc.message, now=now)
        raise
    return parcel if isinstance(parcel, Parcel) else _put_off(integration, body, parcel, now, replay_of)


def understand(integration: Integration, body: bytes) -> Parcel | int:
    """What it says; of more alerts than a request takes in, only how many they are. Asks nothing of the database.
    Raises payload.BadPayload."""
    if len(body) > AT_ONCE * payload.SMALLEST and (received := payload.count(body, kind=integration.kind)) > AT_ONCE:
        return received
    return Parcel(Sent(integration, payload.parse(body, kind=integration.kind)), body)


def receive_all(
    parcels: Sequence[Parcel], *, now: datetime, replay_of: Delivery | None = None, locks: float | None = None
) -> list[Receipt]:
    """Take all of them in with one commit, and return after it. No two of them speak of the same alert, and none but a
    single one is not plain. They wait for a row that somebody else has locked for so many seconds, or without end.
    Raises Contended, or a database error, and then nothing of any is kept."""
    sent = [parcel.sent for parcel in parcels]

    def write(further: Collection[int]) -> list[Receipt]:
        with transaction.atomic(durable=True):
            if locks is not None:
                statements.wait_for_locks(locks)
            return _take(parcels, further, now, replay_of)

    return settle(sent, write)


def settle(sent: Sequence[Sent], write: Write[Written]) -> Written:
    """What `write` gives, which is one transaction; begun anew as long as others overtake it. It is told which
    incidents to lock beside those that it finds itself. Raises Contended where others win every race."""
    further: set[int] = set()
    for _ in range(_TRIES):
        try:
            return write(further)
        except Overtaken as exc:
            further |= exc.incidents
        except IntegrityError as exc:
            if "foreign key" in str(exc).lower():
                routing.forget()  # a service, model or team that has been removed since it was read
                continue
            if not _is_race(exc):
                raise
            # Such as an incident of this group that people have reopened, after the group had gone on to another.
            further |= {pk for each in sent for pk in _open_of_group(each)}
    raise Contended("The same alerts are being delivered from several sides. Send again.")


@transaction.atomic(durable=True)
def refuse(
    integration: Integration, body: bytes | None, *, size: int, status: int, reason: str, now: datetime
) -> uuid.UUID:
    """Keep what was refused for its content, so that an admin can see it. `body` is None when it was not read."""
    refused = Delivery.Outcome.REFUSED
    [pk] = deliveries.record([deliveries.Record(integration, body, refused, status, size=size, reason=reason)], now=now)
    return pk


def complete(delivery: Delivery, notification: Notification, further: Collection[int], *, now: datetime) -> None:
    """Take in the alerts of a delivery that waits, and say in it what became of them. Needs the transaction in which
    `settle` does this."""
    came = delivery if delivery.replay_of is None else delivery.replay_of
    [taken] = take_in([Sent(delivery.integration, notification)], further, Times.of_receipt(came.received_at, now))
    quarantined = deliveries.put_aside(notification)
    _end(delivery, Delivery.Outcome.TAKEN, quarantined=quarantined, **taken._asdict())


def give_up(delivery: Delivery, reason: str) -> None:
    """Refuse a delivery after all, as its alerts cannot be read."""
    _end(delivery, Delivery.Outcome.REFUSED, reason=shortened(storable(reason), 500))


def take_in(sent: Sequence[Sent], further: Collection[int], times: Times, judge: Judge = rules.judge) -> list[Taken]:
    """Write down what the notifications say, as it is judged. Needs the transaction in which `settle` does this."""
    locked = groups.lock(sent, seen_at=times.seen_at)
    alerts = [(integration.pk, notification.alerts) for integration, notification in sent]
    known = upsert.known(alerts, is_late=times.at < times.now)
    readings = []
    for each, group in zip(sent, locked, strict=True):
        integration, notification = each
        plan = plans.make(notification, known[integration.pk], judge, at=times.at, grace=integration.grace)
        strands = _strands(each, group, plan, times)
        actor = alerts_from(integration.slug, integration.name)
        readings.append(_Reading(each, group, plan, strands, actor))

    repeats = [reading for reading in readings if _is_repeat(reading)]
    others = [reading for reading in readings if not _is_repeat(reading)]
    if repeats and others:  # their rows are written in two statements: they are locked in one order before
        both = (instance.id for reading in readings for instance in reading.plan.heard)
        upsert.hold({pk for pk in both if pk is not None})
    if repeats:
        _hear_again(repeats, times)
    written = _write_down(others, further, times) if others else {}
    return [_taken(reading, written) for reading in readings]


def _write_down(
    readings: Sequence[_Reading], further: Collection[int], times: Times
) -> dict[upsert.RowKey, upsert.Written]:
    """Everything but repeats: give each alert its incident, and write both."""
    incidents = _lock_incidents(readings, further)
    for each in readings:
        homes.find(each.plan, each.strands, incidents, *each.sent, each.actor, times)
    written = _write_alerts(readings, times.seen_at)
    for each in readings:
        _lend(each.group, incidents, times.seen_at)
    _tell(readings, times)
    for each in readings:
        _follow(each.strands, each.plan)
    return written


def _taken(reading: _Reading, written: Mapping[upsert.RowKey, upsert.Written]) -> Taken:
    plan, group = reading.plan, reading.group
    if _is_repeat(reading):
        assert group.incident_number is not None, "it is a repeat"
        notification = reading.sent.notification
        counts = {**_none_of(notification), "unchanged": len(notification.alerts)}
        return Taken(group.id, counts, [group.incident_number])
    touched = sorted({incident.number for incident in plan.home.values()})
    return Taken(group.id, _counts(reading, written), touched)


def _take(
    parcels: Sequence[Parcel], further: Collection[int], now: datetime, replay_of: Delivery | None
) -> list[Receipt]:
    received_at = now if replay_of is None else replay_of.received_at
    taken = take_in([parcel.sent for parcel in parcels], further, Times.of_receipt(received_at, now))
    records = [
        deliveries.Record(
            *(parcel.sent.integration, parcel.body, Delivery.Outcome.TAKEN, 200),
            quarantined=deliveries.put_aside(parcel.sent.notification),
            **each._asdict(),
        )
        for parcel, each in zip(parcels, taken, strict=True)
    ]
    keys = deliveries.record(records, now=now)
    for pk in keys:
        _mark(pk, replay_of)
    return [Receipt(pk, each.counts, each.incidents) for pk, each in zip(keys, taken, strict=True)]


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
    [pk] = deliveries.record(
        [deliveries.Record(integration, body, Delivery.Outcome.WAITING, 202, counts=counts)], now=now
    )
    FanOut.objects.create(delivery_id=pk, lane=str(integration.pk), due_at=Now())
    wake.after_commit(wake.WORK)
    _mark(pk, replay_of)
    return Receipt(pk, counts, [], is_waiting=True)


def _end(delivery: Delivery, outcome: Delivery.Outcome, **fields: Any) -> None:
    waiting = Delivery.objects.filter(pk=delivery.pk, outcome=Delivery.Outcome.WAITING)
    ended = waiting.update(outcome=outcome, **fields)
    assert ended, "a delivery is taken in once"


def _is_repeat(reading: _Reading) -> bool:
    """Whether all is known already, and belongs to the group's own incident: as most of what Alertmanager sends."""
    group = reading.group
    return (
        group.incident_number is not None
        and reading.plan.brings_nothing_new
        and all(instance.incident_id == group.incident_id for instance in reading.plan.heard)
    )


def _hear_again(repeats: Sequence[_Reading], times: Times) -> None:
    """Write down that they were heard, and nothing else."""
    heard = {
        instance.id: (instance, reading.group.id)
        for reading in repeats
        for instance in reading.plan.heard
        if instance.id is not None
    }
    if upsert.touch(heard, seen_at=times.seen_at) != len(heard):
        raise Overtaken


def _strands(sent: Sent, group: groups.Locked, plan: Plan, times: Times) -> homes.Strands:
    """What the alerts are correlated by, all of it locked; and where each of them goes. Signs of life are noted."""
    if sent.is_plain:
        return homes.Strands(group, {}, dict.fromkeys(plan.verdicts, routing.DEFAULT))
    integration = sent.integration
    said = _last_words(plan)
    destinations = {identity: routing.destination(integration.table, said[identity]) for identity in plan.verdicts}
    keys = {goes.key for goes in destinations.values() if goes.key}
    others = groups.lock_more(integration, keys, seen_at=times.seen_at)
    beats = [
        (identity, said[identity], goes.decision.said.get("heartbeat_interval"))
        for identity, goes in destinations.items()
        if goes.does == "heartbeat" and said[identity].status == "firing"
    ]
    if beats:
        heartbeats.heard(integration, beats, at=times.seen_at)
    return homes.Strands(group, others, destinations)


def _lock_incidents(readings: Sequence[_Reading], further: Collection[int]) -> dict[int, Incident]:
    """Every incident that these may touch, locked by id. A merged one brings the one that it went into: where that is
    not among them, all begins anew, as it may come before those that are locked."""
    wanted = set(further)
    for reading in readings:
        strands = reading.strands
        wanted |= reading.plan.incidents
        wanted |= {each.incident_id for each in (strands.group, *strands.others.values()) if each.incident_id}
    found = timeline.lock(wanted)
    if missing := {i.merged_into_id for i in found.values() if i.merged_into_id} - set(found):
        raise Overtaken(missing)
    return found


def _write_alerts(readings: Sequence[_Reading], seen_at: datetime) -> dict[upsert.RowKey, upsert.Written]:
    """Close what was overtaken, upsert what was delivered, and make sure that the database agrees with the plans."""
    overtaken = [pk for reading in readings for pk in reading.plan.overtaken]
    uncovered = [pk for reading in readings for pk in reading.plan.uncovered]
    if overtaken or uncovered or any(each.plan.has_several_of_one for each in readings):
        # What ends an instance is written before what begins one.
        known = (instance.id for reading in readings for instance in reading.plan.heard)
        upsert.hold({pk for pk in known if pk} | {*overtaken, *uncovered})
    if overtaken and upsert.close(overtaken) != len(overtaken):
        raise Overtaken
    if uncovered:
        upsert.await_again(uncovered)
    planned = [(row, reading.plan) for reading in readings for row in _rows(reading)]
    planned.sort(key=lambda each: (each[0].integration_id, each[0].fingerprint, each[0].labels_hash))
    foreseen = {row.key: was for row, plan in planned if (was := _foreseen(plan, row))}
    if upsert.write([row for row, _ in planned], foreseen, seen_at=seen_at) != foreseen:
        raise Overtaken
    return foreseen


def _rows(reading: _Reading) -> Iterable[upsert.Row]:
    """Those of one identity as they are to be written: what is resolved goes before what fires, as only one instance of
    a fingerprint may be open at any time."""
    plan = reading.plan
    for identity, verdict in plan.verdicts.items():
        delivered = verdict.delivered
        if len(delivered) > 1:
            delivered = sorted(delivered, key=lambda instance: (instance.is_firing, instance.starts_at))
        for instance in delivered:
            row = _row(reading, identity, instance)
            if verdict.promoted and instance.is_firing and instance.id is not None:
                row.was = upsert.PROMOTE
                if identity not in plan.moving:
                    row.incident_id = None  # it is in its incident already, or in one that is merged into it
            yield row
        if identity in plan.confirmed:
            yield _row(reading, identity, *plan.confirmed[identity])


def _foreseen(plan: Plan, row: upsert.Row) -> upsert.Written | None:
    """What becomes of the row if nobody else has written it since it was read."""
    known = plan.known.get((row.fingerprint, row.labels_hash, row.starts_at))
    if known is None and (confirmed := plan.confirmed.get((row.fingerprint, row.labels_hash))):
        known = confirmed[0] if confirmed[0].starts_at == row.starts_at else None
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


def _tell(readings: Sequence[_Reading], times: Times) -> None:
    """One entry for each notification, incident and kind of transition. That nothing fires any more is only known when
    all is written down."""
    drafts: list[tuple[Incident, timeline.Draft]] = []
    ended: dict[int, set[str]] = defaultdict(set)  # the fingerprints
    last_told: dict[int, tuple[Incident, Actor]] = {}
    for each in readings:
        fired, resolved = _by_incident(each.plan)
        for home, alerts in fired:
            drafts.append(
                (home, timeline.Draft(Entry.Kind.ALERTS_FIRED, each.actor, times.at, data=homes.listed(alerts)))
            )
        for home, alerts in resolved:
            told = homes.listed(alerts)
            drafts.append((home, timeline.Draft(Entry.Kind.ALERTS_RESOLVED, each.actor, times.at, data=told)))
            ended[home.pk] |= {alert.fingerprint for alert in alerts}
            last_told[home.pk] = home, each.actor
    still_firing = _still_firing(ended) if ended else {}
    cut_off = _cut_off(set(ended) - set(still_firing))
    for pk in sorted(ended):
        home, actor = last_told[pk]
        if pk not in still_firing:
            clear = {"cut_off": True} if pk in cut_off else {}
            drafts.append((home, timeline.Draft(Entry.Kind.ALL_CLEAR, actor, times.now, data=clear)))
        elif _is_enough(home, ended[pk]):
            policy = {"policy": home.resolves}
            drafts.append((home, timeline.Draft(Entry.Kind.ALL_CLEAR, actor, times.now, data=policy)))
    timeline.extend(drafts, now=times.now)
    for each in readings:
        _link_slos(each.plan, each.actor, times.now)


def _by_incident(plan: Plan) -> tuple[list[_Told], list[_Told]]:
    """What fired, but for what opened an incident and is told with that; and what ended, with its last words."""
    fired: dict[int, list[payload.Alert]] = defaultdict(list)
    ended: dict[int, list[payload.Alert]] = defaultdict(list)
    by_id = {incident.id: incident for incident in plan.home.values()}
    last_words = _last_words(plan) if plan.ended else {}
    for identity, alert in plan.fired:
        if (home := plan.home.get(identity)) is not None and home not in plan.opened:
            fired[home.id].append(alert)
    for identity in plan.ended:
        if (home := plan.home.get(identity)) is not None:
            ended[home.id].append(last_words[identity])
    return (
        [(by_id[pk], alerts) for pk, alerts in sorted(fired.items())],
        [(by_id[pk], alerts) for pk, alerts in sorted(ended.items())],
    )


def _is_enough(incident: Incident, ended: Collection[str]) -> bool:
    """Whether its route lets it resolve although others still fire, or may."""
    if incident.resolves == Incident.Resolves.FIRST:
        entry = incident.entries.filter(kind=Entry.Kind.ALERTS_FIRED).order_by("seq").first()
        return entry is not None and any(first["fingerprint"] in ended for first in entry.data["alerts"][:1])
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


def _open_of_group(sent: Sent) -> set[int]:
    """The open incidents with the group's own correlation key, and with those that routes give its alerts."""
    integration, notification = sent
    keys = {routing.destination(integration.table, alert).key for alert in notification.alerts} - {""}
    wanted = [groups.correlation_key(integration, notification), *groups.correlation_keys(integration, keys)]
    return set(Incident.objects.open().filter(correlation_key__in=wanted).values_list("pk", flat=True))


def _counts(reading: _Reading, written: Mapping[upsert.RowKey, upsert.Written]) -> dict[str, int]:
    """How many alerts of the delivery fired, resolved, changed in what they say, or brought nothing new."""
    plan, notification = reading.plan, reading.sent.notification
    counts = _none_of(notification)
    fired = {(*identity, alert.starts_at) for identity, alert in plan.fired}
    for identity, verdict in plan.verdicts.items():
        for instance in verdict.delivered:
            key = (*identity, instance.starts_at)
            before = written.get((reading.sent.integration.pk, *key))
            if key in fired:
                counts["opened"] += 1
            elif plan.sent[key].status == "resolved" and (before is None or before.was == Alert.Status.FIRING):
                counts["resolved"] += 1
            elif before is None or instance.content_hash != plan.sent[key].content_hash:
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


def _cut_off(incidents: Collection[int]) -> set[int]:
    """Of which of these Alertmanager leaves out alerts, which may fire: the quiet waits for them."""
    if not incidents:
        return set()
    cut = Alert.objects.filter(incident__in=incidents, group__truncated__gt=0).order_by()
    return set(cut.values_list("incident", flat=True).distinct())


def _last_words(plan: Plan) -> dict[Identity, payload.Alert]:
    """The latest instance of each identity in the delivery."""
    return {(fingerprint, labels): plan.sent[fingerprint, labels, at] for fingerprint, labels, at in sorted(plan.sent)}


def _row(
    reading: _Reading, identity: Identity, instance: rules.Instance, said: payload.Alert | None = None
) -> upsert.Row:
    """The row of this instance, with what is `said` of it, or was sent with its start."""
    plan = reading.plan
    alert = said or plan.sent[(*identity, instance.starts_at)]
    home = plan.home.get(identity)
    return upsert.Row(
        reading.sent.integration.pk,
        reading.group.id,
        *identity,
        starts_at=instance.starts_at,
        ends_at=instance.ends_at,
        status="firing" if instance.is_firing else "resolved",
        was="",
        superseded=instance.superseded,
        provisional_since=instance.provisional_since,
        name=alert.name,
        labels=alert.labels,
        annotations=alert.annotations,
        generator_url=alert.generator_url,
        content_hash=alert.content_hash,
        incident_id=home.id if home else None,
        waits_for=plan.waits_for.get(identity),
        routed=plan.told.get(identity),
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
