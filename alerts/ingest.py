"""A delivery becomes rows: one transaction, a constant number of statements, and only then an answer. One of very many
alerts is kept in that transaction, and its alerts are taken in by `fanout` soon after.

Locks are taken in one order, here and everywhere: the group, incidents by id, the number counter, alerts by
fingerprint.
What two deliveries do at once is decided by constraints and by what the upsert returns: where that is not what was
planned, the transaction is undone and done again with what has become visible meanwhile.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Protocol, TypeAlias, TypeVar

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Q
from django.db.models.functions import Now

from alerts import payload, routing, rules, upsert
from alerts.models import Alert, Delivery, FanOut, Group, Integration
from alerts.payload import Notification
from common import wake
from common.errors import DomainError
from common.text import shortened, storable
from incidents import impact, lifecycle, timeline
from incidents.models import Entry, Incident
from people.actors import Actor, alerts_from

AT_ONCE = 500  # alerts of one delivery that its request takes in itself

_TRIES = 5
_SHOWN = 200  # quarantined alerts that a delivery tells of one by one; the raw body has them all
_LISTED = 500  # alerts that an entry lists one by one; it counts them all

Written = TypeVar("Written")
Write: TypeAlias = Callable[[Collection[int]], Written]


class Judge(Protocol):
    """Of what is known of a fingerprint and what is said of it, what it is now."""

    def __call__(
        self, known: Iterable[rules.Instance], named: Iterable[rules.Instance], /, *, now: datetime, grace: timedelta
    ) -> rules.Verdict: ...


Status = Incident.Status
Identity = tuple[str, str]  # fingerprint and hash of the labels


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


@dataclass(frozen=True, slots=True)
class Times:
    """What is taken in was heard `at` a time, by which the rules judge it; it is written down `now`, and its alerts
    were last delivered when they were `seen_at`. All three are the same for what a request takes in."""

    at: datetime
    now: datetime
    seen_at: datetime

    @classmethod
    def of_receipt(cls, received_at: datetime, now: datetime) -> Times:
        at = min(received_at, now)  # whose clock is ahead has received nothing in our future
        return cls(at, now, at)


@dataclass(slots=True)
class _Plan:
    """What a delivery means, before anything of it is written."""

    verdicts: dict[Identity, rules.Verdict]
    sent: dict[tuple[str, str, datetime], payload.Alert]
    fired: list[tuple[Identity, payload.Alert]] = field(default_factory=list)  # not open before, open now
    ended: list[tuple[Identity, rules.Instance]] = field(default_factory=list)  # open before, not open now
    overtaken: list[int] = field(default_factory=list)  # ids of rows that another instance replaces
    home: dict[Identity, Incident] = field(default_factory=dict)  # which incident an identity belongs to
    moving: set[Identity] = field(default_factory=set)  # what returned after its own incident was over, to another


def receive(integration: Integration, body: bytes, *, now: datetime) -> Receipt:
    """Take a delivery in, or keep it until its alerts are. Returns after the commit; raises payload.BadPayload (the
    body is then kept as refused), Contended, or a database error, and then nothing of it is kept."""
    try:
        received = payload.count(body)
        if received > AT_ONCE:
            return _put_off(integration, body, received, now)
        notification = payload.parse(body)
    except payload.BadPayload as exc:
        refuse(integration, body, size=len(body), status=exc.status, reason=exc.message, now=now)
        raise

    def write(further: Collection[int]) -> Receipt:
        with transaction.atomic(durable=True):
            return _take(integration, notification, body, further, now)

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
            if not _is_race(exc):
                raise
            # Such as an incident of this group that people have reopened, after the group had gone on to another.
            further |= _open_of_group(integration, notification)
    raise Contended("The same alerts are being delivered from several sides. Send again.")


@transaction.atomic(durable=True)
def refuse(
    integration: Integration, body: bytes | None, *, size: int, status: int, reason: str, now: datetime
) -> Delivery:
    """Keep what was refused for its content, so that an admin can see it. `body` is None when it was not read."""
    raw = _keep(body) if body is not None else None
    return Delivery.objects.create(
        id=uuid.uuid4(),
        integration=integration,
        received_at=now,
        outcome=Delivery.Outcome.REFUSED,
        status=status,
        reason=shortened(storable(reason), 500),
        raw_id=raw,
        size=size,
    )


def complete(delivery: Delivery, notification: Notification, further: Collection[int], *, now: datetime) -> None:
    """Take in the alerts of a delivery that waits, and say in it what became of them. Needs the transaction in which
    `settle` does this."""
    times = Times.of_receipt(delivery.received_at, now)
    group, counts, touched = take_in(delivery.integration, notification, further, times)
    _end(delivery, Delivery.Outcome.TAKEN, group=group, counts=counts, incidents=touched, **_put_aside(notification))


def give_up(delivery: Delivery, reason: str) -> None:
    """Refuse a delivery after all, as its alerts cannot be read."""
    _end(delivery, Delivery.Outcome.REFUSED, reason=shortened(storable(reason), 500))


def take_in(
    integration: Integration,
    notification: Notification,
    further: Collection[int],
    times: Times,
    judge: Judge = rules.judge,
) -> tuple[Group, dict[str, int], list[int]]:
    """Write down what the notification says, as it is judged: its group, what became of its alerts, and the numbers of
    the incidents that it touched. Needs the transaction in which `settle` does this."""
    actor = alerts_from(integration.slug, integration.name)
    group = _lock_group(integration, notification, times.seen_at)
    plan = _plan(integration, notification, times, judge)
    incidents = _lock_incidents(plan, group, further)
    opened = _find_homes(plan, group, incidents, integration, notification, actor, times)
    written = _write_alerts(integration, group, plan, times.seen_at)
    _lend(group, incidents, times.seen_at)
    touched = _tell(plan, opened, actor, times)
    _follow(group, plan, opened)
    return group, _counts(plan, notification, written), touched


def _take(
    integration: Integration, notification: Notification, body: bytes, further: Collection[int], now: datetime
) -> Receipt:
    group, counts, touched = take_in(integration, notification, further, Times.of_receipt(now, now))
    delivery = Delivery.objects.create(
        id=uuid.uuid4(),
        integration=integration,
        group=group,
        received_at=now,
        outcome=Delivery.Outcome.TAKEN,
        status=200,
        raw_id=_keep(body),
        size=len(body),
        counts=counts,
        incidents=touched,
        **_put_aside(notification),
    )
    return Receipt(delivery.id, counts, touched)


@transaction.atomic(durable=True)
def _put_off(integration: Integration, body: bytes, received: int, now: datetime) -> Receipt:
    """Keep the delivery, and have its alerts taken in by the engine."""
    delivery = Delivery.objects.create(
        id=uuid.uuid4(),
        integration=integration,
        received_at=now,
        outcome=Delivery.Outcome.WAITING,
        status=202,
        raw_id=_keep(body),
        size=len(body),
        counts={"received": received},
    )
    FanOut.objects.create(delivery=delivery, lane=str(integration.pk), due_at=Now())
    wake.after_commit(wake.WORK)
    return Receipt(delivery.id, delivery.counts, [], is_waiting=True)


def _end(delivery: Delivery, outcome: Delivery.Outcome, **fields: object) -> None:
    waiting = Delivery.objects.filter(pk=delivery.pk, outcome=Delivery.Outcome.WAITING)
    ended = waiting.update(outcome=outcome, **fields)
    assert ended, "a delivery is taken in once"


def _put_aside(notification: Notification) -> dict[str, list[dict[str, object]]]:
    return {"quarantined": [asdict(q) for q in notification.quarantined[:_SHOWN]]}


def _lock_group(integration: Integration, notification: Notification, seen_at: datetime) -> Group:
    """The group's row, made where it is new, and locked. What its latest delivery said of it stands."""
    key_hash = _hash_of(notification)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO alerts_group (integration_id, key_hash, key, truncated, last_seen_at) "
            "VALUES (%s, %s, %s, %s, %s) ON CONFLICT (integration_id, key_hash) DO UPDATE "
            "SET truncated = CASE WHEN excluded.last_seen_at >= alerts_group.last_seen_at "
            "THEN excluded.truncated ELSE alerts_group.truncated END, "
            "last_seen_at = CASE WHEN excluded.last_seen_at >= alerts_group.last_seen_at "
            "THEN excluded.last_seen_at ELSE alerts_group.last_seen_at END "
            "RETURNING id, incident_id",
            [
                *(integration.pk, key_hash, notification.group_key, notification.truncated),
                connection.ops.adapt_datetimefield_value(seen_at),
            ],
        )
        pk, incident_id = cursor.fetchone()
    return Group(
        pk=pk, integration=integration, key_hash=key_hash, key=notification.group_key, incident_id=incident_id,
        truncated=notification.truncated, last_seen_at=seen_at,
    )  # fmt: skip


def _plan(integration: Integration, notification: Notification, times: Times, judge: Judge) -> _Plan:
    """Read what is known of these fingerprints (one statement), and fold the delivery into it (none)."""
    sent: dict[Identity, list[payload.Alert]] = defaultdict(list)
    for alert in notification.alerts:
        sent[alert.fingerprint, alert.labels_hash].append(alert)
    known = _known(integration, notification.alerts, is_late=times.at < times.now)
    grace = timedelta(seconds=settings.ENV.provisional_grace)
    plan = _Plan({}, {})
    for identity in sorted(sent):
        arrived = [_instance(alert) for alert in sent[identity]]
        verdict = judge(known.get(identity, ()), arrived, now=times.at, grace=grace)
        plan.verdicts[identity] = verdict
        plan.sent |= {(*identity, alert.starts_at): alert for alert in sent[identity]}
        plan.overtaken += [old.id for old in verdict.overtaken if old.id is not None]
        if verdict.is_open and not verdict.was_open:
            plan.fired.append((identity, plan.sent[(*identity, verdict.is_open.starts_at)]))
        if verdict.was_open and not verdict.is_open:
            plan.ended.append((identity, verdict.was_open))
    return plan


def _known(
    integration: Integration, alerts: Sequence[payload.Alert], *, is_late: bool
) -> dict[Identity, list[rules.Instance]]:
    """The instances that can matter: those open, those that start or end after the earliest start now delivered. What
    is taken in late may be older than what is known: then they say since when."""
    known: dict[Identity, list[rules.Instance]] = defaultdict(list)
    if not alerts:
        return known
    earliest = min(alert.starts_at for alert in alerts)
    rows = Alert.objects.filter(
        Q(status=Alert.Status.FIRING) | Q(starts_at__gte=earliest) | Q(ends_at__gt=earliest),
        integration=integration,
        fingerprint__in=upsert.among([alert.fingerprint for alert in alerts]),
    ).values_list(
        *("fingerprint", "labels_hash", "starts_at", "ends_at", "status", "superseded", "provisional_since"),
        *("id", "incident_id", "content_hash", "last_seen_at"),
    )
    for fingerprint, labels_hash, starts_at, ends_at, status, superseded, provisional, pk, incident_id, *rest in rows:
        content_hash, seen_at = rest
        known[fingerprint, labels_hash].append(
            rules.Instance(
                starts_at=starts_at,
                ends_at=ends_at,
                is_firing=status == Alert.Status.FIRING,
                superseded=superseded,
                provisional_since=provisional,
                id=pk,
                incident_id=incident_id,
                content_hash=content_hash,
                seen_at=seen_at if is_late else None,
            )
        )
    return known


def _lock_incidents(plan: _Plan, group: Group, further: Collection[int]) -> dict[int, Incident]:
    """Every incident that this delivery may touch, locked by id. A merged one brings the one that it went into: where
    that is not among them, all begins anew, as it may come before those that are locked."""
    wanted = {
        instance.incident_id
        for verdict in plan.verdicts.values()
        for instance in (verdict.was_open, verdict.is_open, *verdict.delivered)
        if instance and instance.incident_id
    } | set(further)
    if group.incident_id:
        wanted.add(group.incident_id)
    if not wanted:
        return {}
    found = {i.pk: i for i in Incident.objects.select_for_update().filter(pk__in=wanted).order_by("pk")}
    if missing := {i.merged_into_id for i in found.values() if i.merged_into_id} - set(found):
        raise _Overtaken(missing)
    return found


def _find_homes(
    plan: _Plan,
    group: Group,
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

    key = _correlation_key(group)
    of_group = next((i for i in incidents.values() if i.is_open and i.correlation_key == key), None)
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
    group: Group,
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
        opening=[timeline.Draft(Entry.Kind.ALERTS_FIRED, actor, times.at, data=_listed(alerts))],
        started_at=min(times.at, *(alert.starts_at for alert in alerts)),
        detected_at=times.at,
        correlation_key=_correlation_key(group),
        **fields,
    )


def _write_alerts(
    integration: Integration, group: Group, plan: _Plan, seen_at: datetime
) -> dict[tuple[str, str, datetime], upsert.Written]:
    """Close what was overtaken, upsert what was delivered, and make sure that the database agrees with the plan."""
    if plan.overtaken:
        closed = Alert.objects.filter(id__in=plan.overtaken, status=Alert.Status.FIRING).update(
            was=Alert.Status.FIRING, status=Alert.Status.RESOLVED, superseded=True
        )
        if closed != len(plan.overtaken):
            raise _Overtaken
    rows = []
    expected = {}
    for identity, verdict in plan.verdicts.items():
        home = plan.home.get(identity)
        # What is resolved goes before what fires, as only one instance of a fingerprint may be open at any time.
        for instance in sorted(verdict.delivered, key=lambda i: (i.is_firing, i.starts_at)):
            promoted = verdict.promoted and instance.is_firing and instance.id is not None
            if promoted and identity not in plan.moving:
                home = None  # it is in its incident already, or in one that is merged into it
            row = _row(identity, instance, plan.sent[(*identity, instance.starts_at)], home, promoted=promoted)
            rows.append(row)
            expected[row.key] = instance
    written = upsert.write(integration.pk, group.pk, rows, seen_at=seen_at)
    for row in rows:
        got = written[row.key]
        if (got.was == "") != (expected[row.key].id is None) or got.status != row.status:
            raise _Overtaken
        if row.incident_id is not None and got.was == "" and got.incident_id != row.incident_id:
            raise _Overtaken
    return written


def _lend(group: Group, incidents: dict[int, Incident], seen_at: datetime) -> None:
    """What is new to a group whose incident is merged comes back to that one when it is so no more."""
    incident = incidents.get(group.incident_id or 0)
    if incident is not None and incident.merged_into_id is not None:
        new = Alert.objects.filter(
            group=group, incident=incident.merged_into_id, first_seen_at=seen_at, merged_from=None
        )
        new.update(merged_from=incident)


def _tell(plan: _Plan, opened: Incident | None, actor: Actor, times: Times) -> list[int]:
    """One entry for each incident and kind of transition; the numbers of the incidents that were touched. That nothing
    fires any more is only known when it is written down."""
    fired: dict[int, list[payload.Alert]] = defaultdict(list)
    ended: dict[int, list[rules.Instance]] = defaultdict(list)
    names: dict[int, list[payload.Alert]] = defaultdict(list)
    by_id = {incident.pk: incident for incident in plan.home.values()}
    last_words = _last_words(plan) if plan.ended else {}
    for identity, alert in plan.fired:
        if (home := plan.home[identity]) is not opened:
            fired[home.pk].append(alert)
    for identity, instance in plan.ended:
        if (home_of := plan.home.get(identity)) is not None:
            ended[home_of.pk].append(instance)
            names[home_of.pk].append(last_words[identity])
    drafts = [
        (by_id[pk], timeline.Draft(Entry.Kind.ALERTS_FIRED, actor, times.at, data=_listed(alerts)))
        for pk, alerts in sorted(fired.items())
    ]
    still_firing = _still_firing(ended) if ended else {}
    for pk in sorted(ended):
        resolved = timeline.Draft(Entry.Kind.ALERTS_RESOLVED, actor, times.at, data=_listed(names[pk]))
        drafts.append((by_id[pk], resolved))
        if not still_firing.get(pk):
            drafts.append((by_id[pk], timeline.Draft(Entry.Kind.ALL_CLEAR, actor, times.now)))
    timeline.append(drafts, now=times.now)
    _link_slos(plan, actor, times.now)
    return sorted({incident.number for incident in plan.home.values()})


def _link_slos(plan: _Plan, actor: Actor, now: datetime) -> None:
    """Link the SLOs that alerts name by their `slo_id` label."""
    named: dict[int, set[str]] = defaultdict(set)
    for identity, alert in plan.fired:
        if slug := alert.labels.get("slo_id"):
            named[plan.home[identity].pk].add(slug)
    by_id = {incident.pk: incident for incident in plan.home.values()}
    for pk, slugs in sorted(named.items()):
        impact.link_by_labels(by_id[pk], slugs, by=actor, now=now)


def _follow(group: Group, plan: _Plan, opened: Incident | None) -> None:
    """Point the group at the incident of its next alerts: the one that was opened, or the open one of its alerts where
    it has none, or where it is the group's own."""
    key = _correlation_key(group)
    open_ones = [opened] if opened else [i for i in plan.home.values() if i.is_open]
    own = [i for i in open_ones if group.incident_id is None or i.correlation_key == key]
    if own and own[0].pk != group.incident_id:
        group.incident = own[0]
        Group.objects.filter(pk=group.pk).update(incident=own[0])


def _correlation_key(group: Group) -> str:
    return f"{group.integration_id}:{group.key_hash}"


def _open_of_group(integration: Integration, notification: Notification) -> set[int]:
    """The open incident with the group's own correlation key, if there is one."""
    group = Group(integration=integration, key_hash=_hash_of(notification))
    return set(Incident.objects.open().filter(correlation_key=_correlation_key(group)).values_list("pk", flat=True))


def _counts(
    plan: _Plan, notification: Notification, written: dict[tuple[str, str, datetime], upsert.Written]
) -> dict[str, int]:
    """How many alerts of the delivery fired, resolved, changed in what they say, or brought nothing new."""
    counts = dict.fromkeys(("opened", "changed", "unchanged", "resolved"), 0)
    fired = {(*identity, alert.starts_at) for identity, alert in plan.fired}
    for identity, verdict in plan.verdicts.items():
        for instance in verdict.delivered:
            key = (*identity, instance.starts_at)
            if key in fired:
                counts["opened"] += 1
            elif written[key].status == Alert.Status.RESOLVED and written[key].was in ("", Alert.Status.FIRING):
                counts["resolved"] += 1
            elif written[key].was == "" or instance.content_hash != plan.sent[key].content_hash:
                counts["changed"] += 1
            else:
                counts["unchanged"] += 1
    counts["unchanged"] += len(notification.alerts) - len(plan.sent)
    return {"received": notification.received, **counts, "quarantined": len(notification.quarantined)}


def _hash_of(notification: Notification) -> str:
    return sha256(notification.group_key.encode()).hexdigest()


def _keep(body: bytes) -> bytes:
    """Keep the bytes, once for each content; returns their hash. Those that are kept already are locked, not written:
    so `retention` does not take away what a delivery is about to refer to."""
    digest = sha256(body).digest()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO alerts_rawbody (sha256, size, body) VALUES (%s, %s, %s) "
            "ON CONFLICT (sha256) DO UPDATE SET size = alerts_rawbody.size WHERE false",
            [digest, len(body), body],
        )
    return digest


def _still_firing(incidents: Iterable[int]) -> dict[int, int]:
    counted = Alert.objects.firing().filter(incident__in=list(incidents)).order_by().values_list("incident")
    return dict(counted.annotate(n=Count("id")))


def _last_words(plan: _Plan) -> dict[Identity, payload.Alert]:
    """The latest instance of each identity in the delivery."""
    return {(fingerprint, labels): plan.sent[fingerprint, labels, at] for fingerprint, labels, at in sorted(plan.sent)}


def _instance(alert: payload.Alert) -> rules.Instance:
    return rules.Instance(alert.starts_at, alert.ends_at, alert.status == "firing", content_hash=alert.content_hash)


def _row(
    identity: Identity, instance: rules.Instance, alert: payload.Alert, home: Incident | None, *, promoted: bool
) -> upsert.Row:
    return upsert.Row(
        *identity,
        starts_at=instance.starts_at,
        ends_at=instance.ends_at,
        status=Alert.Status.FIRING if instance.is_firing else Alert.Status.RESOLVED,
        was=upsert.PROMOTE if promoted else "",
        superseded=instance.superseded,
        provisional_since=instance.provisional_since,
        name=shortened(alert.name, 300),
        labels=alert.labels,
        annotations=alert.annotations,
        generator_url=alert.generator_url,
        content_hash=alert.content_hash,
        incident_id=home.pk if home else None,
    )


def _listed(alerts: Sequence[payload.Alert]) -> dict[str, object]:
    """How many, and the first of them: so many are listed that any delivery has room that a request takes in."""
    return {
        "count": len(alerts),
        "alerts": [
            {"fingerprint": a.fingerprint, "name": shortened(a.name, 300), "starts_at": a.starts_at.isoformat()}
            for a in alerts[:_LISTED]
        ],
    }


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
