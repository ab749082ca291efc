"""What the statement itself keeps to, whatever two deliveries bring at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from alerts import upsert
from alerts.models import Alert, Group, Integration
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
END = NOW + timedelta(minutes=5)


@pytest.fixture
def group() -> Group:
    integration: Integration = make.integration()[0]
    return Group.objects.create(integration=integration, key_hash="a", key="a", last_seen_at=NOW)


def write(
    group: Group, status: str, ends_at: datetime | None = None, was: str = "", starts_at: datetime = NOW
) -> upsert.Written | None:
    said: dict[str, Any] = {"superseded": False, "provisional_since": None, "labels": {}, "annotations": {}}
    row = upsert.Row(
        *(group.integration_id, group.pk, "a", "b", starts_at, ends_at, status, was),
        **said,
        name="A",
        generator_url="",
        content_hash="c",
        incident_id=None,
    )
    known = set(Alert.objects.values_list("integration_id", "fingerprint", "labels_hash", "starts_at"))
    return upsert.write([row], known, seen_at=timezone.now()).get(row.key)


def test_resolved_is_final_but_for_a_promotion(group: Group) -> None:
    assert write(group, "firing") is None
    assert write(group, "resolved", END) == ("firing", "resolved")

    assert write(group, "firing") == ("resolved", "resolved")
    assert Alert.objects.get().ends_at == END

    assert write(group, "firing", was=upsert.PROMOTE) == ("resolved", "firing")
    assert Alert.objects.get().ends_at is None


def test_the_earliest_end_stands(group: Group) -> None:
    for minutes in (0, 5, -1):
        write(group, "resolved", END + timedelta(minutes=minutes))

    assert Alert.objects.get().ends_at == END - timedelta(minutes=1)


def test_a_fingerprint_fires_once_at_a_time(group: Group) -> None:
    write(group, "firing")

    with pytest.raises(IntegrityError), transaction.atomic():
        write(group, "firing", starts_at=END)

    write(group, "resolved", END)
    assert write(group, "firing", starts_at=END) is None


@pytest.mark.skipif(connection.vendor != "postgresql", reason="its planner knows how many rows there are")
def test_alerts_are_found_by_their_fingerprint_also_where_nothing_is_known_of_the_table(group: Group) -> None:
    """A plan that is kept is made while the table is empty, and nobody makes another until it has been analysed."""
    sql = upsert._KNOWN
    for n in range(1, 4):
        sql = sql.replace("%s", f"${n}", 1)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute(f"PREPARE known AS {sql}")
        cursor.execute("EXPLAIN EXECUTE known ('[]', now(), now())")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("DEALLOCATE known")

    conditions = [line for line in plan.splitlines() if "Index Cond" in line]
    assert len(conditions) == 1, plan
    assert "integration_id" in conditions[0], plan
    assert "fingerprint" in conditions[0], plan
