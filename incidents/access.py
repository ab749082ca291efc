"""The incident this actor may see, or 404; and who may see a private one."""

from collections.abc import Collection

from django.http import Http404
from django.utils.translation import gettext as _

from incidents.models import Incident, Responder
from people.actors import Actor
from people.models import User


def incident_for(actor: Actor, number: int) -> Incident:
    """With its service, model and team; Http404 when it is not there or not visible, which are told apart by nobody."""
    found = (
        Incident.objects.for_actor(actor)
        .select_related("service", "model", "team", "merged_into")
        .filter(number=number)
        .first()
        if number < 2**31
        else None
    )
    if found is None:
        raise Http404(_("There is no incident {number} that you can see.").format(number=number))
    return found


def readers_of(private: Collection[int]) -> dict[int, frozenset[int]]:
    """Id of a private incident -> ids of the users who may see it: what `for_actor` says, for everybody at once. Two
    statements, none where there is none."""
    if not private:
        return {}
    admins = set(User.objects.filter(is_admin=True).values_list("pk", flat=True))
    responders = Responder.objects.filter(incident__in=private).exclude(state=Responder.State.LEFT).order_by()
    managers = Incident.objects.filter(pk__in=private, team__memberships__role="manager").order_by()
    readers = {pk: set(admins) for pk in private}
    for pk, user_id in responders.values_list("incident_id", "user_id").union(
        managers.values_list("pk", "team__memberships__user_id"), all=True
    ):
        readers[pk].add(user_id)
    return {pk: frozenset(users) for pk, users in readers.items()}
