"""A delivery that is kept, taken in once more: where what became of it at first was wrong."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from alerts import ingest
from alerts.models import Delivery, RawBody
from common.errors import DomainError
from people import access, audit
from people.actors import Actor


class NotKept(DomainError):
    """Its text is not there any more, or is still to be taken in."""

    code = "delivery_not_kept"


def again(delivery: Delivery, *, by: Actor, now: datetime) -> ingest.Receipt:
    """Take the text of this delivery in as if it came now; what it says is judged by when it was received, so it cannot
    undo what was heard since. A delivery of its own tells what became of it. Returns after its commit, so it stands in
    no transaction. Raises NotKept, payload.BadPayload, and what `ingest.receive` raises."""
    access.require(by, access.Act.ADMINISTER)
    if delivery.raw_id is None or delivery.outcome == Delivery.Outcome.WAITING:
        raise NotKept(_("The text of this delivery is not kept, or still waits to be taken in."))
    body = bytes(RawBody.objects.get(pk=delivery.raw_id).body)
    first = delivery.replay_of or delivery
    receipt = ingest.receive(delivery.integration, body, now=now, replay_of=first)
    with transaction.atomic():
        told = {"delivery": str(delivery.pk), "replay": str(receipt.delivery)}
        audit.record(audit.Action.DELIVERY_REPLAYED, delivery.integration, by=by, now=now, after=told)
    return receipt
