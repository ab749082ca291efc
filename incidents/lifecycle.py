"""How an incident opens and how its status moves; the table of allowed moves is here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from common import language
from common.errors import DomainError, Invalid
from common.text import shortened, storable
from incidents import fields, moments, notices, responding, sizes, timeline
from incidents.models import Counter, Entry, Incident
from people import access
from people.actors import Actor

Status = Incident.Status

MOVES: Mapping[str, tuple[Status, ...]] = {
    Status.TRIGGERED: (Status.ACKNOWLEDGED, Status.MITIGATED, Status.RESOLVED, Status.DISMISSED, Status.MERGED),
    Status.ACKNOWLEDGED: (Status.TRIGGERED, Status.MITIGATED, Status.RESOLVED, Status.DISMISSED, Status.MERGED),
    Status.MITIGATED: (Status.ACKNOWLEDGED, Status.RESOLVED, Status.DISMISSED, Status.MERGED),
    Status.RESOLVED: (Status.ACKNOWLEDGED, Status.CLOSED, Status.DISMISSED, Status.MERGED),
    Status.CLOSED: (Status.RESOLVED,),
    Status.DISMISSED: (Status.TRIGGERED,),
    Status.MERGED: (Status.TRIGGERED,),
}

# The moments that a status brings, in their order; going back to a status clears those after it.
_MOMENTS = {
    Status.ACKNOWLEDGED: "acknowledged_at",
    Status.MITIGATED: "mitigated_at",
    Status.RESOLVED: "resolved_at",
    Status.CLOSED: "closed_at",
}
_ORDER = (Status.TRIGGERED, Status.ACKNOWLEDGED, Status.MITIGATED, Status.RESOLVED, Status.CLOSED)


class NotAllowed(DomainError):
    """The status does not allow this move. `extra["allowed"]` are the statuses that it does allow."""

    code = "transition_not_allowed"


class AlreadyHandled(DomainError):
    """Somebody else was first."""

    code = "already_handled"


class AnotherIsOpen(DomainError):
    """The alerts of this incident have opened another one since."""

    code = "another_is_open"


@transaction.atomic
def declare(title: str, *, by: Actor, now: datetime, **fields: Any) -> Incident:
    """Open an incident by hand. `fields` are Incident's own, the team the service's where none is said; who declares is
    its first responder: by a program only where it is private, as they would not see it otherwise. Raises Invalid."""
    said = {"detected_at": now, **{name: value for name, value in fields.items() if value is not None}}
    moments.check(said, moments.NAMES, now=now)
    sizes.check(said)
    if "team" not in said and "service" in said:
        said["team"] = said["service"].team
    incident = open_incident(title, by=by, now=now, opening=(), **said)
    if by.user is not None and (by.token is None or incident.is_private):
        responding.join(incident, by.user, now=now)
    return incident


def open_incident(
    title: str,
    *,
    by: Actor,
    now: datetime,
    opening: Iterable[timeline.Draft],
    heard_at: datetime | None = None,
    **fields: Any,
) -> Incident:
    """Insert an incident with its next number, an `opened` entry, and the entries of `opening`: three statements.
    `heard_at` is when we heard of it, where that was before now.

    Raises IntegrityError where another open incident has the correlation key. Needs a transaction.
    """
    title = shortened(storable(title), 300)
    if not title:
        raise Invalid(_("An incident needs a title."), errors=[("title", _("Say in a few words what is wrong."))])
    incident = Incident(number=next_number(), title=title, created_at=now, updated_at=now, **fields)
    opened = timeline.Draft(
        Entry.Kind.OPENED,
        by,
        heard_at or now,
        data={"title": incident.title, "severity": incident.severity, "kind": incident.kind},
    )
    return timeline.begin(incident, [opened, *opening], now=now)


def next_number() -> int:
    """The next incident number; given back if the transaction rolls back."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {Counter._meta.db_table} SET last = last + 1 WHERE name = 'incident' RETURNING last")
        return int(cursor.fetchone()[0])


@transaction.atomic
def acknowledge(incident: Incident, *, by: Actor, now: datetime) -> None:
    """Take a triggered incident; who was not first is told who was."""
    if not move(incident, Status.ACKNOWLEDGED, by=by, now=now, only_from=Status.TRIGGERED):
        last = incident.entries.filter(kind=Entry.Kind.STATUS_CHANGED).order_by("-seq").first()
        status = Status(incident.status)
        what = _("taken") if status == Status.ACKNOWLEDGED else language.within_a_sentence(status.label)
        if last is None:
            raise AlreadyHandled(_("{incident} is already {what}.").format(incident=incident, what=what))
        raise AlreadyHandled(
            _("{incident} is already {what} by {name}.").format(incident=incident, what=what, name=last.actor_name)
        )


@transaction.atomic
def move(
    incident: Incident,
    to: Status,
    *,
    by: Actor,
    now: datetime,
    note: str = "",
    reason: str = "",
    merged_into: Incident | None = None,
    impact_ended_at: datetime | None = None,
    only_from: Status | None = None,
) -> bool:
    """Bring the incident to a status. True when this call moved it, False when it was there already, or is no longer
    where it is to move from: then nothing is written. `dismissed` needs a reason, `merged` the incident that it goes
    into and that takes its alerts until this is undone; both need a manager of the team. Who takes a candidate confirms
    it, and so does who merges what counts into it. Who resolves what nobody mitigated may say when the impact ended.
    Raises NotAllowed, Invalid, Forbidden."""
    if to == Status.DISMISSED and not reason.strip():
        raise Invalid(_("Say why it is dismissed."), errors=[("reason", _("A dismissed incident says why."))])
    while True:
        incident.refresh_from_db(fields=["status", "version", "merged_into", *_MOMENTS.values()])
        before = Status(incident.status)
        if before == to or (only_from is not None and before != only_from):
            return False
        if Status.MERGED in (before, to):
            access.require(by, access.Act.MANAGE, incident.team)
        if to not in MOVES[before]:
            raise NotAllowed(
                _("{incident} is {before}: it cannot become {after}.").format(
                    incident=incident,
                    before=language.within_a_sentence(before.label),
                    after=language.within_a_sentence(to.label),
                ),
                extra={"allowed": [str(status) for status in MOVES[before]]},
            )
        says_end = to == Status.RESOLVED and impact_ended_at is not None and incident.mitigated_at is None
        try:
            with transaction.atomic():
                along = list(incident.merged.all())
                target = _merge_target(incident, merged_into, along) if to == Status.MERGED else None
                if before == Status.MERGED:
                    assert incident.merged_into is not None, "a constraint says so"
                    _locked(incident, incident.merged_into)
                changes: dict[str, Any] = {**_moments(to, now), "status": to, "merged_into": target}
                changes["reason"] = storable(reason) if to == Status.DISMISSED else ""
                changes["is_news"] = False
                if to in (Status.ACKNOWLEDGED, Status.MITIGATED):
                    changes["is_candidate"] = False  # who takes it has confirmed it
                if says_end:
                    changes["mitigated_at"] = _end_of_impact(incident, impact_ended_at, now)
                as_it_was = Incident.objects.filter(id=incident.id, status=before, merged_into=incident.merged_into_id)
                claimed = as_it_was.update(**changes, version=F("version") + 1, updated_at=now)
                if not claimed or (target is not None and not set(incident.merged.all()) <= set(along)):
                    claimed = 0
                    transaction.set_rollback(True)  # it would keep locks, also of a lost claim, that came too early
        except IntegrityError as exc:
            raise AnotherIsOpen(
                _("The alerts of {incident} have opened another incident since.").format(incident=incident)
            ) from exc
        if claimed:
            break
    incident.refresh_from_db()
    details: dict[str, Any] = {"from": before, "to": to}
    if reason:
        details["reason"] = reason
    if target is not None:
        details["into"] = target.number
    if says_end:
        assert incident.mitigated_at is not None
        details["impact_ended_at"] = incident.mitigated_at.isoformat()
    entry = timeline.record(incident, Entry.Kind.STATUS_CHANGED, actor=by, at=now, text=note, **details)
    notices.mentioned(entry, by=by, now=now)
    if before == Status.MERGED:
        _in_order(incident.alerts_elsewhere).update(incident=incident, merged_from=None)
    if target is not None:
        incident.merged.update(merged_into=target)
        _hand_over_alerts(incident, target)
        # Who sees the one need not see the other, be it private or not.
        title = "" if incident.is_private else incident.title
        timeline.record(target, Entry.Kind.MERGED_IN, actor=by, at=now, incident=incident.number, title=title)
        if not incident.is_candidate and not incident.is_drill:
            fields.change(target, {"is_candidate": False}, by=by, now=now)  # what counted counts on in it
    if to == Status.ACKNOWLEDGED and by.user is not None and by.token is None:
        responding.join(incident, by.user, now=now)
    return True


@transaction.atomic
def confirm(incident: Incident, *, by: Actor, now: datetime) -> None:
    """Let a candidate count because alerts joined it that do; who is to hear of such an incident hears of it, as long
    as nobody has taken it."""
    if fields.change(incident, {"is_candidate": False}, by=by, now=now) and incident.status == Status.TRIGGERED:
        Incident.objects.filter(id=incident.id).update(is_news=True)
        incident.is_news = True


@transaction.atomic
def reopen(incident: Incident, *, by: Actor, now: datetime) -> bool:
    """Open a resolved or dismissed incident because its alerts started again: back to those who had taken it, or, where
    nobody had, to be taken anew; they hear of it. False when it is open already."""
    to = Status.ACKNOWLEDGED if incident.acknowledged_at else Status.TRIGGERED
    before = incident.status
    claimed = Incident.objects.filter(id=incident.id, status__in=(Status.RESOLVED, Status.DISMISSED)).update(
        status=to,
        mitigated_at=None,
        resolved_at=None,
        closed_at=None,
        reason="",
        is_news=True,
        version=F("version") + 1,
        updated_at=now,
    )
    if not claimed:
        return False
    incident.refresh_from_db()
    details: dict[str, Any] = {"from": before, "to": to, "because": "alerts"}
    timeline.record(incident, Entry.Kind.STATUS_CHANGED, actor=by, at=now, **details)
    return True


def _moments(to: Status, now: datetime) -> dict[str, datetime | None]:
    """The moment that `to` brings, and those after it cleared."""
    if to not in _ORDER:
        return {}
    later = _ORDER[_ORDER.index(to) + 1 :]
    moments: dict[str, datetime | None] = {_MOMENTS[status]: None for status in later}
    if to in _MOMENTS:
        moments[_MOMENTS[to]] = now
    return moments


def _end_of_impact(incident: Incident, ended_at: datetime | None, now: datetime) -> datetime | None:
    known = (incident.started_at, incident.detected_at, incident.acknowledged_at)
    earliest = max(filter(None, known), default=None)
    if ended_at is not None and ended_at > now:
        raise Invalid(
            _("The impact cannot end in the future."), errors=[("impact_ended_at", _("This lies in the future."))]
        )
    if ended_at is not None and earliest is not None and ended_at < earliest:
        raise Invalid(
            _("The impact ended after somebody knew of it and took it."),
            errors=[("impact_ended_at", _("Not before {moment} UTC.").format(moment=f"{earliest:%Y-%m-%d %H:%M:%S}"))],
        )
    return ended_at


def _merge_target(incident: Incident, into: Incident | None, along: Iterable[Incident]) -> Incident:
    """The incident that this one goes into, both locked, so that two cannot be merged into each other; and with them
    those that were merged into this one, which go `along`."""
    if into is None:
        raise Invalid(_("Name the incident that it goes into."), errors=[("merged_into", _("Which incident?"))])
    target = _locked(incident, into, *along)[into.pk]
    if target.pk == incident.pk or target.status == Status.MERGED:
        raise Invalid(
            _("Choose an incident that is not itself merged."), errors=[("merged_into", _("Not into this one."))]
        )
    return target


def _locked(*incidents: Incident) -> dict[int, Incident]:
    """These, read anew, by their primary key; locked in the order that everybody keeps to, before their alerts."""
    keys = [incident.pk for incident in incidents]
    return {each.pk: each for each in Incident.objects.select_for_update().filter(pk__in=keys).order_by("pk")}


def _hand_over_alerts(incident: Incident, target: Incident) -> None:
    """What fires in the one fires in the other from now on; each alert knows where it goes back to. Those of a private
    incident stay, where who sees the other would see them."""
    if target.is_private or not incident.is_private:
        _in_order(incident.alerts).update(merged_from=Coalesce("merged_from_id", "incident_id"), incident=target)


def _in_order(alerts: Any) -> Any:
    """These, locked in the order in which a repeat locks them, as it does not lock their incident."""
    order = ("fingerprint", "labels_hash", "starts_at")
    list(alerts.select_for_update(no_key=True).order_by(*order).values_list("pk"))
    return alerts
