"""A delivery becomes rows: one transaction, a constant number of statements, and only then an answer.

Locks are taken in one order, here and everywhere: the group, incidents by id, the number counter, alerts by
fingerprint.
What two deliveries do at once is decided by constraints and by what the upsert returns: where that is not what was
planned, the transaction is undone and done again with what has become visible meanwhile.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Q

from alerts import payload, routing, rules, upsert
from alerts.models import Alert, Delivery, Group, Integration, RawBody
from alerts.payload import Notification
from common.errors import DomainError
from common.text import shortened, storable
from incidents import impact, lifecycle, timeline
from incidents.models import Entry, Incident
from people.actors import Actor, alerts_from

_TRIES = 5
_SHOWN = 200  # quarantined alerts that a delivery tells of one by one; the raw body has them all

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


@dataclass(slots=True)
class _Plan:
    """What a delivery means, before anything of it is written."""

    verdicts: dict[Identity, rules.Verdict]
    sent: dict[tuple[str, str, datetime], payload.Alert]
    fired: list[tuple[Identity, payload.Alert]] = field(default_factory=list)  # not open before, open now
    ended: list[tuple[Identity, rules.Instance]] = field(default_factory=list)  # open before, not open now
    overtaken: list[int] = field(default_factory=list)  # ids of rows that another instance replaces
    home: dict[Identity, Incident] = field(default_factory=dict)  # which incident an identity belongs to


def receive(integration: Integration, body: bytes, *, now: datetime) -> Receipt:
    """Take a delivery in. Returns after the commit; raises payload.BadPayload (the body is then kept as refused),
    Contended, or a database error, and then nothing of it is kept."""
    try:
        notification = payload.parse(body)
    except payload.BadPayload as exc:
        refuse(integration, body, size=len(body), status=exc.status, reason=exc.message, now=now)
        raise
    further: set[int] = set()
    for _ in range(_TRIES):
        try:
            with transaction.atomic(durable=True):
                return _take(integration, notification, body, further, now)
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


def _take(
    integration: Integration, notification: Notification, body: bytes, further: Collection[int], now: datetime
) -> Receipt:
    actor = alerts_from(integration.slug, integration.name)
    group = _lock_group(integration, notification, now)
    plan = _plan(integration, notification, now)
    incidents = _lock_incidents(plan, group, further)
    opened = _find_homes(plan, group, incidents, integration, notification, actor, now)
    written = _write_alerts(integration, group, plan, now)
    _lend(group, incidents, now)
    touched = _tell(plan, opened, actor, now)
    _follow(group, plan, opened)
    counts = _counts(plan, notification, written)
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
        quarantined=[asdict(q) for q in notification.quarantined[:_SHOWN]],
    )
    return Receipt(delivery.id, counts, touched)


def _lock_group(integration: Integration, notification: Notification, now: datetime) -> Group:
    """The group's row, made where it is new, and locked."""
    key_hash = _hash_of(notification)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO alerts_group (integration_id, key_hash, key, truncated, last_seen_at) "
            "VALUES (%s, %s, %s, %s, %s) ON CONFLICT (integration_id, key_hash) DO UPDATE "
            "SET truncated = excluded.truncated, last_seen_at = excluded.last_seen_at "
            "RETURNING id, incident_id",
            [
                *(integration.pk, key_hash, notification.group_key, notification.truncated),
                connection.ops.adapt_datetimefield_value(now),
            ],
        )
        pk, incident_id = cursor.fetchone()
    return Group(
        pk=pk, integration=integration, key_hash=key_hash, key=notification.group_key, incident_id=incident_id,
        truncated=notification.truncated, last_seen_at=now,
    )  # fmt: skip


def _plan(integration: Integration, notification: Notification, now: datetime) -> _Plan:
    """Read what is known of these fingerprints (one statement), and fold the delivery into it (none)."""
    sent: dict[Identity, list[payload.Alert]] = defaultdict(list)
    for alert in notification.alerts:
        sent[alert.fingerprint, alert.labels_hash].append(alert)
    known = _known(integration, notification.alerts)
    grace = timedelta(seconds=settings.ENV.provisional_grace)
    plan = _Plan({}, {})
    for identity in sorted(sent):
        arrived = [_instance(alert) for alert in sent[identity]]
        verdict = rules.judge(known.get(identity, ()), arrived, now=now, grace=grace)
        plan.verdicts[identity] = verdict
        plan.sent |= {(*identity, alert.starts_at): alert for alert in sent[identity]}
        plan.overtaken += [old.id for old in verdict.overtaken if old.id is not None]
        if verdict.is_open and not verdict.was_open:
            plan.fired.append((identity, plan.sent[(*identity, verdict.is_open.starts_at)]))
        if verdict.was_open and not verdict.is_open:
            plan.ended.append((identity, verdict.was_open))
    return plan


def _known(integration: Integration, alerts: Sequence[payload.Alert]) -> dict[Identity, list[rules.Instance]]:
    """The instances that can matter: those open, those that start or end after the earliest start now delivered."""
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
        *("id", "incident_id", "content_hash"),
    )
    for fingerprint, labels_hash, starts_at, ends_at, status, superseded, provisional, pk, incident_id, content in rows:
        known[fingerprint, labels_hash].append(
            rules.Instance(
                starts_at, ends_at, status == Alert.Status.FIRING, superseded, provisional, pk, incident_id, content
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
    now: datetime,
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
        candidate = own if moved else (of_group or own)
        if candidate is None or not _takes(candidate, starts_at, now, is_known=own is candidate, actor=actor):
            homeless.append((identity, plan.sent[(*identity, starts_at)]))
        else:
            plan.home[identity] = candidate
    opened = None
    if homeless:
        opened = _open(integration, group, notification, [alert for _, alert in homeless], actor, now)
        plan.home |= {identity: opened for identity, _ in homeless}
    # What comes resolved and was never heard of opens nothing, but is shown with the others of its group.
    shown_in = opened or (of_group if of_group is not None and of_group.is_open else None)
    if shown_in is not None:
        plan.home = dict.fromkeys(plan.verdicts, shown_in) | plan.home
    return opened


def _takes(incident: Incident, starts_at: datetime, now: datetime, *, is_known: bool, actor: Actor) -> bool:
    """Does this incident take an alert that now fires? One that has ended is reopened by an alert that starts later, or
    that it never knew, within the window; what it knew and what goes on firing changes nothing."""
    if incident.is_open:
        return True
    ended_at = incident.resolved_at or incident.updated_at
    if is_known and starts_at <= ended_at:
        return True
    if now - ended_at > timedelta(seconds=settings.ENV.reopen_window) or incident.status == Status.CLOSED:
        return False
    try:
        with transaction.atomic():
            return lifecycle.reopen(incident, by=actor, now=now)
    except IntegrityError:  # another one of this correlation key is open
        return False


def _open(
    integration: Integration,
    group: Group,
    notification: Notification,
    alerts: list[payload.Alert],
    actor: Actor,
    now: datetime,
) -> Incident:
    fields = routing.fields(integration, notification, alerts)
    return lifecycle.open_incident(
        str(fields.pop("title")),
        by=actor,
        now=now,
        opening=[timeline.Draft(Entry.Kind.ALERTS_FIRED, actor, now, data=_listed(alerts))],
        started_at=min(now, *(alert.starts_at for alert in alerts)),
        detected_at=now,
        correlation_key=_correlation_key(group),
        **fields,
    )


def _write_alerts(
    integration: Integration, group: Group, plan: _Plan, now: datetime
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
            row = _row(identity, instance, plan.sent[(*identity, instance.starts_at)], home, promoted=promoted)
            rows.append(row)
            expected[row.key] = instance
    written = upsert.write(integration.pk, group.pk, rows, now=now)
    for row in rows:
        got = written[row.key]
        if (got.was == "") != (expected[row.key].id is None) or got.status != row.status:
            raise _Overtaken
        if row.incident_id is not None and got.was == "" and got.incident_id != row.incident_id:
            raise _Overtaken
    return written


def _lend(group: Group, incidents: dict[int, Incident], now: datetime) -> None:
    """What is new to a group whose incident is merged comes back to that one when it is so no more."""
    incident = incidents.get(group.incident_id or 0)
    if incident is not None and incident.merged_into_id is not None:
        new = Alert.objects.filter(group=group, incident=incident.merged_into_id, first_seen_at=now, merged_from=None)
        new.update(merged_from=incident)


def _tell(plan: _Plan, opened: Incident | None, actor: Actor, now: datetime) -> list[int]:
    """One entry for each incident and kind of transition; the numbers of the incidents that were touched."""
    fired: dict[int, list[payload.Alert]] = defaultdict(list)
    ended: dict[int, list[rules.Instance]] = defaultdict(list)
    names: dict[int, list[payload.Alert]] = defaultdict(list)
    by_id = {incident.pk: incident for incident in plan.home.values()}
    for identity, alert in plan.fired:
        if (home := plan.home[identity]) is not opened:
            fired[home.pk].append(alert)
    for identity, instance in plan.ended:
        if (home_of := plan.home.get(identity)) is not None:
            ended[home_of.pk].append(instance)
            names[home_of.pk].append(_last_word(plan, identity))
    drafts = [
        (by_id[pk], timeline.Draft(Entry.Kind.ALERTS_FIRED, actor, now, data=_listed(alerts)))
        for pk, alerts in sorted(fired.items())
    ]
    still_firing = _still_firing(ended) if ended else {}
    for pk in sorted(ended):
        drafts.append((by_id[pk], timeline.Draft(Entry.Kind.ALERTS_RESOLVED, actor, now, data=_listed(names[pk]))))
        if not still_firing.get(pk):
            drafts.append((by_id[pk], timeline.Draft(Entry.Kind.ALL_CLEAR, actor, now)))
    timeline.append(drafts, now=now)
    _link_slos(plan, actor, now)
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
    """Keep the bytes, once for each content; returns their hash."""
    digest = sha256(body).digest()
    RawBody.objects.bulk_create([RawBody(sha256=digest, body=body)], ignore_conflicts=True)
    return digest


def _still_firing(incidents: Iterable[int]) -> dict[int, int]:
    counted = Alert.objects.firing().filter(incident__in=list(incidents)).order_by().values_list("incident")
    return dict(counted.annotate(n=Count("id")))


def _last_word(plan: _Plan, identity: Identity) -> payload.Alert:
    """The latest instance of an identity in the delivery."""
    return max((alert for key, alert in plan.sent.items() if key[:2] == identity), key=lambda alert: alert.starts_at)


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
    return {
        "count": len(alerts),
        "alerts": [
            {"fingerprint": a.fingerprint, "name": shortened(a.name, 300), "starts_at": a.starts_at.isoformat()}
            for a in alerts
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
