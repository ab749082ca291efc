"""Who responds: asked, joined, left; and who holds which role."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from common.errors import Invalid
from incidents import notices, timeline
from incidents.models import Entry, Incident, Responder, RoleAssignment
from people import access
from people.actors import Actor, person
from people.models import Discipline, Role, User


@transaction.atomic
def ask(incident: Incident, user: User, *, by: Actor, now: datetime, discipline: Discipline | None = None) -> Responder:
    """Ask somebody to come, and have them told. Whoever is asked or in already stays as they are, with the discipline
    that is now named."""
    responder, is_asked = _ask(incident, user, by=by, now=now, discipline=discipline)
    if is_asked:
        notices.asked(responder, by=by, now=now)
    return responder


@transaction.atomic
def escalate(responder: Responder, *, now: datetime) -> list[User]:
    """Who was asked has those called who manage the team; where nobody does, the admins. They themselves stay asked.
    Those who were called by this; none where all of them are in or asked already."""
    incident, user = responder.incident, responder.user
    _lock(incident)
    here = incident.responders.exclude(state=Responder.State.LEFT).values("user")
    able = User.objects.filter(is_active=True).exclude(pk__in=here).exclude(pk=user.pk).order_by("pk")
    managers = able.filter(memberships__team=incident.team, memberships__role="manager")
    called = list(managers or able.filter(is_admin=True))
    for other in called:
        asked, is_asked = _ask(incident, other, by=person(user), now=now, discipline=None, escalated_by=user.pk)
        if is_asked:
            notices.asked(asked, by=person(user), now=now)
    return called


def _ask(
    incident: Incident, user: User, *, by: Actor, now: datetime, discipline: Discipline | None, **data: Any
) -> tuple[Responder, bool]:
    """The responder, and whether they were asked by this call."""
    _must_be_able_to_respond(user)
    _lock(incident)
    wanted = discipline or user.discipline
    responder, is_new = Responder.objects.get_or_create(
        incident=incident,
        user=user,
        defaults={"discipline": wanted, "state": Responder.State.ASKED, "asked_at": now},
    )
    if not is_new:
        if discipline is not None and responder.discipline_id != discipline.pk:
            responder.discipline = discipline
            responder.save(update_fields=["discipline"])
        if responder.state != Responder.State.LEFT:
            return responder, False
        responder.state, responder.asked_at, responder.left_at = Responder.State.ASKED, now, None
        responder.joined_at = None
        responder.save(update_fields=["state", "asked_at", "joined_at", "left_at"])
    about = {**_about(user, responder.discipline), **data}
    timeline.record(incident, Entry.Kind.RESPONDER_ASKED, actor=by, at=now, **about)
    return responder, True


@transaction.atomic
def join(incident: Incident, user: User, *, now: datetime, discipline: Discipline | None = None) -> Responder:
    """Come in oneself. Harmless when already in."""
    _must_be_able_to_respond(user)
    _lock(incident)
    wanted = discipline or user.discipline
    responder, is_new = Responder.objects.get_or_create(
        incident=incident,
        user=user,
        defaults={"discipline": wanted, "state": Responder.State.JOINED, "joined_at": now},
    )
    if not is_new:
        if responder.state == Responder.State.JOINED and (not discipline or responder.discipline_id == discipline.pk):
            return responder
        was_in = responder.state == Responder.State.JOINED
        responder.discipline = discipline or responder.discipline or wanted
        responder.state, responder.left_at = Responder.State.JOINED, None
        responder.joined_at = responder.joined_at if was_in else now
        responder.save(update_fields=["discipline", "state", "joined_at", "left_at"])
        if was_in:
            return responder
    about = _about(user, responder.discipline)
    timeline.record(incident, Entry.Kind.RESPONDER_JOINED, actor=person(user), at=now, **about)
    return responder


@transaction.atomic
def speak(
    incident: Incident,
    kind: Entry.Kind,
    text: str,
    *,
    by: Actor,
    now: datetime,
    at: datetime | None = None,
    key: str = "",
    amends: int | None = None,
) -> tuple[Entry, bool]:
    """Write on the timeline, as `timeline.write` says, and have those told whom it names; who was asked and now speaks
    is in."""
    entry, is_new = timeline.write(incident, kind, text, by=by, now=now, at=at, key=key, amends=amends)
    if is_new:
        notices.mentioned(entry, by=by, now=now)
    if by.user is not None and by.token is None:
        waiting = incident.responders.filter(user=by.user, state=Responder.State.ASKED)
        if waiting.exists():
            join(incident, by.user, now=now)
    return entry, is_new


@transaction.atomic
def decline(responder: Responder, *, now: datetime) -> bool:
    """Who was asked cannot come; those who wait for them are told. False when they came, or went, before."""
    incident, user = responder.incident, responder.user
    _lock(incident)
    asked = Responder.objects.filter(id=responder.id, state=Responder.State.ASKED)
    if not asked.update(state=Responder.State.LEFT, left_at=now):
        return False
    responder.refresh_from_db()
    for held in incident.role_assignments.filter(user=user, ended_at=None).select_related("role"):
        end_role(held, by=person(user), now=now)
    about = _about(user, responder.discipline)
    timeline.record(incident, Entry.Kind.RESPONDER_LEFT, actor=person(user), at=now, **about, cannot_come=True)
    notices.declined(responder, now=now)
    return True


@transaction.atomic
def leave(responder: Responder, *, by: Actor, now: datetime) -> bool:
    """Go, or be sent home; roles held end with it. False when already gone."""
    _lock(responder.incident)
    claimed = (
        Responder.objects.filter(id=responder.id)
        .exclude(state=Responder.State.LEFT)
        .update(state=Responder.State.LEFT, left_at=now)
    )
    if not claimed:
        return False
    responder.refresh_from_db()
    incident, user = responder.incident, responder.user
    for held in incident.role_assignments.filter(user=user, ended_at=None).select_related("role"):
        end_role(held, by=by, now=now)
    timeline.record(incident, Entry.Kind.RESPONDER_LEFT, actor=by, at=now, **_about(user, responder.discipline))
    return True


@transaction.atomic
def assign_role(
    incident: Incident, role: Role, user: User, *, by: Actor, now: datetime, discipline: Discipline | None = None
) -> RoleAssignment:
    """Give somebody a role, and have them told. They are asked in if they are not there, in the discipline that is
    named; an exclusive role leaves who held it before."""
    _lock(incident)
    if by.user == user and by.token is None:
        responder = join(incident, user, now=now, discipline=discipline)
    else:
        responder, _ = _ask(incident, user, by=by, now=now, discipline=discipline)
    held = incident.role_assignments.filter(role=role, ended_at=None)
    mine = held.filter(user=user).first()
    if mine is not None:
        return mine
    if role.is_exclusive:
        for other in held.select_related("role", "user"):
            end_role(other, by=by, now=now)
    assignment = RoleAssignment.objects.create(
        incident=incident, role=role, user=user, is_exclusive=role.is_exclusive, since=now
    )
    timeline.record(
        incident,
        Entry.Kind.ROLE_ASSIGNED,
        actor=by,
        at=now,
        role=role.slug,
        role_name=role.name,
        user={"id": user.pk, "name": user.name},
    )
    notices.given_role(assignment, responder, by=by, now=now)
    return assignment


@transaction.atomic
def end_role(assignment: RoleAssignment, *, by: Actor, now: datetime) -> bool:
    """Take a role back. False when it had ended already."""
    _lock(assignment.incident)
    if not RoleAssignment.objects.filter(id=assignment.id, ended_at=None).update(ended_at=now):
        return False
    timeline.record(
        assignment.incident,
        Entry.Kind.ROLE_ENDED,
        actor=by,
        at=now,
        role=assignment.role.slug,
        role_name=assignment.role.name,
        user={"id": assignment.user.pk, "name": assignment.user.name},
    )
    return True


def _lock(incident: Incident) -> None:
    """The incident before what belongs to it: everybody's order, so that no two wait for each other."""
    Incident.objects.select_for_update().filter(pk=incident.pk).exists()


def _must_be_able_to_respond(user: User) -> None:
    if not user.is_active or not access.can(person(user), access.Act.RESPOND):
        raise Invalid(
            _("{name} cannot respond to incidents.").format(name=user.name), errors=[("user", _("Not a responder."))]
        )


def _about(user: User, discipline: Discipline | None) -> dict[str, Any]:
    return {
        "user": {"id": user.pk, "name": user.name},
        "discipline": discipline.slug if discipline else None,
        "discipline_name": discipline.name if discipline else None,
    }
