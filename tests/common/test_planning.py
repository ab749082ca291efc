"""SQLite's planner is told how the tables have grown."""

from __future__ import annotations

import pytest
from django.db import connection
from django.utils import timezone

from common.schedule import jobs
from common.sqlite import planning
from tests import make

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL looks by itself"),
]


def known_of(table: str) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT idx, stat FROM sqlite_stat1 WHERE tbl = %s", [table])
        return dict(cursor.fetchall())


def test_it_learns_how_many_rows_there_are_and_how_few_an_index_of_some_has() -> None:
    incidents = [make.incident() for _ in range(3)]
    type(incidents[0]).objects.filter(pk=incidents[0].pk).update(status="merged", merged_into=incidents[1])

    planning.learn(now=timezone.now())

    known = known_of("incidents_incident")
    assert known["incident_opened"].startswith("3 ")
    assert known["incident_merged"].startswith("1 ")


def test_each_look_reaches_the_connections_of_other_processes() -> None:
    """They read what is known when the schema is not the one that they know."""
    planning.learn(now=timezone.now())
    before = schema_version()

    planning.learn(now=timezone.now())

    assert schema_version() > before


def schema_version() -> int:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA schema_version")
        return int(cursor.fetchone()[0])


def test_it_is_on_the_schedule() -> None:
    assert "common.sqlite.planning.learn" in {job.function for job in jobs().values()}
