"""Who is told what about an incident, by their own contact methods; and how the timeline hears of it.

Nobody is told of what they did themselves, and nobody of an incident that they may not see.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from django.conf import settings
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common import language
from incidents import answer_links, timeline
from incidents.models import Announcement, Entry, Incident, Responder, RoleAssignment
from notifications import methods, outbox
from notifications.channels import Priority
from notifications.models import Delivery, Message
from people import mentions
from people.actors import SYSTEM, Actor, person
from people.models import User

TOPIC = "incident"
TOPICS = "incidents"  # of a message that is of several
_LISTED = 20  # incidents that a message of several names
_QUOTED = 1000  # characters of an entry that a message repeats


def opened(user: User, incidents: Sequence[Incident], *, key: str, now: datetime) -> Message:
    """Alerts have opened these, or opened them again, the most severe first: one message for all of them. Each knows
    how many alerts are `firing` in it."""
    worst = incidents[0]
    count = len(incidents)
    with language.of_person(user.language):
        if count == 1:
            topic, url = f"{TOPIC}:{worst.number}", worst.get_absolute_url()
            what, words = _how_it_opened(worst)
            subject = _subject(worst, what)
            text = f"{words} {_firing(worst)}\n\n{_facts(worst, user)}"
        else:
            topic, url = f"{TOPICS}:{key}", reverse("incident-list")
            about = {"severity": worst.get_severity_display(), "count": count, "incident": worst, "title": worst.title}
            subject = _("[{severity}] {count} new incidents, the first {incident} - {title}").format_map(about)
            lines = [f"{i.get_severity_display()} · {i} · {i.title} · {_firing(i)}" for i in incidents[:_LISTED]]
            if count > _LISTED:
                lines.append(_("And {count} more.").format(count=count - _LISTED))
            text = "\n".join([_("Alerts have opened {count} incidents:").format(count=count), "", *lines])
    return outbox.enqueue(
        key=f"{TOPICS}:{key}",
        to=user,
        kind=Message.Kind.OPENED,
        topic=topic,
        subject=subject,
        text=text,
        url=f"{settings.ENV.public_url}{url}",
        priority=_priority(worst, Message.Kind.OPENED),
        now=now,
    )


def _how_it_opened(incident: Incident) -> tuple[str, str]:
    """In a few words, and in a sentence."""
    if incident.is_candidate:
        return _("may be an incident"), _("Alerts have opened {incident}. Confirm or dismiss it.").format(
            incident=incident
        )
    if incident.entries.filter(kind=Entry.Kind.STATUS_CHANGED, data__because="alerts").exists():
        return _("fires again"), _("Alerts fire again in {incident}.").format(incident=incident)
    return _("new incident"), _("Alerts have opened {incident}.").format(incident=incident)


def _firing(incident: Incident) -> str:
    count = getattr(incident, "firing", 0)
    return ngettext("{count} alert fires.", "{count} alerts fire.", count).format(count=count)


def asked(responder: Responder, *, by: Actor, now: datetime) -> None:
    """They are asked to come, and can say by a link whether they do."""
    incident, user = responder.incident, responder.user
    about = {"name": by.name, "incident": incident, "discipline": responder.discipline}
    with language.of_person(user.language):
        what = _("{name} asks you to come").format_map(about)
        if responder.discipline:
            words = _("{name} asks you to come to {incident} as {discipline}.").format_map(about)
        else:
            words = _("{name} asks you to come to {incident}.").format_map(about)
    _tell(
        incident,
        user,
        Message.Kind.ASKED,
        f"asked:{responder.pk}:{answer_links.stamp(responder.asked_at)}",
        what,
        words,
        by=by,
        now=now,
        responder=responder,
    )


def given_role(assignment: RoleAssignment, responder: Responder, *, by: Actor, now: datetime) -> None:
    """They hold a role now. Who is not in yet can say by a link whether they come."""
    incident = assignment.incident
    about = {"name": by.name, "incident": incident, "role": assignment.role}
    with language.of_person(assignment.user.language):
        what = _("you are {role} now").format_map(about)
        words = _("{name} made you {role} of {incident}.").format_map(about)
    _tell(
        incident,
        assignment.user,
        Message.Kind.ROLE,
        f"role:{assignment.pk}",
        what,
        words,
        by=by,
        now=now,
        responder=responder if responder.state == Responder.State.ASKED else None,
    )


def mentioned(entry: Entry, *, by: Actor, now: datetime) -> None:
    """Those whom the entry names are told what it says; of a correction, only those whom it names anew."""
    incident = entry.incident
    known: Iterable[User] = ()
    if entry.amends is not None:
        known = mentions.mentioned(incident.entries.get(seq=entry.amends).html)
    for user in mentions.mentioned(entry.html):
        if user in known:
            continue
        quoted = entry.text if len(entry.text) <= _QUOTED else f"{entry.text[:_QUOTED].rstrip()}…"
        with language.of_person(user.language):
            what = _("{name} mentions you").format(name=by.name)
            words = _("{name} mentions you in {incident}:").format(name=by.name, incident=incident)
        _tell(
            incident,
            user,
            Message.Kind.MENTIONED,
            f"mentioned:{entry.seq}:{user.pk}",
            what,
            f"{words}\n\n{quoted}",
            by=by,
            now=now,
            anchor=f"?entry={entry.seq}#entry-{entry.seq}",
        )


def declined(responder: Responder, *, now: datetime) -> None:
    """Who asked for them, and who leads, hears that they cannot come."""
    incident, user = responder.incident, responder.user
    asked_by = (
        incident.entries.filter(kind=Entry.Kind.RESPONDER_ASKED, data__user__id=user.pk, actor_user__isnull=False)
        .order_by("-seq")
        .values_list("actor_user", flat=True)[:1]
    )
    leading = incident.role_assignments.filter(role__slug="commander", ended_at=None).values_list("user", flat=True)
    for other in User.objects.filter(pk__in={*asked_by, *leading}, is_active=True).order_by("pk"):
        with language.of_person(other.language):
            what = _("{name} cannot come").format(name=user.name)
            words = _("{name} cannot come to {incident}. Ask somebody else.").format(name=user.name, incident=incident)
        _tell(
            incident,
            other,
            Message.Kind.DECLINED,
            f"{_declined(responder)}:{other.pk}",
            what,
            words,
            by=person(user),
            now=now,
        )


def who_hears_that_declined(responder: Responder) -> Literal["told", "being told", "nobody"]:
    """How far those who wait for them have been told that they cannot come."""
    topic = f"{TOPIC}:{responder.incident.number}"
    written = Message.objects.filter(topic=topic, kind=Message.Kind.DECLINED)
    states = set(written.filter(key__startswith=f"{topic}:{_declined(responder)}:").values_list("state", flat=True))
    if Message.State.DELIVERED in states:
        return "told"
    return "being told" if Message.State.WAITING in states else "nobody"


def _declined(responder: Responder) -> str:
    return f"declined:{responder.pk}:{answer_links.stamp(responder.asked_at)}"


def record(message: Message, delivery: Delivery | None, now: datetime, *, then: Delivery | None = None) -> None:
    """Write on the timeline that somebody was told, or that nothing could reach them; or, once for each delivery, that
    they could not be told by it so far. On each timeline, where the message is of several incidents."""
    topic, _colon, number = message.topic.partition(":")
    found = Incident.objects.filter(number=number)
    if topic == TOPICS:
        told = Announcement.objects.filter(message__topic=message.topic)
        found = Incident.objects.filter(pk__in=told.values("incident"))
    about: dict[str, Any] = {"user": {"id": message.user.pk, "name": message.user.name}, "message": message.kind}
    kind, key = Entry.Kind.NOTIFICATION_FAILED, ""
    if delivery is None:
        about |= {"final": True, "reason": message.reason}
    else:
        channel = methods.label_of(delivery.channel)
        about |= {"channel": delivery.channel, "channel_name": channel, "tries": delivery.tries}
        if message.state == Message.State.DELIVERED:
            kind = Entry.Kind.NOTIFIED
        else:
            key = f"not-told-by:{delivery.pk}"
            about |= {"final": False, "answer": delivery.last_answer}
            about["then"] = methods.label_of(then.channel) if then else None
            found = found.exclude(entries__key=key)
    draft = timeline.Draft(kind, SYSTEM, now, data=about, key=key)
    timeline.append([(incident, draft) for incident in found.order_by("pk")], now=now)


def _tell(
    incident: Incident,
    user: User,
    kind: Message.Kind,
    key: str,
    what: str,
    words: str,
    *,
    by: Actor,
    now: datetime,
    responder: Responder | None = None,
    anchor: str = "",
) -> None:
    if by.user == user and by.token is None:
        return
    if not Incident.objects.for_actor(person(user)).filter(pk=incident.pk).exists():
        return
    key = f"{TOPIC}:{incident.number}:{key}"
    with language.of_person(user.language):
        subject = _subject(incident, what)
        text = f"{words}\n\n{_facts(incident, user)}"
        actions = answer_links.offers(responder, key, now=now) if responder else ()
    outbox.enqueue(
        key=key,
        to=user,
        kind=kind,
        topic=f"{TOPIC}:{incident.number}",
        subject=subject,
        text=text,
        url=f"{settings.ENV.public_url}{incident.get_absolute_url()}{anchor}",
        actions=actions,
        priority=_priority(incident, kind),
        now=now,
    )


def _subject(incident: Incident, what: str) -> str:
    return f"[{incident.get_severity_display()}] {incident}: {what} - {incident.title}"


def _priority(incident: Incident, kind: Message.Kind) -> Priority:
    is_quiet = kind == Message.Kind.OPENED and (incident.is_candidate or incident.severity in ("sev4", "sev5"))
    if kind == Message.Kind.MENTIONED or is_quiet:
        return "normal"
    is_call = kind in (Message.Kind.ASKED, Message.Kind.OPENED)
    return "urgent" if incident.severity in ("sev1", "sev2") and is_call else "high"


def _facts(incident: Incident, user: User) -> str:
    """What one has to know of it, in lines of plain text."""
    lines = [f"{incident.get_severity_display()} · {incident.get_status_display()} · {incident.title}"]
    affected = incident.service or incident.model
    if affected:
        lines.append(_("Affects {what}").format(what=affected))
    return "\n".join([*lines, _("Since {moment}").format(moment=moment(incident.since, user))])


def moment(at: datetime, user: User) -> str:
    """A moment in the person's own zone, and in UTC where that is another."""
    try:
        local = at.astimezone(zoneinfo.ZoneInfo(user.time_zone or "UTC"))
    except (KeyError, ValueError):  # a zone that this machine does not know
        local = at.astimezone(UTC)
    own = f"{formats.date_format(local, 'j M Y, H:i')} {local.tzname()}"
    return own if not local.utcoffset() else f"{own} ({at.astimezone(UTC):%H:%M} UTC)"
