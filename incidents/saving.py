"""Filters of the list that are kept under a name, for oneself or for a team. What is deleted can be brought back."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from common.errors import DomainError, Forbidden, Invalid
from common.text import shortened, storable
from incidents.models import SavedView
from people import access
from people.actors import Actor
from people.models import Membership, Team, User

MOST = 50  # of one person
LONGEST = 2000  # characters of an address


class NameTaken(DomainError):
    """There is a view of this name already, of the same person or the same team."""

    code = "name_taken"


def visible(actor: Actor) -> QuerySet[SavedView]:
    """One's own, and those that are shared with one's teams."""
    return _reachable(actor).filter(deleted_at=None)


def deleted(actor: Actor) -> QuerySet[SavedView]:
    """Those of them that can be brought back."""
    return _reachable(actor).exclude(deleted_at=None)


def _reachable(actor: Actor) -> QuerySet[SavedView]:
    if actor.user is None:
        return SavedView.objects.none()
    shared = Q(team__in=actor.user.memberships.values("team"))
    return SavedView.objects.filter(Q(owner=actor.user, team=None) | shared)


def teams_of(user: User) -> QuerySet[Team]:
    """Those with which somebody may share."""
    able = (Membership.Role.RESPONDER, Membership.Role.MANAGER)
    return Team.objects.filter(memberships__user=user, memberships__role__in=able)


@transaction.atomic
def save(name: str, query: str, *, team: Team | None, by: Actor, now: datetime) -> SavedView:
    """Keep what an address says behind its question mark. Raises Invalid, Forbidden, NameTaken."""
    owner = by.user
    if owner is None:
        raise Forbidden(_("A view belongs to a person."))
    if len(query) > LONGEST:
        raise Invalid(_("This narrows the list by too much to be kept."), errors=[("name", _("Ask for less."))])
    if SavedView.objects.filter(owner=owner, deleted_at=None).count() >= MOST:
        raise Invalid(
            _("You have %(most)s views; delete one first.") % {"most": MOST}, errors=[("name", _("Too many."))]
        )
    _may_share(owner, team)
    view = SavedView(name=_named(name), query=query, owner=owner, team=team, created_at=now)
    _stored(view)
    return view


@transaction.atomic
def change(view: SavedView, *, name: str, team: Team | None, by: Actor) -> None:
    """Give it another name, or share it with others. Raises Invalid, Forbidden, NameTaken."""
    require_change(view, by)
    if team != view.team:
        assert by.user is not None, "a person may change it"
        _may_share(by.user, team)
    view.name, view.team = _named(name), team
    _stored(view)


@transaction.atomic
def delete(view: SavedView, *, by: Actor, now: datetime) -> None:
    """It is no longer offered, until somebody restores it."""
    require_change(view, by)
    view.deleted_at = now
    view.save(update_fields=["deleted_at"])


@transaction.atomic
def restore(view: SavedView, *, by: Actor) -> None:
    """Bring it back. Raises Forbidden, NameTaken where another has its name by now."""
    require_change(view, by)
    view.deleted_at = None
    _stored(view)


def require_change(view: SavedView, by: Actor) -> None:
    """Who made it may, and a manager of the team it is shared with. Raises Forbidden."""
    if by.user == view.owner or (view.team is not None and access.can(by, access.Act.MANAGE, view.team)):
        return
    raise Forbidden(_("Only %(owner)s or a manager of the team may change this view.") % {"owner": view.owner.name})


def _may_share(owner: User, team: Team | None) -> None:
    if team is not None and not teams_of(owner).filter(pk=team.pk).exists():
        raise Forbidden(_("A view is shared with a team by one of its responders."))


def _named(name: str) -> str:
    cleaned = shortened(storable(name), 60)
    if not cleaned:
        raise Invalid(_("A view needs a name."), errors=[("name", _("Say in a few words what it shows."))])
    return cleaned


def _stored(view: SavedView) -> None:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as exc:
        raise NameTaken(_("There is a view “%(name)s” already.") % {"name": view.name}) from exc
