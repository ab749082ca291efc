"""The links by which somebody who was asked to come says that they do, or that they cannot: signed, for one person, one
incident and one answer, and of no use after a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from common.errors import DomainError
from incidents.models import Responder
from notifications import outbox
from notifications.channels import Action

VALID = outbox.ACTIONS_LAST
_SALT = "burnline.incidents.answer"


class Answer(StrEnum):
    COMES = "comes"
    ESCALATES = "escalates"
    CANNOT = "cannot"


LABELS = {
    Answer.COMES: _lazy("I'm in"),
    Answer.CANNOT: _lazy("I can't"),
}  # what a message offers; the page has room for more


class NoSuchLink(DomainError):
    """It was not made here, or was altered since."""

    code = "no_such_link"
    status = 404
    title = _lazy("This link does not work")


class Expired(DomainError):
    """It was made more than a day ago."""

    code = "expired"
    status = 410
    title = _lazy("This link has expired")


@dataclass(frozen=True, slots=True)
class Link:
    """What a link is for. `asked_at` tells one call for somebody from the next, `message` is the key of the message."""

    incident: int  # its number
    user: int
    asked_at: str
    answer: Answer
    message: str
    made_at: datetime


def offers(responder: Responder, message: str, *, now: datetime) -> tuple[Action, ...]:
    """The answers that a message can offer to whoever is asked."""
    return tuple(
        Action(str(label), settings.ENV.public_url + reverse("answer", args=[token(responder, answer, message, now)]))
        for answer, label in LABELS.items()
    )


def token(responder: Responder, answer: Answer, message: str, now: datetime) -> str:
    """The secret part of a link."""
    return signing.dumps(
        [
            responder.incident.number,
            responder.user_id,
            stamp(responder.asked_at),
            answer.value,
            message,
            int(now.timestamp()),
        ],
        salt=_SALT,
    )


def read(secret: str, *, now: datetime) -> Link:
    """What the link is for. Raises NoSuchLink, Expired."""
    try:
        incident, user, asked_at, answer, message, made_at = signing.loads(secret, salt=_SALT)
        link = Link(incident, user, asked_at, Answer(answer), message, datetime.fromtimestamp(made_at, UTC))
    except (signing.BadSignature, ValueError, TypeError) as exc:
        raise NoSuchLink(_("This link is not complete, or was altered. Open the one in the message again.")) from exc
    if now - link.made_at > VALID:
        raise Expired(_("This link is more than a day old. Sign in to see how the incident stands."))
    return link


def instead(link: Link, answer: Answer) -> str:
    """The secret part of the link with this answer, as old as the one that it stands for."""
    made_at = int(link.made_at.timestamp())
    return signing.dumps([link.incident, link.user, link.asked_at, answer.value, link.message, made_at], salt=_SALT)


def stamp(asked_at: datetime | None) -> str:
    return asked_at.astimezone(UTC).isoformat() if asked_at else ""
