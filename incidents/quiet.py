"""An incident whose alerts are all over is left alone for a while; if nobody took it by then, it resolves by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import (
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Cast

from common import schedule
from incidents import lifecycle
from incidents.models import Entry, Incident
from people.actors import SYSTEM

BATCH = 100  # incidents in one run; the next one goes on


def resolve_quiet(*, now: datetime) -> int:
    """Resolve what nobody acknowledged, whose alerts were all clear for the quiet period and still are. How many."""
    found = _quiet(Incident.objects.open(), now).order_by("pk").values_list("pk", flat=True)[:BATCH]
    return schedule.sweep(list(found), lambda pk: _resolve(pk, now))


@transaction.atomic
def _resolve(pk: int, now: datetime) -> bool:
    """True if this call did it. Deliveries and people lock the incident too before they change anything of it, so what
    is seen after that is so until the end."""
    incident = Incident.objects.select_for_update().get(pk=pk)
    if not _quiet(Incident.objects.filter(pk=pk), now).exists():
        return False
    seconds = settings.ENV.quiet_period if incident.quiet_period is None else incident.quiet_period
    period = _in_words(timedelta(seconds=seconds))
    note = f"No alert has fired for {period}, and nobody had taken it."
    if incident.resolves != Incident.Resolves.ALL:
        note = f"Enough of its alerts have ended, none has fired for {period}, and nobody had taken it."
    return lifecycle.move(incident, Incident.Status.RESOLVED, by=SYSTEM, now=now, note=note)


def _in_words(period: timedelta) -> str:
    seconds = int(period.total_seconds())
    number, unit = (seconds, "second") if seconds % 60 else (seconds // 60, "minute")
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _quiet(incidents: QuerySet[Incident], now: datetime) -> QuerySet[Incident]:
    """Those of them that are triggered, cleared for as long as they wait, and not moved since: who was given back waits
    for people. An alert that fires, or may fire again within its grace, disturbs the quiet: where only some of them
    have to end, one that has fired since. So does a heartbeat that is missing."""
    own = Entry.objects.filter(incident=OuterRef("pk"))
    clear = own.filter(kind=Entry.Kind.ALL_CLEAR).order_by("-seq")
    since = own.filter(seq__gt=OuterRef("clear_seq"))
    moved, fired = since.filter(kind=Entry.Kind.STATUS_CHANGED), since.filter(kind=Entry.Kind.ALERTS_FIRED)
    disturbed = Q(alerts__status="firing") | Q(alerts__provisional_since__isnull=False)
    disturbed |= Q(alerts__group__truncated__gt=0)  # what Alertmanager leaves out may fire
    usual = now - timedelta(seconds=settings.ENV.quiet_period)
    own_period = ExpressionWrapper(Cast("quiet_period", IntegerField()) * Value(timedelta(seconds=1)), DurationField())
    own_time = ExpressionWrapper(Value(now, DateTimeField()) - own_period, DateTimeField())
    long_ago = Q(quiet_period=None, clear_at__lte=usual) | Q(quiet_period__isnull=False, clear_at__lte=own_time)
    return (
        incidents.filter(status=Incident.Status.TRIGGERED)
        .exclude(resolves=Incident.Resolves.NEVER)
        .annotate(clear_seq=Subquery(clear.values("seq")[:1]), clear_at=Subquery(clear.values("recorded_at")[:1]))
        .filter(long_ago, ~Exists(moved), ~Exists(fired), clear_seq__isnull=False)
        .exclude(disturbed, resolves=Incident.Resolves.ALL)
        .exclude(heartbeats__missed_at__isnull=False)
    )
