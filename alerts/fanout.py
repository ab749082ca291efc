"""A delivery of very many alerts is answered when it is kept, and taken in here, as a request would have done it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from alerts import ingest, payload
from alerts.models import Delivery, FanOut
from common import work


def take_in(row: FanOut, *, now: datetime) -> None:
    """Take the alerts in and say in the delivery what became of them, in the one transaction that ends the row: who
    dies before its end has done nothing. What was received before counts as of then, also where later deliveries were
    taken in first. Raises LeaseLost, Contended, or a database error."""
    delivery = Delivery.objects.select_related("integration", "raw", "replay_of").get(pk=row.delivery_id)
    assert delivery.raw is not None, "the text of what waits is kept"
    try:
        notification = payload.parse(bytes(delivery.raw.body), kind=delivery.integration.kind)
    except payload.BadPayload as exc:
        with work.finishing(row):
            ingest.give_up(delivery, exc.message)
        return
    for alert in notification.alerts:
        alert.prepare()

    def write(further: Collection[int]) -> None:
        with work.finishing(row):
            ingest.complete(delivery, notification, further, now=now)

    ingest.settle([ingest.Sent(delivery.integration, notification)], write)
