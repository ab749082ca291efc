"""How a REST request says who it is: a bearer token, or the browser's session with CSRF."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from people import actors
from people.models import Token, User

_USED_EVERY = timedelta(minutes=1)


def actor_of(request: Request) -> actors.Actor:
    """Who sends this authenticated request."""
    assert isinstance(request.auth, actors.Actor)
    return request.auth


class Bearer(BaseAuthentication):
    """`Authorization: Bearer blt_...`. With the header present, no cookie is looked at."""

    def authenticate(self, request: Request) -> tuple[User, actors.Actor] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("Send the token as: Authorization: Bearer blt_...")
        now = timezone.now()
        hashed = Token.hash_of(secret.strip().encode("utf-8", "replace").decode())
        token = Token.objects.live(now).select_related("owner").filter(secret_hash=hashed).first()
        if token is None:
            raise AuthenticationFailed("This token is unknown, expired or revoked.")
        if token.last_used_at is None or token.last_used_at < now - _USED_EVERY:
            Token.objects.filter(id=token.id).update(last_used_at=now)
        return token.owner, actors.bot(token)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="burnline"'


class Session(SessionAuthentication):
    """The signed-in browser; unsafe methods need the CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, actors.Actor] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user = found[0]
        assert isinstance(user, User)
        return user, actors.person(user)
