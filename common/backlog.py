"""How much due work waits, since when, and how much was given up: one bounded statement for all kinds of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection, models
from django.utils.dateparse import parse_datetime
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from common import work

COUNTED = 10_000  # rows of a kind are counted up to here: "very many" is enough to know


@dataclass(frozen=True, slots=True)
class Backlog:
    """Of one kind of work: what is due and in nobody's hands, since when, and what was given up."""

    kind: str
    due: int
    oldest_due_at: datetime | None
    quarantined: int

    def lateness(self, now: datetime) -> float:
        """Seconds since the longest due became so; 0 where nothing waits."""
        return max(0.0, (now - self.oldest_due_at).total_seconds()) if self.oldest_due_at else 0.0


def of_all_kinds(now: datetime) -> list[Backlog]:
    """One statement, by partial indexes alone."""
    kinds = work.kinds()
    if not kinds:
        return []
    moment = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(map(_sql, kinds)), [moment, moment] * len(kinds))
        rows = cursor.fetchall()
    return [Backlog(kind, due, _moment(oldest), quarantined) for kind, due, oldest, quarantined in rows]


def gauges(now: datetime) -> Iterator[Metric]:
    """For /metrics."""
    due = GaugeMetricFamily(
        "burnline_work_due", f"Due work in nobody's hands, by kind; counted up to {COUNTED}.", labels=["kind"]
    )
    lateness = GaugeMetricFamily(
        "burnline_work_oldest_due_age_seconds",
        "How long the longest due work is due already, by kind.",
        labels=["kind"],
    )
    quarantined = GaugeMetricFamily(
        "burnline_work_quarantined",
        f"Work given up, for an admin to look at; counted up to {COUNTED}.",
        labels=["kind"],
    )
    for backlog in of_all_kinds(now):
        due.add_metric([backlog.kind], backlog.due)
        lateness.add_metric([backlog.kind], backlog.lateness(now))
        quarantined.add_metric([backlog.kind], backlog.quarantined)
    yield from (due, lateness, quarantined)


def _sql(model: type[models.Model]) -> str:
    """The states are written out: a partial index is only used where its condition can be seen."""
    table = connection.ops.quote_name(model._meta.db_table)
    return f"""
        SELECT '{model._meta.label_lower}', waiting.due, waiting.oldest, stuck.quarantined
        FROM (SELECT count(*) AS due, min(due_at) AS oldest FROM (
                SELECT due_at FROM {table}
                WHERE state = 'waiting' AND due_at <= %s AND (begun_at IS NULL OR lease_until < %s)
                ORDER BY due_at LIMIT {COUNTED}) AS first_due) AS waiting,
             (SELECT count(*) AS quarantined FROM (
                SELECT 1 FROM {table} WHERE state = 'quarantined' LIMIT {COUNTED}) AS given_up) AS stuck
    """


def _moment(value: datetime | str | None) -> datetime | None:
    """SQLite has no type of its own for moments."""
    if isinstance(value, str):
        value = parse_datetime(value)
    return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)
