"""What was sent is kept for so long and up to so much; nothing that is still needed goes with it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections, transaction
from django.utils import timezone

from alerts import deliveries, ingest, retention
from alerts.models import Delivery, FanOut, Integration, RawBody
from incidents.models import Incident
from tests import make
from tests.browsing import page
from tests.conftest import Api
from tests.due import run_all_due
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(db: None) -> Integration:
    return make.integration()[0]


@pytest.fixture(autouse=True)
def _a_month_and_a_mebibyte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENV", settings.ENV.model_copy(update={"raw_deliveries_days": 30}))


def limit(monkeypatch: pytest.MonkeyPatch, mib: int) -> None:
    monkeypatch.setattr(settings, "ENV", settings.ENV.model_copy(update={"raw_deliveries_mib": mib}))


def day(n: float) -> datetime:
    return NOW + timedelta(days=n)


def deliver(source: Integration, name: str, at: datetime, size: int = 0) -> Delivery:
    receipt = ingest.receive(
        source, make.alertmanager_body(make.alert(name, annotations={"pad": "x" * size}), group=name), now=at
    )
    return Delivery.objects.get(pk=receipt.delivery)


def large(source: Integration, at: datetime) -> Delivery:
    """One that waits to be taken in."""
    alerts = [make.alert(f"Alert{n}") for n in range(ingest.AT_ONCE + 1)]
    receipt = ingest.receive(source, make.alertmanager_body(*alerts, group="large"), now=at)
    return Delivery.objects.get(pk=receipt.delivery)


def kept() -> set[str]:
    """The groups whose deliveries still have their text."""
    return set(Delivery.objects.exclude(raw=None).values_list("group__key", flat=True))


def test_text_goes_after_its_time_and_what_became_of_it_stays(source: Integration, admin: Any, api: Api) -> None:
    old, young = deliver(source, "Old", day(0)), deliver(source, "Young", day(1))

    assert retention.clean_up(now=day(30.5)) == 1

    assert kept() == {"Young"}
    assert RawBody.objects.get() == young.raw
    gone = Delivery.objects.get(pk=old.pk)
    assert (gone.raw_removed_at, gone.counts, gone.incidents) == (day(30.5), old.counts, old.incidents)
    text = page(admin, f"/settings/deliveries/{old.pk}/")
    assert "Its text was cleaned up on" in text
    assert "1 Apr 2026" in text
    said = api(admin).get(f"/api/v1/deliveries/{old.pk}/").json()
    assert (said["body"], said["body_removed_at"]) == (None, "2026-04-01T21:00:00Z")


def test_text_that_a_younger_delivery_shares_stays_for_that_one(source: Integration) -> None:
    deliver(source, "Same", day(0))
    young = deliver(source, "Same", day(20))

    retention.clean_up(now=day(31))

    assert RawBody.objects.count() == 1
    assert list(Delivery.objects.exclude(raw=None)) == [young]


def test_over_the_limit_the_oldest_go_first_until_there_is_room(
    source: Integration, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, 1)
    monkeypatch.setattr(retention, "BATCH", 1)
    for n in range(5):
        deliver(source, f"Group{n}", day(n), size=300_000)

    assert retention.clean_up(now=day(6)) == 2

    assert kept() == {"Group2", "Group3", "Group4"}
    assert retention.clean_up(now=day(6)) == 0


def test_what_is_still_to_be_taken_in_keeps_its_text_however_old_or_large(
    source: Integration, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = large(source, day(0))
    deliver(source, "Old", day(0))
    monkeypatch.setattr(settings, "ENV", settings.ENV.model_copy(update={"raw_deliveries_mib": 0}))

    retention.clean_up(now=day(500))

    assert Delivery.objects.exclude(raw=None).get() == waiting
    run_all_due()
    assert Delivery.objects.get(pk=waiting.pk).outcome == "taken"
    assert Incident.objects.count() == 2


def test_a_delivery_that_was_given_up_keeps_its_text_too(source: Integration) -> None:
    large(source, day(0))
    FanOut.objects.update(state="quarantined", finished_at=day(1))

    retention.clean_up(now=day(500))

    assert kept() == {None}


def test_after_400_days_the_delivery_itself_goes(source: Integration) -> None:
    deliver(source, "Old", day(0))
    large(source, day(1))
    run_all_due()
    deliver(source, "Young", day(2))

    retention.clean_up(now=day(401.5))

    assert list(Delivery.objects.values_list("group__key", flat=True)) == ["Young"]
    assert Incident.objects.count() == 3


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite looks for rows that refer to a new one")
def test_what_is_kept_costs_no_new_delivery_anything(source: Integration) -> None:
    def steps() -> int:
        """Of a hundred instructions each, that SQLite takes for a delivery that is refused."""
        taken = 0

        def count() -> int:
            nonlocal taken
            taken += 1
            return 0

        connection.connection.set_progress_handler(count, 100)
        try:
            ingest.refuse(source, b"%d" % Delivery.objects.count(), size=1, status=400, reason="no", now=NOW)
        finally:
            connection.connection.set_progress_handler(None, 0)
        return taken

    steps()
    before = steps()
    of = {"integration": source, "received_at": NOW, "outcome": "refused", "status": 400, "size": 1}
    Delivery.objects.bulk_create(Delivery(pk=uuid.uuid4(), **of) for _ in range(2_000))

    assert steps() <= before + 20


def test_it_works_in_small_bites_and_goes_on_the_next_time(
    source: Integration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MOST_BATCHES", 2)
    monkeypatch.setattr(retention, "BATCH", 3)
    for n in range(8):
        deliver(source, f"Group{n}", day(0) + timedelta(minutes=n))

    assert [retention.clean_up(now=day(40)) for _ in range(3)] == [6, 2, 0]
    assert not RawBody.objects.exists()


def test_a_batch_ends_before_it_weighs_too_much(source: Integration, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "MOST_BATCHES", 1)
    monkeypatch.setattr(retention, "BATCH_BYTES", 25_000)
    for n in range(4):
        deliver(source, f"Group{n}", day(n), size=10_000)

    assert retention.clean_up(now=day(40)) == 2


# While the same bytes come again


@pytest.fixture
def other() -> Iterator[ThreadPoolExecutor]:
    """A thread with a database connection of its own."""
    with ThreadPoolExecutor(1) as pool:
        yield pool
        pool.submit(connections.close_all).result()


def comes_again(source: Integration, body: bytes, has_kept: threading.Event, go_on: threading.Event) -> None:
    """A delivery of these bytes that is slow to commit."""
    with transaction.atomic():
        deliveries.record([deliveries.Record(source, body, Delivery.Outcome.TAKEN, 200)], now=day(60))
        has_kept.set()
        assert go_on.wait(10)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="one writer at a time cannot meet another")
@pytest.mark.parametrize("cleans_first", [False, True])
def test_no_delivery_loses_the_text_that_it_shares_with_one_being_cleaned_up(
    other: ThreadPoolExecutor, cleans_first: bool
) -> None:
    source, _ = make.integration()
    old = deliver(source, "Same", day(0))
    assert old.raw is not None
    body = bytes(old.raw.body)
    has_kept, go_on = threading.Event(), threading.Event()

    if cleans_first:
        with transaction.atomic():
            retention._remove_text([old], now=day(60))
            go_on.set()
            delivering = other.submit(comes_again, source, body, has_kept, go_on)
            assert not has_kept.wait(0.5), "it waits for the one that cleans up"
    else:
        delivering = other.submit(comes_again, source, body, has_kept, go_on)
        assert has_kept.wait(10)
        threading.Timer(0.5, go_on.set).start()
        retention.clean_up(now=day(60))
    delivering.result(10)

    fresh = Delivery.objects.get(received_at=day(60))
    assert fresh.raw is not None
    assert bytes(fresh.raw.body) == body
    assert Delivery.objects.get(pk=old.pk).raw is None


@pytest.mark.django_db(transaction=True)
def test_deliveries_and_clean_ups_at_once_leave_every_text_where_it_is_referred_to() -> None:
    source, _ = make.integration()
    long_ago = timezone.now() - timedelta(days=40)

    def act(n: int) -> None:
        try:
            if n % 4 == 3:
                retention.clean_up(now=timezone.now())
            else:
                deliver(source, f"Group{n % 3}", long_ago if n % 2 else timezone.now())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(act, range(80)))
    retention.clean_up(now=timezone.now())

    assert set(RawBody.objects.values_list("pk", flat=True)) == set(
        Delivery.objects.exclude(raw=None).values_list("raw_id", flat=True)
    )
    assert not Delivery.objects.filter(raw=None, raw_removed_at=None).exists()
