"""A bad incident that was resolved a day ago and has no postmortem yet: whoever leads is reminded, once."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from common import language, schedule
from incidents import notices, timeline
from incidents.models import Entry, Incident
from notifications import outbox
from notifications.models import Message
from people.actors import SYSTEM, person
from people.models import User
from postmortems.models import Postmortem

AFTER = timedelta(hours=24)
AT_MOST = timedelta(days=7)  # what was resolved before that is reminded of no more, if nobody was there to do it
BATCH = 100  # incidents in one run; the next one goes on

_KEY = "postmortem-reminder:"


def remind(*, now: datetime) -> int:
    """Remind of every SEV1 and SEV2 that has been resolved for a day without a postmortem; drills aside. How many."""
    found = _owing(Incident.objects.all(), now).order_by("resolved_at", "pk").values_list("pk", flat=True)[:BATCH]
    return schedule.sweep(list(found), lambda pk: _remind(pk, now))


@transaction.atomic
def _remind(pk: int, now: datetime) -> bool:
    """True if this call did it: the entry's key says so, which belongs to this resolution."""
    incident = Incident.objects.select_for_update(of=("self",)).select_related("team").get(pk=pk)
    if not _owing(Incident.objects.filter(pk=pk), now).exists():
        return False
    key = f"{_KEY}{_resolution(incident)}"
    if timeline.written(incident, key) is not None:
        return False
    people = _responsible(incident)
    timeline.record(
        incident,
        Entry.Kind.OBLIGATION,
        actor=SYSTEM,
        at=now,
        key=key,
        what="postmortem",
        reminded=[{"id": user.pk, "name": user.name} for user in people],
    )
    for user in people:
        with language.of_person(user.language):
            subject = _("{incident}: no postmortem yet - {title}").format(incident=incident, title=incident.title)
            text = _words(incident, user)
        outbox.enqueue(
            key=f"{notices.TOPIC}:{incident.number}:{key}:{user.pk}",
            to=user,
            kind=Message.Kind.REMINDER,
            topic=f"{notices.TOPIC}:{incident.number}",
            subject=f"[{incident.get_severity_display()}] {subject}",
            text=text,
            url=f"{settings.ENV.public_url}{incident.get_absolute_url()}",
            now=now,
        )
    return True


def _owing(incidents: QuerySet[Incident], now: datetime) -> QuerySet[Incident]:
    """Those of them that were resolved long enough ago, have no postmortem, and were not reminded of since."""
    reminded = Entry.objects.filter(incident=OuterRef("pk"), kind=Entry.Kind.OBLIGATION, key__startswith=_KEY)
    return incidents.filter(
        ~Exists(Postmortem.objects.filter(incident=OuterRef("pk"))),
        ~Exists(reminded.filter(recorded_at__gte=OuterRef("resolved_at"))),
        status__in=(Incident.Status.RESOLVED, Incident.Status.CLOSED),
        severity__in=(Incident.Severity.SEV1, Incident.Severity.SEV2),
        is_drill=False,
        is_candidate=False,
        resolved_at__gt=now - AT_MOST,
        resolved_at__lte=now - AFTER,
    )


def _resolution(incident: Incident) -> int:
    """The seq of the entry that tells of it. What was reopened for a correction alone was resolved before."""
    moves = incident.entries.filter(kind=Entry.Kind.STATUS_CHANGED, data__to="resolved").exclude(data__from="closed")
    return moves.order_by("-seq").values_list("seq", flat=True).first() or 0


def _responsible(incident: Incident) -> list[User]:
    """Who leads it, else the managers of its team, else the admins: the first of these of whom somebody is there who
    may see it."""
    here = User.objects.filter(is_active=True).order_by("pk")
    leading = incident.role_assignments.filter(role__slug="commander", ended_at=None)
    for circle in (
        here.filter(pk__in=leading.values("user")),
        here.filter(memberships__team=incident.team_id, memberships__role="manager"),
        here.filter(is_admin=True),
    ):
        if people := [user for user in circle if _may_see(user, incident)]:
            return people
    return []


def _may_see(user: User, incident: Incident) -> bool:
    return Incident.objects.for_actor(person(user)).filter(pk=incident.pk).exists()


def _words(incident: Incident, user: User) -> str:
    assert incident.resolved_at is not None, "only what was resolved owes a postmortem"
    return "\n\n".join(
        [
            _("{incident} was resolved on {moment} and has no postmortem yet.").format(
                incident=incident, moment=notices.moment(incident.resolved_at, user)
            ),
            f"{incident.get_severity_display()} · {incident.title}",
            _("Begin it while people remember: its draft is made of what the timeline says."),
        ]
    )
