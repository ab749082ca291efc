"""Who hears that alerts have opened an incident, and when: the first one at once, and what follows it closely together,
so that a storm of incidents is a handful of messages to each person."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Q, QuerySet

from common import schedule
from incidents import access, notices
from incidents.models import Announcement, Incident, Responder
from notifications import methods
from notifications.models import Message
from people.actors import person
from people.models import User

BATCH = 100  # incidents in one run; the next one goes on
MOST = 100  # incidents of which one message tells; the next one tells of more
OF_LATE = timedelta(minutes=5)
# Before the next message to somebody, by how many they had of late. Who had one for each waits until the first is old.
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (0, 10, 30, 60, 120))

Status = Incident.Status


def is_due(*, now: datetime) -> bool:
    """Whether there is anything to announce. Two looks into indexes that are empty nearly always."""
    return Incident.objects.filter(is_news=True).exists() or _waiting().filter(due_at__lte=now).exists()


def announce(*, now: datetime) -> int:
    """Tell of what alerts have opened, or opened again, those who are to hear of it now. How many messages."""
    news = Incident.objects.filter(is_news=True).order_by("pk").values_list("pk", flat=True)
    try:
        schedule.sweep(list(news[:BATCH]), lambda pk: _decide(pk, now))
    finally:
        due = _waiting().filter(due_at__lte=now).order_by("user").values_list("user", flat=True).distinct()
        told = schedule.sweep(list(due), lambda pk: _tell(pk, now))
    return told


def hearers(incident: Incident) -> list[User]:
    """Those who are in it, where it came back to who had taken it; else who responds in its team, or manages it, and
    wants to hear; where there is nobody, the admins who do. Only who may see it, and whom something reaches."""
    able = User.objects.filter(is_active=True).order_by("pk")
    willing = able.filter(hears_of_incidents=True)
    responds = Q(memberships__team=incident.team_id, memberships__role__in=("responder", "manager"))
    circles = [willing.filter(responds), willing.filter(is_admin=True)]
    if incident.status == Status.ACKNOWLEDGED:
        circles.insert(0, able.filter(pk__in=_those_in(incident)))
    private = [incident.pk] if incident.is_private else []
    readers = access.readers_of(private).get(incident.pk)
    for circle in circles:
        found = [user for user in circle if readers is None or user.pk in readers]
        out_of_reach = methods.unreachable(found)
        if reached := [user for user in found if user.pk not in out_of_reach]:
            return reached
    return []


@transaction.atomic
def _decide(pk: int, now: datetime) -> bool:
    """Write down who is to hear of it, unless somebody has taken it meanwhile, or it is over."""
    incident = Incident.objects.select_for_update(no_key=True).get(pk=pk)
    if not Incident.objects.filter(pk=pk, is_news=True).update(is_news=False):
        return False
    rows = [Announcement(incident=incident, user=user, due_at=now) for user in hearers(incident)]
    Announcement.objects.bulk_create(rows, ignore_conflicts=True)
    return True


@transaction.atomic
def _tell(pk: int, now: datetime) -> bool:
    """One message of what waits for this person, of MOST incidents; or none yet, where they had several of late."""
    user = User.objects.select_for_update(no_key=True).get(pk=pk)
    waiting = dict(_waiting().filter(user=user).values_list("incident", "pk"))
    rows = Announcement.objects.filter(pk__in=waiting.values())
    next_at = _next_at(user, now)
    if next_at > now:
        rows.update(due_at=next_at)
        return False
    seen = Incident.objects.for_actor(person(user)).filter(pk__in=waiting)
    counted = seen.annotate(firing=Count("alerts", filter=Q(alerts__status="firing"))).order_by("severity", "pk")
    incidents = [incident for incident in counted.select_related("service", "model") if _concerns(incident, user)]
    if not user.is_active or methods.unreachable([user]):
        incidents = []
    rows.exclude(incident__in=incidents).delete()
    if not incidents:
        return False
    told = [waiting[incident.pk] for incident in incidents[:MOST]]
    message = notices.opened(user, incidents[:MOST], key=str(min(told)), now=now)
    Announcement.objects.filter(pk__in=told).update(message=message)
    return True


def _next_at(user: User, now: datetime) -> datetime:
    """When they may have the next message."""
    recent = Message.objects.filter(user=user, kind=Message.Kind.OPENED, created_at__gt=now - OF_LATE)
    sent = list(recent.order_by("created_at").values_list("created_at", flat=True))
    if len(sent) >= len(PAUSES):
        return sent[-len(PAUSES)] + OF_LATE
    return sent[-1] + PAUSES[len(sent)] if sent else now


def _concerns(incident: Incident, user: User) -> bool:
    """Whether they still have to hear of it: what others have taken wakes nobody who is not among them."""
    if incident.status == Status.ACKNOWLEDGED:
        those_in = set(_those_in(incident))
        return not those_in or user.pk in those_in  # a program takes it, and nobody is in
    return incident.status == Status.TRIGGERED


def _those_in(incident: Incident) -> Iterable[int]:
    joined = incident.responders.filter(state=Responder.State.JOINED, user__is_active=True)
    return joined.values_list("user", flat=True)


def _waiting() -> QuerySet[Announcement]:
    return Announcement.objects.filter(message=None)
