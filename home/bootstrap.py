"""What a new installation needs before anyone can use it: an admin, a team, an integration, a token."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from alerts import integrations
from alerts.models import Integration
from common.errors import Invalid
from people import actors, directory, passwords, tokens
from people.models import Discipline, Membership, Team, Token, User

_TOKEN = "bootstrap"
_INTEGRATION = "Alertmanager"


@transaction.atomic
def bootstrap(*, now: datetime, rotate: bool = False) -> dict[str, Any]:
    """Create what is missing, and say it as API.md's `bootstrap --json`; a secret that existed before is None.

    `rotate` issues new tokens, never a new password. Raises Invalid for an admin's password that is too short.
    """
    admin, password = _admin(now)
    team = _team(admin, now)
    integration, webhook_token = _integration(team, rotate, now)
    return {
        "url": settings.ENV.public_url,
        "admin": {"email": admin.email, "password": password},
        "webhook": {"url": integrations.webhook_url(), "token": webhook_token},
        "api_token": _api_token(admin, rotate, now),
        "receiver_yaml": integrations.receiver_yaml(integration, webhook_token),
    }


def _admin(now: datetime) -> tuple[User, str | None]:
    """The first admin, and the password if it was set just now."""
    known = User.objects.filter(is_admin=True, is_active=True).order_by("id").first()
    if known is not None:
        return known, None
    password = settings.ENV.admin_password or secrets.token_urlsafe(15)
    if len(password) < 12:
        raise Invalid("BURNLINE_ADMIN_PASSWORD needs at least 12 characters.")
    admin = directory.add_user(
        settings.ENV.admin_email,
        "Admin",
        by=actors.SYSTEM,
        now=now,
        password=password,
        discipline=Discipline.objects.filter(slug="sre").first(),
        is_admin=True,
    )
    passwords.was_given(admin)
    return admin, password


def _team(admin: User, now: datetime) -> Team:
    team = Team.objects.order_by("id").first()
    if team is None:
        team = directory.add_team("Platform", by=actors.SYSTEM, now=now, slug="platform")
        manages = {team: Membership.Role.MANAGER.value}
        directory.change_user(admin, {}, by=actors.SYSTEM, now=now, memberships=manages)
    return team


def _integration(team: Team, rotate: bool, now: datetime) -> tuple[Integration, str | None]:
    known = Integration.objects.filter(kind=Integration.Kind.ALERTMANAGER).order_by("id").first()
    if known is None:
        return integrations.create(_INTEGRATION, team=team, by=actors.SYSTEM, now=now)
    return known, integrations.rotate(known, by=actors.SYSTEM, now=now) if rotate else None


def _api_token(admin: User, rotate: bool, now: datetime) -> str | None:
    """A token that reads and writes for the admin; a rotation ends the one before."""
    known = Token.objects.live(now).filter(owner=admin, name=_TOKEN)
    if known.exists():
        if not rotate:
            return None
        for token in known:
            tokens.revoke(token, by=actors.SYSTEM, now=now)
    _, secret = tokens.issue(admin, _TOKEN, ["read", "write"], by=actors.SYSTEM, now=now)
    return secret
