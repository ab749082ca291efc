"""Who acts: a person, a program with a token, an alert, or the system itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _lazy

from people.models import Token, User


class ActorType(models.TextChoices):
    USER = "user", _lazy("User")
    BOT = "bot", _lazy("Bot")
    ALERT = "alert", _lazy("Alert")
    SYSTEM = "system", _lazy("System")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something. `user` is whose rights count: the person, or the owner of the token."""

    type: ActorType
    name: str
    user: User | None = None
    token: Token | None = None
    source: str = ""  # which integration, for alerts
    scopes: frozenset[str] = field(default=frozenset({"read", "write", "admin"}))

    @property
    def id(self) -> str | None:
        """What tells it from others of its type; None for the system."""
        match self.type:
            case ActorType.USER:
                return str(self.user.id) if self.user else None
            case ActorType.BOT:
                return str(self.token.id) if self.token else None
        return self.source or None


# A scope includes the lesser ones.
_INCLUDED = {
    Token.Scope.READ.value: {"read"},
    Token.Scope.WRITE.value: {"read", "write"},
    Token.Scope.ADMIN.value: {"read", "write", "admin"},
}

SYSTEM = Actor(ActorType.SYSTEM, "Burnline")


def person(user: User) -> Actor:
    return Actor(ActorType.USER, user.name, user=user)


def bot(token: Token) -> Actor:
    scopes = frozenset(included for scope in token.scopes for included in _INCLUDED[scope])
    return Actor(ActorType.BOT, token.name, user=token.owner, token=token, scopes=scopes)


def alerts_from(slug: str, name: str) -> Actor:
    return Actor(ActorType.ALERT, name, source=slug)


class SignedInRequest(HttpRequest):
    """A request whose sender is known; the middleware sets `actor`, and the matrix has let it pass."""

    actor: Actor
    user: User
