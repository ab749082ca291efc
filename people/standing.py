"""Whether those who were let in for longer than one request would still be let in: many at once, in few statements."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.utils.crypto import constant_time_compare

from people import access, actors
from people.models import Session, Token, User
from people.sessions import SessionStore


@dataclass(frozen=True, slots=True)
class Pass:
    """What somebody showed to be let in at a route: a session, or a token where there is one."""

    route: str
    user_id: int
    session_key: str = ""
    token_id: int | None = None

    @property
    def shown(self) -> str:
        """What tells this session or token from others."""
        return f"token {self.token_id}" if self.token_id is not None else f"session {self.session_key}"


def void(passes: Collection[Pass], *, now: datetime) -> set[Pass]:
    """Those that no longer open their route: the session or token ended, the person may not sign in, or the matrix
    refuses them. At most four statements, however many."""
    known = [*_by_token(passes, now), *_by_session(passes, now)]
    access.read_roles([actor.user for _, actor in known if actor.user is not None])
    return set(passes) - {each for each, actor in known if access.judge(actor, each.route, "GET") == "allowed"}


def _by_token(passes: Collection[Pass], now: datetime) -> Iterator[tuple[Pass, actors.Actor]]:
    ids = {each.token_id for each in passes if each.token_id is not None}
    live = Token.objects.live(now).select_related("owner").in_bulk(ids) if ids else {}
    for each in passes:
        token = live.get(each.token_id)
        if token is not None and token.owner_id == each.user_id:
            yield each, actors.bot(token)


def _by_session(passes: Collection[Pass], now: datetime) -> Iterator[tuple[Pass, actors.Actor]]:
    """As django.contrib.auth.get_user, which reads one session at a time."""
    keys = {each.session_key for each in passes if each.token_id is None}
    if not keys:
        return
    store = SessionStore()
    sessions: dict[str, dict[str, Any]] = {
        row.session_key: store.decode(row.session_data)
        for row in Session.objects.filter(session_key__in=keys, expire_date__gt=now)
    }
    users = User.objects.filter(is_active=True).in_bulk({each.user_id for each in passes if each.token_id is None})
    for each in passes:
        user = users.get(each.user_id)
        if each.token_id is None and user is not None and _is_of(sessions.get(each.session_key, {}), user):
            yield each, actors.person(user)


def _is_of(session: dict[str, Any], user: User) -> bool:
    """Whether it is a session of theirs, begun with the password that they have now."""
    shown = session.get(HASH_SESSION_KEY, "")
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return (
        session.get(SESSION_KEY) == str(user.pk)
        and BACKEND_SESSION_KEY in session
        and any(constant_time_compare(shown, each) for each in hashes)
    )
