"""Whether what happens later does happen: told on every page when it does not, and to Prometheus always."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.db.models import Exists, Value
from django.http import HttpRequest
from django.utils import timezone
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from common import engine, work
from common.models import Heartbeat

KEPT = 5.0  # seconds that a process goes by what it saw last


@dataclass(frozen=True, slots=True)
class Pulse:
    """When an engine last ticked (None: never), and whether work was given up that an admin should look at."""

    beat_at: datetime | None
    has_quarantined: bool

    def is_stale(self, now: datetime) -> bool:
        return self.beat_at is None or now - self.beat_at > engine.FRESH


_seen: tuple[Pulse, float] | None = None


def look() -> Pulse:
    """How it stands, as of the last five seconds. One statement, then none for so long."""
    global _seen
    seen, now = _seen, time.monotonic()
    if seen is None or now - seen[1] > KEPT:
        seen = _seen = (_take(), now)
    return seen[0]


def forget() -> None:
    """Look anew the next time."""
    global _seen
    _seen = None


def on_pages(request: HttpRequest) -> dict[str, Any]:
    """For every template `pulse`, a function: who does not ask pays nothing."""

    def pulse() -> dict[str, Any] | None:
        try:
            seen = look()
        except (DatabaseError, InterfaceError):
            return None  # a page that needs the database says so itself
        now = timezone.now()
        return {
            "is_stale": seen.is_stale(now),
            "beat_at": seen.beat_at,
            "is_of_today": seen.beat_at is not None and now - seen.beat_at < timedelta(hours=12),
            "has_quarantined": seen.has_quarantined,
        }

    return {"pulse": pulse}


def gauges(now: datetime) -> Iterator[Metric]:
    """For /metrics."""
    beat_at = engine.last_beat()
    age = GaugeMetricFamily(
        "burnline_engine_heartbeat_age_seconds", "How long ago an engine last ticked; absent if none ever did."
    )
    if beat_at is not None:
        age.add_metric([], max(0.0, (now - beat_at).total_seconds()))
    yield age


def _take() -> Pulse:
    """Heartbeat and quarantine at once. Without a heartbeat there is no engine that could have given anything up."""
    given_up = [Exists(kind.objects.filter(state=work.DueWork.State.QUARANTINED)) for kind in work.kinds()]
    stuck = reduce(or_, given_up) if given_up else Value(value=False)
    row = Heartbeat.objects.filter(name=engine.NAME).annotate(stuck=stuck).values_list("beat_at", "stuck").first()
    return Pulse(*row) if row else Pulse(None, False)
