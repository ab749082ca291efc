"""Answering a call by the link in a message: who may still do so, and what the answer does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from common import language
from common.errors import DomainError
from incidents import lifecycle, responding
from incidents.answer_links import Answer, Link, stamp
from incidents.models import Entry, Incident, Responder
from people import access
from people.actors import person
from people.models import User


class CannotAnswer(DomainError):
    """The link is sound, but what it was for has passed."""

    code = "cannot_answer"
    status = 410
    title = _lazy("Too late to answer")


@dataclass(frozen=True, slots=True)
class Call:
    """A call for somebody to an incident, as it stands. `answered`: how it was answered before, if it was."""

    incident: Incident
    user: User
    responder: Responder
    answered: Answer | None
    answered_at: datetime | None
    asked_by: str
    may_see: bool  # who cannot come to a private incident does not see it any more
    escalated_to: list[str]  # the names of those whom they had called
    taken: Entry | None  # that somebody acknowledged it, where somebody has


def call_of(link: Link) -> Call:
    """The call that the link answers. Raises CannotAnswer where this person cannot answer it any more, in words that
    tell nothing to whom nothing may be told. Changes nothing."""
    user = User.objects.filter(pk=link.user, is_active=True).first()
    if user is None or not access.can(person(user), access.Act.RESPOND):
        raise CannotAnswer(_("This account cannot respond to incidents any more."), status=403)
    incident = Incident.objects.select_related("service", "model", "team", "merged_into").get(number=link.incident)
    responder = incident.responders.filter(user=user).select_related("user", "discipline").first()
    was_called = responder is not None and stamp(responder.asked_at) == link.asked_at
    if responder is None or not was_called:
        raise CannotAnswer(_("You were asked again since, or not at all. Sign in to see how the incident stands."))
    may_see = Incident.objects.for_actor(person(user)).filter(pk=incident.pk).exists()
    asked = incident.entries.filter(kind=Entry.Kind.RESPONDER_ASKED, data__user__id=user.pk).order_by("-seq")
    asked_by = asked.values_list("actor_name", flat=True).first() or ""
    taken = incident.entries.filter(kind=Entry.Kind.STATUS_CHANGED, data__to=Incident.Status.ACKNOWLEDGED)
    call = Call(
        incident,
        user,
        responder,
        *_answered(responder),
        asked_by,
        may_see,
        escalated_to=_escalated_to(responder),
        taken=taken.order_by("-seq").first() if incident.acknowledged_at else None,
    )
    if call.answered is None and not may_see:
        raise CannotAnswer(_("You cannot see this incident any more."), status=403)
    if call.answered is None and responder.state == Responder.State.LEFT:
        raise CannotAnswer(
            _("You have left {incident} since. To come back, sign in and join it there.").format(incident=incident)
        )
    if call.answered is None and not incident.is_open:
        raise CannotAnswer(
            _("{incident} is {status}: nobody needs to come any more.").format(
                incident=incident, status=language.within_a_sentence(incident.get_status_display())
            )
        )
    return call


@transaction.atomic
def answer(link: Link, *, now: datetime) -> Call:
    """Come, and take it where nobody has; call those who manage the team; or say that one cannot. The call as it then
    stands. Who has answered before changes nothing by this."""
    Incident.objects.select_for_update().filter(number=link.incident).exists()
    call = call_of(link)
    if call.answered is not None:
        return call
    if link.answer is Answer.COMES:
        responding.join(call.incident, call.user, now=now)
        if call.incident.status == Incident.Status.TRIGGERED:
            lifecycle.move(call.incident, Incident.Status.ACKNOWLEDGED, by=person(call.user), now=now)
    elif link.answer is Answer.ESCALATES:
        if not call.escalated_to and not responding.escalate(call.responder, now=now):
            raise CannotAnswer(
                _("There is nobody left to escalate to: everybody who manages it is in, or asked."), status=409
            )
    else:
        responding.decline(call.responder, now=now)
    return call_of(link)


def _escalated_to(responder: Responder) -> list[str]:
    """In the order in which they were called, since this call was made."""
    called = responder.incident.entries.filter(
        kind=Entry.Kind.RESPONDER_ASKED, data__escalated_by=responder.user_id, recorded_at__gte=responder.asked_at
    )
    return [str(data["user"]["name"]) for data in called.order_by("seq").values_list("data", flat=True)]


def _answered(responder: Responder) -> tuple[Answer | None, datetime | None]:
    if responder.state == Responder.State.JOINED:
        return Answer.COMES, responder.joined_at
    if responder.state == Responder.State.LEFT:
        left = responder.incident.entries.filter(kind=Entry.Kind.RESPONDER_LEFT, data__user__id=responder.user_id)
        last = left.order_by("-seq").first()
        if last is not None and last.data.get("cannot_come"):
            return Answer.CANNOT, responder.left_at
    return None, None
