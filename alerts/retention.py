"""How long deliveries are kept: first their text goes, by age and where all of it takes too much room, much later what
became of them. What is still to be taken in is never touched."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet, Sum

from alerts.models import Delivery, RawBody

KEPT_DAYS = 400  # of what became of a delivery, counts and incidents
BATCH = 200  # deliveries in one transaction,
BATCH_BYTES = 16 << 20  # and what they may weigh together, but for a single one
MOST_BATCHES = 200  # in one run; the next one goes on


@dataclass(frozen=True, slots=True)
class _Removed:
    """How many deliveries lost their text, and how many bytes that set free."""

    deliveries: int
    bytes: int


def clean_up(*, now: datetime) -> int:
    """Remove what has been kept long enough, the oldest first, in short transactions. How many deliveries lost their
    text. Several may do it at once."""
    removed = batches = 0
    too_old = _with_text().filter(received_at__lt=now - timedelta(days=settings.ENV.raw_deliveries_days))
    while batches < MOST_BATCHES and (oldest := _weighed(too_old)):
        removed += _remove_text(oldest, now).deliveries
        batches += 1
    kept = _kept_bytes()
    while batches < MOST_BATCHES and kept > settings.ENV.raw_deliveries_mib << 20:
        if not (oldest := _weighed(_with_text())):
            break
        gone = _remove_text(oldest, now)
        removed += gone.deliveries
        kept -= gone.bytes
        batches += 1
    _forget(now - timedelta(days=KEPT_DAYS))
    return removed


def _with_text() -> QuerySet[Delivery]:
    """Those whose text is kept and needed no more, the oldest first."""
    return (
        Delivery.objects.filter(raw__isnull=False)
        .exclude(outcome=Delivery.Outcome.WAITING)
        .order_by("received_at", "id")
    )


def _weighed(deliveries: QuerySet[Delivery]) -> list[Delivery]:
    """The first of them, as many as one transaction takes."""
    taken: list[Delivery] = []
    for delivery in deliveries.only("id", "raw_id", "size")[:BATCH]:
        if taken and sum(one.size for one in taken) + delivery.size > BATCH_BYTES:
            break
        taken.append(delivery)
    return taken


@transaction.atomic
def _remove_text(deliveries: Collection[Delivery], now: datetime) -> _Removed:
    """Let go of their text, and delete what no other delivery has too. Bodies are locked before anybody asks who refers
    to them, and so does who is about to refer to one (`deliveries.record`): none is deleted under a new delivery."""
    removed = _with_text().filter(pk__in=[delivery.pk for delivery in deliveries]).order_by()
    count = removed.update(raw=None, raw_removed_at=now)
    hashes = sorted({bytes(delivery.raw_id) for delivery in deliveries if delivery.raw_id is not None})
    list(RawBody.objects.select_for_update().filter(pk__in=hashes).order_by("pk").values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM alerts_rawbody WHERE sha256 IN ({', '.join(['%s'] * len(hashes))}) "
            "AND NOT EXISTS (SELECT 1 FROM alerts_delivery WHERE alerts_delivery.raw_id = alerts_rawbody.sha256) "
            "RETURNING size",
            hashes,
        )
        return _Removed(count, sum(size for (size,) in cursor.fetchall()))


def _kept_bytes() -> int:
    """How much text is kept, each body counted once; by an index alone."""
    return RawBody.objects.aggregate(size=Sum("size"))["size"] or 0


def _forget(before: datetime) -> None:
    """Delete deliveries of so long ago, whose text is gone."""
    old = Delivery.objects.filter(received_at__lt=before, raw=None).exclude(outcome=Delivery.Outcome.WAITING)
    for _ in range(MOST_BATCHES):
        keys = list(old.order_by("received_at", "id").values_list("pk", flat=True)[:BATCH])
        if not keys:
            return
        Delivery.objects.filter(pk__in=keys).delete()
