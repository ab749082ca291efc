"""What is known of the alerts of a group, taken in as if it had been delivered: where time has passed, and nobody says
anything."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from alerts import ingest, plans
from alerts.models import Alert, Group
from alerts.payload import Alert as Sent
from alerts.payload import Notification
from alerts.plans import Judge

logger = logging.getLogger(__name__)

BATCH = 500  # alerts in one transaction


def retell(group: Group, which: QuerySet[Alert], sent: Callable[[Alert], Sent], judge: Judge, *, now: datetime) -> bool:
    """Take in what is `sent` of the first of these alerts of the group: of those that still are such once no delivery
    of it is under way. False where there are none, or where others win every race, and the next run does it."""
    first = list(which[:BATCH])
    if not first:
        return False

    def write(further: Collection[int]) -> bool:
        with transaction.atomic():
            Group.objects.select_for_update().get(pk=group.pk)  # as a delivery does
            still = list(which.filter(pk__in=[alert.pk for alert in first]))
            if not still:
                return False
            times = plans.Times(at=now, now=now, seen_at=min(alert.last_seen_at for alert in still))
            ingest.take_in([ingest.Sent(group.integration, _notification(group, still, sent))], further, times, judge)
            return True

    try:
        return ingest.settle([ingest.Sent(group.integration, _notification(group, first, sent))], write)
    except ingest.Contended:
        logger.warning("The alerts of group %d are looked at again in the next run: others win every race.", group.pk)
        return False


def _notification(group: Group, alerts: Sequence[Alert], sent: Callable[[Alert], Sent]) -> Notification:
    return Notification(
        group_key=group.key,
        group_labels={},
        common_labels={},
        common_annotations={},
        truncated=group.truncated,
        alerts=[sent(alert) for alert in alerts],
        quarantined=[],
    )
