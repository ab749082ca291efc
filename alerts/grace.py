"""What fires again with the start at which it had resolved, and is not taken back within its grace, fires: also where
nothing more is delivered."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from alerts import ingest, plans, rules
from alerts.models import Alert, Group
from alerts.payload import Alert as Sent
from alerts.payload import Notification
from common import schedule

logger = logging.getLogger(__name__)

BATCH = 500  # alerts of a group in one transaction
GROUPS = 100  # in one run; the next one goes on


def end(*, now: datetime) -> int:
    """Let fire what has outlived its grace, in its incident, as a delivery would. How many groups that concerned."""
    over = Alert.objects.filter(provisional_since__lte=now - timedelta(seconds=settings.ENV.provisional_grace))
    groups = over.order_by().values_list("group", flat=True).distinct()[:GROUPS]
    found = Group.objects.filter(pk__in=list(groups)).select_related("integration").order_by("pk")
    return schedule.sweep(
        found, lambda group: _end(group, over.filter(group=group).order_by("provisional_since", "id"), now)
    )


def _end(group: Group, over: QuerySet[Alert], now: datetime) -> bool:
    alerts = list(over[:BATCH])
    if not alerts:
        return False
    notification = Notification(
        group_key=group.key,
        group_labels={},
        common_labels={},
        common_annotations={},
        truncated=group.truncated,
        alerts=[_again(alert) for alert in alerts],
        quarantined=[],
    )
    times = plans.Times(at=now, now=now, seen_at=min(alert.last_seen_at for alert in alerts))

    def write(further: Collection[int]) -> None:
        with transaction.atomic():
            ingest.take_in(group.integration, notification, further, times, rules.lapse)

    try:
        ingest.settle(group.integration, notification, write)
    except ingest.Contended:
        logger.warning("The grace of alerts of group %d ends with the next run: others win every race.", group.pk)
        return False
    return True


def _again(alert: Alert) -> Sent:
    """The alert as it was last delivered."""
    return Sent(
        status="firing",
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=alert.starts_at,
        generator_url=alert.generator_url,
        fingerprint=alert.fingerprint,
    )
