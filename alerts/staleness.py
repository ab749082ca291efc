"""What fires and is not confirmed any more: Alertmanager repeats what fires, and a resolve may never come.

A firing alert of an incident, or that waits for one, that is not repeated within twice the interval of its integration
counts as stale: it goes on firing, and everybody sees since when nobody confirms it. Hearing of it again ends that. It
resolves by people, or after a time where the integration says so. An incident that opens takes none in that is stale.

Where nobody says how often an integration repeats, that is learned, so that a wrong "stale" is rarer than a late one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from operator import itemgetter

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import Lag

from alerts import homes, retelling, rules
from alerts.models import Alert, Delivery, Group, Integration
from alerts.payload import Alert as Sent
from common import schedule
from incidents import timeline
from incidents.models import Entry
from people.actors import alerts_from

BATCH = 500  # alerts in one run; the next one goes on
SLACK = timedelta(minutes=5)  # the group interval, at whose ticks repeats come
LOOKED_BACK = timedelta(days=7)
SAMPLES = 20_000  # deliveries that an interval is learned from
# What comes sooner teaches nothing: the same notification of another node, or what is sent at each group interval as
# another receiver of the group fails.
_LEAST_GAP = timedelta(minutes=10)
_NO_GROUP_INTERVAL = timedelta(minutes=45)
_AGAIN = 3  # gaps of one length that show a longer one before to have been an exception


def look(*, now: datetime) -> int:
    """Find what is not confirmed any more, and end what has been so for as long as its integration waits. How many."""
    done = 0
    for integration in Integration.objects.all():
        late = _late(integration, integration.repeats_every, now)
        found = set(late.order_by().values_list("incident", flat=True)[:BATCH])
        if None in found:
            done += _mark_waiting(integration, now)
        of = sorted(found - {None})
        done += schedule.sweep(of, lambda pk, its=integration: _mark(its, pk, now))  # type: ignore[misc]
        _forget_what_was_cut_off(integration, now)
        if integration.stale_resolves_after is not None:
            over = now - timedelta(seconds=integration.stale_resolves_after)
            done += _end(_firing(integration).filter(stale_since__lte=over).order_by("id"), now)
    return done


def learn(*, now: datetime) -> int:
    """Learn from what was delivered how often each integration repeats what fires. For how many that was learned anew.

    It looks back as far as deliveries are kept, and at no more than SAMPLES of each integration, with three statements:
    where the oldest of these lies, by the index `delivery_latest` alone; all of them, by that index, each with the one
    before it in its group, of which only what came after a long gap leaves the database; and, where the interval would
    get shorter, which groups fire and are not heard of for longer than it, by `one_open_instance_per_fingerprint`.
    """
    learned = 0
    for integration in Integration.objects.filter(is_active=True):
        seconds = _learned(integration, now)
        if seconds != integration.learned_interval:
            Integration.objects.filter(pk=integration.pk).update(learned_interval=seconds)
            learned += 1
    return learned


def _learned(integration: Integration, now: datetime) -> int | None:
    """The interval of the slowest of its groups, in seconds; what is known where nothing is repeated. A shorter one
    than that counts only where a longer one would have shown."""
    since = _since(integration, now)
    gaps = _gaps(integration, since)
    seconds = max((round(_rhythm(found).total_seconds()) for found in gaps.values()), default=None)
    known = integration.learned_interval
    if known is None or known < _LEAST_GAP.total_seconds():
        return seconds
    if seconds is None or (seconds < known and _may_be_longer(integration, known, seconds, gaps.keys(), since, now)):
        return known
    return seconds


def _may_be_longer(
    integration: Integration, known: int, seconds: int, repeated: Collection[int], since: datetime, now: datetime
) -> bool:
    """Whether it may still be what is known: too little was looked at, or a group fires and was not repeated in all
    that time, though it should have been."""
    if now - since < min(timedelta(seconds=2 * known), LOOKED_BACK):
        return True
    awaited = _firing(integration).filter(stale_since=None, last_seen_at__lt=now - timedelta(seconds=seconds) - SLACK)
    return not set(awaited.order_by().values_list("group", flat=True).distinct()) <= set(repeated)


def _since(integration: Integration, now: datetime) -> datetime:
    """From when on deliveries are looked at."""
    newest = integration.deliveries.order_by("-received_at").values_list("received_at", flat=True)
    return max([now - LOOKED_BACK, *newest[SAMPLES : SAMPLES + 1]])


def _gaps(integration: Integration, since: datetime) -> dict[int, list[timedelta]]:
    """Of each group, in order, the times from a delivery to one that is only its repeat."""
    after_long = (
        integration.deliveries.filter(
            received_at__gt=since, outcome=Delivery.Outcome.TAKEN, group__isnull=False, replay_of=None
        )
        .annotate(before=Window(Lag("received_at"), partition_by="group_id", order_by="received_at"))
        .filter(before__lte=F("received_at") - _LEAST_GAP)
        .order_by()
    )
    gaps: dict[int, list[timedelta]] = defaultdict(list)
    rows = after_long.values_list("received_at", "group_id", "before", "counts")
    for at, group_id, before, counts in sorted(rows, key=itemgetter(0)):  # as many as the database would sort on disk
        if counts.get("received") and not counts.get("opened") and not counts.get("resolved"):
            gaps[group_id].append(at - before)
    return gaps


def _rhythm(gaps: Sequence[timedelta]) -> timedelta:
    """How often a group is repeated: its longest gap, as shorter ones come of other things, such as a second
    Alertmanager. One that is far longer than all others is an exception, such as a silence, once the group was repeated
    evenly after that."""
    longest = max(gaps)
    is_alone = sum(2 * gap >= longest for gap in gaps) == 1
    after = [gap for gap in gaps[gaps.index(longest) + 1 :] if gap >= _NO_GROUP_INTERVAL][-_AGAIN:]
    if is_alone and len(after) == _AGAIN and 4 * max(after) <= 5 * min(after):
        return _rhythm([gap for gap in gaps if gap != longest])
    return longest


def _patience(interval: timedelta) -> timedelta:
    return 2 * interval + SLACK


def _late(integration: Integration, interval: timedelta, now: datetime) -> QuerySet[Alert]:
    """What would be stale if it were repeated so often. What was not repeated yet may be of a group that is slower than
    all known ones: it has no less time than Alertmanager takes by itself, unless an admin says so."""
    alerts = _firing(integration).filter(stale_since=None, last_seen_at__lt=now - _patience(interval))
    by_itself = timedelta(seconds=settings.ENV.repeat_interval)
    if integration.repeat_interval or interval >= by_itself:
        return alerts
    return alerts.filter(Q(last_seen_at__gt=F("first_seen_at")) | Q(last_seen_at__lt=now - _patience(by_itself)))


def _firing(integration: Integration) -> QuerySet[Alert]:
    """What fires in an incident, or waits for one; of what is ignored nobody waits for a word."""
    firing = Alert.objects.firing().filter(integration=integration)
    return firing.filter(Q(incident__isnull=False) | Q(waits_for__isnull=False))


def _forget_what_was_cut_off(integration: Integration, now: datetime) -> None:
    """Of groups that are not heard of any more: had anything fired that Alertmanager left out, they would be."""
    silent = integration.groups.filter(truncated__gt=0, last_seen_at__lt=now - _patience(integration.repeats_every))
    silent.update(truncated=0)


@transaction.atomic
def _mark_waiting(integration: Integration, now: datetime) -> int:
    """The same of those that wait for an incident: they are not counted on until they are heard of again."""
    late = _late(integration, integration.repeats_every, now).filter(incident=None)
    locked = late.select_for_update(no_key=True).order_by("fingerprint", "labels_hash", "starts_at")
    alerts = list(locked.values_list("pk", flat=True)[:BATCH])
    return Alert.objects.filter(pk__in=alerts).update(stale_since=now)


@transaction.atomic
def _mark(integration: Integration, incident_id: int, now: datetime) -> bool:
    """Say of the alerts of this incident that they are not confirmed any more, in one entry."""
    incident = timeline.lock([incident_id])[incident_id]
    late = _late(integration, integration.repeats_every, now).filter(incident=incident_id)
    alerts = list(late.select_for_update().order_by("fingerprint", "labels_hash", "starts_at")[:BATCH])
    if not alerts:
        return False
    Alert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(stale_since=now)
    if incident.is_open:
        since = min(alert.last_seen_at for alert in alerts)
        told = {**homes.listed(alerts), "since": since.isoformat()}
        draft = timeline.Draft(Entry.Kind.ALERT_STALE, alerts_from(integration.slug, integration.name), now, data=told)
        timeline.extend([(incident, draft)], now=now)
    return True


def _end(alerts: QuerySet[Alert], now: datetime) -> int:
    """Let these resolve, group by group, as a delivery would."""
    groups = alerts.order_by().values_list("group", flat=True).distinct()[:BATCH]
    found = Group.objects.filter(pk__in=list(groups)).select_related("integration").order_by("pk")
    return schedule.sweep(
        found, lambda group: retelling.retell(group, alerts.filter(group=group), _ended, rules.judge, now=now)
    )


def _ended(alert: Alert) -> Sent:
    return Sent(
        status="resolved",
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=alert.starts_at,
        ends_at=max(alert.last_seen_at, alert.starts_at + timedelta(microseconds=1)),
        generator_url=alert.generator_url,
        fingerprint=alert.fingerprint,
    )
