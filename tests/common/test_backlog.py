"""How much waits, since when, and what was given up: read from the rows of every kind, in one statement."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from common import backlog, engine, pulse, work
from common.models import ScheduledRun
from people.models import User
from tests.browsing import page

KIND = "common.scheduledrun"
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def run(job: str, **fields: Any) -> ScheduledRun:
    return ScheduledRun.objects.create(job=job, slot=FIRST, **{"due_at": timezone.now(), **fields})


def of_runs() -> backlog.Backlog:
    return next(each for each in backlog.of_all_kinds(timezone.now()) if each.kind == KIND)


@pytest.mark.django_db
def test_every_kind_of_work_is_told_of_also_where_nothing_waits() -> None:
    assert {each.kind for each in backlog.of_all_kinds(timezone.now())} == {
        model._meta.label_lower for model in work.kinds()
    }
    assert of_runs() == backlog.Backlog(KIND, 0, None, 0)
    assert of_runs().lateness(timezone.now()) == 0


@pytest.mark.django_db
def test_what_is_due_and_in_nobodys_hands_waits() -> None:
    now = timezone.now()
    oldest = run("long due", due_at=now - timedelta(minutes=2))
    run("due", due_at=now - timedelta(seconds=1))
    run("later", due_at=now + timedelta(hours=1))
    run("in hand", due_at=now - timedelta(hours=1), begun_at=now, lease_until=now + timedelta(seconds=9))
    run("done", due_at=now - timedelta(hours=1), state="done")

    assert of_runs() == backlog.Backlog(KIND, 2, oldest.due_at, 0)
    assert 120 <= of_runs().lateness(timezone.now()) < 130


@pytest.mark.django_db
def test_what_died_in_somebodys_hands_waits_again() -> None:
    now = timezone.now()
    run("orphan", due_at=now - timedelta(hours=1), begun_at=now - timedelta(hours=1), lease_until=now)

    assert of_runs().due == 1


@pytest.mark.django_db
def test_what_was_given_up_shows_to_operators_and_to_admins(admin: User, alice: User) -> None:
    engine.beat(now=timezone.now())
    run("poison", state="quarantined", finished_at=timezone.now())
    pulse.forget()

    assert of_runs().quarantined == 1
    assert of_runs().due == 0
    assert "tried several times and given up" in page(admin, "/incidents/")
    assert "tried several times and given up" not in page(alice, "/incidents/")


@pytest.mark.django_db
def test_it_is_one_statement_by_partial_indexes_alone() -> None:
    ScheduledRun.objects.bulk_create(
        [ScheduledRun(job=f"job {number}", slot=FIRST, due_at=timezone.now(), state="done") for number in range(3000)]
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")

    with CaptureQueriesContext(connection) as queries:
        of_runs()
    plan = _plan(queries[0]["sql"])

    assert len(queries) == 1
    assert "scheduledrun_due" in plan
    assert "scheduledrun_stuck" in plan


def _plan(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(("EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN ") + sql)
        return "\n".join(str(row) for row in cursor.fetchall())
