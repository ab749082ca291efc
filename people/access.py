"""Who may do what: the matrix file, read once, and the questions that are asked of it."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Collection
from enum import StrEnum
from functools import cache
from pathlib import Path

from django.utils.translation import gettext as _

from common.errors import Forbidden
from people.actors import Actor
from people.models import Membership, Team, User

log = logging.getLogger(__name__)

MATRIX = Path(__file__).with_name("access_matrix.toml")


class Act(StrEnum):
    """What a route lets one do, from the least to the most."""

    PUBLIC = "public"  # no sign-in
    SELF = "self"  # one's own account and tokens: anyone signed in
    READ = "read"  # viewer
    RESPOND = "respond"  # responder
    MANAGE = "manage"  # manager; of the team of the object, which `require` asks for
    ADMINISTER = "administer"  # admin


class Verdict(StrEnum):
    ALLOWED = "allowed"
    UNKNOWN_ACTOR = "unknown_actor"
    NO_SUCH_METHOD = "no_such_method"
    FORBIDDEN = "forbidden"


_RIGHT = {"viewer": 1, "responder": 2, "manager": 3, "admin": 4}
_NEEDED = {Act.SELF: 1, Act.READ: 1, Act.RESPOND: 2, Act.MANAGE: 3, Act.ADMINISTER: 4}
_SCOPE = {Act.READ: "read", Act.RESPOND: "write", Act.MANAGE: "write", Act.ADMINISTER: "admin"}
_SAFE = ("GET", "HEAD")


@cache
def matrix() -> dict[str, dict[str, Act]]:
    """Route name -> method -> act, as the file says it; HEAD is read as GET."""
    table = tomllib.loads(MATRIX.read_text())
    return {
        route: {method: Act(act) for method, act in methods.items()}
        for part in table.values()
        for route, methods in part.items()
    }


def methods_of(route: str) -> list[str]:
    """The methods that the matrix has a line for."""
    return list(matrix().get(route, {}))


def act_of(route: str, method: str) -> Act | None:
    """What the matrix asks for; None for a route or method that it does not know."""
    return matrix().get(route, {}).get("GET" if method == "HEAD" else method)


def judge(actor: Actor | None, route: str, method: str) -> Verdict:
    """May this actor ask this of this route at all? What the matrix does not know is refused."""
    act = act_of(route, method)
    if act is Act.PUBLIC:
        return Verdict.ALLOWED
    if actor is None and Act.PUBLIC not in matrix().get(route, {}).values():
        return Verdict.UNKNOWN_ACTOR
    if act is None and route in matrix():
        return Verdict.NO_SUCH_METHOD
    if actor is None or act is None:
        log.error("no line in the access matrix for %s %s", method, route)
        return Verdict.FORBIDDEN
    scope = _SCOPE.get(act) or ("read" if method in _SAFE else "write")
    return Verdict.ALLOWED if scope in actor.scopes and right_of(actor) >= _NEEDED[act] else Verdict.FORBIDDEN


def right_of(actor: Actor) -> int:
    """1 viewer, 2 responder, 3 manager of some team, 4 admin; the system may do everything."""
    if actor.user is None:
        return _RIGHT["admin"]
    if actor.user.is_admin:
        return _RIGHT["admin"]
    return max([_RIGHT[role] for role in _roles(actor.user).values()], default=_RIGHT["viewer"])


def can(actor: Actor | None, act: Act, team: Team | None = None) -> bool:
    """May the actor do this, where a team is given: as a manager of that team? Where none is, of any."""
    if actor is None or _SCOPE.get(act, "write") not in actor.scopes:
        return False
    if right_of(actor) == _RIGHT["admin"]:
        return True
    if act is Act.MANAGE and team is not None:
        return actor.user is not None and _roles(actor.user).get(team.pk) == "manager"
    return right_of(actor) >= _NEEDED[act]


def require(actor: Actor, act: Act, team: Team | None = None) -> None:
    """Raise Forbidden unless `can`."""
    if not can(actor, act, team):
        needed = {
            Act.MANAGE: _("This needs a manager of the team."),
            Act.ADMINISTER: _("This needs an administrator."),
            Act.RESPOND: _("This needs a responder."),
        }
        raise Forbidden(needed.get(act) or _("This needs a member."))


def read_roles(users: Collection[User]) -> None:
    """Read the roles of all of them at once, where each would be read when it is first asked for."""
    known: dict[int, dict[int, str]] = {user.pk: {} for user in users}
    for user_id, team_id, role in Membership.objects.filter(user__in=known).values_list("user_id", "team_id", "role"):
        known[user_id][team_id] = role
    for user in users:
        user.__dict__["_roles"] = known[user.pk]


def _roles(user: User) -> dict[int, str]:
    """Team id -> role, read once for each user object, so once for each request."""
    known = user.__dict__.get("_roles")
    if known is None:
        known = dict(Membership.objects.filter(user=user).values_list("team_id", "role"))
        user.__dict__["_roles"] = known
    return dict(known)
