"""How far an incident has come, and what its next step is. Pure: it asks neither the database nor the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.templatetags.burnline import duration
from incidents.lifecycle import MOVES
from incidents.models import Incident

Status = Incident.Status

_WAY = (Status.TRIGGERED, Status.ACKNOWLEDGED, Status.MITIGATED, Status.RESOLVED, Status.CLOSED)
_ENDS = (Status.DISMISSED, Status.MERGED)
_MOVE_WORDS = {
    Status.MITIGATED: gettext_lazy("Mark it mitigated"),
    Status.RESOLVED: gettext_lazy("Resolve"),
    Status.CLOSED: gettext_lazy("Close"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One station of the way. `state`: done, now, skipped or ahead."""

    label: str
    state: str
    at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class LastMove:
    """Who last brought an incident to a status, and when."""

    who: str
    at: datetime


class Next(StrEnum):
    """What the one primary button of the page offers."""

    ACKNOWLEDGE = "acknowledge"
    MITIGATE = "mitigated"
    RESOLVE = "resolved"
    CLOSE = "closed"
    WRITE_POSTMORTEM = "write"
    OPEN_POSTMORTEM = "open"


@dataclass(frozen=True, slots=True)
class Move:
    """A move that needs no more than a press."""

    to: str
    label: str


def steps(incident: Incident, moves: Mapping[str, LastMove]) -> list[Step]:
    """The five stations, or where it was dismissed or merged, those until then. `moves`: the last one to a status."""
    moments = {
        Status.TRIGGERED: incident.detected_at or incident.created_at,
        Status.ACKNOWLEDGED: incident.acknowledged_at,
        Status.MITIGATED: incident.mitigated_at,
        Status.RESOLVED: incident.resolved_at,
        Status.CLOSED: incident.closed_at,
    }
    here = Status(incident.status)
    if here in _ENDS:
        reached = [Step(str(status.label), "done", moments[status]) for status in _WAY if moments[status]]
        return [*reached, Step(str(here.label), "now", moves[here].at if here in moves else None, _who(moves, here))]
    way = []
    before: datetime | None = None
    for place, status in enumerate(_WAY):
        at = moments[status] if place <= _WAY.index(here) else None
        note = " · ".join(filter(None, [_after(before, at), _who(moves, status) if at else ""]))
        way.append(Step(str(status.label), _state(status, here, at), at, note))
        before = at or before
    return way


def _state(status: Status, here: Status, at: datetime | None) -> str:
    if status is here:
        return "done" if here is Status.CLOSED else "now"
    if _WAY.index(status) > _WAY.index(here):
        return "ahead"
    return "done" if at else "skipped"


def _after(before: datetime | None, at: datetime | None) -> str:
    return f"+{duration(at - before)}" if before and at and at >= before else ""


def _who(moves: Mapping[str, LastMove], status: Status) -> str:
    return moves[status].who if status in moves and status is not Status.TRIGGERED else ""


def next_step(incident: Incident, *, has_postmortem: bool) -> Next | None:
    """None where nothing is to be done any more."""
    match incident.status:
        case Status.TRIGGERED:
            return Next.ACKNOWLEDGE
        case Status.ACKNOWLEDGED:
            return Next.MITIGATE
        case Status.MITIGATED:
            return Next.RESOLVE
        case Status.RESOLVED:
            return Next.CLOSE if has_postmortem else Next.WRITE_POSTMORTEM
        case Status.CLOSED:
            return Next.OPEN_POSTMORTEM if has_postmortem else Next.WRITE_POSTMORTEM
    return Next.OPEN_POSTMORTEM if has_postmortem else None


def other_moves(incident: Incident, offered: Next | None) -> list[Move]:
    """The moves beside the next step, that need neither reason nor target."""
    before = Status(incident.status)
    ahead = [Move(to, _label(before, to)) for to in MOVES[before] if to not in _ENDS]
    done = Status.ACKNOWLEDGED if offered is Next.ACKNOWLEDGE else offered
    return [move for move in ahead if move.to != done]


def may_become(incident: Incident, to: Status) -> bool:
    return to in MOVES[Status(incident.status)]


def _label(before: Status, to: Status) -> str:
    if to is Status.ACKNOWLEDGED:
        return {Status.RESOLVED: _("Reopen"), Status.MITIGATED: _("Not mitigated after all")}.get(
            before, _("Acknowledge")
        )
    if to is Status.TRIGGERED:
        return {Status.ACKNOWLEDGED: _("Give it back"), Status.MERGED: _("Take it apart again")}.get(
            before, _("Reopen")
        )
    if before is Status.CLOSED:
        return _("Reopen for a correction")
    return str(_MOVE_WORDS[to])
