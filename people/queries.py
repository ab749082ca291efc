"""What the pages of people show."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Count, F, Max, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest

from people import access, second_factor
from people.actors import Actor
from people.models import Membership, Team, Token, User


def people(q: str = "", *, who: str = "") -> QuerySet[User]:
    """Everybody, or those whose name or e-mail has every word of `q`, who is active first; with discipline and teams,
    `seen_at`, when they signed in or a browser of theirs was here last, and `has_second_factor`."""
    used, signed_in = Max("sessions__last_used_at"), F("last_login")
    found = User.objects.annotate(
        seen_at=Greatest(Coalesce(used, signed_in), Coalesce(signed_in, used)),
        has_second_factor=second_factor.of_users(),
    ).order_by("-is_active", "name", "id")
    match who:
        case "active" | "inactive":
            found = found.filter(is_active=who == "active")
        case "admins":
            found = found.filter(is_active=True, is_admin=True)
        case "one_factor":
            found = found.filter(is_active=True, has_second_factor=False)
    for word in q.split()[:10]:
        found = found.filter(Q(name__icontains=word) | Q(email__icontains=word))
    return found.select_related("discipline").prefetch_related("memberships__team")


def able_to_respond() -> QuerySet[User]:
    """Who can be asked to an incident; with their discipline."""
    rights = Q(is_admin=True) | Q(memberships__role__in=(Membership.Role.RESPONDER, Membership.Role.MANAGER))
    return User.objects.filter(rights, is_active=True).select_related("discipline").order_by("name", "id").distinct()


def teams() -> QuerySet[Team]:
    """With the number of their active members, and who manages them."""
    active = Count("memberships", filter=Q(memberships__user__is_active=True))
    return Team.objects.annotate(people=active).prefetch_related("memberships__user")


def is_last_admin(user: User) -> bool:
    """Whether nobody else could administer."""
    others = User.objects.filter(is_admin=True, is_active=True).exclude(pk=user.pk)
    return user.is_admin and user.is_active and not others.exists()


def tokens_of(user: User) -> QuerySet[Token]:
    """Live ones first."""
    tokens: QuerySet[Token] = user.tokens.order_by("revoked_at", "-created_at")
    return tokens


def everybodys_tokens(now: datetime, *, q: str = "", state: str = "") -> QuerySet[Token]:
    """With their owners. `state`: live, unused (and live), or ended."""
    found: QuerySet[Token] = Token.objects.select_related("owner")
    for word in q.split()[:10]:
        found = found.filter(Q(name__icontains=word) | Q(owner__name__icontains=word) | Q(owner__email__icontains=word))
    match state:
        case "live" | "unused":
            found = found.filter(pk__in=Token.objects.live(now))
            return found.filter(last_used_at=None) if state == "unused" else found
        case "ended":
            return found.exclude(pk__in=Token.objects.live(now))
    return found


def tokens_for(actor: Actor) -> QuerySet[Token]:
    """Those that the actor may revoke: one's own, and for administrators everybody's."""
    everything: QuerySet[Token] = Token.objects.all()
    return everything if access.can(actor, access.Act.ADMINISTER) else everything.filter(owner=actor.user)
