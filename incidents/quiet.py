"""An incident whose alerts are all over is left alone for a while; if nobody took it by then, it resolves by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from common import schedule
from incidents import lifecycle
from incidents.models import Entry, Incident
from people.actors import SYSTEM

BATCH = 100  # incidents in one run; the next one goes on


def resolve_quiet(*, now: datetime) -> int:
    """Resolve what nobody acknowledged, whose alerts were all clear for the quiet period and still are. How many."""
    period = timedelta(seconds=settings.ENV.quiet_period)
    found = _quiet(Incident.objects.open(), now - period).order_by("pk").values_list("pk", flat=True)[:BATCH]
    return schedule.sweep(list(found), lambda pk: _resolve(pk, now, period))


@transaction.atomic
def _resolve(pk: int, now: datetime, period: timedelta) -> bool:
    """True if this call did it. Deliveries and people lock the incident too before they change anything of it, so what
    is seen after that is so until the end."""
    incident = Incident.objects.select_for_update().get(pk=pk)
    if not _quiet(Incident.objects.filter(pk=pk), now - period).exists():
        return False
    note = f"No alert has fired for {_in_words(period)}, and nobody had taken it."
    return lifecycle.move(incident, Incident.Status.RESOLVED, by=SYSTEM, now=now, note=note)


def _in_words(period: timedelta) -> str:
    seconds = int(period.total_seconds())
    number, unit = (seconds, "second") if seconds % 60 else (seconds // 60, "minute")
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _quiet(incidents: QuerySet[Incident], since: datetime) -> QuerySet[Incident]:
    """Those of them that are triggered, cleared by then, and not moved since: who was given back waits for people. An
    alert that fires, or may fire again within its grace, disturbs the quiet."""
    own = Entry.objects.filter(incident=OuterRef("pk"))
    clear = own.filter(kind=Entry.Kind.ALL_CLEAR).order_by("-seq")
    moved = own.filter(kind=Entry.Kind.STATUS_CHANGED, seq__gt=OuterRef("clear_seq"))
    disturbed = Q(alerts__status="firing") | Q(alerts__provisional_since__isnull=False)
    return (
        incidents.filter(status=Incident.Status.TRIGGERED)
        .annotate(clear_seq=Subquery(clear.values("seq")[:1]), clear_at=Subquery(clear.values("recorded_at")[:1]))
        .filter(clear_seq__isnull=False, clear_at__lte=since)
        .filter(~Exists(moved))
        .exclude(disturbed)
    )
