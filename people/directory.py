"""Who belongs here: users, teams, who is in which, and the words for disciplines and roles."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.text import slugify
from django.utils.translation import gettext as _

from common.errors import DomainError, Invalid, VersionMoved
from common.text import storable
from people import access, audit, sessions
from people.actors import Actor
from people.audit import Action
from people.models import Discipline, Membership, Role, Team, User

Named = TypeVar("Named", Team, Discipline, Role)

OWN = {"name", "time_zone", "discipline"}  # what people change of themselves


class SlugTaken(Invalid):
    """Another one has this slug."""

    code = "slug_taken"


class EmailTaken(Invalid):
    """Another user has this e-mail."""

    code = "email_taken"


class LastAdmin(DomainError):
    """Nobody would be left to administer."""

    code = "last_admin"


@transaction.atomic
def add_user(
    email: str,
    name: str,
    *,
    by: Actor,
    now: datetime,
    password: str | None = None,
    discipline: Discipline | None = None,
    is_admin: bool = False,
    time_zone: str = "",
    memberships: Mapping[Team, str] | None = None,
) -> User:
    """A new user, with what they may do in which teams. Without a password they cannot sign in by one."""
    access.require(by, access.Act.ADMINISTER)
    fields = _checked({"email": email, "name": name, "time_zone": time_zone})
    user = User(**fields, discipline=discipline, is_admin=is_admin)
    user.set_password(password)
    _save_user(user)
    _set_memberships(user, memberships or {})
    told = audit.values(user, ("name", "email", "discipline", "time_zone", "is_admin"))
    audit.record(Action.PERSON_ADDED, user, by=by, now=now, after={**told, **_told_roles(memberships or {})})
    return user


@transaction.atomic
def change_user(
    user: User,
    changes: Mapping[str, Any],
    *,
    by: Actor,
    now: datetime,
    memberships: Mapping[Team, str] | None = None,
    version: int | None = None,
) -> bool:
    """Set fields, and the teams where `memberships` says them. False when nothing differs. `is_active: False` signs
    the person out and stops their tokens. For administrators; OWN also for the person. Raises LastAdmin, EmailTaken,
    VersionMoved."""
    if by.user != user or memberships is not None or not changes.keys() <= OWN:
        access.require(by, access.Act.ADMINISTER)
    admins = User.objects.select_for_update().filter(is_admin=True, is_active=True).order_by("pk")
    others = [admin for admin in admins if admin.pk != user.pk]
    User.objects.select_for_update().filter(pk=user.pk).exists()
    user.refresh_from_db()
    if version is not None and version != user.version:
        raise VersionMoved(_("{name} was changed by somebody else.").format(name=user.name))
    before, different = audit.differences(user, _checked(changes))
    held = {membership.team: membership.role for membership in user.memberships.select_related("team")}
    moved = memberships is not None and held != dict(memberships)
    if not different and not moved:
        return False
    was_admin = user.is_admin and user.is_active
    for name, value in different.items():
        setattr(user, name, value)
    if was_admin and not (user.is_admin and user.is_active) and not others:
        raise LastAdmin(_("This is the last administrator: make somebody else one first."))
    user.version += 1
    _save_user(user)
    if not user.is_active:
        sessions.end_all(user)
    if memberships is not None and moved:
        _set_memberships(user, memberships)
        before, different = {**before, **_told_roles(held)}, {**different, **_told_roles(memberships)}
    _record_change(user, before, different, by, now)
    return True


@transaction.atomic
def take_address(user: User, email: str, *, by: Actor, now: datetime) -> None:
    """An address that somebody has shown to be theirs. Raises EmailTaken."""
    before, after = audit.differences(user, _checked({"email": email}))
    if after:
        user.email = after["email"]
        user.version += 1
        _save_user(user)
        audit.record(Action.PERSON_CHANGED, user, by=by, now=now, before=before, after=after)


@transaction.atomic
def add_team(name: str, *, by: Actor, now: datetime, slug: str = "") -> Team:
    access.require(by, access.Act.ADMINISTER)
    return _recorded(_add(Team, name, slug), by, now)


@transaction.atomic
def add_discipline(name: str, *, by: Actor, now: datetime, slug: str = "") -> Discipline:
    """A further discipline, after those there are."""
    access.require(by, access.Act.ADMINISTER)
    return _recorded(_add(Discipline, name, slug, position=_next_position(Discipline)), by, now)


@transaction.atomic
def add_role(name: str, *, by: Actor, now: datetime, slug: str = "", is_exclusive: bool = False) -> Role:
    """A further role, after those there are."""
    access.require(by, access.Act.ADMINISTER)
    return _recorded(_add(Role, name, slug, position=_next_position(Role), is_exclusive=is_exclusive), by, now)


@transaction.atomic
def change(
    named: Team | Discipline | Role,
    changes: Mapping[str, Any],
    *,
    by: Actor,
    now: datetime,
    version: int | None = None,
) -> bool:
    """Rename a team, discipline or role, place it elsewhere, retire it; its slug stays. False when nothing differs."""
    access.require(by, access.Act.ADMINISTER)
    model = type(named)
    model._default_manager.select_for_update().filter(pk=named.pk).exists()
    named.refresh_from_db()
    if version is not None and version != named.version:
        raise VersionMoved(_("{named} was changed by somebody else.").format(named=named))
    before, different = audit.differences(named, _checked(changes))
    if not different:
        return False
    for key, value in different.items():
        setattr(named, key, value)
    named.version += 1
    named.save()
    audit.record(_CHANGED[model], named, by=by, now=now, before=before, after=different)
    return True


@transaction.atomic
def move(word: Discipline | Role, by_places: int, *, by: Actor, now: datetime) -> None:
    """Let it stand earlier (-1) or later (1) than its neighbour."""
    access.require(by, access.Act.ADMINISTER)
    line = list(type(word)._default_manager.select_for_update().order_by("position", "name", "id"))
    at = next(place for place, each in enumerate(line) if each.pk == word.pk)
    to = min(max(at + by_places, 0), len(line) - 1)
    if to == at:
        return
    line.insert(to, line.pop(at))
    for position, each in enumerate(line):
        if each.position != position:
            each.position = position
            each.save(update_fields=["position"])
    audit.record(_CHANGED[type(word)], word, by=by, now=now, before={"position": at}, after={"position": to})


@transaction.atomic
def set_member(team: Team, user: User, role: str, *, by: Actor, now: datetime) -> bool:
    """What somebody may do in a team; an empty `role` takes them out of it. False when it is so already."""
    held = {membership.team: membership.role for membership in user.memberships.select_related("team")}
    wanted = {**{other: each for other, each in held.items() if other != team}, **({team: role} if role else {})}
    return change_user(user, {}, by=by, now=now, memberships=wanted)


_ADDED = {Team: Action.TEAM_ADDED, Discipline: Action.DISCIPLINE_ADDED, Role: Action.ROLE_ADDED}
_CHANGED = {Team: Action.TEAM_CHANGED, Discipline: Action.DISCIPLINE_CHANGED, Role: Action.ROLE_CHANGED}


def _recorded(named: Named, by: Actor, now: datetime) -> Named:
    audit.record(_ADDED[type(named)], named, by=by, now=now, after=audit.values(named, ("name", "slug")))
    return named


def _record_change(user: User, before: Mapping[str, Any], after: Mapping[str, Any], by: Actor, now: datetime) -> None:
    """One event for what somebody is, one for what they may do, and one for whether they may come in at all."""
    rights = {name for name in after if name in ("is_admin", "teams")}
    standing = {"is_active"} & set(after)
    back = Action.PERSON_REACTIVATED if after.get("is_active") else Action.PERSON_DEACTIVATED
    for action, names in (
        (Action.PERSON_CHANGED, set(after) - rights - standing),
        (Action.PERSON_ROLE_CHANGED, rights),
        (back, standing),
    ):
        if names:
            told = ({name: values[name] for name in after if name in names} for values in (before, after))
            audit.record(action, user, by=by, now=now, before=next(told), after=next(told))


def _told_roles(memberships: Mapping[Team, str]) -> dict[str, Any]:
    return {"teams": {team.name: role for team, role in sorted(memberships.items(), key=lambda each: each[0].name)}}


def _add(model: type[Named], name: str, slug: str, **fields: Any) -> Named:
    name = _checked({"name": name})["name"]
    slug = slug or slugify(name)[:60]
    if not slug or slug == "new":  # a page has that address
        raise Invalid(_("Give it a slug."), errors=[("slug", _("Letters, digits and dashes."))])
    try:
        with transaction.atomic():
            return model._default_manager.create(name=name, slug=slug, **fields)
    except IntegrityError as exc:
        raise SlugTaken(
            _("There is one with the slug {slug} already.").format(slug=slug), errors=[("slug", _("Taken."))]
        ) from exc


def _next_position(model: type[Discipline] | type[Role]) -> int:
    last: int | None = model._default_manager.aggregate(last=Max("position"))["last"]
    return 0 if last is None else min(last + 1, 32767)


def _save_user(user: User) -> None:
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as exc:
        raise EmailTaken(
            _("Somebody has the e-mail {email} already.").format(email=user.email), errors=[("email", _("Taken."))]
        ) from exc


def learn_time_zone(user: User, name: str) -> None:
    """Take the zone that somebody's browser tells, where their account has none yet; what is no zone is ignored."""
    if user.time_zone or not name:
        return
    try:
        User.objects.filter(pk=user.pk, time_zone="").update(**_checked({"time_zone": name[:64]}))
    except Invalid:
        return


def _set_memberships(user: User, memberships: Mapping[Team, str]) -> None:
    user.memberships.exclude(team__in=memberships).delete()
    for team, role in memberships.items():
        Membership.objects.update_or_create(user=user, team=team, defaults={"role": role})
    user.__dict__.pop("_roles", None)  # what access.right_of remembers


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    checked = {key: storable(value).strip() if isinstance(value, str) else value for key, value in fields.items()}
    if "name" in checked and not checked["name"]:
        raise Invalid(_("It needs a name."), errors=[("name", _("Say what it is called."))])
    if "email" in checked:
        checked["email"] = checked["email"].lower()
        try:
            validate_email(checked["email"])
        except ValidationError as exc:
            raise Invalid(_("This is no e-mail address."), errors=[("email", _("Not an e-mail address."))]) from exc
    if checked.get("time_zone"):
        try:
            zoneinfo.ZoneInfo(checked["time_zone"])
        except (KeyError, ValueError, OSError) as exc:
            raise Invalid(
                _("There is no such time zone."), errors=[("time_zone", _("Such as Europe/Berlin."))]
            ) from exc
    return checked
