"""What fires and is not confirmed any more: Alertmanager repeats what fires, and a resolve may never come.

A firing alert of an incident that is not repeated within twice the interval of its integration counts as stale: it goes
on firing, and everybody sees since when nobody confirms it. Hearing of it again ends that. It resolves by people, or
after a time where the integration says so.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from alerts import homes, retelling, rules
from alerts.models import Alert, Delivery, Group, Integration
from alerts.payload import Alert as Sent
from common import schedule
from incidents import timeline
from incidents.models import Entry
from people.actors import alerts_from

BATCH = 500  # alerts in one run; the next one goes on
SLACK = timedelta(minutes=5)  # the group interval, at whose ticks repeats come
SAMPLES = 2000  # deliveries that an interval is learned from
_LEAST_GAP = 10.0  # seconds: what comes sooner is the same notification again, of another node


def look(*, now: datetime) -> int:
    """Find what is not confirmed any more, and end what has been so for as long as its integration waits. How many."""
    done = 0
    for integration in Integration.objects.all():
        late = _firing(integration).filter(stale_since=None, last_seen_at__lt=now - allowed(integration))
        of = sorted(set(late.order_by().values_list("incident", flat=True)[:BATCH]))
        done += schedule.sweep(of, lambda pk, its=integration: _mark(its, pk, now))  # type: ignore[misc]
        if integration.stale_resolves_after is not None:
            over = now - timedelta(seconds=integration.stale_resolves_after)
            done += _end(_firing(integration).filter(stale_since__lte=over).order_by("id"), now)
    return done


def allowed(integration: Integration) -> timedelta:
    """How long an alert may go without being repeated."""
    return 2 * interval(integration) + SLACK


def interval(integration: Integration) -> timedelta:
    """How often what fires is sent again: as an admin says, as it was learned, else as Alertmanager does by itself."""
    seconds = integration.repeat_interval or integration.learned_interval or settings.ENV.repeat_interval
    return timedelta(seconds=seconds)


def learn(*, now: datetime) -> int:
    """Learn from the deliveries of the last day how often each integration repeats what fires. For how many that was
    learned anew."""
    learned = 0
    for integration in Integration.objects.filter(is_active=True):
        seconds = _learned(integration, now)
        if seconds is not None and seconds != integration.learned_interval:
            Integration.objects.filter(pk=integration.pk).update(learned_interval=seconds)
            learned += 1
    return learned


def _learned(integration: Integration, now: datetime) -> int | None:
    """The slowest of its groups: of each, the median time from a delivery to one that is only its repeat."""
    recent = integration.deliveries.filter(
        received_at__gt=now - timedelta(days=1), outcome=Delivery.Outcome.TAKEN, group__isnull=False, replay_of=None
    ).order_by("-received_at")
    last: dict[int, datetime] = {}
    gaps: dict[int, list[float]] = defaultdict(list)
    for group_id, at, counts in reversed(recent.values_list("group_id", "received_at", "counts")[:SAMPLES]):
        is_repeat = counts.get("received") and not counts.get("opened") and not counts.get("resolved")
        if is_repeat and group_id in last and (gap := (at - last[group_id]).total_seconds()) >= _LEAST_GAP:
            gaps[group_id].append(gap)
        last[group_id] = at
    return max((round(statistics.median(found)) for found in gaps.values()), default=None)


def _firing(integration: Integration) -> QuerySet[Alert]:
    """What fires in an incident; of what is ignored nobody waits for a word."""
    return Alert.objects.firing().filter(integration=integration, incident__isnull=False)


@transaction.atomic
def _mark(integration: Integration, incident_id: int, now: datetime) -> bool:
    """Say of the alerts of this incident that they are not confirmed any more, in one entry."""
    incident = timeline.lock([incident_id])[incident_id]
    late = _firing(integration).filter(
        incident=incident_id, stale_since=None, last_seen_at__lt=now - allowed(integration)
    )
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
