"""New entries of all timelines in the order of their commits, and who may hear of them.

Ids become visible out of that order on PostgreSQL: who has read past id 2 would never see an id 1 committed later. So
rows are read in the order of (transaction, id), and only those of transactions below the oldest that still runs: all
that comes later has a higher number. On SQLite one writer makes the id enough. Within one timeline `seq` may come in
another order, where a transaction that began earlier reached the incident later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import CharField, Exists, OuterRef, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast

from common import sse
from common.errors import Invalid
from common.wire import dumped
from incidents import access
from incidents.models import Entry, Incident
from incidents.serializers import EntryOut
from people.actors import Actor

PAGE = 500
PAGE_IN_FULL = 100

_CURSOR = re.compile(r"(\d{1,19})-(\d{1,19})", re.ASCII)
_LARGEST = 2**63 - 1
_OLDEST_RUNNING = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"


class BadCursor(Invalid):
    """A place in the stream that we did not give out."""

    code = "bad_cursor"


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the stream: behind the entry with this transaction (0 on SQLite) and id."""

    xid: int
    id: int

    def __str__(self) -> str:
        return f"{self.xid}-{self.id}"


@dataclass(frozen=True, slots=True)
class News:
    """One new entry. `readers` are the users who may hear of it, None is everybody; `told` is what programs are told
    as JSON, empty where it was not asked for."""

    cursor: Cursor
    incident: int  # its number
    seq: int
    readers: frozenset[int] | None
    told: bytes

    def is_for(self, user_id: int) -> bool:
        return self.readers is None or user_id in self.readers


@dataclass(frozen=True, slots=True)
class Page:
    """News in their order. `upto` is where they end; there is more where it `is_full`."""

    news: list[News]
    upto: Cursor
    is_full: bool


START = Cursor(0, 0)


def parse(text: str) -> Cursor:
    """The cursor that a reader sends back. Raises BadCursor."""
    match = _CURSOR.fullmatch(text)
    numbers = [int(number) for number in match.groups()] if match else []
    if not numbers or max(numbers) > _LARGEST:
        raise BadCursor("This is no place in the stream.", errors=[("last_event_id", "Send an id that came with it.")])
    return Cursor(*numbers)


def head() -> Cursor:
    """Behind the last entry that there is. One statement."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                f"SELECT xid, id FROM incidents_entry WHERE xid > 0 AND xid < {_OLDEST_RUNNING} "
                "ORDER BY xid DESC, id DESC LIMIT 1"
            )
        else:
            cursor.execute("SELECT 0, id FROM incidents_entry ORDER BY id DESC LIMIT 1")
        row = cursor.fetchone()
    return Cursor(*row) if row else START


def resumed(asked: Cursor | None, now_at: Cursor) -> Cursor:
    """Where a reader goes on who was at `asked`. One that lies ahead of us was given by another database, from which
    this one was not made or not whole: there, as without one, the stream begins now."""
    if asked is not None and connection.vendor != "postgresql":
        asked = Cursor(0, asked.id)
    return now_at if asked is None or asked > now_at else asked


def after(cursor: Cursor, *, in_full: bool) -> Page:
    """The next PAGE entries behind a place, or PAGE_IN_FULL that are `told`. One statement where there are none, and
    never more than five."""
    size = PAGE_IN_FULL if in_full else PAGE
    rows = _rows(cursor, size)
    if not rows:
        return Page([], cursor, is_full=False)
    incidents = {
        pk: (number, is_private)
        for pk, number, is_private in Incident.objects.filter(pk__in={row[2] for row in rows}).values_list(
            "pk", "number", "is_private"
        )
    }
    readers = access.readers_of([pk for pk, (_, is_private) in incidents.items() if is_private])
    told = _told([row[1] for row in rows], incidents) if in_full else {}
    news = [
        News(
            Cursor(xid, pk),
            incidents[incident][0],
            seq,
            readers.get(incident, frozenset()) if incidents[incident][1] else None,
            told.get(pk, b""),
        )
        for xid, pk, incident, seq in rows
    ]
    return Page(news, news[-1].cursor, is_full=len(rows) == size)


def ready(at: Cursor) -> bytes:
    """The event that tells a reader where they stand, for when they come again."""
    return sse.event("ready", b'{"cursor":"%b"}' % str(at).encode(), id=str(at))


def version(actor: Actor) -> str:
    """What changes whenever an incident that the actor may see has a new entry. One statement."""
    return version_of(newest(actor))


def newest(actor: Actor) -> QuerySet[Entry, Any]:
    """The row that `version_of` turns into the version, for who reads it along with other things."""
    # Looked up for the newest entries alone, where IN would have SQLite list every incident first.
    entries = Entry.objects.filter(Exists(Incident.objects.for_actor(actor).filter(pk=OuterRef("incident"))))
    if connection.vendor == "postgresql":
        entries = (
            entries.annotate(xid=RawSQL('"incidents_entry"."xid"', ()))
            .filter(xid__gt=0, xid__lt=RawSQL(_OLDEST_RUNNING, ()))
            .order_by("-xid", "-id")
        )
        return entries.values_list(Cast("xid", CharField()), Value(""), "id")[:1]
    return entries.order_by("-id").values_list(Cast("seq", CharField()), Value(""), "id")[:1]


def version_of(rows: Iterable[tuple[str, str, int]]) -> str:
    """Of what `newest` gave."""
    return next((f"{transaction}-{pk}" for transaction, _, pk in rows), "0")


def _rows(cursor: Cursor, size: int) -> list[tuple[int, int, int, int]]:
    """(transaction, id, incident, seq) of the next entries."""
    with connection.cursor() as database:
        if connection.vendor == "postgresql":
            database.execute(
                "SELECT xid, id, incident_id, seq FROM incidents_entry "
                f"WHERE xid > 0 AND (xid, id) > (%s, %s) AND xid < {_OLDEST_RUNNING} ORDER BY xid, id LIMIT %s",
                [cursor.xid, cursor.id, size],
            )
        else:
            database.execute(
                "SELECT 0, id, incident_id, seq FROM incidents_entry WHERE id > %s ORDER BY id LIMIT %s",
                [cursor.id, size],
            )
        rows: list[tuple[int, int, int, int]] = database.fetchall()
    return rows


def _told(ids: Sequence[int], incidents: dict[int, tuple[int, bool]]) -> dict[int, bytes]:
    """Entry id -> it and its incident's number as JSON, the entry as the timeline's API gives it."""
    return {
        entry.pk: dumped({"incident": incidents[entry.incident_id][0], "entry": EntryOut(entry).data})
        for entry in Entry.objects.filter(pk__in=ids)
    }
