"""What /metrics says of incidents; drills, and what nobody has confirmed yet, are left out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import BooleanField, Count, Q
from django.db.models.expressions import RawSQL
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from incidents.models import Incident

# Written out: with its values as parameters, SQLite does not see that the index of open ones serves.
_IS_OPEN = RawSQL(
    f"incidents_incident.status IN ({', '.join(repr(status.value) for status in Incident.OPEN)})", (), BooleanField()
)


def open_incidents(now: datetime) -> Iterator[Metric]:
    """How many are open, and how many of them nobody has acknowledged. One statement, by the index of open ones."""
    rows = (
        Incident.objects.confirmed()
        .filter(_IS_OPEN, is_drill=False)
        .order_by()
        .values("severity")
        .annotate(opened=Count("id"), untaken=Count("id", filter=Q(status=Incident.Status.TRIGGERED)))
        .values_list("severity", "opened", "untaken")
    )
    counts = {severity: (how_many, untaken) for severity, how_many, untaken in rows}
    opened = GaugeMetricFamily("burnline_incidents_open", "Open incidents by severity.", labels=["severity"])
    waiting = GaugeMetricFamily(
        "burnline_incidents_unacknowledged", "Open incidents that nobody has taken, by severity.", labels=["severity"]
    )
    for severity in Incident.Severity.values:
        of_it = counts.get(severity, (0, 0))
        opened.add_metric([severity], of_it[0])
        waiting.add_metric([severity], of_it[1])
    yield from (opened, waiting)
