"""Setting somebody's password: one's own, or as an administrator anybody's."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from common import language
from common.errors import Invalid
from people import access, audit, sessions, tidings
from people.actors import Actor
from people.models import User


def made_up() -> str:
    """One that nobody guesses, for a start."""
    return secrets.token_urlsafe(15)


def check(password: str, user: User | None = None) -> None:
    """Raise Invalid for one that is too short or too common."""
    try:
        validate_password(password, user)
    except ValidationError as exc:
        faults = [("password", message) for message in exc.messages]
        raise Invalid(_("This password will not do."), errors=faults) from exc


def was_given(user: User) -> None:
    """Others have read the password, in a terminal or a request: its owner is asked to choose one."""
    User.objects.filter(pk=user.pk).update(has_given_password=True)


def keep(user: User) -> None:
    """Ask no more."""
    User.objects.filter(pk=user.pk).update(has_given_password=False)


@transaction.atomic
def change(user: User, password: str, *, by: Actor, now: datetime, keep: str | None = None) -> None:
    """Every session of theirs ends, but `keep`, whose hash the caller renews. Raises Invalid, Forbidden."""
    if by.user != user:
        access.require(by, access.Act.ADMINISTER)
    check(password, user)
    user.set_password(password)
    is_given = by.user != user
    changed = {"password": user.password, "has_given_password": is_given, "version": F("version") + 1}
    User.objects.filter(pk=user.pk).update(**changed)
    user.refresh_from_db(fields=["version"])
    sessions.end_all(user, but=keep)
    user.password_links.filter(used_at=None, expires_at__gt=now).update(expires_at=now)
    with language.of_person(user.language):
        what = _("Your password was changed.")
    tidings.credentials_changed(user, what, f"password:{user.version}", now=now)
    audit.record(audit.Action.PASSWORD_CHANGED, user, by=by, now=now)
