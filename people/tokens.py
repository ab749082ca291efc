"""Keys for programs: issued once in clear, kept as a hash, revoked for good."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from common.errors import Forbidden, Invalid
from common.text import storable
from people import access, audit
from people.actors import Actor
from people.audit import Action
from people.models import Token, User

_ACT = {"read": access.Act.READ, "write": access.Act.RESPOND, "admin": access.Act.ADMINISTER}


@transaction.atomic
def issue(
    owner: User,
    name: str,
    scopes: Iterable[str],
    *,
    by: Actor,
    now: datetime,
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """A new token and its secret, which is told this once.

    Nobody gives away more than they have: a scope that `by` lacks is Forbidden, and a token's own offspring does not
    outlive it.
    """
    if by.user != owner:
        access.require(by, access.Act.ADMINISTER)
    wanted = sorted(set(scopes), key=Token.Scope.values.index)
    name = storable(name).strip()
    if not name:
        raise Invalid(_("A token needs a name."), errors=[("name", _("Say which program it is for."))])
    if not wanted:
        raise Invalid(_("A token needs a scope."), errors=[("scopes", _("read, write or admin."))])
    if expires_at is not None and expires_at <= now:
        raise Invalid(_("A token must expire later than now."), errors=[("expires_at", _("This lies in the past."))])
    if any(not access.can(by, _ACT[scope]) for scope in wanted):
        raise Forbidden(
            _("A token cannot do more than who issues it."), errors=[("scopes", _("Beyond your own rights."))]
        )
    last = by.token.expires_at if by.token else None
    if last is not None and (expires_at is None or expires_at > last):
        raise Forbidden(
            _("It would outlive the token that issues it."),
            errors=[("expires_at", _("At most {moment}.").format(moment=f"{last:%Y-%m-%d %H:%M} UTC"))],
        )
    secret = Token.new_secret()
    token = Token.objects.create(
        owner=owner,
        name=name,
        secret_hash=Token.hash_of(secret),
        hint=secret[: Token._meta.get_field("hint").max_length],
        scopes=wanted,
        created_at=now,
        expires_at=expires_at,
    )
    told = {"owner": owner.name, **audit.values(token, ("hint", "scopes", "expires_at"))}
    audit.record(Action.TOKEN_ISSUED, token, by=by, now=now, after=told)
    return token, secret


def scopes_of(actor: Actor) -> list[str]:
    """The scopes that the actor can give away."""
    return [str(scope) for scope in Token.Scope if access.can(actor, _ACT[scope])]


@transaction.atomic
def revoke(token: Token, *, by: Actor, now: datetime) -> bool:
    """End a token at once and for good: one's own, or as an administrator anybody's. False when it had ended."""
    if by.user != token.owner:
        access.require(by, access.Act.ADMINISTER)
    ended = Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now)
    token.refresh_from_db()
    if ended:
        told = {"owner": token.owner.name, **audit.values(token, ("hint", "scopes", "expires_at"))}
        audit.record(Action.TOKEN_REVOKED, token, by=by, now=now, before=told)
    return bool(ended)
