"""How far a postmortem has come, and what may be done with it next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from common.templatetags.burnline import day
from people.actors import Actor
from postmortems import publishing
from postmortems.models import Postmortem

Status = Postmortem.Status

_WAY = (Status.DRAFT, Status.IN_REVIEW, Status.APPROVED, Status.PUBLISHED)


@dataclass(frozen=True, slots=True)
class Step:
    """One station of the way. `state`: done, now or ahead."""

    label: str
    state: str
    at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """A move that the reader may make. `is_next`: it leads on."""

    to: Status
    label: str
    is_next: bool


def way(postmortem: Postmortem) -> list[Step]:
    here = _WAY.index(Status(postmortem.status))
    is_over = _WAY[here] is Status.PUBLISHED
    moments = {Status.DRAFT: postmortem.created_at, Status.PUBLISHED: postmortem.published_at}
    return [
        Step(
            str(status.label),
            "done" if place < here or is_over else "now" if place == here else "ahead",
            at := moments.get(status) if place <= here else None,
            day(timezone.localtime(at)) if at else "",
        )
        for place, status in enumerate(_WAY)
    ]


def moves(postmortem: Postmortem, actor: Actor) -> list[Move]:
    """What this reader may do with it now, the way on first."""
    here = Status(postmortem.status)
    return [
        Move(to, _label(here, to), _WAY.index(to) > _WAY.index(here))
        for to in publishing.MOVES[here]
        if publishing.may_move(postmortem, to, actor)
    ]


def _label(here: Status, to: Status) -> str:
    if to is Status.IN_REVIEW:
        return {Status.DRAFT: _("Send to review"), Status.PUBLISHED: _("Take it back for a correction")}.get(
            here, _("Back to review")
        )
    return {Status.DRAFT: _("Back to draft"), Status.APPROVED: _("Approve"), Status.PUBLISHED: _("Publish")}[to]
