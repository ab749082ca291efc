"""Sessions of browsers: kept in rows that say whose they are, so that each can be seen, and ended at once.

Also Django's session engine (`SESSION_ENGINE`): who is signed in is written down with the session itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from common.addresses import address_of
from common.text import shortened, storable
from people import audit
from people.actors import Actor
from people.models import Session, User

IDLE = timedelta(hours=12)  # without a request, a session ends
LONGEST = timedelta(days=7)  # after signing in, whatever its use
UNKNOWN = timedelta(days=1)  # of a browser in which nobody is signed in
SEEN_EVERY = timedelta(minutes=5)  # how exactly its last use is known

_ORIGIN = "_origin"  # in a session's data: when, and from where, somebody signed in


class SessionStore(db.SessionStore):
    """Django's own, in rows of ours."""

    row: Session | None = None  # as it was loaded

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def _get_session_from_db(self) -> Session | None:
        self.row = super()._get_session_from_db()  # type: ignore[misc]
        return self.row

    def create_model_instance(self, data: Mapping[str, Any]) -> Session:
        row: Session = super().create_model_instance(data)  # type: ignore[assignment,arg-type]
        now = timezone.now()
        row.expire_date = now + UNKNOWN
        if SESSION_KEY in data:
            origin = data.get(_ORIGIN, {})
            row.user_id = int(data[SESSION_KEY])
            row.signed_in_at = datetime.fromtimestamp(origin.get("at", now.timestamp()), UTC)
            row.last_used_at = now
            row.address, row.agent = origin.get("address", ""), origin.get("agent", "")
            row.expire_date = _ends_at(row.signed_in_at, now)
        return row


def begin(request: HttpRequest, *, now: datetime) -> None:
    """Somebody has signed in: note when, and from where."""
    request.session[_ORIGIN] = {"at": now.timestamp(), **_place(request)}


def touch(request: HttpRequest, *, now: datetime) -> None:
    """The session is in use; written down every few minutes."""
    row = getattr(request.session, "row", None)
    if row is None or row.signed_in_at is None or now - row.last_used_at < SEEN_EVERY:
        return
    Session.objects.filter(pk=row.pk).update(
        last_used_at=now, expire_date=_ends_at(row.signed_in_at, now), **_place(request)
    )


@transaction.atomic
def end(user: User, key: str, *, by: Actor, now: datetime) -> bool:
    """End one of one's sessions; the streams that it opened end within seconds. False where it had ended."""
    session = user.sessions.filter(pk=key).first()
    if session is None:
        return False
    told = audit.Thing("session", session.mark, str(device_of(session.agent)))
    session.delete()
    audit.record(audit.Action.SESSION_ENDED, told, by=by, now=now)
    return True


@transaction.atomic
def end_others(user: User, key: str | None, *, by: Actor, now: datetime) -> int:
    """End all of one's sessions but this one. How many there were."""
    ended = end_all(user, but=key)
    if ended:
        audit.record(audit.Action.SESSION_ENDED, user, by=by, now=now, after={"sessions": ended})
    return ended


def end_all(user: User, *, but: str | None = None) -> int:
    """End every session of somebody, but one of them where it is named; part of a change that is recorded itself. How
    many there were."""
    ended, _ = user.sessions.exclude(pk=but).delete() if but else user.sessions.all().delete()
    return ended


def of(user: User, *, now: datetime) -> QuerySet[Session]:
    """Those that live, the last used first."""
    sessions: QuerySet[Session] = user.sessions.filter(expire_date__gt=now).order_by("-last_used_at", "session_key")
    return sessions


def forget_ended(*, now: datetime) -> int:
    """Remove what is over."""
    return Session.objects.filter(expire_date__lte=now).delete()[0]


@dataclass(frozen=True, slots=True)
class Device:
    """What a browser says of itself, in words."""

    browser: str
    system: str

    def __str__(self) -> str:
        return f"{self.browser}, {self.system}" if self.system else self.browser


# The first that is found is it: others name themselves after those before them.
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "FxiOS": "Firefox",
    "Chrome/": "Chrome",
    "CriOS": "Chrome",
    "Safari/": "Safari",
    "curl/": "curl",
    "python": "Python",
}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def device_of(agent: str) -> Device:
    """Which browser on which system, as far as it tells."""
    browser = next((name for mark, name in _BROWSERS.items() if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS.items() if mark in agent), "")
    return Device(browser, system)


def _ends_at(signed_in_at: datetime, used_at: datetime) -> datetime:
    return min(used_at + IDLE, signed_in_at + LONGEST)


def _place(request: HttpRequest) -> dict[str, str]:
    agent = storable(request.META.get("HTTP_USER_AGENT", ""))
    return {"address": storable(address_of(request))[:64], "agent": shortened(agent, 300)}
