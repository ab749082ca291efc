"""What people are told of their own accounts. How it leaves is the business of a room above, which the settings name
(`ACCOUNT_MESSAGES`): there a message is written in the transaction of the change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from common import language
from people.models import PasswordLink, User


def can_mail() -> bool:
    """Whether this installation sends mail."""
    return bool(settings.ENV.smtp_url)


def send_link(link: PasswordLink, subject: str, text: str, *, topic: str, now: datetime) -> None:
    """To the address of the account, or its next one, and to no contact method; without a mail server nothing."""
    if can_mail():
        address = link.address or link.user.email
        _room("send_link")(link.user, address, f"password-link:{link.pk}", topic, subject, text, now=now)


def credentials_changed(user: User, what: str, key: str, *, now: datetime) -> None:
    """Tell somebody what was changed of how they sign in, in case it was not them; by whatever reaches them."""
    with language.of_person(user.language):
        subject = _("Your account was changed")
        text = _("%(what)s If that was not you, tell an administrator at once.") % {"what": what}
    _room("tell")(user, f"account:{user.pk}:{key}", subject, text, now=now)


def _room(act: str) -> Any:
    return import_string(settings.ACCOUNT_MESSAGES[act])
