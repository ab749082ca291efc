"""The incident this actor may see, or 404."""

from django.http import Http404

from incidents.models import Incident
from people.actors import Actor


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
        raise Http404(f"There is no incident {number} that you can see.")
    return found
