"""Links that let somebody set a password: an invitation, or a reset. Each works once, for a while, and ends the one
before it.

The database holds no link: it is signed from its row where it is shown or sent, so that who reads a backup has none.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from common import language
from common.errors import DomainError, Invalid
from people import access, audit, directory, guesses, passwords, tidings
from people.actors import Actor, person
from people.models import PasswordLink, User

LASTS = {
    PasswordLink.Kind.INVITATION: timedelta(days=7),
    PasswordLink.Kind.RESET: timedelta(hours=1),
    PasswordLink.Kind.HANDED_OVER: timedelta(days=1),
    PasswordLink.Kind.ADDRESS: timedelta(days=1),
}
TOPIC = "password-link"  # of the messages that bring one

_SALT = "people.links"


class Over(DomainError):
    """The link was used, is over, or was replaced by another."""

    code = "link_is_over"
    status = 410
    title = _lazy("This link is over")


def url_of(link: PasswordLink) -> str:
    """Where it leads. Who has it may set the password."""
    token = signing.dumps([link.pk, link.nonce], salt=_SALT)
    return f"{settings.ENV.public_url}{reverse('password-link', args=[token])}"


def url_of_topic(topic: str) -> str:
    """The link that a message of this topic brings; empty where it brings none, or a dead one."""
    room, _colon, pk = topic.partition(":")
    link = PasswordLink.objects.filter(pk=pk, used_at=None).first() if room == TOPIC else None
    return url_of(link) if link else ""


def found(token: str, *, now: datetime) -> PasswordLink:
    """Raises Over."""
    try:
        pk, nonce = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        raise Over(_("This link is not whole. Copy all of it.")) from None
    link = PasswordLink.objects.select_related("user").filter(pk=pk, nonce=nonce).first()
    if link is None or link.used_at is not None or link.expires_at <= now or not link.user.is_active:
        raise Over(_("This link was used, or its time is over. Ask for another one."))
    return link


@transaction.atomic
def invite(user: User, *, by: Actor, now: datetime) -> PasswordLink:
    """An invitation, sent by mail where there is a mail server. Those before it are void."""
    access.require(by, access.Act.ADMINISTER)
    link = _make(user, PasswordLink.Kind.INVITATION, by, now)
    with language.of_person(user.language):
        subject = _("%(name)s invites you to Burnline") % {"name": by.name}
        text = _("With this link you choose a password and come in. It works once, for seven days.")
    tidings.send_link(link, subject, text, topic=f"{TOPIC}:{link.pk}", now=now)
    audit.record(audit.Action.PERSON_INVITED, user, by=by, now=now)
    return link


@transaction.atomic
def withdraw(user: User, *, by: Actor, now: datetime) -> bool:
    """Void what was not used yet."""
    access.require(by, access.Act.ADMINISTER)
    voided = user.password_links.filter(used_at=None, expires_at__gt=now).update(expires_at=now)
    if voided:
        audit.record(audit.Action.INVITATION_WITHDRAWN, user, by=by, now=now)
    return bool(voided)


@transaction.atomic
def hand_over(user: User, *, by: Actor, now: datetime) -> PasswordLink:
    """A reset for an administrator to pass on. The password stays until it is used."""
    access.require(by, access.Act.ADMINISTER)
    link = _make(user, PasswordLink.Kind.HANDED_OVER, by, now)
    audit.record(audit.Action.PASSWORD_RESET_ASKED, user, by=by, now=now)
    return link


def ask_reset(email: str, request: HttpRequest, *, now: datetime) -> None:
    """Send a link to the account of this address, if there is one. Whoever asks is not told. Raises TooManyGuesses for
    the address that asks; of one account, what is beyond a few an hour is not sent."""
    guesses.begin("reset", request, account=email, now=now)
    user = User.objects.filter(email__iexact=email, is_active=True).first()
    if user is None or not tidings.can_mail():
        return
    with transaction.atomic():
        link = _make(user, PasswordLink.Kind.RESET, None, now)
        with language.of_person(user.language):
            subject = _("Set a new password")
            text = _(
                "Somebody, we hope you, asked to set a new password for your account. With this link you choose one. "
                "It works once, for an hour. If it was not you, nothing has to be done: your password is unchanged."
            )
        tidings.send_link(link, subject, text, topic=f"{TOPIC}:{link.pk}", now=now)
        audit.record(audit.Action.PASSWORD_RESET_ASKED, user, by=None, now=now)


@transaction.atomic
def use(link: PasswordLink, password: str, *, now: datetime) -> User:
    """Set the password. Every session of theirs ends; a second factor stays, and is asked for. Raises Over, Invalid."""
    user = User.objects.select_for_update().get(pk=link.user_id)
    used = PasswordLink.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now).update(used_at=now)
    if not used:
        raise Over(_("This link was used, or its time is over. Ask for another one."))
    assert link.kind != PasswordLink.Kind.ADDRESS, "it proves an address, and sets no password"
    is_invitation = link.kind == PasswordLink.Kind.INVITATION
    passwords.change(user, password, by=person(user), now=now)
    what = audit.Action.INVITATION_ACCEPTED if is_invitation else audit.Action.PASSWORD_RESET
    audit.record(what, user, by=person(user), now=now)
    return user


@transaction.atomic
def ask_address(user: User, address: str, *, now: datetime) -> None:
    """Send a link to the address that somebody wants to have; it becomes theirs when they open it. Whether it is
    somebody else's is said only then, to who reads its mail. Raises Invalid where no mail is sent."""
    if not tidings.can_mail():
        raise Invalid(_("This installation sends no mail: an administrator can change your address."))
    link = _make(user, PasswordLink.Kind.ADDRESS, person(user), now, address=address.strip().lower())
    with language.of_person(user.language):
        subject = _("Confirm your new address")
        text = _("With this link you show that this address is yours. It becomes the one that you sign in with.")
    tidings.send_link(link, subject, text, topic=f"{TOPIC}:{link.pk}", now=now)


@transaction.atomic
def use_address(link: PasswordLink, *, now: datetime) -> User:
    """The address is theirs from now on. The one before is told. Raises Over, EmailTaken."""
    used = PasswordLink.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now).update(used_at=now)
    if not used:
        raise Over(_("This link was used, or its time is over. Ask for another one."))
    user = link.user
    with language.of_person(user.language):
        what = _("Your e-mail address is now %(address)s.") % {"address": link.address}
    tidings.credentials_changed(user, what, f"address:{link.pk}", now=now)
    directory.take_address(user, link.address, by=person(user), now=now)
    return user


def pending(user: User, *, now: datetime) -> PasswordLink | None:
    """The one that lives, if any."""
    link: PasswordLink | None = user.password_links.filter(used_at=None, expires_at__gt=now).first()
    return link


def _make(user: User, kind: PasswordLink.Kind, by: Actor | None, now: datetime, *, address: str = "") -> PasswordLink:
    user.password_links.filter(used_at=None, expires_at__gt=now).update(expires_at=now)
    return PasswordLink.objects.create(
        user=user,
        kind=kind,
        nonce=secrets.token_urlsafe(24),
        address=address,
        created_at=now,
        expires_at=now + LASTS[kind],
        made_by=by.user if by else None,
    )
