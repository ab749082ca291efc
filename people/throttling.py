"""How often something may be tried, and by whom: counters shared by all processes, kept in the database."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from people.models import Throttle


@transaction.atomic
def attempt(key: str, *, limit: int, seconds: int, now: datetime) -> bool:
    """Count one attempt, and say whether it is within the limit. A window begins with its first attempt.

    The row is locked from the count until the end of the transaction, so two processes never share a number.
    """
    Throttle.objects.filter(key=key, window_from__lte=now - timedelta(seconds=seconds)).update(window_from=now, count=0)
    Throttle.objects.bulk_create([Throttle(key=key, window_from=now, count=0)], ignore_conflicts=True)
    Throttle.objects.filter(key=key).update(count=F("count") + 1)
    return Throttle.objects.get(key=key).count <= limit


def give_back(key: str) -> None:
    """What was counted turned out to be no guess: forget this one."""
    Throttle.objects.filter(key=key, count__gt=0).update(count=F("count") - 1)


def wait(key: str, *, seconds: int, now: datetime) -> int:
    """How many seconds until the window of this key ends; 0 where none runs."""
    known = Throttle.objects.filter(key=key).first()
    if known is None:
        return 0
    left = known.window_from + timedelta(seconds=seconds) - now
    return max(0, int(left.total_seconds()))
