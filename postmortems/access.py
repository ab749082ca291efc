"""The postmortem or action item that this actor may see, or 404."""

from __future__ import annotations

from django.http import Http404
from django.utils.translation import gettext as _

from people.actors import Actor
from postmortems import queries
from postmortems.models import ActionItem, Postmortem, Section


def postmortem_for(actor: Actor, number: int) -> Postmortem:
    """By the incident's number, with its incident; Http404 when it is not there or not visible."""
    found = queries.visible(actor).filter(incident__number=number).first() if number < 2**31 else None
    if found is None:
        raise Http404(_("There is no postmortem {number} that you can see.").format(number=number))
    return found


def section_for(actor: Actor, number: int, key: str) -> Section:
    """With its postmortem; Http404 as above, and for a key that the postmortem does not have."""
    postmortem = postmortem_for(actor, number)
    section = postmortem.sections.filter(key=key).first()
    if section is None:
        raise Http404(_("Postmortem {number} has no section {key}.").format(number=number, key=key))
    section.postmortem = postmortem
    return section


def action_item_for(actor: Actor, pk: int) -> ActionItem:
    """With its postmortem, owner and team; Http404 when it is not there or not visible."""
    found = queries.items_visible(actor).filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404(_("There is no action item {pk} that you can see.").format(pk=pk))
    return found
