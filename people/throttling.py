"""How often something may be tried, and by whom: counted by all processes together, in the database."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from django.db import transaction

from people.models import Throttle


@transaction.atomic
def attempt(key: str, *, limit: int, seconds: int, now: datetime) -> bool:
    """Count one attempt, and say whether it is within the limit. One that is not does not count.

    However they are spread, no span of that many seconds has more than `limit` attempts that were let pass. The row is
    locked from the count until the end of the transaction, so two processes never take the same place.
    """
    over_at = now + timedelta(seconds=seconds)
    Throttle.objects.bulk_create([Throttle(key=key, over_at=over_at)], ignore_conflicts=True)
    row = Throttle.objects.select_for_update().get(key=key)
    moments = [moment for moment in row.moments if moment > now.timestamp() - seconds]
    if len(moments) >= limit:
        return False
    row.moments = [*moments, now.timestamp()]
    row.over_at = over_at
    row.save(update_fields=["moments", "over_at"])
    return True


@transaction.atomic
def give_back(key: str) -> None:
    """What was counted last turned out to be no guess: forget it."""
    row = Throttle.objects.select_for_update().filter(key=key).first()
    if row is not None and row.moments:
        row.moments = row.moments[:-1]
        row.save(update_fields=["moments"])


def wait(key: str, *, limit: int, seconds: int, now: datetime) -> int:
    """How many seconds until another attempt is within the limit; 0 where one is already."""
    row = Throttle.objects.filter(key=key).first()
    moments = [moment for moment in row.moments if moment > now.timestamp() - seconds] if row else []
    if len(moments) < limit:
        return 0
    return math.ceil(float(moments[-limit]) + seconds - now.timestamp())


def forget_over(*, now: datetime) -> int:
    """Remove what counts no more."""
    return Throttle.objects.filter(over_at__lte=now).delete()[0]
