"""Constraints that the database keeps: as a unique index on PostgreSQL, by triggers on SQLite."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction

from alerts.models import Alert
from tests import make
from tests.make import NOW

on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has an index for it")


def alert(status: str = "firing", minute: int = 0, **fields: Any) -> Alert:
    starts_at = NOW.replace(minute=minute)
    said = {"integration_id": 1, "fingerprint": "a", "labels_hash": "b", "content_hash": "c", **fields}
    return Alert.objects.create(status=status, starts_at=starts_at, first_seen_at=NOW, last_seen_at=NOW, **said)


def refused(**fields: Any) -> None:
    with pytest.raises(IntegrityError, match="one_open_instance_per_fingerprint"), transaction.atomic():
        alert(minute=9, **fields)


@pytest.fixture(autouse=True)
def _integration(db: None) -> None:
    make.integration()


def test_a_second_row_with_the_value_is_refused() -> None:
    alert()

    refused()

    assert Alert.objects.count() == 1


@pytest.mark.parametrize("other", [{"fingerprint": "x"}, {"labels_hash": "x"}, {"status": "resolved"}])
def test_rows_with_other_fields_or_without_the_value_are_not(other: dict[str, Any]) -> None:
    alert()

    alert(minute=9, **other)

    assert Alert.objects.count() == 2


def test_a_row_that_gets_the_value_is_refused_beside_one_that_has_it() -> None:
    alert()
    ended = alert("resolved", 9)

    with pytest.raises(IntegrityError, match="one_open_instance_per_fingerprint"), transaction.atomic():
        Alert.objects.filter(pk=ended.pk).update(status="firing")
    other = alert(fingerprint="x")
    with pytest.raises(IntegrityError, match="one_open_instance_per_fingerprint"), transaction.atomic():
        Alert.objects.filter(pk=other.pk).update(fingerprint="a", starts_at=NOW.replace(minute=5))


def test_a_row_that_has_the_value_may_be_written_again() -> None:
    kept = alert()

    assert Alert.objects.filter(pk=kept.pk).update(status="firing", labels_hash="x") == 1

    assert alert(minute=8).labels_hash == "b"
    refused()


@on_sqlite
@pytest.mark.django_db(transaction=True)
def test_it_is_kept_also_after_the_table_was_made_anew() -> None:
    longer = models.CharField(max_length=301, blank=True)
    longer.set_attributes_from_name("name")
    before = Alert._meta.get_field("name")
    alert()

    for old, new in ((before, longer), (longer, before)):
        with connection.schema_editor() as editor:
            editor.alter_field(Alert, old, new)
        refused()
        with connection.cursor() as cursor:
            cursor.execute("SELECT type FROM sqlite_master WHERE name LIKE 'one_open_instance%' ORDER BY type")
            assert [kind for (kind,) in cursor.fetchall()] == ["index", "trigger", "trigger"]


@on_sqlite
def test_what_has_the_value_is_found_without_the_others() -> None:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN SELECT name FROM alerts_alert WHERE status = 'firing'")
        [(*_, plan)] = cursor.fetchall()

    assert "one_open_instance_per_fingerprint" in plan
