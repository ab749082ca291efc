"""How a postmortem goes from a draft to what everybody reads; the table of allowed moves is here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common import language
from common.errors import DomainError
from incidents import timeline
from incidents.models import Entry, Incident
from people import access
from people.actors import Actor
from postmortems import queries
from postmortems.models import Postmortem

Status = Postmortem.Status

MOVES: Mapping[str, tuple[Status, ...]] = {
    Status.DRAFT: (Status.IN_REVIEW,),
    Status.IN_REVIEW: (Status.APPROVED, Status.DRAFT),
    Status.APPROVED: (Status.PUBLISHED, Status.IN_REVIEW),
    Status.PUBLISHED: (Status.IN_REVIEW,),
}


class StatusNotAllowed(DomainError):
    """The postmortem's status does not allow this one. `extra["allowed"]` are those that it does allow."""

    code = "transition_not_allowed"


class GapsRemain(DomainError):
    """What is needed before it is published is not there yet. `extra["gaps"]` says what."""

    code = "gaps_remain"


@transaction.atomic
def move(postmortem: Postmortem, to: Status, *, by: Actor, now: datetime) -> bool:
    """Bring the postmortem to a status. False when it is there already: then nothing is written.

    Its reviewers approve it, or a manager of the team; publishing, and taking that back, is a manager's, and needs
    every required gap closed. Raises StatusNotAllowed, GapsRemain, Forbidden.
    """
    incident = postmortem.incident
    Incident.objects.select_for_update().filter(pk=incident.pk).exists()
    postmortem.refresh_from_db(fields=["status", "version"])
    before = Status(postmortem.status)
    if before == to:
        return False
    if to not in MOVES[before]:
        raise StatusNotAllowed(
            _("The postmortem is %(before)s: it cannot become %(to)s.")
            % {"before": language.within_a_sentence(before.label), "to": language.within_a_sentence(to.label)},
            extra={"allowed": [str(status) for status in MOVES[before]]},
        )
    if not may_move(postmortem, to, by):
        access.require(by, access.Act.MANAGE, incident.team)
    if to == Status.PUBLISHED:
        _require_no_gaps(postmortem, now)
    published_at = now if to == Status.PUBLISHED else None
    Postmortem.objects.filter(pk=postmortem.pk, status=before).update(
        status=to, published_at=published_at, version=F("version") + 1, updated_at=now
    )
    postmortem.refresh_from_db(fields=["status", "published_at", "version", "updated_at"])
    if to == Status.PUBLISHED:
        timeline.record(incident, Entry.Kind.POSTMORTEM_PUBLISHED, actor=by, at=now, version=postmortem.version)
    return True


def may_move(postmortem: Postmortem, to: Status, actor: Actor) -> bool:
    """Whether this is the actor's to do, where the status allows it."""
    if access.can(actor, access.Act.MANAGE, postmortem.incident.team):
        return True
    if Status.PUBLISHED in (to, postmortem.status):
        return False
    if to == Status.APPROVED:
        return actor.user is not None and postmortem.reviewers.filter(pk=actor.user.pk).exists()
    return access.can(actor, access.Act.RESPOND)


def _require_no_gaps(postmortem: Postmortem, now: datetime) -> None:
    gaps = [gap for gap in queries.document(postmortem, now).gaps if gap.required]
    if gaps:
        raise GapsRemain(
            ngettext(
                "%(count)s thing is missing before it can be published.",
                "%(count)s things are missing before it can be published.",
                len(gaps),
            )
            % {"count": len(gaps)},
            extra={"gaps": [{"code": gap.code, "section": gap.section, "message": gap.message} for gap in gaps]},
        )
