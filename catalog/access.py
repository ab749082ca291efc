"""What we run, as this actor may see and change it; the catalogue is visible to every member."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from catalog.models import Model, Service
from people import access
from people.actors import Actor
from people.models import Membership, Team


def service_for(slug: str) -> Service:
    """With its team; Http404 when there is none."""
    found = Service.objects.select_related("team").filter(slug=slug).first()
    if found is None:
        raise Http404(_("There is no service {slug}.").format(slug=slug))
    return found


def model_for(slug: str) -> Model:
    """With its team and its service; Http404 when there is none."""
    found = Model.objects.select_related("team", "service__team").filter(slug=slug).first()
    if found is None:
        raise Http404(_("There is no model {slug}.").format(slug=slug))
    return found


def managed_teams(actor: Actor) -> QuerySet[Team]:
    """The teams whose things the actor may change."""
    if access.can(actor, access.Act.ADMINISTER):
        return Team.objects.all()
    managed = Membership.objects.filter(user=actor.user, role=Membership.Role.MANAGER)
    return Team.objects.filter(pk__in=managed.values("team"))


def managed_services(actor: Actor) -> QuerySet[Service]:
    """Those of the managed teams, and those of no team."""
    return Service.objects.filter(Q(team=None) | Q(team__in=managed_teams(actor)))
