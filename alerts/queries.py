"""What the pages of alerts, integrations and deliveries need, in few queries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import BinaryField, Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Substr
from django.http import Http404
from django.utils.translation import gettext as _

from alerts import heartbeats as pace
from alerts import payload
from alerts.models import Alert, Delivery, Heartbeat, Integration, RawBody
from people.actors import Actor

SHOWN_BYTES = 64 * 1024
SHOWN_ALERTS = 50
_READ_AGAIN_UP_TO = 1024 * 1024

_FAULTY = Q(outcome=Delivery.Outcome.REFUSED) | ~Q(quarantined=[])
# Everything that a browser would not show, or take for the end of the text; tabs and line breaks stay.
_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def alerts(actor: Actor) -> QuerySet[Alert]:
    """Those that the actor may see, with integration and incident."""
    return Alert.objects.for_actor(actor).select_related("integration", "incident")


def last_delivery() -> datetime | None:
    """When anything at all was last heard, so that silence is told from breakage."""
    return Delivery.objects.order_by("-received_at").values_list("received_at", flat=True).first()


def integrations(now: datetime) -> QuerySet[Integration]:
    """Each with its team, `last_received_at`, and what came in the last 24 hours: `received`, of which `faulty`."""
    newest = Delivery.objects.filter(integration=OuterRef("pk")).order_by("-received_at").values("received_at")
    today = Q(deliveries__received_at__gt=now - timedelta(days=1))
    faulty = Q(deliveries__outcome=Delivery.Outcome.REFUSED) | ~Q(deliveries__quarantined=[])
    return Integration.objects.select_related("team").annotate(
        last_received_at=Subquery(newest[:1]),
        received=Count("deliveries", filter=today),
        faulty=Count("deliveries", filter=today & faulty),
    )


def integration_for(slug: str, now: datetime) -> Integration:
    """As above; Http404 when there is none. Integrations are for admins, whom the matrix lets pass."""
    found = integrations(now).filter(slug=slug).first()
    if found is None:
        raise Http404(_("There is no integration {slug}.").format(slug=slug))
    return found


def alerts_by_status(integration: Integration) -> dict[str, int]:
    return {status: integration.alerts.shown_as(status).count() for status in Alert.Status.values}


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat, how often it is expected where that is known, and whether it is missing."""

    heartbeat: Heartbeat
    every: timedelta | None
    is_missing: bool


def heartbeats(integration: Integration, now: datetime) -> list[Beat]:
    """Those of this integration that are expected."""
    return [
        Beat(
            each,
            None if (seconds := pace.pace(each)) is None else timedelta(seconds=seconds),
            each.missed_at is not None or pace.is_late(each, now),
        )
        for each in integration.heartbeats.filter(removed_at=None).select_related("incident")
    ]


def deliveries(*, integration: Integration | None = None, only_faulty: bool = False) -> QuerySet[Delivery]:
    """With their integration, but without what they brought."""
    found = Delivery.objects.select_related("integration", "fan_out").defer("quarantined")
    if integration is not None:
        found = found.filter(integration=integration)
    return found.filter(_FAULTY) if only_faulty else found


@dataclass(frozen=True, slots=True)
class Content:
    """What a delivery brought, fit to be shown: the start of its text, and the alerts as they were read again."""

    text: str
    is_kept: bool
    is_cut: bool
    alerts: list[payload.Alert]
    more_alerts: int
    truncated: int  # alerts that Alertmanager cut off it, as far as it was read again


def delivery_for(pk: UUID) -> Delivery:
    """With its integration and group; Http404 when there is none."""
    found = Delivery.objects.select_related("integration", "group", "fan_out").filter(pk=pk).first()
    if found is None:
        raise Http404(_("There is no such delivery."))
    return found


def content(delivery: Delivery) -> Content:
    """At most SHOWN_BYTES of the body. Alerts are read again where that is quick."""
    read_again = delivery.outcome == Delivery.Outcome.TAKEN and delivery.size <= _READ_AGAIN_UP_TO
    body = _body(delivery, _READ_AGAIN_UP_TO if read_again else SHOWN_BYTES)
    if body is None:
        return Content("", is_kept=False, is_cut=False, alerts=[], more_alerts=0, truncated=0)
    notification = payload.parse(body, kind=delivery.integration.kind) if read_again else None
    found = notification.alerts if notification else ()
    text = _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", body[:SHOWN_BYTES].decode("utf-8", "replace"))
    return Content(
        text=text,
        is_kept=True,
        is_cut=delivery.size > SHOWN_BYTES,
        alerts=list(found[:SHOWN_ALERTS]),
        more_alerts=max(0, len(found) - SHOWN_ALERTS),
        truncated=notification.truncated if notification else 0,
    )


def _body(delivery: Delivery, length: int) -> bytes | None:
    """The start of what was sent; None where nothing of it was kept."""
    if delivery.raw_id is None:
        return None
    start = Substr("body", 1, length, output_field=BinaryField())
    found = RawBody.objects.filter(pk=delivery.raw_id).annotate(start=start).values_list("start", flat=True).first()
    return bytes(found or b"")  # of nothing at all, SQLite's start is NULL
