"""The star on an entry: what the postmortem should not miss. Setting it and taking it back are entries themselves."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from common.errors import Invalid
from incidents import timeline
from incidents.models import Entry, Incident
from people.actors import Actor


@transaction.atomic
def mark(incident: Incident, seq: int, *, by: Actor, now: datetime, is_marked: bool = True) -> bool:
    """Put a star on an entry, or take it away. False where it is so already: then nothing is written. Raises Invalid
    where there is no such entry, or it is a star itself."""
    Incident.objects.select_for_update().filter(pk=incident.pk).exists()
    if not incident.entries.filter(seq=seq).exclude(kind=Entry.Kind.MARKED).exists():
        raise Invalid(_("There is no such entry to mark."), errors=[("seq", _("No entry has this number."))])
    if (seq in marked(incident)) == is_marked:
        return False
    timeline.record(incident, Entry.Kind.MARKED, actor=by, at=now, amends=seq, marked=is_marked)
    return True


def marked(incident: Incident) -> set[int]:
    """The seqs of the entries that have a star."""
    said = incident.entries.filter(kind=Entry.Kind.MARKED, amends__isnull=False).order_by("seq")
    stars: dict[int, bool] = {}
    for seq, data in said.values_list("amends", "data"):
        stars[seq or 0] = bool(data.get("marked"))
    return {seq for seq, is_marked in stars.items() if is_marked}
