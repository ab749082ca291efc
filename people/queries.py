"""What the pages of people show."""

from __future__ import annotations

from django.db.models import Count, Max, Q, QuerySet

from people import access
from people.actors import Actor
from people.models import Membership, Team, Token, User


def people(q: str = "") -> QuerySet[User]:
    """Everybody, or those whose name or e-mail has every word of `q`, who is active first; with discipline and teams,
    and `seen_at`, when a browser of theirs was here last."""
    found = User.objects.annotate(seen_at=Max("sessions__last_used_at")).order_by("-is_active", "name", "id")
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


def tokens_of(user: User) -> QuerySet[Token]:
    """Live ones first."""
    tokens: QuerySet[Token] = user.tokens.order_by("revoked_at", "-created_at")
    return tokens


def tokens_for(actor: Actor) -> QuerySet[Token]:
    """Those that the actor may revoke: one's own, and for administrators everybody's."""
    everything: QuerySet[Token] = Token.objects.all()
    return everything if access.can(actor, access.Act.ADMINISTER) else everything.filter(owner=actor.user)
