"""What fires again with the start at which it had resolved, and is not taken back within its grace, fires: also where
nothing more is delivered."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet

from alerts import retelling, rules
from alerts.models import Alert, Group, Integration
from alerts.payload import Alert as Sent
from common import schedule

GROUPS = 100  # in one run; the next one goes on


def end(*, now: datetime) -> int:
    """Let fire what has outlived its grace, in its incident, as a delivery would. How many groups that concerned."""
    over = _over(now)
    groups = over.order_by().values_list("group", flat=True).distinct()[:GROUPS]
    found = Group.objects.filter(pk__in=list(groups)).select_related("integration").order_by("pk")
    return schedule.sweep(
        found,
        lambda group: retelling.retell(
            group, over.filter(group=group).order_by("provisional_since", "id"), _again, rules.lapse, now=now
        ),
    )


def _over(now: datetime) -> QuerySet[Alert]:
    """What has been provisional for as long as its integration waits. An index holds all that is."""
    usual = timedelta(seconds=settings.ENV.provisional_grace)
    own = dict(Integration.objects.exclude(provisional_grace=None).values_list("pk", "provisional_grace"))
    is_over = Q(provisional_since__lte=now - usual) & ~Q(integration__in=list(own))
    for pk, seconds in own.items():
        is_over |= Q(integration=pk, provisional_since__lte=now - timedelta(seconds=seconds or 0))
    return Alert.objects.filter(is_over, provisional_since__isnull=False)


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
