"""How a postmortem leaves its author's desk: into review, and out to everybody."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import F

from common.errors import DomainError
from incidents import timeline
from incidents.models import Entry
from people import access
from people.actors import Actor
from people.models import User
from postmortems import assigning
from postmortems.models import Postmortem

Status = Postmortem.Status


class NotAllowed(DomainError):
    """The postmortem's status does not allow this."""

    code = "transition_not_allowed"


@transaction.atomic
def ask_for_review(postmortem: Postmortem, reviewers: Iterable[User], *, by: Actor, now: datetime) -> None:
    """Give a draft to those who shall review it."""
    assigning.assign(postmortem, {"reviewers": list(reviewers)}, by=by, now=now)
    _move(postmortem, (Status.DRAFT,), Status.IN_REVIEW, now)


@transaction.atomic
def publish(postmortem: Postmortem, *, by: Actor, now: datetime) -> None:
    """Show it as finished to everybody who may see its incident; for a manager of the incident's team."""
    access.require(by, access.Act.MANAGE, postmortem.incident.team)
    _move(postmortem, (Status.IN_REVIEW, Status.APPROVED), Status.PUBLISHED, now)
    Postmortem.objects.filter(pk=postmortem.pk).update(published_at=now)
    postmortem.published_at = now
    timeline.record(postmortem.incident, Entry.Kind.POSTMORTEM_PUBLISHED, actor=by, at=now)


def _move(postmortem: Postmortem, before: tuple[Status, ...], to: Status, now: datetime) -> None:
    moved = Postmortem.objects.filter(pk=postmortem.pk, status__in=before).update(
        status=to, version=F("version") + 1, updated_at=now
    )
    if not moved:
        raise NotAllowed(f"The postmortem is {postmortem.get_status_display().lower()} by now.")
    postmortem.refresh_from_db(fields=["status", "version", "updated_at"])
